#include "hv/plant.h"
#include "arch/x86_64/cpu/image.h"
#include "arch/x86_64/cpu/insn.h"
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

static const struct {
    const char *option;
    void (*plant)(void);
} faults[] = {
    { "plant=memory", flip_memory }, { "plant=code", flip_code }, { "plant=pages", lose_page }, { "plant=delay", delay },
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
