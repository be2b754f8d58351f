#include "boot/uefi/tables.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/isa/cpuid.h"
#include "boot/uefi/console.h"
#include "boot/uefi/efi.h"
#include "boot/uefi/mp_services.h"
#include "hv/lib/str.h"

static uint64_t find_table(EFI_GUID guid)
{
    const EFI_SYSTEM_TABLE *s = loader.system;
    for (UINTN i = 0; i < s->NumberOfTableEntries; i++)
        if (!memcmp(&s->ConfigurationTable[i].VendorGuid, &guid, sizeof guid))
            return (uint64_t)s->ConfigurationTable[i].VendorTable;
    return 0;
}

static void find_rsdp(struct boot_info *info)
{
    info->acpi_rsdp = find_table((EFI_GUID)ACPI_20_TABLE_GUID);
    if (!info->acpi_rsdp)
        info->acpi_rsdp = find_table((EFI_GUID)ACPI_TABLE_GUID);
    if (info->acpi_rsdp)
        console_say("ACPI: RSDP at 0x%llx", (unsigned long long)info->acpi_rsdp);
    else
        console_say("ACPI: the firmware has no tables");
}

static enum boot_pixel_format pixel_format(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode)
{
    if (mode->PixelFormat == PixelBlueGreenRedReserved8BitPerColor)
        return BOOT_PIXEL_BGRX;
    if (mode->PixelFormat == PixelRedGreenBlueReserved8BitPerColor)
        return BOOT_PIXEL_RGBX;
    if (mode->PixelFormat != PixelBitMask || mode->PixelInformation.GreenMask != 0xff00)
        return BOOT_PIXEL_NONE;
    if (mode->PixelInformation.RedMask == 0xff0000 && mode->PixelInformation.BlueMask == 0xff)
        return BOOT_PIXEL_BGRX;
    bool rgbx = mode->PixelInformation.RedMask == 0xff && mode->PixelInformation.BlueMask == 0xff0000;
    return rgbx ? BOOT_PIXEL_RGBX : BOOT_PIXEL_NONE;
}

static void find_framebuffer(struct boot_info *info)
{
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;
    if (EFI_ERROR(loader.services->LocateProtocol(&guid, NULL, (void **)&gop)) || !gop->Mode || !gop->Mode->Info) {
        console_say("Screen: no framebuffer (GOP); the serial line is the only console");
        return;
    }
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode = gop->Mode->Info;
    enum boot_pixel_format format = pixel_format(mode);
    if (format == BOOT_PIXEL_NONE) {
        console_say("Screen: the framebuffer's pixel format %d is not one of 32 bits; it is not used", mode->PixelFormat);
        return;
    }
    info->framebuffer = (struct boot_framebuffer){ gop->Mode->FrameBufferBase, mode->HorizontalResolution,
                                                   mode->VerticalResolution, mode->PixelsPerScanLine * 4, format };
    console_say("Screen: %ux%u at 0x%llx", mode->HorizontalResolution, mode->VerticalResolution,
                (unsigned long long)info->framebuffer.base);
}

static void find_cpus(struct boot_info *info)
{
    EFI_GUID guid = MP_SERVICES_GUID;
    struct mp_services *mp;
    UINTN count = 0, enabled = 0;
    if (EFI_ERROR(loader.services->LocateProtocol(&guid, NULL, (void **)&mp)) ||
        EFI_ERROR(mp->get_number(mp, &count, &enabled))) {
        console_say("CPUs: the firmware gives no list; the ACPI tables will");
        return;
    }
    for (UINTN i = 0; i < count && info->cpu_count < BOOT_MAX_CPUS; i++) {
        struct mp_processor p = { 0 };
        if (EFI_ERROR(mp->get_info(mp, i, &p)))
            continue;
        bool usable = (p.status & (MP_ENABLED | MP_HEALTHY)) == (MP_ENABLED | MP_HEALTHY);
        info->cpus[info->cpu_count++] = (struct boot_cpu){ (uint32_t)p.id, usable };
    }
    console_say("CPUs: %llu, %llu enabled%s", (unsigned long long)count, (unsigned long long)enabled,
                count > BOOT_MAX_CPUS ? "; only the first 64 are used" : "");
}

/* SDM vol 2, "CPUID": leaf Bh has the whole x2APIC ID where it exists, leaf 1 its low 8 bits. */
static uint32_t current_apic_id(void)
{
    if (cpuid(CPUID_VENDOR, 0).eax >= CPUID_TOPOLOGY && cpuid(CPUID_TOPOLOGY, 0).ebx)
        return cpuid(CPUID_TOPOLOGY, 0).edx;
    return cpuid(CPUID_FEATURES, 0).ebx >> CPUID_1_EBX_APIC_ID_SHIFT;
}

void tables_collect(struct boot_info *info)
{
    info->efi_system_table = (uint64_t)loader.system;
    info->boot_apic_id = current_apic_id();
    find_rsdp(info);
    find_framebuffer(info);
    find_cpus(info);
}
