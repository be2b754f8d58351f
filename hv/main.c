/* The composition root; for now it only says that it was reached. */
#include "arch/x86_64/cpu/insn.h"
#include "boot/mb2/early_console.h"
#include "hv/hv_main.h"
#include "hv/lib/fmt.h"
#include "hv/lib/log.h"
#include "hv/selftest_cpu.h"

/* Until the console is here. */
static void serial_sink(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            outb(0x3f8, '\r');
        for (unsigned wait = 0; wait < 100000 && !(inb(0x3fd) & 0x20); wait++)
            ;
        outb(0x3f8, (uint8_t)text[i]);
    }
}

NORETURN void hv_main(const struct boot_info *info)
{
    char line[160];
    fmt_print(line, sizeof line, "Trapeze: hypervisor reached by %s, image at 0x%llx, %u memory ranges, %u modules, %u CPUs",
              info->loader, (unsigned long long)info->image_base, info->memory_count, info->module_count, info->cpu_count);
    early_say(line);
    log_add_sink(serial_sink, NULL);
    selftest_cpu(info);
    outw(0xb004, 0x2000); /* ACPI soft-off: Bochs, then QEMU q35 */
    outw(0x604, 0x2000);
    early_stop("Trapeze: stopped; the machine can be switched off");
}
