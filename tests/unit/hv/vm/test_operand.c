/* Instructions that a handler decodes, on a scripted CPU: registers in an array, 64-bit code at 8000h, tables that map 1 MiB of
 * RAM, then 2 MiB of devices, then nothing. What the guest's CPU fetched may be gone, or another instruction, by now. */
#include <stdarg.h>
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/segment.h"
#include "hv/vm/emulate.h"
#include "hv/vm/exits.h"
#include "hv/vm/linear.h"
#include "tests/unit/hv/mem/arena.h"
#include "tests/unit/hv/vm/fake_snapshot.h"
#include "tests/unit/test.h"

enum { PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, GDT = 0x4000, CODE = 0x8000, ALL = 7 /* present, writable, user */, LARGE = 0x80 };
enum { DEVICE = MiB(2), NOTHING = MiB(4), TSS_SELECTOR = 0x20 };

struct vt_ops vt;
static uint64_t field[VT_FIELD_COUNT];
static struct vt_vcpu cpu;
static struct partition part;
static struct vcpu vcpu = { .vt = &cpu, .part = &part };
static struct vt_event injected;
static unsigned faults, flushes, advances;
static bool failed;

static struct access { uint64_t gpa, value; unsigned size; bool write; } accesses[8];
static unsigned access_count;

static uint64_t get(struct vt_vcpu *v, enum vt_field f) { return field[f]; }
static void set(struct vt_vcpu *v, enum vt_field f, uint64_t value) { field[f] = value; }
static void snapshot(struct vt_vcpu *v, struct vt_snapshot *out) { fake_snapshot(field, out); }
static void advance(struct vt_vcpu *v, uint64_t rip) { field[VT_RIP] = rip; advances++; }
static void flush_linear(struct vt_vcpu *v) { flushes++; }
static void skip(struct vt_vcpu *v) { advances++; }
void partition_fail(struct vcpu *v, const char *format, ...) { failed = true; }
const char *vt_exit_name(enum vt_exit_kind kind) { return "exit"; }
uint32_t vcpu_port_in(struct vcpu *v, uint16_t port, unsigned size) { return 0; }
void vcpu_port_out(struct vcpu *v, uint16_t port, unsigned size, uint32_t value) { }

void vcpu_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
    injected = (struct vt_event){ .vector = vector, .has_error_code = has_error, .error_code = error };
    faults++;
}

static void note(uint64_t gpa, unsigned size, uint64_t value, bool write)
{
    if (access_count < ARRAY_SIZE(accesses))
        accesses[access_count++] = (struct access){ gpa, value, size, write };
}

uint64_t vcpu_mmio_read(struct vcpu *v, gpa_t gpa, unsigned size)
{
    note(gpa.raw, size, 0, false);
    return UINT64_MAX;
}

void vcpu_mmio_write(struct vcpu *v, gpa_t gpa, unsigned size, uint64_t value)
{
    note(gpa.raw, size, value, true);
}

static void poke(uint64_t at, uint64_t value, size_t size)
{
    if (gmem_write(&part.mem, GPA(at), &value, size) != GMEM_OK)
        test_failed(__FILE__, __LINE__, "poke");
}

static uint64_t peek(uint64_t at, size_t size)
{
    uint64_t value = 0;
    if (gmem_read(&part.mem, GPA(at), &value, size) != GMEM_OK)
        test_failed(__FILE__, __LINE__, "peek");
    return value;
}

static void set_registers(void)
{
    memset(field, 0, sizeof field);
    field[VT_CR0] = CR0_PE | CR0_PG | CR0_WP | CR0_ET;
    field[VT_CR3] = PML4;
    field[VT_CR4] = CR4_PAE;
    field[VT_EFER] = EFER_LMA | EFER_LME;
    field[VT_RFLAGS] = RFLAGS_ONE;
    field[VT_ACCESS + VT_CS] = 0xa09b;
    field[VT_ACCESS + VT_SS] = 0xc093;
    field[VT_GDTR_BASE] = GDT;
    field[VT_GDTR_LIMIT] = 0x2f;
    field[VT_SELECTOR + VT_LDTR] = 0x77;
    field[VT_SELECTOR + VT_TR] = 0x88;
    cpu.exit.rip = field[VT_RIP] = CODE;
}

/* With these bytes at RIP. */
static bool start(uint64_t code)
{
    static const struct page_range all[] = { { { MiB(16) }, MiB(64) } };
    vt = (struct vt_ops){ .get = get, .set = set, .snapshot = snapshot, .advance = advance, .skip = skip,
                          .flush_linear = flush_linear };
    memset(&cpu, 0, sizeof cpu);
    memset(&vcpu.fetch_cache, 0, sizeof vcpu.fetch_cache);
    memset(vcpu.device_pages, 0xff, sizeof vcpu.device_pages);
    vcpu.cpuid.leaf[CPUID_SLOT_EXTENDED + 8].eax = 40; /* physical address bits */
    part.complaints = 0;
    injected = (struct vt_event){ 0 };
    faults = flushes = advances = access_count = 0;
    failed = false;
    set_registers();
    if (!arena_start(MiB(16), all, 1) || gmem_create(&part.mem, &pages) != GMEM_OK ||
        gmem_add_ram(&part.mem, GPA(0), MiB(1)) != GMEM_OK)
        return false;
    poke(PML4, PDPT | ALL, 8);
    poke(PDPT, PD | ALL, 8);
    poke(PD, 0 | ALL | LARGE, 8);
    poke(PD + 8, DEVICE | ALL | LARGE, 8);
    poke(CODE, code, 8);
    return true;
}

static void end(void)
{
    gmem_destroy(&part.mem);
    arena_end();
}

/* Finished without a fault, and RIP behind `length` bytes. */
static bool is_done(unsigned length)
{
    return advances == 1 && !faults && !failed && !flushes && field[VT_RIP] == CODE + length;
}

/* The guest is where it was, and its CPU looks again. */
static bool is_retried(void)
{
    return flushes == 1 && !advances && !faults && !failed && field[VT_RIP] == CODE;
}

static bool is_access(unsigned n, uint64_t gpa, unsigned size, uint64_t value)
{
    return n < access_count && accesses[n].gpa == gpa && accesses[n].size == size && accesses[n].write && accesses[n].value == value;
}

enum { SGDT_RBX = 0x03010f, SIDT_RBX = 0x0b010f, LGDT_RBX = 0x13010f, LIDT_RBX = 0x1b010f, SMSW_RBX = 0x23010f, LMSW_RBX = 0x33010f,
       SLDT_RBX = 0x03000f, STR_RBX = 0x0b000f, LTR_AX = 0xd8000f, NOP = 0x90, PUSHF = 0x9c, UD2 = 0x0b0f };

/* As it exits by policy, and as an access to a device's memory. */
static void exit_by(bool access, exit_handler_t handler)
{
    static const struct known_access known = { { DEVICE }, false, true };
    if (access)
        (void)vcpu_emulate(&vcpu, &cpu.exit, &known);
    else
        (void)handler(&vcpu, &cpu.exit);
}

/* ---- operands in a device's memory ---------------------------------------------------------------------------------- */

TEST(a_descriptor_table_is_stored_to_a_device_limit_first)
{
    for (unsigned access = 0; access < 2; access++) {
        CHECK(start(SGDT_RBX));
        cpu.gpr[VT_RBX] = DEVICE + 0x10;
        exit_by(access, exit_descriptor);
        CHECK(is_done(3) && access_count == 2);
        CHECK(is_access(0, DEVICE + 0x10, 2, 0x2f) && is_access(1, DEVICE + 0x12, 8, GDT));
        end();
    }
}

TEST(selectors_and_the_machine_status_word_are_stored_to_a_device)
{
    static const struct { uint64_t code; exit_handler_t handler; uint64_t value; } rows[] = {
        { SLDT_RBX, exit_descriptor, 0x77 }, { STR_RBX, exit_descriptor, 0x88 },
        { SMSW_RBX, exit_cr_insn, CR0_PE | CR0_ET },
    };
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
        CHECK(start(rows[i / 2].code));
        cpu.gpr[VT_RBX] = DEVICE;
        exit_by(i % 2, rows[i / 2].handler);
        CHECK(is_done(3) && access_count == 1 && is_access(0, DEVICE, 2, rows[i / 2].value & 0xffff));
        end();
    }
}

TEST(a_descriptor_table_is_loaded_from_a_device)
{
    for (unsigned access = 0; access < 2; access++) {
        CHECK(start(LIDT_RBX));
        cpu.gpr[VT_RBX] = DEVICE;
        exit_by(access, exit_descriptor);
        CHECK(is_done(3) && access_count == 2);
        CHECK(field[VT_IDTR_BASE] == UINT64_MAX && field[VT_IDTR_LIMIT] == 0xffff);
        end();
    }
}

TEST(flags_are_pushed_to_a_stack_in_a_device)
{
    for (unsigned access = 0; access < 2; access++) {
        CHECK(start(PUSHF));
        field[VT_RSP_] = DEVICE + 0x100;
        exit_by(access, exit_flags);
        CHECK(is_done(1) && access_count == 1 && is_access(0, DEVICE + 0xf8, 8, RFLAGS_ONE));
        end();
    }
}

TEST(no_device_is_read_before_all_of_the_operand_may_be)
{
    CHECK(start(LGDT_RBX));
    cpu.gpr[VT_RBX] = NOTHING - 4;
    exit_by(false, exit_descriptor);
    CHECK(faults == 1 && injected.vector == EXC_PF && field[VT_CR2] == NOTHING && access_count == 0 && !advances && !failed);
    end();
}

TEST(user_code_stores_no_status_word_against_umip)
{
    CHECK(start(SMSW_RBX));
    field[VT_ACCESS + VT_SS] |= 0x60;
    field[VT_CR4] |= CR4_UMIP;
    exit_by(false, exit_cr_insn);
    CHECK(faults == 1 && injected.vector == EXC_GP && !advances);
    end();
}

/* ---- what was fetched is not there any more --------------------------------------------------------------------------- */

static const struct { exit_handler_t handler; uint64_t code; } decoders[] = {
    { exit_descriptor, SGDT_RBX }, { exit_cr_insn, SMSW_RBX }, { exit_flags, PUSHF }, { exit_invpcid, 0x1182380f66 },
};

TEST(a_page_that_went_away_is_the_guests_page_fault)
{
    for (unsigned i = 0; i < ARRAY_SIZE(decoders); i++) {
        CHECK(start(decoders[i].code));
        cpu.exit.rip = field[VT_RIP] = NOTHING;
        exit_by(false, decoders[i].handler);
        CHECK(!failed && faults == 1 && injected.vector == EXC_PF && injected.error_code == 0 && field[VT_CR2] == NOTHING && !advances);
        end();
    }
}

TEST(a_page_that_is_no_ram_any_more_is_fetched_again)
{
    for (unsigned i = 0; i < ARRAY_SIZE(decoders); i++) {
        CHECK(start(decoders[i].code));
        cpu.exit.rip = field[VT_RIP] = DEVICE;
        exit_by(false, decoders[i].handler);
        CHECK(!failed && !faults && !advances && flushes == 1);
        end();
    }
    CHECK(start(NOP));
    cpu.exit.rip = field[VT_RIP] = DEVICE;
    exit_by(true, NULL);
    CHECK(!failed && !faults && !advances && flushes == 1);
    end();
}

TEST(tables_that_lead_out_of_ram_are_walked_again)
{
    CHECK(start(SGDT_RBX));
    poke(PML4, GiB(1) | ALL, 8);
    exit_by(false, exit_descriptor);
    CHECK(is_retried());
    end();
}

TEST(another_instruction_is_left_to_the_guests_cpu)
{
    static const uint64_t codes[] = { NOP, 0xf4 /* HLT */, 0x220f /* MOV CR0, RAX: of SMSW's handler only */, 0x62 /* not known */ };
    for (unsigned i = 0; i < ARRAY_SIZE(decoders); i++)
        for (unsigned c = 0; c < ARRAY_SIZE(codes); c++) {
            if (codes[c] == 0x220f && decoders[i].handler == exit_cr_insn)
                continue;
            CHECK(start(codes[c]));
            exit_by(false, decoders[i].handler);
            CHECK(is_retried());
            CHECK_EQ(part.complaints, COMPLAINED_CHANGED);
            end();
        }
}

TEST(an_undefined_instruction_is_the_guests_undefined_opcode)
{
    CHECK(start(0xf090f0)); /* LOCK NOP */
    exit_by(false, exit_descriptor);
    CHECK(!failed && faults == 1 && injected.vector == EXC_UD && !advances);
    end();
}

TEST(a_control_register_that_never_exits_is_left_to_the_guests_cpu)
{
    static const uint64_t codes[] = { 0xd0200f /* MOV RAX, CR2 */, 0xd0220f /* MOV CR2, RAX */ };
    for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
        CHECK(start(codes[i]));
        exit_by(false, exit_cr_insn);
        CHECK(is_retried());
        end();
    }
}

/* ---- one byte of a descriptor, locked ---------------------------------------------------------------------------------- */

TEST(ltr_changes_the_busy_bit_and_nothing_else)
{
    CHECK(start(LTR_AX));
    poke(GDT + TSS_SELECTOR, UINT64_C(0x0000890050000067), 8);
    poke(GDT + TSS_SELECTOR + 8, 0, 8);
    cpu.gpr[VT_RAX] = TSS_SELECTOR;
    exit_by(false, exit_descriptor);
    CHECK(is_done(3));
    CHECK_EQ(peek(GDT + TSS_SELECTOR, 8), UINT64_C(0x00008b0050000067));
    CHECK(field[VT_SELECTOR + VT_TR] == TSS_SELECTOR && field[VT_ACCESS + VT_TR] == 0x8b);
    end();
}

TEST(a_byte_is_exchanged_only_if_it_is_what_was_expected)
{
    struct guest_paging paging;
    struct vt_event fault;
    CHECK(start(NOP));
    vcpu_paging(&vcpu, &paging);
    for (unsigned i = 0; i < 4; i++) {
        bool swapped = true;
        poke(GDT, 0x44332211, 4);
        CHECK_EQ(linear_cmpxchg(&vcpu, &paging, GDT + i, 0x99, 0xaa, &swapped, &fault), LINEAR_OK);
        CHECK(!swapped && peek(GDT, 4) == 0x44332211);
        CHECK_EQ(linear_cmpxchg(&vcpu, &paging, GDT + i, (uint8_t)(0x11 * (i + 1)), 0xaa, &swapped, &fault), LINEAR_OK);
        CHECK(swapped && peek(GDT + i, 1) == 0xaa && peek(GDT + (i + 1) % 4, 1) == 0x11 * ((i + 1) % 4 + 1));
    }
    bool swapped;
    CHECK_EQ(linear_cmpxchg(&vcpu, &paging, NOTHING, 0, 0, &swapped, &fault), LINEAR_FAULT);
    CHECK_EQ(linear_cmpxchg(&vcpu, &paging, DEVICE, 0, 0, &swapped, &fault), LINEAR_OUTSIDE);
    end();
}
