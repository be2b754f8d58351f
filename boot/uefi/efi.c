#include "boot/uefi/efi.h"

struct loader loader;

uint64_t efi_allocate(EFI_MEMORY_TYPE type, uint64_t bytes)
{
    EFI_PHYSICAL_ADDRESS at = BELOW_4GIB;
    if (EFI_ERROR(loader.services->AllocatePages(AllocateMaxAddress, type, EFI_SIZE_TO_PAGES(bytes), &at)))
        return 0;
    return at;
}

const char *efi_status_text(EFI_STATUS status)
{
    static const struct { EFI_STATUS status; const char *text; } texts[] = {
        { EFI_LOAD_ERROR, "load error" }, { EFI_INVALID_PARAMETER, "invalid parameter" },
        { EFI_UNSUPPORTED, "unsupported" }, { EFI_BUFFER_TOO_SMALL, "buffer too small" },
        { EFI_DEVICE_ERROR, "device error" }, { EFI_WRITE_PROTECTED, "write protected" },
        { EFI_OUT_OF_RESOURCES, "out of memory" }, { EFI_VOLUME_CORRUPTED, "volume corrupted" },
        { EFI_VOLUME_FULL, "volume full" }, { EFI_NO_MEDIA, "no media" }, { EFI_MEDIA_CHANGED, "media changed" },
        { EFI_NOT_FOUND, "not found" }, { EFI_ACCESS_DENIED, "access denied" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "unknown error";
}
