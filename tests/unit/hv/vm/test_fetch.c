/* Fetching on a scripted CPU: registers in a struct, memory in an arena, 4-level tables in the guest. Each test fetches
 * once, changes something that the instruction depends on, and fetches again. */
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/vm/vm.h"
#include "tests/unit/hv/mem/arena.h"
#include "tests/unit/test.h"

enum { PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, PT = 0x4000, OTHER_PML4 = 0x5000, CODE = 0x10000, OTHER_CODE = 0x20000 };
enum { PRESENT = 1, WRITABLE = 2, USER = 4, ACCESSED = 0x20, ALL = PRESENT | WRITABLE | USER | ACCESSED };
#define LINEAR UINT64_C(0x400100) /* the first page of the table at PT */
#define CS_64  (VT_ACCESS_P | VT_ACCESS_L)
#define CS_32  (VT_ACCESS_P | VT_ACCESS_DB)

struct vt_ops vt;
static struct vt_vcpu cpu;
static struct partition part;
static struct vcpu vcpu = { .vt = &cpu, .part = &part };
static struct vt_snapshot regs;
static struct fetch_failure failure;

static uint64_t get(struct vt_vcpu *v, enum vt_field f) { (void)v, (void)f; return 0; } /* CS's base */

static void poke(uint64_t at, uint64_t value, size_t size)
{
    if (gmem_write(&part.mem, GPA(at), &value, size) != GMEM_OK)
        test_failed(__FILE__, __LINE__, "poke");
}

static uint64_t peek(uint64_t at)
{
    uint64_t value = 0;
    if (gmem_read(&part.mem, GPA(at), &value, sizeof value) != GMEM_OK)
        test_failed(__FILE__, __LINE__, "peek");
    return value;
}

/* mov eax, [rdi + disp8] */
static void put_load(uint64_t at, uint8_t disp)
{
    poke(at, 0x478b | (uint32_t)disp << 16, 3);
}

static bool start(void)
{
    static const struct page_range all[] = { { { MiB(16) }, MiB(64) } };
    vt.get = get;
    vcpu.fetch_cache = (struct fetch_cache){ 0 };
    vcpu.cpuid.leaf[CPUID_SLOT_EXTENDED + 8].eax = 40;
    if (!arena_start(MiB(16), all, 1) || gmem_create(&part.mem, &pages) != GMEM_OK ||
        gmem_add_ram(&part.mem, GPA(0), MiB(1)) != GMEM_OK)
        return false;
    poke(PML4, PDPT | ALL, 8);
    poke(OTHER_PML4, PDPT | ALL, 8);
    poke(PDPT, PD | ALL, 8);
    poke(PD + 2 * 8, PT | ALL, 8);
    poke(PT, CODE | ALL, 8);
    poke(PT + 8, OTHER_CODE | ALL, 8);
    put_load(CODE + LINEAR % PAGE_SIZE, 1);
    put_load(OTHER_CODE + LINEAR % PAGE_SIZE, 2);
    regs = (struct vt_snapshot){ .rip = LINEAR, .cr0 = CR0_PE | CR0_PG, .cr3 = PML4, .cr4 = CR4_PAE, .efer = EFER_LMA | EFER_LME,
                                 .cs_mode = CS_64 };
    return true;
}

static void end(void)
{
    gmem_destroy(&part.mem);
    arena_end();
}

/* The displacement of the load found at RIP; -1: nothing was. */
static int found(void)
{
    const struct fetch_row *row = vcpu_fetch(&vcpu, &vcpu.fetch_cache, &regs, &failure);
    return row && row->insn.op == INSN_MOV ? (int)row->insn.disp : -1;
}

/* What was found last: decoding it anew would set the mark back. */
static bool is_remembered(void)
{
    enum { MARK = 0x55 };
    for (unsigned i = 0; i < FETCH_ROWS; i++)
        vcpu.fetch_cache.rows[i].insn.cond = MARK;
    const struct fetch_row *row = vcpu_fetch(&vcpu, &vcpu.fetch_cache, &regs, &failure);
    return row && row->insn.cond == MARK;
}

TEST(what_did_not_change_is_not_decoded_again)
{
    CHECK(start());
    CHECK_EQ(found(), 1);
    CHECK(is_remembered());
    regs.cr0 |= CR0_CD | CR0_WP;
    regs.cr4 |= CR4_MCE | CR4_PGE | CR4_SMAP;
    CHECK(is_remembered());
    CHECK_EQ(found(), 1);
    end();
}

TEST(changed_bytes_are_seen)
{
    CHECK(start());
    CHECK_EQ(found(), 1);
    put_load(CODE + LINEAR % PAGE_SIZE, 7);
    CHECK_EQ(found(), 7);
    end();
}

TEST(an_entry_that_leads_elsewhere_is_seen_at_every_level)
{
    static const struct { uint64_t entry, table; } levels[] = { { PML4, PDPT }, { PDPT, PD }, { PD + 2 * 8, PT }, { PT, CODE } };
    for (unsigned i = 0; i < ARRAY_SIZE(levels); i++) {
        CHECK(start());
        CHECK_EQ(found(), 1);
        /* A copy of the table, or of the page, with another instruction at its end. */
        uint64_t from = levels[i].table, to = 0x40000;
        for (unsigned level = i; ; level++, to += PAGE_SIZE) {
            for (unsigned at = 0; at < PAGE_SIZE; at += 8)
                poke(to + at, peek(from + at), 8);
            if (level == ARRAY_SIZE(levels) - 1)
                break;
            from = levels[level + 1].table;
            poke(to + levels[level + 1].entry % PAGE_SIZE, (to + PAGE_SIZE) | ALL, 8);
        }
        put_load(to + LINEAR % PAGE_SIZE, 9);
        CHECK_EQ(found(), 1);
        poke(levels[i].entry, 0x40000 | ALL, 8);
        CHECK_EQ(found(), 9);
        end();
    }
}

TEST(a_page_that_went_away_faults)
{
    CHECK(start());
    CHECK_EQ(found(), 1);
    poke(PT, CODE, 8);
    CHECK_EQ(found(), -1);
    CHECK_EQ(failure.status, INSN_NEED_MORE);
    CHECK_EQ(failure.length, 0);
    CHECK_EQ(failure.fault.vector, EXC_PF);
    CHECK_EQ(failure.fault.cr2, LINEAR);
    end();
}

TEST(another_address_space_is_walked_anew)
{
    CHECK(start());
    CHECK_EQ(found(), 1);
    regs.cr3 = OTHER_PML4;
    CHECK_EQ(found(), 1);
    poke(OTHER_PML4, 0, 8);
    CHECK_EQ(found(), -1);
    regs.cr3 = PML4;
    CHECK_EQ(found(), 1);
    end();
}

TEST(a_user_may_not_fetch_what_the_supervisor_may)
{
    CHECK(start());
    poke(PT, CODE | (ALL & ~USER), 8);
    CHECK_EQ(found(), 1);
    regs.cpl = 3;
    CHECK_EQ(found(), -1);
    CHECK_EQ(failure.fault.vector, EXC_PF);
    regs.cpl = 0;
    CHECK_EQ(found(), 1);
    end();
}

TEST(smep_counts_from_when_it_is_switched_on)
{
    CHECK(start());
    CHECK_EQ(found(), 1);
    regs.cr4 |= CR4_SMEP;
    CHECK_EQ(found(), -1);
    CHECK_EQ(failure.fault.vector, EXC_PF);
    end();
}

TEST(the_same_bytes_mean_something_else_in_another_mode)
{
    CHECK(start());
    poke(CODE + LINEAR % PAGE_SIZE, 0x078b48, 3); /* 64 bits: mov rax, [rdi]; 32 bits: dec eax */
    CHECK_EQ(found(), 0);
    CHECK_EQ(vcpu_fetch(&vcpu, &vcpu.fetch_cache, &regs, &failure)->insn.opsize, 8);
    regs.cs_mode = CS_32; /* compatibility mode */
    CHECK_EQ(vcpu_fetch(&vcpu, &vcpu.fetch_cache, &regs, &failure)->insn.op, INSN_DEC);
    regs.cs_mode = CS_64;
    CHECK_EQ(found(), 0);
    end();
}

TEST(an_instruction_across_pages_is_read_from_both_and_never_remembered)
{
    CHECK(start());
    regs.rip = LINEAR - LINEAR % PAGE_SIZE + PAGE_SIZE - 2;
    poke(CODE + PAGE_SIZE - 2, 0x478b, 2);
    poke(OTHER_CODE, 0x11, 1);
    CHECK_EQ(found(), 0x11);
    CHECK(!is_remembered());
    poke(OTHER_CODE, 0x12, 1);
    CHECK_EQ(found(), 0x12);
    poke(PT + 8, 0, 8);
    CHECK_EQ(found(), -1);
    CHECK_EQ(failure.length, 2);
    CHECK_EQ(failure.fault.vector, EXC_PF);
    CHECK_EQ(failure.fault.cr2, LINEAR - LINEAR % PAGE_SIZE + PAGE_SIZE);
    end();
}

TEST(an_instruction_at_the_end_of_a_page_does_not_need_the_next)
{
    CHECK(start());
    regs.rip = LINEAR - LINEAR % PAGE_SIZE + PAGE_SIZE - 3;
    put_load(CODE + PAGE_SIZE - 3, 3);
    poke(PT + 8, 0, 8);
    CHECK_EQ(found(), 3);
    end();
}

TEST(a_walk_that_sets_an_accessed_bit_is_done_before_it_is_remembered)
{
    CHECK(start());
    poke(PT, CODE | (ALL & ~ACCESSED), 8);
    CHECK_EQ(found(), 1);
    CHECK_EQ(peek(PT) & ACCESSED, ACCESSED);
    CHECK_EQ(found(), 1);
    CHECK(is_remembered());
    poke(PT, CODE | (ALL & ~ACCESSED), 8); /* the guest looks whether the page is in use */
    CHECK_EQ(found(), 1);
    CHECK_EQ(peek(PT) & ACCESSED, ACCESSED);
    end();
}

TEST(without_paging_only_bytes_and_registers_count)
{
    CHECK(start());
    regs = (struct vt_snapshot){ .rip = CODE + LINEAR % PAGE_SIZE, .cr0 = CR0_PE, .cs_mode = CS_32 };
    CHECK_EQ(found(), 1);
    CHECK(is_remembered());
    regs.cr0 |= CR0_PG; /* 32-bit tables at 0: there are none */
    CHECK_EQ(found(), -1);
    end();
}

TEST(an_instruction_outside_of_ram_is_not_fetched)
{
    CHECK(start());
    poke(PT, UINT64_C(0xfee00000) | ALL, 8);
    CHECK_EQ(found(), -1);
    CHECK_EQ(failure.length, 0);
    CHECK_EQ(failure.fault.vector, 0);
    end();
}

TEST(accessors_of_device_registers_are_plain_moves)
{
    static const struct { uint64_t bytes; enum fetch_move move; } rows[] = {
        { 0x01478b, FETCH_LOAD },             /* mov eax, [rdi+1] */
        { 0x390c8b41, FETCH_OTHER },          /* mov ecx, [r9+rdi]: with an index */
        { 0x0789, FETCH_STORE },              /* mov [rdi], eax */
        { 0x10007c7, FETCH_STORE_IMM },       /* mov dword [rdi], 1 */
        { 0x078b48, FETCH_OTHER },            /* mov rax, [rdi]: eight bytes */
        { 0x078b64, FETCH_OTHER },            /* mov eax, fs:[rdi] */
        { 0x278b, FETCH_OTHER },              /* mov esp, [rdi] */
        { 0x24048b, FETCH_OTHER },            /* mov eax, [rsp] */
        { 0x0703, FETCH_OTHER },              /* add eax, [rdi] */
        { UINT64_C(0xfee000b025048b), FETCH_LOAD }, /* mov eax, [0xfffffffffee000b0] */
        { 0x00000010058b, FETCH_OTHER },      /* mov eax, [rip+16] */
        { 0x078b67, FETCH_OTHER },            /* mov eax, [edi] */
    };
    CHECK(start());
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        poke(CODE + LINEAR % PAGE_SIZE, rows[i].bytes, 8);
        const struct fetch_row *row = vcpu_fetch(&vcpu, &vcpu.fetch_cache, &regs, &failure);
        CHECK(row != NULL);
        if (row)
            CHECK_EQ(row->move, rows[i].move);
    }
    end();
}
