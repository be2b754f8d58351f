/* Other modes: 32-bit code without paging and with both kinds of it, 16-bit code, real mode, virtual-8086 mode, tasks. In
 * each a random piece of code runs. All ways back lead through low.asm. */
#include "hostile/hostile.h"
#include "lib/cpu.h"

enum { PLAIN, PSE, PAE, SIXTEEN, REAL, VIRTUAL, TASK_CALL, TASK_BY_GATE, KINDS, GATE32 = 0xee, TASK_GATE_TYPE = 0xe5, TSS32_FREE = 0x89,
       VECTOR_DF = 8, TSS_SIZE = 104, FLAG_IF = 1 << 9, FLAG_TF = 1 << 8, FLAG_AC = 1 << 18, FLAG_NT = 1 << 14, FLAG_ONE = 2 };

extern const uint8_t low_code[], low_code_end[];
extern const uint32_t low_back32, low_back_real;
void low_trip(void);

static uint64_t idt32[256];
static uint32_t tss32[3][64] __attribute__((aligned(256)));
static uint8_t task_stack[2][1024] __attribute__((aligned(16)));

static uint64_t system_descriptor(const void *base, uint64_t limit, uint64_t type)
{
    uint64_t b = (uint64_t)base;
    return (limit & 0xffff) | (b & 0xffffff) << 16 | type << 40 | (b >> 24 & 0xff) << 56;
}

static void build_task(uint32_t *tss, uint32_t eip, unsigned stack)
{
    static const uint8_t selectors[] = { DATA, CODE32, DATA, DATA, DATA, DATA };
    for (unsigned i = 0; i < 64; i++)
        tss[i] = 0;
    tss[1] = (uint32_t)(uint64_t)(task_stack[stack] + sizeof task_stack[0]);
    tss[2] = DATA;
    tss[7] = (uint32_t)world_cr3();
    tss[8] = eip;
    tss[9] = FLAG_ONE;
    tss[14] = tss[1] - 512;
    for (unsigned i = 0; i < 6; i++)
        tss[18 + i] = selectors[i];
    tss[25] = TSS_SIZE << 16;
}

static void build_tables(void)
{
    struct world *w = &worlds[0];
    for (unsigned i = 0; i < 256; i++)
        idt32[i] = (low_back32 & 0xffff) | (uint64_t)CODE32 << 16 | (uint64_t)GATE32 << 40 | (uint64_t)(low_back32 >> 16) << 48;
    idt32[VECTOR_DF] = (uint64_t)DF_TASK << 16 | (uint64_t)TASK_GATE_TYPE << 40;
    build_task(tss32[0], low_back32, 0);
    build_task(tss32[1], LOW_BLOB, 0);
    build_task(tss32[2], low_back32, 1);
    w->gdt[TSS32 / 8] = system_descriptor(tss32[0], TSS_SIZE + 128, TSS32_FREE);
    w->gdt[TASK / 8] = system_descriptor(tss32[1], TSS_SIZE - 1, TSS32_FREE);
    w->gdt[DF_TASK / 8] = system_descriptor(tss32[2], TSS_SIZE - 1, TSS32_FREE);
    w->gdt[TASK_GATE / 8] = (uint64_t)TASK << 16 | (uint64_t)TASK_GATE_TYPE << 40;
    w->gdt[CALL_GATE / 8] = (low_back32 & 0xffff) | (uint64_t)CODE32 << 16 | UINT64_C(0xec) << 40;
}

void low_prepare(void)
{
    volatile uint8_t *to = (volatile uint8_t *)(uint64_t)LOW_BASE;
    struct low_variables *v = (struct low_variables *)(uint64_t)LOW_VARIABLES;
    for (const uint8_t *from = low_code; from < low_code_end; from++)
        *to++ = *from;
    *v = (struct low_variables){
        .gdtr_limit = sizeof worlds[0].gdt - 1, .gdtr_base = (uint32_t)(uint64_t)worlds[0].gdt,
        .idtr_limit = sizeof idt32 - 1, .idtr_base = (uint32_t)(uint64_t)idt32,
        .ivtr_limit = 0x3ff, .cr3_long = (uint32_t)world_cr3(), .flags = FLAG_ONE,
    };
}

/* 4 MiB pages, one to one where the guest itself is, anywhere else. */
static void build_pse(void)
{
    uint32_t *directory = (uint32_t *)tables[14];
    for (uint32_t i = 0; i < 1024; i++)
        directory[i] = chance_one_in(8) && i > 2 ? (uint32_t)chance() : i << 22 | 0x87;
}

/* The long mode's page directories serve here, too. */
static void build_pae(void)
{
    uint64_t *pml4 = (uint64_t *)world_cr3(), *pdpt = (uint64_t *)(pml4[0] & ~UINT64_C(0xfff));
    for (unsigned i = 0; i < 4; i++)
        tables[15][i] = (pdpt[i] & ~UINT64_C(0xfff)) | 1;
    if (chance_one_in(4))
        tables[15][1 + chance_below(3)] = chance_value();
}

static void trip(unsigned kind)
{
    struct low_variables *v = (struct low_variables *)(uint64_t)LOW_VARIABLES;
    volatile uint32_t *ivt = (volatile uint32_t *)0;
    low_prepare();
    build_tables();
    build_pse();
    build_pae();
    if (kind == REAL)
        for (unsigned i = 0; i < 256; i++)
            ivt[i] = low_back_real;
    v->kind = kind;
    v->cr3_pse = (uint32_t)(uint64_t)tables[14];
    v->cr3_pae = (uint32_t)(uint64_t)tables[15];
    for (unsigned i = 0; i < 6; i++)
        v->registers[i] = (uint32_t)(chance_one_in(3) ? chance_value() : chance_address());
    if (chance_one_in(2))
        v->flags |= FLAG_IF;
    if (chance_one_in(8))
        v->flags |= (uint32_t)chance() & (FLAG_TF | FLAG_AC | FLAG_NT | 0x3000);
    code_random((uint8_t *)(uint64_t)LOW_BLOB, LOW_BLOB_SIZE / 64, false);
    low_trip();
}

static void plain(void) { trip(PLAIN); }
static void pse(void) { trip(PSE); }
static void pae(void) { trip(PAE); }
static void sixteen(void) { trip(SIXTEEN); }
static void real(void) { trip(REAL); }
static void virtual(void) { trip(VIRTUAL); }
static void task_call(void) { trip(TASK_CALL); }
static void task_by_gate(void) { trip(TASK_BY_GATE); }

const struct action mode_actions[] = {
    { "32-bit code", plain, 4 }, { "32-bit paging", pse, 3 }, { "PAE paging", pae, 3 }, { "16-bit code", sixteen, 3 },
    { "real mode", real, 6 }, { "virtual-8086 mode", virtual, 4 }, { "task switch", task_call, 3 }, { "task gate", task_by_gate, 3 },
    { 0 },
};
