/* The Multiboot2 door in C: information structure -> struct boot_info -> hv_main. */
#include "arch/x86_64/cpu/image.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/preflight.h"
#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/mmu/host.h"
#include "boot/last_log.h"
#include "boot/mb2/early_console.h"
#include "boot/mb2/mb2_convert.h"
#include "boot/mb2/mb2_format.h"
#include "hv/hv_main.h"

#define MBI_LIMIT   MiB(1) /* larger than any loader's structure; the early map has 4 GiB */

NORETURN void mb2_main(const struct mb2_header *mbi);

static struct mb2_result result;

/* CR3 still holds the early tables, which are part of the image. */
static uint64_t image_physical_base(void)
{
    return read_cr3() - (uint64_t)(early_tables - image_start);
}

static void on_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
    struct cpuid_regs r = cpuid(leaf, subleaf);
    regs[0] = r.eax;
    regs[1] = r.ebx;
    regs[2] = r.ecx;
    regs[3] = r.edx;
}

static uint64_t on_rdmsr(void *ctx, uint32_t msr)
{
    return rdmsr(msr);
}

static void on_say(void *ctx, const char *line)
{
    early_say(line);
}

static void mention_last_log(const struct boot_info *info)
{
    const struct log_ring *old = (const void *)(HOST_DIRECT_BASE + info->log_base);
    if (info->log_size && last_log_valid(old))
        early_say("The log of the run before is still in memory; only the UEFI loader can write it to a file.");
}

NORETURN void mb2_main(const struct mb2_header *mbi)
{
    uint64_t base = image_physical_base();
    struct mb2_place place = {
        .image_base = base, .image_size = (uint64_t)(image_end - image_start),
        .result = base + ((uint64_t)&result - HOST_IMAGE_BASE),
        .boot_apic_id = cpuid(CPUID_FEATURES, 0).ebx >> CPUID_1_EBX_APIC_ID_SHIFT,
    };
    early_say("Trapeze: started by a Multiboot2 loader");
    if (!preflight_run(&(struct preflight_cpu){ on_cpuid, on_rdmsr, on_say, NULL }))
        early_stop("Trapeze cannot run on this machine. It is stopped; switch it off or reset it.");
    enum mb2_status status = mb2_convert(mbi, MBI_LIMIT, &place, &result);
    if (status != MB2_OK)
        early_say(mb2_status_text(status));
    if (status != MB2_OK && status != MB2_NO_LOG_AREA)
        early_stop("Trapeze cannot start. Check the multiboot2 and module2 lines of the GRUB menu entry.");
    mention_last_log(&result.info);
    hv_main((const struct boot_info *)(HOST_DIRECT_BASE + place.result));
}
