/* Whether an exception could be delivered in real mode and in 32-bit protected mode without paging, and what of long mode the
 * post-mortem's tests (test_postmortem.c) do not ask: tables in 64 KiB of RAM, one thing wrong at a time. */
#include <string.h>
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/segment.h"
#include "hv/vm/delivery.h"
#include "tests/unit/hv/mem/arena.h"
#include "tests/unit/test.h"

enum { GDT = 0x1000, IDT = 0x2000, TSS = 0x3000, LDT = 0x4000, PML4 = 0x5000, PDPT = 0x6000, PD = 0x7000, STACK = 0x9000, INNER = 0xa000 };
enum { CODE = 0x08, OUTSIDE = 0x200000 };
#define CODE32 UINT64_C(0x00cf9b000000ffff) /* DPL 0 */
#define CODE64 UINT64_C(0x00af9b000000ffff)
#define DPL(n) ((uint64_t)(n) << DESC_DPL_SHIFT)

struct vt_ops vt;
static uint64_t field[VT_FIELD_COUNT];
static struct partition part;
static struct vcpu vcpu = { .part = &part };
static struct guest_paging paging;

static uint64_t get(struct vt_vcpu *v, enum vt_field f) { return field[f]; }

static void poke(uint64_t at, uint64_t value, size_t size)
{
    if (gmem_write(&part.mem, GPA(at), &value, size) != GMEM_OK)
        test_failed(__FILE__, __LINE__, "poke");
}

static bool start(void)
{
    static const struct page_range all[] = { { { MiB(16) }, MiB(16) } };
    vt = (struct vt_ops){ .get = get };
    memset(field, 0, sizeof field);
    if (!arena_start(MiB(16), all, 1) || gmem_create(&part.mem, &pages) != GMEM_OK ||
        gmem_add_ram(&part.mem, GPA(0), KiB(64)) != GMEM_OK)
        return false;
    field[VT_RSP_] = STACK;
    field[VT_IDTR_LIMIT] = 0x3ff;
    paging = (struct guest_paging){ .physical_bits = 36 };
    return true;
}

static void finish(void)
{
    gmem_destroy(&part.mem);
    arena_end();
}

static void gate32(unsigned vector, unsigned type, uint16_t selector)
{
    poke(IDT + 8 * vector, 0xc000 | (uint64_t)selector << 16 | (uint64_t)(IDT_GATE_P | type) << 40, 8);
}

/* 32-bit code at CPL 0, with a good gate for #UD. */
static bool start_protected(void)
{
    if (!start())
        return false;
    paging.cr0 = CR0_PE;
    field[VT_IDTR_BASE] = IDT;
    field[VT_GDTR_BASE] = GDT;
    field[VT_GDTR_LIMIT] = 0x0f;
    field[VT_BASE + VT_TR] = TSS;
    field[VT_LIMIT + VT_TR] = 0x67;
    poke(GDT + CODE, CODE32, 8);
    poke(TSS + 4, INNER, 4);
    gate32(EXC_UD, SYS_INTERRUPT_GATE, CODE);
    return true;
}

static bool start_long(void)
{
    if (!start_protected())
        return false;
    paging.cr0 |= CR0_PG;
    paging.cr3 = PML4;
    paging.cr4 = CR4_PAE;
    paging.efer = EFER_LME | EFER_LMA;
    field[VT_IDTR_LIMIT] = 0xfff;
    poke(PML4, PDPT | 3, 8);
    poke(PDPT, PD | 3, 8);
    poke(PD, 0x83, 8);
    poke(GDT + CODE, CODE64, 8);
    poke(IDT + 16 * EXC_UD, 0xc000 | CODE << 16 | UINT64_C(0x8e) << 40, 8);
    poke(IDT + 16 * EXC_UD + 8, 0, 8);
    return true;
}

static struct delivery deliver(unsigned vector)
{
    struct delivery d;
    delivery_check(&vcpu, &paging, (uint8_t)vector, &d);
    return d;
}

static bool faults(unsigned vector, unsigned with, const char *why)
{
    struct delivery d = deliver(vector);
    if (d.result == DELIVERY_FAULT && d.fault == with && strstr(d.problem, why))
        return true;
    printf("  result %u, fault %u: %s\n", d.result, d.fault, d.problem ? d.problem : "no problem");
    return false;
}

static bool is_outside(struct delivery d, uint64_t address, unsigned access)
{
    return d.result == DELIVERY_OUTSIDE && d.has_address && d.address == address && d.access == access;
}

/* ---- real mode --------------------------------------------------------------------------------------------------- */

TEST(in_real_mode_a_vector_of_4_bytes_within_the_limit_is_enough)
{
    CHECK(start());
    CHECK_EQ(deliver(0xff).result, DELIVERY_OK);
    field[VT_IDTR_LIMIT] = 0x1a; /* the last byte of vector 6 is at 1bh */
    CHECK_EQ(deliver(5).result, DELIVERY_OK);
    CHECK(faults(6, EXC_GP, "beyond the IDT's limit"));
    finish();
}

TEST(in_real_mode_the_stack_is_where_ss_and_sp_say)
{
    CHECK(start());
    field[VT_BASE + VT_SS] = 0x10000; /* 64 KiB: where the RAM ends */
    CHECK(is_outside(deliver(6), 0x10000 + STACK - 8, GUEST_WRITE | GUEST_IMPLICIT));
    field[VT_BASE + VT_SS] = 0x7000 - 8; /* the frame's end is the RAM's */
    CHECK_EQ(deliver(6).result, DELIVERY_OK);
    finish();
}

TEST(in_real_mode_an_idt_limit_of_0_ends_in_a_triple_fault)
{
    struct delivery_chain chain;
    CHECK(start());
    field[VT_IDTR_LIMIT] = 0;
    delivery_chain(&vcpu, &paging, EXC_UD, &chain);
    CHECK(chain.triple_fault);
    CHECK_EQ(chain.count, 3); /* #UD, #GP, #DF */
    CHECK_EQ(chain.step[1].vector, EXC_GP);
    CHECK_EQ(chain.step[2].vector, EXC_DF);
    finish();
}

/* ---- 32-bit protected mode --------------------------------------------------------------------------------------- */

TEST(gates_of_16_and_32_bits_are_gates_in_protected_mode_and_nothing_else_is)
{
    CHECK(start_protected());
    for (unsigned type = 0; type < 32; type++) {
        bool good = type == SYS_INTERRUPT_GATE || type == SYS_TRAP_GATE || type == SYS_INTERRUPT_GATE16 ||
                    type == SYS_TRAP_GATE16 || type == SYS_TASK_GATE;
        gate32(EXC_UD, type, CODE);
        CHECK(good ? deliver(EXC_UD).result == DELIVERY_OK : faults(EXC_UD, EXC_GP, "no gate"));
    }
    finish();
}

TEST(behind_a_task_gate_nothing_is_looked_at_but_it_must_be_present)
{
    CHECK(start_protected());
    gate32(EXC_DF, SYS_TASK_GATE, 0xfff8); /* beyond the GDT */
    CHECK_EQ(deliver(EXC_DF).result, DELIVERY_OK);
    poke(IDT + 8 * EXC_DF + 5, SYS_TASK_GATE, 1);
    CHECK(faults(EXC_DF, EXC_NP, "gate is not present"));
    finish();
}

TEST(a_handler_may_be_in_the_ldt)
{
    CHECK(start_protected());
    gate32(EXC_UD, SYS_INTERRUPT_GATE, CODE | SEL_TI);
    CHECK(faults(EXC_UD, EXC_GP, "beyond")); /* there is none */
    field[VT_BASE + VT_LDTR] = LDT;
    field[VT_LIMIT + VT_LDTR] = 0x0f;
    poke(LDT + CODE, CODE32, 8);
    poke(GDT + CODE, 0, 8);
    CHECK_EQ(deliver(EXC_UD).result, DELIVERY_OK);
    finish();
}

TEST(a_handler_must_not_be_less_privileged_than_what_it_interrupts)
{
    CHECK(start_protected());
    poke(GDT + CODE, CODE32 | DPL(3), 8);
    CHECK(faults(EXC_UD, EXC_GP, "too high a DPL"));
    paging.cpl = 3;
    CHECK_EQ(deliver(EXC_UD).result, DELIVERY_OK);
    finish();
}

TEST(a_table_outside_of_ram_is_no_fault_but_an_exit)
{
    CHECK(start_protected());
    field[VT_GDTR_BASE] = OUTSIDE;
    CHECK(is_outside(deliver(EXC_UD), OUTSIDE + CODE, GUEST_IMPLICIT));
    field[VT_IDTR_BASE] = OUTSIDE;
    CHECK(is_outside(deliver(EXC_UD), OUTSIDE + 8 * EXC_UD, GUEST_IMPLICIT));
    finish();
}

TEST(from_an_outer_ring_the_stack_is_the_32_bit_tss_s)
{
    CHECK(start_protected());
    paging.cpl = 3;
    field[VT_RSP_] = OUTSIDE; /* the interrupted code's own stack does not matter */
    CHECK_EQ(deliver(EXC_UD).result, DELIVERY_OK);
    poke(TSS + 4, OUTSIDE, 4);
    CHECK(is_outside(deliver(EXC_UD), OUTSIDE - 8, GUEST_WRITE | GUEST_IMPLICIT));
    field[VT_BASE + VT_TR] = OUTSIDE;
    CHECK(is_outside(deliver(EXC_UD), OUTSIDE + 4, GUEST_IMPLICIT));
    field[VT_LIMIT + VT_TR] = 6; /* ESP0 ends at 7 */
    CHECK(faults(EXC_UD, EXC_TS, "beyond the TSS's limit"));
    finish();
}

TEST(conforming_code_stays_on_the_stack_of_the_outer_ring)
{
    CHECK(start_protected());
    paging.cpl = 3;
    field[VT_LIMIT + VT_TR] = 0;
    poke(GDT + CODE, CODE32 | DESC_CONFORMING, 8);
    CHECK_EQ(deliver(EXC_UD).result, DELIVERY_OK);
    finish();
}

TEST(the_bits_of_an_ist_mean_nothing_in_a_32_bit_gate)
{
    CHECK(start_protected());
    field[VT_LIMIT + VT_TR] = 0;
    poke(IDT + 8 * EXC_UD + 4, 7, 1);
    CHECK_EQ(deliver(EXC_UD).result, DELIVERY_OK);
    finish();
}

/* ---- long mode --------------------------------------------------------------------------------------------------- */

TEST(gates_of_16_bits_and_task_gates_are_none_in_long_mode)
{
    static const uint8_t none[] = { SYS_INTERRUPT_GATE16, SYS_TRAP_GATE16, SYS_TASK_GATE };
    CHECK(start_long());
    CHECK_EQ(deliver(EXC_UD).result, DELIVERY_OK);
    poke(IDT + 16 * EXC_UD + 5, IDT_GATE_P | SYS_TRAP_GATE, 1);
    CHECK_EQ(deliver(EXC_UD).result, DELIVERY_OK);
    for (unsigned i = 0; i < ARRAY_SIZE(none); i++) {
        poke(IDT + 16 * EXC_UD + 5, IDT_GATE_P | none[i], 1);
        CHECK(faults(EXC_UD, EXC_GP, "no gate"));
    }
    finish();
}

TEST(a_32_bit_handler_is_refused_in_long_mode)
{
    CHECK(start_long());
    poke(GDT + CODE, CODE32, 8);
    CHECK(faults(EXC_UD, EXC_GP, "not 64-bit"));
    finish();
}

TEST(a_stack_that_is_not_canonical_is_a_stack_fault_and_a_table_a_general_protection)
{
    CHECK(start_long());
    field[VT_RSP_] = UINT64_C(0x8000000000000000);
    CHECK(faults(EXC_UD, EXC_SS, "stack cannot be written"));
    field[VT_IDTR_BASE] = UINT64_C(0x8000000000000000);
    CHECK(faults(EXC_UD, EXC_GP, "gate in the IDT cannot be read"));
    finish();
}

TEST(the_stack_is_aligned_to_16_bytes_in_long_mode_only)
{
    CHECK(start_long());
    field[VT_RSP_] = OUTSIDE + 15; /* not mapped: the frame's end shows in the address */
    CHECK_EQ(deliver(EXC_UD).address, OUTSIDE - 8);
    finish();
    CHECK(start_protected());
    field[VT_RSP_] = OUTSIDE + 15;
    CHECK_EQ(deliver(EXC_UD).address, OUTSIDE + 15 - 8);
    finish();
}
