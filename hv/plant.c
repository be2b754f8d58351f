#include "hv/plant.h"
#include "arch/x86_64/cpu/image.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/irq.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/cpu/tsc.h"
#include "arch/x86_64/isa/cr.h"
#include "hv/bringup.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"
#include "hv/vm/vm.h"

#define VICTIM  "witness"
#define AT_GPA  UINT64_C(0x3ffff0) /* in the last page of its 4 MiB */
#define SECONDS 4
#define DELAY_US 1500000
#define STUCK_US 2500000
#define STUCK_VECTOR 0x44

static unsigned seconds;

/* One bit of a byte that belongs to the witness. */
static void flip_memory(void)
{
    for (unsigned i = 0; i < partition_count; i++) {
        uint8_t *byte = partitions[i] && !strcmp(partitions[i]->name, VICTIM) ?
                            gmem_translate(&partitions[i]->mem, GPA(AT_GPA), 1) : NULL;
        if (byte)
            *byte ^= 1;
    }
}

/* The last byte of the constants, which fills up a page: nobody reads it. */
static void flip_code(void)
{
    uint64_t cr0 = read_cr0();
    write_cr0(cr0 & ~(uint64_t)CR0_WP);
    volatile char *last = (volatile char *)((uintptr_t)rodata_end - 1);
    *last ^= 1;
    write_cr0(cr0);
}

static void lose_page(void)
{
    hpa_t page;
    (void)!page_alloc(&machine.pages, PAGE_ORDER_4K, PAGE_OWNER_GUEST, &page);
}

static void delay(void)
{
    tsc_delay_us(DELAY_US);
}

/* Not tail calls: the backtrace is to name them. */
static __attribute__((noinline)) void stuck_here(void)
{
    tsc_delay_us(STUCK_US);
    log_line("plant: over");
}

static void on_stuck_vector(void *ctx, unsigned vector)
{
    stuck_here();
    log_line("plant: over on CPU %u", pcpu_this()->index);
}

static void stuck_other(void)
{
    lapic_send(pcpu_at(1)->apic_id, STUCK_VECTOR);
}

static __attribute__((noinline)) void stuck_all(void)
{
    stuck_other();
    stuck_here();
}

void plant_cpu(void)
{
    irq_set_handler(STUCK_VECTOR, on_stuck_vector, NULL);
}

static const struct {
    const char *option;
    void (*plant)(void);
} faults[] = {
    { "plant=memory", flip_memory }, { "plant=code", flip_code }, { "plant=pages", lose_page }, { "plant=delay", delay },
    { "plant=stuck", stuck_here }, { "plant=other-stuck", stuck_other }, { "plant=all-stuck", stuck_all },
    { "plant=nmi", plant_nmi }, { "plant=interrupt", plant_interrupt }, { "plant=spurious", plant_spurious },
    { "plant=tables", plant_tables }, { "plant=exit", plant_exit }, { "plant=entry", plant_entry },
    { "plant=allocations", plant_allocations },
    { "plant=machine-check", plant_machine_check }, { "plant=unloaded", plant_unloaded }, /* last: these end the machine */
};
static uint32_t planted; /* bits: faults[] */

void plant_init(const char *cmdline)
{
    for (unsigned i = 0; i < ARRAY_SIZE(faults); i++)
        if (str_find(cmdline, faults[i].option))
            planted |= 1u << i;
}

void plant_fault(void)
{
    if (!planted || ++seconds < SECONDS)
        return;
    unsigned next = (unsigned)__builtin_ctz(planted);
    planted &= planted - 1;
    log_line("plant: now: %s", faults[next].option);
    faults[next].plant();
}
