/* EFI/BOOT/BOOTX64.EFI: from the firmware to the hypervisor's 64-bit door. Every failure is a sentence and a return
 * to the firmware. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/preflight.h"
#include "arch/x86_64/isa/cr.h"
#include "boot/uefi/console.h"
#include "boot/uefi/efi.h"
#include "boot/uefi/elf_image.h"
#include "boot/uefi/files.h"
#include "boot/uefi/leave.h"
#include "boot/uefi/log_area.h"
#include "boot/uefi/modules.h"
#include "boot/uefi/tables.h"
#include "hv/lib/str.h"

#define ELF_NAME     "trapeze.elf"
#define CMDLINE_NAME "cmdline.txt"

typedef void (*door_t)(uint64_t boot_info); /* arch/x86_64/cpu/entry.asm; System V calling convention */

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static void on_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
    struct cpuid_regs r = cpuid(leaf, subleaf);
    memcpy(regs, (uint32_t[]){ r.eax, r.ebx, r.ecx, r.edx }, 16);
}

static uint64_t on_rdmsr(void *ctx, uint32_t msr)
{
    return rdmsr(msr);
}

static void on_say(void *ctx, const char *line)
{
    console_say("%s", line);
}

static bool check_machine(void)
{
    if (!preflight_run(&(struct preflight_cpu){ on_cpuid, on_rdmsr, on_say, NULL }))
        return false;
    if (read_cr4() & CR4_LA57) {
        console_say("The firmware uses 5-level paging, which Trapeze cannot take over. Look for \"5-Level Paging\" or "
                    "\"LA57\" in the BIOS setup and disable it.");
        return false;
    }
    return true;
}

static struct boot_info *new_boot_info(void)
{
    struct boot_info *info = (void *)efi_allocate(EfiLoaderData, sizeof *info);
    if (!info) {
        console_say("There is no memory for the boot information.");
        return NULL;
    }
    memset(info, 0, sizeof *info);
    info->magic = BOOT_INFO_MAGIC;
    info->version = BOOT_INFO_VERSION;
    info->size = sizeof *info;
    (void)str_copy(info->loader, sizeof info->loader, "UEFI");
    return info;
}

static bool open_volume(void)
{
    EFI_STATUS status = files_open_volume();
    if (EFI_ERROR(status))
        console_say("The volume that this loader came from cannot be read (%s). Start it from a FAT file system.",
                    efi_status_text(status));
    return !EFI_ERROR(status);
}

/* Options of the hypervisor itself: the first line of a file that need not be there. */
static void read_cmdline(struct boot_info *info)
{
    struct file file;
    if (EFI_ERROR(files_read(CMDLINE_NAME, &file)))
        return;
    const char *text = (const char *)file.base;
    size_t n = 0;
    for (; n < file.size && n < sizeof info->cmdline - 1 && text[n] >= ' '; n++)
        info->cmdline[n] = text[n];
    loader.services->FreePages(file.base, EFI_SIZE_TO_PAGES(MAX(file.size, (uint64_t)1)));
}

/* Reads and places the hypervisor; *door is its entry's physical address. */
static bool load_hypervisor(struct boot_info *info, door_t *door)
{
    struct file file;
    EFI_STATUS status = files_read(ELF_NAME, &file);
    if (EFI_ERROR(status)) {
        console_say("\\trapeze\\" ELF_NAME " cannot be read (%s). Copy it to the boot volume.", efi_status_text(status));
        return false;
    }
    struct elf_image image;
    const char *problem = elf_image_parse((const void *)file.base, file.size, &image);
    if (problem) {
        console_say("\\trapeze\\" ELF_NAME " cannot be started: %s. Copy it again.", problem);
        return false;
    }
    uint64_t memory = efi_allocate(EfiLoaderCode, image.size + MiB(2)); /* to find a 2 MiB boundary in it */
    if (!memory) {
        console_say("There is no room for the hypervisor (%llu KiB) below 4 GiB.", (unsigned long long)image.size / 1024);
        return false;
    }
    info->image_base = ALIGN_UP(memory, MiB(2));
    info->image_size = ALIGN_UP(image.size, PAGE_SIZE);
    elf_image_place(&image, (void *)info->image_base);
    *door = (door_t)(info->image_base + image.entry);
    return true;
}

static bool prepare(struct boot_info **info, door_t *door)
{
    if (!check_machine())
        return false;
    *info = new_boot_info();
    if (!*info || !open_volume())
        return false;
    log_area_reserve(*info);
    log_area_save();
    tables_collect(*info);
    read_cmdline(*info);
    return modules_load(*info) && load_hypervisor(*info, door);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    loader = (struct loader){ image, system, system->BootServices };
    console_init();
    console_say("Trapeze: UEFI loader");
    loader.services->SetWatchdogTimer(0, 0, 0, NULL);
    struct boot_info *info;
    door_t door;
    EFI_STATUS status = EFI_ABORTED;
    if (prepare(&info, &door)) {
        console_say("Leaving the firmware");
        status = leave_firmware(info);
        if (!EFI_ERROR(status)) {
            cli();
            door((uint64_t)info);
        }
        console_say("The firmware does not let go (%s).", efi_status_text(status));
    }
    console_say("Trapeze was not started.");
    console_pause();
    return status;
}
