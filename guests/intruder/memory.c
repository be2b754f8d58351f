/* Memory that is not its own. The guest's page tables are its own to write, so it can name any physical address. */
#include "intruder/intruder.h"
#include "lib/cpu.h"
#include "lib/interrupt.h"

enum { PAGE_PRESENT_WRITE = 3, PAGE_LARGE = 1 << 7, ADDRESS_MASK_LOW = 0xfff };
#define MiB(n)     ((uint64_t)(n) << 20)
#define GiB(n)     ((uint64_t)(n) << 30)
#define WINDOW     GiB(512) /* virtual: entry 1 of the PML4 */
#define ALL_ONES32 UINT64_C(0xffffffff)
#define MARK       0x5a5aa5a5u

static uint64_t window_pdpt[512] __attribute__((aligned(4096)));
static uint64_t window_directory[512] __attribute__((aligned(4096)));

/* A window of 2 MiB onto any physical address. */
static volatile uint32_t *window(uint64_t physical)
{
    uint64_t *pml4 = (uint64_t *)(read_cr3() & ~(uint64_t)ADDRESS_MASK_LOW);
    window_pdpt[0] = (uint64_t)window_directory | PAGE_PRESENT_WRITE;
    window_directory[0] = (physical & ~(MiB(2) - 1)) | PAGE_PRESENT_WRITE | PAGE_LARGE;
    pml4[1] = (uint64_t)window_pdpt | PAGE_PRESENT_WRITE;
    write_cr3(read_cr3());
    return (volatile uint32_t *)(WINDOW + (physical & (MiB(2) - 1)));
}

static uint64_t read_at(uint64_t physical)
{
    return *window(physical);
}

static uint64_t write_then_read(uint64_t physical)
{
    volatile uint32_t *at = window(physical);
    *at = MARK;
    return *at;
}

/* How many of the words at `step` distances are something else than all ones. */
struct range {
    uint64_t start, end, step;
};

static uint64_t others_in(uint64_t argument)
{
    const struct range *r = (const struct range *)argument;
    uint64_t others = 0;
    for (uint64_t at = r->start; at < r->end; at += r->step)
        others += *window(at) != ALL_ONES32;
    return others;
}

static uint64_t own_memory_survives(uint64_t unused)
{
    static volatile uint32_t own[1024];
    (void)unused;
    for (unsigned i = 0; i < 1024; i++)
        own[i] = MARK + i;
    asm volatile("invd" : : : "memory");
    for (unsigned i = 0; i < 1024; i++)
        if (own[i] != MARK + i)
            return 1;
    return 0;
}

void intruder_memory(uint64_t end)
{
    uint64_t top = (uint64_t)1 << (cpuid(0x80000008, 0).eax & 0xff);
    const struct range neighbours = { MiB(16), MiB(1024), MiB(2) }, low = { end, end + MiB(2), 4096 };
    const char *ones = "reads all ones";
    intruder_expect_value("read just above its RAM", read_at, end, ALL_ONES32, ones);
    intruder_expect_value("write just above its RAM", write_then_read, end, ALL_ONES32, "ignored, still reads all ones");
    intruder_expect_value("read the 2 MiB above its RAM, page by page", others_in, (uint64_t)&low, 0, "all ones everywhere");
    intruder_expect_value("look for others from 16 MiB to 1 GiB", others_in, (uint64_t)&neighbours, 0, "all ones everywhere");
    intruder_expect_value("read at 64 GiB", read_at, GiB(64), ALL_ONES32, ones);
    intruder_expect_value("write at 64 GiB", write_then_read, GiB(64), ALL_ONES32, "ignored, still reads all ones");
    intruder_expect_value("read the last 4 bytes of physical memory", read_at, top - 4, ALL_ONES32, ones);
    intruder_expect_fault("read beyond physical memory", read_at, top, EXC_PF);
    intruder_expect_value("read the firmware's flash", read_at, GiB(4) - 16, ALL_ONES32, ones);
    intruder_expect_value("read the machine's HPET", read_at, 0xfed00000, ALL_ONES32, ones);
    intruder_expect_value("INVD, which forgets what caches hold", own_memory_survives, 0, 0,
                          "memory keeps what was written");
}
