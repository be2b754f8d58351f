/* Task switches on a scripted CPU: registers in an array, memory in an arena, paging off. */
#include <stdarg.h>
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "hv/vm/emulate.h"
#include "hv/vm/exits.h"
#include "tests/unit/hv/mem/arena.h"
#include "tests/unit/hv/vm/fake_snapshot.h"
#include "tests/unit/test.h"

enum { GDT = 0x1000, TSS_A = 0x2000, TSS_B = 0x3000, STACK = 0x8000, CODE = 8, DATA = 16, SEL_A = 24, SEL_B = 32 };
#define TSS32 UINT64_C(0x0000890000000067)

struct vt_ops vt;
static uint64_t field[VT_FIELD_COUNT];
static struct vt_vcpu cpu;
static struct partition part;
static struct vcpu vcpu = { .vt = &cpu, .part = &part };
static struct vt_event injected;
static bool reinjected, failed;

static uint64_t get(struct vt_vcpu *v, enum vt_field f) { (void)v; return field[f]; }
static void set(struct vt_vcpu *v, enum vt_field f, uint64_t value) { (void)v; field[f] = value; }
static void snapshot(struct vt_vcpu *v, struct vt_snapshot *out) { (void)v; fake_snapshot(field, out); }
static void inject(struct vt_vcpu *v, const struct vt_event *e) { (void)v, (void)e; reinjected = true; }
bool vcpu_load_cr3(struct vcpu *v, uint64_t value) { (void)v, (void)value; return true; }
uint64_t vcpu_mmio_read(struct vcpu *v, gpa_t gpa, unsigned size) { (void)v, (void)gpa, (void)size; return 0; }
void vcpu_mmio_write(struct vcpu *v, gpa_t gpa, unsigned size, uint64_t value) { (void)v, (void)gpa, (void)size, (void)value; }
void partition_fail(struct vcpu *v, const char *format, ...) { (void)v, (void)format; failed = true; }

void vcpu_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
    (void)v;
    injected = (struct vt_event){ .vector = vector, .has_error_code = has_error, .error_code = error };
}

static void poke(uint64_t at, uint64_t value, size_t size)
{
    if (gmem_write(&part.mem, GPA(at), &value, size) != GMEM_OK)
        test_failed(__FILE__, __LINE__, "poke");
}

static uint32_t peek(uint64_t at, size_t size)
{
    uint32_t value = 0;
    if (gmem_read(&part.mem, GPA(at), &value, size) != GMEM_OK)
        test_failed(__FILE__, __LINE__, "peek");
    return value;
}

static uint64_t at(uint64_t descriptor, uint64_t base)
{
    return descriptor | (base & 0xffffff) << 16 | (base >> 24) << 56;
}

/* In task A, at 1234h; task B is ready to run at 5678h. */
static bool start(void)
{
    static const struct page_range all[] = { { { MiB(16) }, MiB(64) } };
    memset(field, 0, sizeof field);
    memset(&cpu, 0, sizeof cpu);
    injected = (struct vt_event){ 0 };
    reinjected = failed = false;
    vt.get = get;
    vt.set = set;
    vt.snapshot = snapshot;
    vt.inject = inject;
    if (!arena_start(MiB(16), all, 1) || gmem_create(&part.mem, &pages) != GMEM_OK ||
        gmem_add_ram(&part.mem, GPA(0), MiB(1)) != GMEM_OK)
        return false;
    poke(GDT + CODE, UINT64_C(0x00cf9b000000ffff), 8);
    poke(GDT + DATA, UINT64_C(0x00cf93000000ffff), 8);
    poke(GDT + SEL_A, at(TSS32, TSS_A) | UINT64_C(2) << 40, 8);
    poke(GDT + SEL_B, at(TSS32, TSS_B), 8);
    poke(TSS_B + 0x20, 0x5678, 4);
    poke(TSS_B + 0x24, 2, 4);
    poke(TSS_B + 0x28, 0xaaaa, 4);
    poke(TSS_B + 0x38, STACK, 4);
    for (unsigned i = 0; i < 4; i++)
        poke(TSS_B + 0x48 + 4 * i, i == VT_CS ? CODE : DATA, 4);
    field[VT_CR0] = CR0_PE;
    field[VT_GDTR_BASE] = GDT;
    field[VT_GDTR_LIMIT] = 0x7f;
    field[VT_SELECTOR + VT_TR] = SEL_A;
    field[VT_BASE + VT_TR] = TSS_A;
    field[VT_LIMIT + VT_TR] = 0x67;
    field[VT_ACCESS + VT_TR] = 0x8b;
    field[VT_SELECTOR + VT_CS] = CODE;
    field[VT_RIP] = 0x1234;
    field[VT_RFLAGS] = RFLAGS_ONE | RFLAGS_IF;
    field[VT_DR7] = 0x455;
    cpu.gpr[VT_RBX] = 0xbbbb;
    field[VT_RSP_] = 0x7000;
    return true;
}

static void finish(void)
{
    gmem_destroy(&part.mem);
    arena_end();
}

static void switch_to(uint16_t selector, enum vt_task_source source, struct vt_event event)
{
    const struct vt_exit exit = { .task = { .selector = selector, .source = (uint8_t)source, .event = event,
                                            .length = source == VT_TASK_IDT ? 0 : 7 } };
    exit_task_switch(&vcpu, &exit);
}

static const struct vt_event none;

TEST(a_call_saves_the_old_task_links_back_and_marks_both_busy)
{
    CHECK(start());
    switch_to(SEL_B, VT_TASK_CALL, none);
    CHECK_EQ(injected.vector, 0);
    CHECK_EQ(field[VT_RIP], 0x5678);
    CHECK_EQ(cpu.gpr[VT_RAX], 0xaaaa);
    CHECK_EQ(field[VT_RSP_], STACK);
    CHECK_EQ(field[VT_RFLAGS], RFLAGS_ONE | RFLAGS_NT);
    CHECK_EQ(field[VT_SELECTOR + VT_TR], SEL_B);
    CHECK_EQ(field[VT_ACCESS + VT_TR], 0x8b);
    CHECK_EQ(field[VT_CR0], CR0_PE | CR0_TS);
    CHECK_EQ(field[VT_DR7], 0x400);
    CHECK_EQ(field[VT_ACCESS + VT_CS], 0xc09b);
    CHECK_EQ(field[VT_LIMIT + VT_SS], UINT32_MAX);
    CHECK_EQ(field[VT_ACCESS + VT_FS], VT_ACCESS_UNUSABLE);
    CHECK_EQ(peek(TSS_A + 0x20, 4), 0x1234 + 7);
    CHECK_EQ(peek(TSS_A + 0x24, 4), RFLAGS_ONE | RFLAGS_IF);
    CHECK_EQ(peek(TSS_A + 0x34, 4), 0xbbbb);
    CHECK_EQ(peek(TSS_A + 0x38, 4), 0x7000);
    CHECK_EQ(peek(TSS_B, 2), SEL_A);
    CHECK_EQ(peek(GDT + SEL_A + 5, 1), 0x8b);
    CHECK_EQ(peek(GDT + SEL_B + 5, 1), 0x8b);
    finish();
}

TEST(a_jump_leaves_no_link_and_frees_the_old_task)
{
    CHECK(start());
    switch_to(SEL_B, VT_TASK_JMP, none);
    CHECK_EQ(field[VT_RIP], 0x5678);
    CHECK_EQ(field[VT_RFLAGS], RFLAGS_ONE);
    CHECK_EQ(peek(TSS_B, 2), 0);
    CHECK_EQ(peek(GDT + SEL_A + 5, 1), 0x89);
    CHECK_EQ(peek(GDT + SEL_B + 5, 1), 0x8b);
    finish();
}

TEST(an_iret_goes_to_a_busy_task_and_clears_nt_of_the_one_it_leaves)
{
    CHECK(start());
    poke(GDT + SEL_B + 5, 0x8b, 1);
    field[VT_RFLAGS] |= RFLAGS_NT;
    field[VT_INTERRUPT_SHADOW] = VT_SHADOW_NMI;
    switch_to(SEL_B, VT_TASK_IRET, none);
    CHECK_EQ(field[VT_RIP], 0x5678);
    CHECK_EQ(peek(TSS_A + 0x24, 4), RFLAGS_ONE | RFLAGS_IF);
    CHECK_EQ(peek(GDT + SEL_A + 5, 1), 0x89);
    CHECK_EQ(field[VT_INTERRUPT_SHADOW], 0);
    finish();
}

TEST(an_exception_through_a_task_gate_pushes_its_error_code)
{
    CHECK(start());
    switch_to(SEL_B, VT_TASK_IDT,
              (struct vt_event){ .vector = EXC_DF, .type = VT_EVENT_EXCEPTION, .has_error_code = true, .error_code = 5 });
    CHECK_EQ(field[VT_RSP_], STACK - 4);
    CHECK_EQ(peek(STACK - 4, 4), 5);
    CHECK_EQ(peek(TSS_A + 0x20, 4), 0x1234);
    CHECK_EQ(reinjected, false);
    finish();
}

TEST(an_nmi_through_a_task_gate_blocks_further_ones)
{
    CHECK(start());
    switch_to(SEL_B, VT_TASK_IDT, (struct vt_event){ .vector = EXC_NMI, .type = VT_EVENT_NMI });
    CHECK_EQ(field[VT_INTERRUPT_SHADOW], VT_SHADOW_NMI);
    finish();
}

TEST(a_bad_tss_faults_in_the_old_task_and_changes_nothing)
{
    static const struct { uint64_t descriptor; uint16_t selector; uint8_t source, vector; } rows[] = {
        { TSS32 & ~(UINT64_C(1) << 47), SEL_B, VT_TASK_CALL, EXC_NP },
        { TSS32 - 1, SEL_B, VT_TASK_CALL, EXC_TS },                   /* limit 66h */
        { TSS32 | UINT64_C(2) << 40, SEL_B, VT_TASK_CALL, EXC_GP },   /* busy */
        { TSS32, SEL_B, VT_TASK_IRET, EXC_TS },                       /* not busy */
        { UINT64_C(0x00cf93000000ffff), SEL_B, VT_TASK_JMP, EXC_GP }, /* data */
        { TSS32, 0x80, VT_TASK_JMP, EXC_GP },                         /* beyond the GDT */
        { TSS32, SEL_B | 4, VT_TASK_JMP, EXC_GP },                    /* in the LDT */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CHECK(start());
        poke(GDT + SEL_B, at(rows[i].descriptor, TSS_B), 8);
        switch_to(rows[i].selector, rows[i].source, none);
        CHECK_EQ(injected.vector, rows[i].vector);
        CHECK_EQ(injected.error_code, rows[i].selector);
        CHECK_EQ(field[VT_RIP], 0x1234);
        CHECK_EQ(field[VT_SELECTOR + VT_TR], SEL_A);
        CHECK_EQ(peek(TSS_A + 0x20, 4), 0);
        finish();
    }
}

TEST(a_fault_on_the_way_of_an_event_leaves_both_to_the_double_fault_rules)
{
    CHECK(start());
    poke(GDT + SEL_B, at(TSS32 - 1, TSS_B), 8);
    switch_to(SEL_B, VT_TASK_IDT, (struct vt_event){ .vector = EXC_GP, .type = VT_EVENT_EXCEPTION });
    CHECK_EQ(reinjected, true);
    CHECK_EQ(injected.vector, EXC_TS);
    CHECK_EQ(injected.error_code, SEL_B | 1);
    finish();
}

TEST(a_bad_segment_faults_in_the_new_task)
{
    static const struct { uint8_t seg; uint16_t selector; uint8_t vector; } rows[] = {
        { VT_SS, CODE, EXC_TS }, { VT_CS, DATA, EXC_TS }, { VT_DS, SEL_A, EXC_TS }, { VT_SS, 0, EXC_TS },
        { VT_ES, 0x78, EXC_TS }, { VT_DS, 0x28, EXC_NP }, { VT_SS, 0x28, EXC_SS }, { VT_DS, 4, EXC_TS },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CHECK(start());
        poke(GDT + 0x28, UINT64_C(0x00cf13000000ffff), 8); /* absent data */
        poke(TSS_B + 0x48 + 4u * rows[i].seg, rows[i].selector, 4);
        switch_to(SEL_B, VT_TASK_JMP, none);
        CHECK_EQ(injected.vector, rows[i].vector);
        CHECK_EQ(injected.error_code, rows[i].selector);
        CHECK_EQ(field[VT_SELECTOR + VT_TR], SEL_B);
        CHECK_EQ(field[VT_RIP], 0x5678);
        CHECK_EQ(field[VT_SELECTOR + rows[i].seg], rows[i].selector);
        finish();
    }
}

TEST(a_task_in_virtual_8086_mode_gets_real_mode_segments)
{
    CHECK(start());
    poke(TSS_B + 0x24, RFLAGS_ONE | RFLAGS_VM, 4);
    poke(TSS_B + 0x20, 0x10, 4);
    poke(TSS_B + 0x4c, 0x800, 4);
    switch_to(SEL_B, VT_TASK_JMP, none);
    CHECK_EQ(injected.vector, 0);
    CHECK_EQ(field[VT_BASE + VT_CS], 0x8000);
    CHECK_EQ(field[VT_LIMIT + VT_CS], 0xffff);
    CHECK_EQ(field[VT_ACCESS + VT_CS], 0xf3);
    CHECK_EQ(field[VT_ACCESS + VT_GS], 0xf3);
    finish();
}

TEST(a_16_bit_task_takes_words_and_has_no_fs_and_gs)
{
    CHECK(start());
    poke(GDT + SEL_B, at(UINT64_C(0x000081000000002b), TSS_B), 8);
    poke(TSS_B + 0x0e, 0x40, 2);
    poke(TSS_B + 0x10, 2, 2);
    poke(TSS_B + 0x12, 0x1111, 2);
    poke(TSS_B + 0x1a, 0x6000, 2);
    for (unsigned i = 0; i < 4; i++)
        poke(TSS_B + 0x22 + 2 * i, i == VT_CS ? CODE : DATA, 2);
    poke(TSS_B + 0x2a, 0, 2);
    switch_to(SEL_B, VT_TASK_CALL, none);
    CHECK_EQ(injected.vector, 0);
    CHECK_EQ(field[VT_RIP], 0x40);
    CHECK_EQ(cpu.gpr[VT_RAX], 0x1111);
    CHECK_EQ(field[VT_ACCESS + VT_TR], 0x83);
    CHECK_EQ(field[VT_ACCESS + VT_GS], VT_ACCESS_UNUSABLE);
    finish();
}

TEST(the_trap_bit_raises_db_in_the_new_task)
{
    CHECK(start());
    poke(TSS_B + 0x64, 1, 2);
    switch_to(SEL_B, VT_TASK_JMP, none);
    CHECK_EQ(injected.vector, EXC_DB);
    CHECK_EQ(field[VT_DR6], DR6_BT);
    CHECK_EQ(field[VT_RIP], 0x5678);
    finish();
}

TEST(a_tss_that_is_not_in_memory_stops_the_partition)
{
    CHECK(start());
    poke(GDT + SEL_B, at(TSS32, MiB(2)), 8);
    switch_to(SEL_B, VT_TASK_CALL, none);
    CHECK_EQ(failed, true);
    CHECK_EQ(field[VT_SELECTOR + VT_TR], SEL_A);
    finish();
}
