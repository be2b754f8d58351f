#include "boot/uefi/modules.h"
#include "boot/uefi/console.h"
#include "boot/uefi/files.h"
#include "hv/lib/str.h"
#include "hv/part/config.h"

#define CONFIG_NAME "trapeze.cfg"

static bool is_listed(const struct boot_info *info, const char *name)
{
    for (uint32_t i = 0; i < info->module_count; i++)
        if (!strcmp(info->modules[i].name, name))
            return true;
    return false;
}

static void add(struct boot_info *info, const char *name)
{
    if (is_listed(info, name))
        return;
    if (info->module_count == BOOT_MAX_MODULES) {
        console_say("  %-28s not read: more than %d files are named", name, BOOT_MAX_MODULES);
        return;
    }
    struct boot_module *m = &info->modules[info->module_count++];
    struct file file;
    (void)str_copy(m->name, sizeof m->name, name);
    EFI_STATUS status = files_read(name, &file);
    if (EFI_ERROR(status)) {
        m->flags = BOOT_MODULE_MISSING;
        console_say("  %-28s cannot be read (%s): looked for \\trapeze\\%s on the boot volume", name,
                    efi_status_text(status), name);
        return;
    }
    m->base = file.base;
    m->size = file.size;
    console_say("  %-28s %llu bytes", name, (unsigned long long)file.size);
}

static void on_file(void *ctx, const char *name)
{
    add(ctx, name);
}

bool modules_load(struct boot_info *info)
{
    add(info, CONFIG_NAME);
    const struct boot_module *config = &info->modules[0];
    if (config->flags & BOOT_MODULE_MISSING) {
        console_say("There is no configuration. Put trapeze.cfg into the folder \\trapeze of the boot volume.");
        return false;
    }
    config_list_files((const char *)config->base, config->size, on_file, info);
    return true;
}
