#include "boot/uefi/leave.h"
#include "boot/memory_map.h"
#include "boot/uefi/console.h"

#define MAP_SLACK 16 /* descriptors that appear between the size's question and the map: our own allocations */
#define TRIES     8

struct efi_map {
    char *buffer;
    UINTN room, size, key, stride;
    UINT32 version;
};

static enum boot_memory_type type_of(const EFI_MEMORY_DESCRIPTOR *d)
{
    static const uint8_t types[] = {
        [EfiLoaderCode] = BOOT_MEMORY_FREE, [EfiLoaderData] = BOOT_MEMORY_FREE,
        [EfiBootServicesCode] = BOOT_MEMORY_FREE, [EfiBootServicesData] = BOOT_MEMORY_FREE,
        [EfiConventionalMemory] = BOOT_MEMORY_FREE,
        [EfiACPIReclaimMemory] = BOOT_MEMORY_ACPI, [EfiACPIMemoryNVS] = BOOT_MEMORY_ACPI,
    };
    bool known = d->Type < sizeof types && types[d->Type];
    return known ? (enum boot_memory_type)types[d->Type] : BOOT_MEMORY_RESERVED;
}

static bool paint_types(struct boot_info *info, const struct efi_map *map, bool free_ones)
{
    for (UINTN at = 0; range_fits(at, sizeof(EFI_MEMORY_DESCRIPTOR), map->size); at += map->stride) {
        const EFI_MEMORY_DESCRIPTOR *d = (const void *)(map->buffer + at);
        enum boot_memory_type type = type_of(d);
        if ((type == BOOT_MEMORY_FREE) != free_ones)
            continue;
        if (!memory_map_paint(info, d->PhysicalStart, d->NumberOfPages * PAGE_SIZE, type))
            return false;
    }
    return true;
}

static bool convert(struct boot_info *info, const struct efi_map *map)
{
    info->memory_count = 0;
    bool ok = paint_types(info, map, true) && paint_types(info, map, false);
    ok = ok && memory_map_paint(info, 0, PAGE_SIZE, BOOT_MEMORY_RESERVED); /* null pointers */
    for (uint32_t i = 0; i < info->module_count && ok; i++)
        ok = memory_map_paint(info, info->modules[i].base, info->modules[i].size, BOOT_MEMORY_MODULE);
    ok = ok && memory_map_paint(info, info->image_base, info->image_size, BOOT_MEMORY_IMAGE);
    ok = ok && memory_map_paint(info, info->log_base, info->log_size, BOOT_MEMORY_IMAGE);
    return ok && memory_map_paint(info, (uint64_t)info, sizeof *info, BOOT_MEMORY_IMAGE);
}

static EFI_STATUS get_map(struct efi_map *map)
{
    map->size = map->room;
    return loader.services->GetMemoryMap(&map->size, (void *)map->buffer, &map->key, &map->stride, &map->version);
}

static EFI_STATUS make_room(struct efi_map *map)
{
    map->room = 0;
    EFI_STATUS status = get_map(map);
    if (status != EFI_BUFFER_TOO_SMALL)
        return status;
    map->room = map->size + MAP_SLACK * map->stride;
    map->buffer = (char *)efi_allocate(EfiLoaderData, map->room);
    return map->buffer ? get_map(map) : EFI_OUT_OF_RESOURCES;
}

EFI_STATUS leave_firmware(struct boot_info *info)
{
    struct efi_map map = { 0 };
    EFI_STATUS status = make_room(&map);
    if (EFI_ERROR(status))
        return status;
    /* Once the firmware is gone nobody could read a message: so try the conversion before. */
    if (!convert(info, &map)) {
        console_say("The memory map has more than %d ranges.", BOOT_MAX_MEMORY);
        return EFI_BUFFER_TOO_SMALL;
    }
    /* UEFI specification, "EFI_BOOT_SERVICES.ExitBootServices()": a timer event may change the map between the two
     * calls; then the key is stale, and only GetMemoryMap and ExitBootServices may be called again. */
    for (int i = 0; i < TRIES; i++) {
        status = get_map(&map);
        if (!EFI_ERROR(status))
            status = loader.services->ExitBootServices(loader.image, map.key);
        if (!EFI_ERROR(status))
            break;
    }
    if (!EFI_ERROR(status) && !convert(info, &map))
        console_stop("Trapeze: the memory map grew beyond struct boot_info while the firmware ended. Please report it.");
    return status;
}
