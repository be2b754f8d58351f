#include "boot/uefi/log_area.h"
#include "boot/last_log.h"
#include "boot/uefi/console.h"
#include "boot/uefi/files.h"

#define LAST_LOG_NAME "trapeze-last.log"

static char *last_text; /* NULL: there was no old log */
static size_t last_length;

/* A place is looked at only once it is ours: then it is RAM. */
static bool take(uint64_t place)
{
    EFI_PHYSICAL_ADDRESS at = place;
    EFI_STATUS status = loader.services->AllocatePages(AllocateAddress, EfiLoaderData,
                                                       EFI_SIZE_TO_PAGES(LAST_LOG_AREA), &at);
    if (EFI_ERROR(status))
        return false;
    struct log_ring *old = (void *)place;
    if (!last_text && last_log_valid(old)) {
        last_text = (char *)efi_allocate(EfiLoaderData, LAST_LOG_TEXT);
        last_length = last_text ? last_log_copy(old, last_text) : 0;
    }
    old->magic = 0; /* told once */
    return true;
}

void log_area_reserve(struct boot_info *info)
{
    for (size_t i = 0; i < last_log_place_count; i++) {
        if (!take(last_log_places[i]))
            continue;
        if (info->log_base) {
            loader.services->FreePages(last_log_places[i], EFI_SIZE_TO_PAGES(LAST_LOG_AREA));
        } else {
            info->log_base = last_log_places[i];
            info->log_size = LAST_LOG_AREA;
        }
    }
    if (!info->log_base)
        console_say("Log: none of the fixed places is free; the log will not survive a reset");
}

void log_area_save(void)
{
    if (!last_text)
        return;
    EFI_STATUS status = files_write(LAST_LOG_NAME, last_text, last_length);
    if (EFI_ERROR(status))
        console_say("Log: the run before left %zu bytes, but they cannot be written to the boot volume (%s)",
                    last_length, efi_status_text(status));
    else
        console_say("Log: the run before left %zu bytes, written to \\trapeze\\%s", last_length, LAST_LOG_NAME);
}
