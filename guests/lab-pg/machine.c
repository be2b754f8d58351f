/* The machine as each row finds it: descriptor tables for two rings, and every register that some row changes. */
#include "lab-pg/lab.h"
#include "lib/clock.h"
#include "lib/cpu.h"

enum { ACCESS_TSS = 0x89, ACCESS_LDT = 0x82, GATE_INTERRUPT = 0x8e00, GATE_CALL = 0x8c00, DPL3 = 3 << 13, IST_1 = 1,
       PAGE_USER = 4, PAGE_LARGE = 1 << 7, ENTRY_SIZE = 16 };
enum { SYSENTER_CS = 0x174, SYSENTER_ESP = 0x175, SYSENTER_EIP = 0x176, EFER_SCE_LME_LMA = 0x501 };
enum { PIT_CHANNEL_0 = 0x40, PIT_MODE = 0x43, MODE_0_CHANNEL_0 = 0x30 };
static const uint32_t EFER = 0xc0000080, STAR = 0xc0000081, LSTAR = 0xc0000082, FMASK = 0xc0000084, FS_BASE = 0xc0000100,
                      GS_BASE = 0xc0000101, KERNEL_GS_BASE = 0xc0000102, TSC_AUX = 0xc0000103;

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct tss {
    uint32_t reserved;
    uint64_t rsp[3], reserved2, ist[7], reserved3;
    uint16_t reserved4, bitmap_at;
    uint8_t bitmap[8192 + 1];
} __attribute__((packed));

struct gate {
    uint16_t offset_low, selector, flags, offset_middle;
    uint32_t offset_high, reserved;
};

uint64_t gdt[GDT_SLOTS], other_gdt[GDT_SLOTS];
struct gate idt[VECTORS], other_idt[VECTORS];
static struct tss tss;
static uint8_t interrupt_stack[8192] __attribute__((aligned(16)));
const struct table_pointer other_gdt_pointer = { sizeof other_gdt - 1, (uint64_t)other_gdt };
const struct table_pointer other_idt_pointer = { sizeof other_idt - 1, (uint64_t)other_idt };
uint64_t row_cr0, row_cr3, row_cr4;
static bool have_xsave, have_tsc_aux, have_syscall;
extern const char interrupt_entries[];

static void fill(void *at, uint8_t value, uint64_t size)
{
    asm volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
}

/* AMD APM vol 2, "System Segment Descriptors": 16 bytes in long mode. */
static void set_system(unsigned selector, uint64_t base, uint64_t limit, uint64_t access)
{
    gdt[selector / 8] = limit | (base & 0xffffff) << 16 | access << 40 | (base >> 24 & 0xff) << 56;
    gdt[selector / 8 + 1] = base >> 32;
}

static struct gate make_gate(uint64_t at, unsigned flags)
{
    return (struct gate){ (uint16_t)at, KERNEL_CODE, (uint16_t)flags, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0 };
}

static void fill_gdt(void)
{
    gdt[KERNEL_CODE / 8] = UINT64_C(0x00af9b000000ffff); /* flat, though 64-bit code has no limit: QEMU 7.2 checks it in far CALLs */
    gdt[KERNEL_DATA / 8] = UINT64_C(0x00cf93000000ffff);
    gdt[USER_CODE32 / 8] = UINT64_C(0x00cffb000000ffff);
    gdt[USER_DATA / 8] = UINT64_C(0x00cff3000000ffff);
    gdt[USER_CODE / 8] = UINT64_C(0x00affb000000ffff);
    set_system(MAIN_TSS, (uint64_t)&tss, sizeof tss - 1, ACCESS_TSS);
    set_system(OTHER_TSS, (uint64_t)&tss, sizeof tss - 1, ACCESS_TSS);
    set_system(MAIN_LDT, (uint64_t)gdt, 7, ACCESS_LDT);
    set_system(OTHER_LDT, (uint64_t)gdt, 7, ACCESS_LDT);
    struct gate gate = make_gate((uint64_t)row_target, GATE_CALL | DPL3);
    __builtin_memcpy(&gdt[CALL_GATE / 8], &gate, sizeof gate);
    __builtin_memcpy(other_gdt, gdt, sizeof gdt);
}

/* Ring 3 may raise what its own instructions raise; everything arrives on a stack that no row can spoil. */
static void fill_idt(void)
{
    static const uint8_t open[] = { 3, INT_END, INT_OPEN };
    for (unsigned v = 0; v < VECTORS; v++)
        idt[v] = make_gate((uint64_t)interrupt_entries + ENTRY_SIZE * v, GATE_INTERRUPT | IST_1);
    for (unsigned i = 0; i < sizeof open; i++)
        idt[open[i]].flags |= DPL3;
    __builtin_memcpy(other_idt, idt, sizeof idt);
}

static void on_any(struct frame *f)
{
    outcome = *f;
    run_leave();
}

/* The start code's tables: one PML4 entry, four page directories. Ring 3 runs the same code at the same addresses. */
static void open_pages_to_ring_3(void)
{
    uint64_t *pml4 = (uint64_t *)(read_cr3() & ~UINT64_C(0xfff)), *pdpt = (uint64_t *)(pml4[0] & ~UINT64_C(0xfff));
    pml4[0] |= PAGE_USER;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t *directory = (uint64_t *)(pdpt[i] & ~UINT64_C(0xfff));
        pdpt[i] |= PAGE_USER;
        for (unsigned n = 0; n < 512; n++)
            directory[n] |= PAGE_USER;
    }
    write_cr3(read_cr3());
}

void machine_init(void)
{
    have_xsave = feature_cr4(CR4_OSXSAVE);
    have_tsc_aux = cpuid(0x80000001, 0).edx >> 27 & 1;
    have_syscall = cpuid(0x80000001, 0).edx >> 11 & 1;
    row_cr3 = read_cr3();
    for (unsigned v = 0; v < VECTORS; v++)
        interrupt_set(v, on_any);
    tss.ist[0] = (uint64_t)interrupt_stack + sizeof interrupt_stack;
    tss.rsp[0] = (uint64_t)run_stack_top;
    tss.bitmap_at = __builtin_offsetof(struct tss, bitmap);
    fill(tss.bitmap, 0xff, sizeof tss.bitmap);
    tss.bitmap[PORT_ALLOWED / 8] &= (uint8_t)~(1u << PORT_ALLOWED % 8);
    fill_idt();
    open_pages_to_ring_3();
    mmio_write(LAPIC + LAPIC_SVR, LAPIC_ENABLE | SPURIOUS_VECTOR);
    mmio_write(LAPIC + LAPIC_LVT_TIMER, LVT_MASKED);
    mmio_write(LAPIC + LAPIC_LVT_LINT0, LVT_EXTINT); /* the PICs' interrupts arrive there */
}

static void reset_tables(void)
{
    const struct table_pointer g = { sizeof gdt - 1, (uint64_t)gdt }, i = { sizeof idt - 1, (uint64_t)idt };
    fill_gdt(); /* not busy any more */
    asm volatile("lgdt %0; lidt %1; ltr %w2; lldt %w3" : : "m"(g), "m"(i), "r"(MAIN_TSS), "r"(MAIN_LDT));
    asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs" : : "r"(USER_DATA));
}

static void reset_msrs(void)
{
    wrmsr(EFER, EFER_SCE_LME_LMA);
    wrmsr(STAR, (uint64_t)USER_CODE32 << 48 | (uint64_t)KERNEL_CODE << 32);
    wrmsr(LSTAR, (uint64_t)row_target);
    wrmsr(FMASK, 0);
    wrmsr(SYSENTER_CS, KERNEL_CODE);
    wrmsr(SYSENTER_ESP, (uint64_t)run_stack_top);
    wrmsr(SYSENTER_EIP, (uint64_t)row_target);
    wrmsr(FS_BASE, 0x3333000);
    wrmsr(GS_BASE, 0x1111000);
    wrmsr(KERNEL_GS_BASE, 0x2222000);
    if (have_tsc_aux)
        wrmsr(TSC_AUX, 0x5aa5);
}

static void reset_pkru(void)
{
    if (!feature_cr4(CR4_PKE))
        return;
    write_cr4(read_cr4() | CR4_PKE);
    asm volatile(".byte 0x0f, 0x01, 0xef" : : "a"(0), "c"(0), "d"(0) : "memory"); /* WRPKRU */
}

static void reset_registers(const struct row *row)
{
    row_cr0 = UINT64_C(0x80010033) | (row->flags & WITH_TS ? CR0_TS : 0); /* PG, WP, NE, ET, MP, PE */
    row_cr4 = 0x620 | feature_cr4(row->cr4 | CR4_OSXSAVE);                /* OSXMMEXCPT, OSFXSR, PAE */
    write_cr0(row_cr0);
    reset_pkru();
    write_cr4(row_cr4);
    write_cr2(0x2468000);
    write_cr3(row_cr3);
    write_cr8(0);
    write_dr7(0x400);
    write_dr6(0xffff0ff0);
    write_dr0(0);
    if (have_xsave)
        xsetbv(0, 1);
}

static void arm_timer(void)
{
    out8(PIT_MODE, MODE_0_CHANNEL_0);
    out8(PIT_CHANNEL_0, 0xff); /* 55 ms: the row has begun by then */
    out8(PIT_CHANNEL_0, 0xff);
}

void machine_reset(const struct row *row)
{
    reset_registers(row);
    reset_tables();
    reset_msrs();
    fill(scratch, 0, 4096);
    pic_init(TIMER_VECTOR, row->flags & WITH_TIMER ? 1 : 0);
    if (row->flags & WITH_TIMER)
        arm_timer();
}
