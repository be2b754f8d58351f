/* What a guest's end says, on a scripted CPU: registers in an array, 64-bit code at 8000h, tables that map 2 MiB of 1 MiB RAM. */
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/segment.h"
#include "hv/vm/delivery.h"
#include "hv/vm/exits.h"
#include "hv/vm/postmortem.h"
#include "hv/vm/tracing.h"
#include "hv/vm/why.h"
#include "tests/unit/arch/x86_64/mmu/fake_pages.h"
#include "tests/unit/hv/mem/arena.h"
#include "tests/unit/hv/vm/fake_snapshot.h"
#include "tests/unit/test.h"

enum { PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, GDT = 0x4000, IDT = 0x5000, TSS = 0x6000, CODE = 0x8000, STACK = 0x9000 };
enum { CODE64 = 0x10, HANDLER = 0xa000 };

struct vt_ops vt;
static uint64_t field[VT_FIELD_COUNT];
static struct vt_vcpu cpu;
static struct partition part;
static struct vcpu vcpu = { .vt = &cpu, .part = &part };
static struct vt_event pending;
static bool is_pending;
static struct fake_pages tables;
static struct pt_mem pt_mem;
static struct guest_paging paging;
static char text[8192];
static size_t longest, lines;

static uint64_t get(struct vt_vcpu *v, enum vt_field f) { (void)v; return field[f]; }
static void snapshot(struct vt_vcpu *v, struct vt_snapshot *out) { (void)v; fake_snapshot(field, out); }
static uint32_t pkru(struct vt_vcpu *v) { (void)v; return 0; }
const char *vt_exit_name(enum vt_exit_kind kind) { return kind == VT_EXIT_TRIPLE_FAULT ? "triple fault" : "something"; }

struct trace_ring *tracing_rings[PCPU_MAX];
static struct trace_ring ring;
static struct trace_record records[TRACE_RING_RECORDS];
unsigned pcpu_count(void) { return 1; }

static const struct vt_features *features(void)
{
    static const struct vt_features f;
    return &f;
}

static bool pending_event(struct vt_vcpu *v, struct vt_event *e)
{
    (void)v;
    *e = pending;
    return is_pending;
}

static void poke(uint64_t at, uint64_t value, size_t size)
{
    if (gmem_write(&part.mem, GPA(at), &value, size) != GMEM_OK)
        test_failed(__FILE__, __LINE__, "poke");
}

static void gate(unsigned vector, uint16_t selector, unsigned ist)
{
    poke(IDT + 16 * vector, HANDLER | (uint64_t)selector << 16 | (uint64_t)ist << 32 | UINT64_C(0x8e) << 40, 8);
    poke(IDT + 16 * vector + 8, 0, 8);
}

static void set_registers(void)
{
    memset(field, 0, sizeof field);
    field[VT_CR0] = CR0_PE | CR0_PG | CR0_WP;
    field[VT_CR3] = PML4;
    field[VT_CR4] = CR4_PAE;
    field[VT_EFER] = EFER_LMA | EFER_LME;
    field[VT_RFLAGS] = RFLAGS_ONE;
    field[VT_SELECTOR + VT_CS] = CODE64;
    field[VT_ACCESS + VT_CS] = 0xa09b;
    field[VT_ACCESS + VT_SS] = 0xc093;
    field[VT_GDTR_BASE] = GDT;
    field[VT_GDTR_LIMIT] = 0x1f;
    field[VT_IDTR_BASE] = IDT;
    field[VT_IDTR_LIMIT] = 0xfff;
    field[VT_BASE + VT_TR] = TSS;
    field[VT_LIMIT + VT_TR] = 0x67;
    field[VT_RIP] = CODE;
    field[VT_RSP_] = STACK;
}

static bool start(void)
{
    static const struct page_range all[] = { { { MiB(16) }, MiB(64) } };
    vt = (struct vt_ops){ .get = get, .snapshot = snapshot, .pkru = pkru, .features = features, .pending_event = pending_event };
    memset(&cpu, 0, sizeof cpu);
    is_pending = false;
    set_registers();
    cpu.exit.kind = VT_EXIT_TRIPLE_FAULT;
    pt_mem = FAKE_PT_MEM(&tables);
    if (!arena_start(MiB(16), all, 1) || gmem_create(&part.mem, &pages) != GMEM_OK ||
        gmem_add_ram(&part.mem, GPA(0), MiB(1)) != GMEM_OK ||
        pt_init(&part.nested, &pt_ept, &pt_mem, PT_LEVEL_2M) != PT_OK ||
        pt_map(&part.nested, 0, HPA(MiB(16)), MiB(1), PT_READ | PT_WRITE | PT_EXEC) != PT_OK)
        return false;
    poke(PML4, PDPT | 7, 8);
    poke(PDPT, PD | 7, 8);
    poke(PD, 0x87, 8);
    poke(GDT + CODE64, UINT64_C(0x00af9b000000ffff), 8);
    poke(CODE, 0x0b0f, 2); /* ud2 */
    vcpu.cpuid.leaf[CPUID_SLOT_EXTENDED + 8].eax = 40; /* physical address bits */
    vcpu_paging(&vcpu, &paging);
    return true;
}

static void finish(void)
{
    pt_destroy(&part.nested);
    gmem_destroy(&part.mem);
    arena_end();
}

static void add(void *ctx, const char *line)
{
    (void)ctx;
    longest = MAX(longest, strlen(line));
    lines++;
    strcat(text, line);
    strcat(text, "\n");
}

static void take(void)
{
    text[0] = '\0';
    longest = lines = 0;
    postmortem_take(&vcpu);
    if (!postmortem_lines(&part, add, NULL))
        test_failed(__FILE__, __LINE__, "there is none");
}

static bool says(const char *what)
{
    if (strstr(text, what))
        return true;
    printf("  it says:\n%s", text);
    return false;
}

/* ---- deliveries ---------------------------------------------------------------------------------------------------- */

static struct delivery deliver(unsigned vector)
{
    struct delivery d;
    delivery_check(&vcpu, &paging, (uint8_t)vector, &d);
    return d;
}

static bool faults(unsigned vector, unsigned with)
{
    struct delivery d = deliver(vector);
    return d.result == DELIVERY_FAULT && d.fault == with && d.problem;
}

TEST(a_whole_gate_delivers)
{
    CHECK(start());
    gate(EXC_UD, CODE64, 0);
    CHECK_EQ(deliver(EXC_UD).result, DELIVERY_OK);
    finish();
}

TEST(each_check_of_the_gate_raises_its_own_fault)
{
    CHECK(start());
    CHECK(faults(EXC_UD, EXC_GP)); /* zeroes are no gate */
    gate(EXC_UD, CODE64, 0);
    poke(IDT + 16 * EXC_UD + 5, 0x0e, 1);
    CHECK(faults(EXC_UD, EXC_NP));
    gate(EXC_UD, 0, 0);
    CHECK(faults(EXC_UD, EXC_GP));
    gate(EXC_UD, 0x20, 0);
    CHECK(faults(EXC_UD, EXC_GP)); /* beyond the GDT */
    gate(EXC_UD, 8, 0);
    CHECK(faults(EXC_UD, EXC_GP)); /* no code segment */
    gate(EXC_UD, CODE64, 0);
    poke(GDT + CODE64, UINT64_C(0x00cf9b000000ffff), 8);
    CHECK(faults(EXC_UD, EXC_GP)); /* 32-bit */
    poke(GDT + CODE64, UINT64_C(0x00af1b000000ffff), 8);
    CHECK(faults(EXC_UD, EXC_NP));
    field[VT_IDTR_LIMIT] = 16 * EXC_UD + 14;
    CHECK(faults(EXC_UD, EXC_GP));
    finish();
}

TEST(tables_and_stacks_are_looked_up_as_the_cpu_does)
{
    CHECK(start());
    gate(EXC_UD, CODE64, 1);
    poke(TSS + 36, MiB(2) + 64, 8);
    struct delivery d = deliver(EXC_UD);
    CHECK(d.result == DELIVERY_FAULT && d.fault == EXC_PF && d.has_address && d.address == MiB(2) + 56);
    poke(TSS + 36, UINT64_C(1) << 60, 8);
    CHECK(faults(EXC_UD, EXC_SS));
    field[VT_LIMIT + VT_TR] = 40;
    CHECK(faults(EXC_UD, EXC_TS));
    gate(EXC_UD, CODE64, 0);
    field[VT_RSP_] = MiB(1) + 64; /* mapped, but no RAM */
    CHECK_EQ(deliver(EXC_UD).result, DELIVERY_OUTSIDE);
    field[VT_IDTR_BASE] = MiB(4);
    CHECK(faults(EXC_UD, EXC_PF));
    finish();
}

TEST(user_code_goes_to_the_stack_in_the_tss)
{
    CHECK(start());
    gate(EXC_UD, CODE64, 0);
    paging.cpl = 3;
    poke(TSS + 4, MiB(1), 8);
    CHECK_EQ(deliver(EXC_UD).result, DELIVERY_OK);
    poke(TSS + 4, MiB(3), 8);
    CHECK(faults(EXC_UD, EXC_PF));
    finish();
}

TEST(chains_follow_the_rules_of_double_faults)
{
    struct delivery_chain c;
    CHECK(start());
    field[VT_IDTR_LIMIT] = 0;
    delivery_chain(&vcpu, &paging, EXC_UD, &c); /* #UD is benign: #GP first, then #DF */
    CHECK(c.triple_fault && c.count == 3);
    CHECK(c.step[0].vector == EXC_UD && c.step[1].vector == EXC_GP && c.step[2].vector == EXC_DF);
    delivery_chain(&vcpu, &paging, EXC_PF, &c);
    CHECK(c.triple_fault && c.count == 2 && c.step[1].vector == EXC_DF);
    field[VT_IDTR_LIMIT] = 0xfff;
    gate(EXC_DF, CODE64, 0);
    delivery_chain(&vcpu, &paging, EXC_PF, &c);
    CHECK(!c.triple_fault && c.count == 2 && c.step[1].result == DELIVERY_OK);
    finish();
}

/* ---- the text ------------------------------------------------------------------------------------------------------ */

TEST(a_triple_fault_is_told_from_the_first_exception_to_the_last)
{
    CHECK(start());
    field[VT_IDTR_LIMIT] = 0;
    take();
    CHECK(says("in 64-bit code at CPL 0"));
    CHECK(says("0010:8000  0f 0b  ud2"));
    CHECK(says("    #UD (vector 6): the instruction at RIP raises it\n"
               "    #UD is not delivered: #GP, its gate lies beyond the IDT's limit\n"
               "    #GP is not delivered: #GP, its gate lies beyond the IDT's limit\n"
               "    #DF is not delivered: #GP, its gate lies beyond the IDT's limit\n"
               "    #DF is the last resort: triple fault\n"));
    CHECK(longest < 80 && lines > 20 && lines <= 40);
    finish();
}

TEST(a_page_fault_names_the_operand_and_the_level_that_fails)
{
    CHECK(start());
    field[VT_IDTR_LIMIT] = 0;
    poke(CODE, 0x038b48, 3); /* mov rax, [rbx] */
    cpu.gpr[VT_RBX] = MiB(2) + 0x1230;
    take();
    CHECK(says("mov rax, [rbx]"));
    CHECK(says("#PF (vector 14): the operand of the instruction at RIP"));
    CHECK(says("page walk of 201230 (the operand, read)"));
    CHECK(says("PDE   at 3008 = 0000000000000000: is not present"));
    CHECK(says("fails at the PDE: #PF, error code 0"));
    finish();
}

TEST(what_was_being_delivered_is_a_fact_and_its_address_is_walked_through_both_tables)
{
    CHECK(start());
    cpu.exit.kind = VT_EXIT_MMIO;
    cpu.exit.mem.gpa = GPA(MiB(1) + 0x60);
    cpu.exit.mem.own = true;
    field[VT_IDTR_BASE] = MiB(1);
    pending = (struct vt_event){ .vector = EXC_UD, .type = VT_EVENT_EXCEPTION };
    is_pending = true;
    take();
    CHECK(says("#UD (vector 6) was being delivered"));
    CHECK(says("#UD is not delivered: its gate in the IDT cannot be read, no RAM"));
    CHECK(says("page walk of 100060 (needed for the delivery, read)"));
    CHECK(says("fails at level 1 of the nested tables: guest-physical 100060 is no RAM"));
    finish();
}

TEST(an_address_that_the_nested_tables_are_too_narrow_for_has_no_way_through_them)
{
    CHECK(start());
    cpu.exit.kind = VT_EXIT_MMIO;
    cpu.exit.mem.gpa = GPA((UINT64_C(1) << 48) + 0x8000);
    cpu.exit.mem.own = true;
    take();
    CHECK(says("there is none: guest-physical 1000000008000 is wider than the nested tables"));
    finish();
}

TEST(an_exit_without_faults_shows_no_chain)
{
    CHECK(start());
    cpu.exit.kind = VT_EXIT_UNKNOWN;
    take();
    CHECK(!strstr(text, "chain of faults") && says("page walk of 8000 (RIP, fetch)"));
    finish();
}

/* ---- exits --------------------------------------------------------------------------------------------------------- */

/* What run.c puts into a record of such an exit. */
static void trace(struct vt_exit exit, uint64_t rip)
{
    struct vt_vcpu v = { .exit = exit };
    uint64_t info;
    memcpy(&info, (char *)&v + exit_infos[exit.kind].before, 8);
    trace_put(&ring, TRACE_WHO(TRACE_EXIT, 0, 0), (uint8_t)exit.kind, rip, rip, info);
}

TEST(the_last_exits_are_told_and_equal_ones_counted)
{
    CHECK(start());
    ring = (struct trace_ring){ .records = records };
    tracing_rings[0] = &ring;
    trace((struct vt_exit){ .kind = VT_EXIT_CR_WRITE, .cr = { .cr = 4, .gpr = VT_RBX } }, 0x7ff0);
    for (unsigned i = 0; i < 3; i++)
        trace((struct vt_exit){ .kind = VT_EXIT_IO, .io = { .port = 0x3f8, .size = 1 } }, 0x7ff4);
    trace((struct vt_exit){ .kind = VT_EXIT_MMIO, .mem = { .gpa = { 0xfec00000 }, .own = true, .write = true } }, 0x7ff8);
    trace((struct vt_exit){ .kind = VT_EXIT_TRIPLE_FAULT }, CODE);
    take();
    CHECK(says("  last exits of the partition, the oldest first:\n"
               "    cr-write     at 7ff0 CR4, from RBX\n"
               "    io           at 7ff4 port 3f8h, 1 byte, write (3 times)\n"
               "    mmio         at 7ff8 guest-physical fec00000h\n"
               "    triple-fault at 8000\n"));
    tracing_rings[0] = NULL;
    take();
    CHECK(!strstr(text, "last exits"));
    finish();
}

static const char *detail(struct vt_exit x, uint32_t ecx)
{
    static char out[EXIT_DETAIL_SIZE];
    exit_detail(&x, ecx, out);
    return out;
}

TEST(what_an_exit_came_with_is_told_in_words)
{
    CHECK(!strcmp(detail((struct vt_exit){ .kind = VT_EXIT_IO, .io = { 0x70, 2, true, true, true, 0 } }, 0),
                  "port 70h, 2 bytes, read, string, repeated"));
    CHECK(!strcmp(detail((struct vt_exit){ .kind = VT_EXIT_WRMSR }, 0x6e0), "MSR 6e0h"));
    CHECK(!strcmp(detail((struct vt_exit){ .kind = VT_EXIT_CR_WRITE, .cr = { .how = VT_CR_CLTS } }, 0), "CR0, by CLTS"));
    CHECK(!strcmp(detail((struct vt_exit){ .kind = VT_EXIT_EXCEPTION, .exception = { 17, 3, true, 5 } }, 0),
                  "vector 17, error code 5h"));
    CHECK(!strcmp(detail((struct vt_exit){ .kind = VT_EXIT_DR_ACCESS, .dr = { 7, VT_RAX, true } }, 0), "DR7, read"));
    CHECK(!strcmp(detail((struct vt_exit){ .kind = VT_EXIT_HLT }, 0), ""));
    CHECK(!strcmp(detail((struct vt_exit){ .kind = 200 }, 0), ""));
}

TEST(the_kept_text_never_leaves_its_buffer)
{
    memset(part.postmortem, 'x', sizeof part.postmortem); /* as if it was just being written: no end in sight */
    lines = 0;
    text[0] = '\0';
    CHECK(postmortem_lines(&part, add, NULL));
    CHECK_EQ(lines, 1);
    part.postmortem[0] = '\0';
    CHECK(!postmortem_lines(&part, add, NULL));
}
