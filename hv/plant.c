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
static void (*planted)(void);

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
};

void plant_init(const char *cmdline)
{
    for (unsigned i = 0; i < ARRAY_SIZE(faults); i++)
        if (str_find(cmdline, faults[i].option))
            planted = faults[i].plant;
}

void plant_fault(void)
{
    if (!planted || ++seconds != SECONDS)
        return;
    log_line("plant: now");
    planted();
}
