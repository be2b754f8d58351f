#include "hv/part/config_check.h"

#include "hv/dev/vdebug.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"
#include "hv/part/layout.h"

#define BIOS_DATA_END UINT64_C(0x500) /* interrupt vectors and BIOS data area lie below */

/* The partition under check, with the lines its keys were set in. */
struct check {
    struct config_parser *parser;
    struct partition_config *partition;
    const unsigned *lines;
    uint64_t file_bytes; /* all files it puts into memory */
};

#define WRONG(c, key, ...) wrong(c, (c)->lines[key], __VA_ARGS__)

static void wrong(struct check *c, unsigned line, const char *format, ...) PRINTF(3, 4);

static void wrong(struct check *c, unsigned line, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    fmt_vprint(text, sizeof text, format, args);
    va_end(args);
    c->partition->valid = false;
    config_mistake(c->parser, line ? line : c->partition->line, c->partition, "%s", text);
}

static uint64_t check_file(struct check *c, unsigned line, const char *key, const char *name)
{
    const struct config_limits *limits = c->parser->limits;
    uint64_t size = 0;
    if (!name[0])
        return 0;
    if (!limits->find_file(limits->ctx, name, &size))
        wrong(c, line, "%s: there is no file \"%s\" beside %s", key, name, limits->file);
    else if (!size)
        wrong(c, line, "%s: the file \"%s\" is empty", key, name);
    c->file_bytes = size <= UINT64_MAX - c->file_bytes ? c->file_bytes + size : UINT64_MAX;
    return size;
}

/* An image is one file, entered as a boot sector: what only a kernel can use is a misunderstanding. */
static void check_kernel_or_image(struct check *c)
{
    static const unsigned kernel_only[] = { KEY_INITRD, KEY_CMDLINE, KEY_MODULE };
    if (c->lines[KEY_KERNEL] && c->lines[KEY_IMAGE]) {
        WRONG(c, KEY_IMAGE, "both \"kernel\" and \"image\" are set; expected one of them");
        return;
    }
    if (!c->lines[KEY_KERNEL] && !c->lines[KEY_IMAGE])
        wrong(c, 0, "there is nothing to run; expected \"kernel = FILE\" or \"image = FILE\"");
    if (c->lines[KEY_ADDRESS] && !c->lines[KEY_IMAGE])
        WRONG(c, KEY_ADDRESS, "\"address\" needs \"image\"; a kernel says itself where it belongs");
    for (unsigned i = 0; i < ARRAY_SIZE(kernel_only) && c->lines[KEY_IMAGE]; i++)
        if (c->lines[kernel_only[i]])
            WRONG(c, kernel_only[i], "\"%s\" needs \"kernel\"; a flat image gets no such thing",
                  config_partition_keys[kernel_only[i]].name);
}

static void check_image_place(struct check *c, uint64_t size)
{
    uint64_t address = c->partition->address;
    unsigned line = c->lines[KEY_ADDRESS] ? c->lines[KEY_ADDRESS] : c->lines[KEY_IMAGE];
    if (!size)
        return;
    if (address < BIOS_DATA_END)
        wrong(c, line, "the image at 0x%lx overlaps the interrupt vectors and BIOS data; expected an address of "
              "0x500 or more", address);
    else if (address >= LAYOUT_LOW_RAM_END || size > LAYOUT_LOW_RAM_END - address)
        wrong(c, line, "the image would lie at 0x%lx to 0x%lx and overlap the area from 0x%lx on that belongs to "
              "the BIOS and the screen", address, address + size - 1, LAYOUT_LOW_RAM_END);
}

static void check_files(struct check *c)
{
    struct partition_config *p = c->partition;
    const unsigned *module_lines = c->parser->module_lines[p - c->parser->out->partitions];
    char memory[24];
    check_file(c, c->lines[KEY_KERNEL], "kernel", p->kernel);
    check_file(c, c->lines[KEY_INITRD], "initrd", p->initrd);
    for (unsigned i = 0; i < p->module_count; i++)
        check_file(c, module_lines[i], "module", p->modules[i].file);
    check_image_place(c, check_file(c, c->lines[KEY_IMAGE], "image", p->image));
    if (c->file_bytes > p->memory)
        WRONG(c, KEY_MEMORY, "memory: %s is less than its files together, which have %lu KiB",
              config_print_size(memory, sizeof memory, p->memory), c->file_bytes / 1024);
}

/* All that a chip of the partition's PC claims: a second claim would be a panic (hv/vm/platform.c). */
static const struct { uint64_t first, last; const char *owner; } taken_ports[] = {
    { 0x00, 0x0f, "the DMA controller" }, { 0x20, 0x21, "the interrupt controller" }, { 0x40, 0x43, "the timer" },
    { 0x60, 0x64, "the keyboard controller" }, { 0x70, 0x73, "the real-time clock" }, { 0x80, 0x8f, "the DMA controller" },
    { 0x92, 0x92, "the keyboard controller" }, { 0xa0, 0xa1, "the interrupt controller" }, { 0xb2, 0xb3, "ACPI" },
    { 0xc0, 0xdf, "the DMA controller" }, { 0xed, 0xed, "the DMA controller" }, { 0x3b4, 0x3bb, "the screen" },
    { 0x3c0, 0x3df, "the screen" }, { 0x3f8, 0x3ff, "COM1" }, { 0x4d0, 0x4d1, "the interrupt controller" },
    { 0x510, 0x511, "fw_cfg" }, { 0x600, 0x62f, "ACPI" }, { 0xcf8, 0xcff, "PCI" },
};

const char *config_port_owner(uint64_t port)
{
    for (unsigned i = 0; i < ARRAY_SIZE(taken_ports); i++)
        if (port >= taken_ports[i].first && port <= taken_ports[i].last)
            return taken_ports[i].owner;
    return NULL;
}

static void check_port(struct check *c, unsigned key, uint64_t port, uint64_t count)
{
    if (!port) /* none, or its line is wrong */
        return;
    for (uint64_t end = port + count; port < end; port++)
        if (config_port_owner(port)) {
            WRONG(c, key, "%s: port 0x%lx belongs to %s", config_partition_keys[key].name, port, config_port_owner(port));
            return;
        }
}

static void check_ports(struct check *c)
{
    const struct partition_config *p = c->partition;
    check_port(c, KEY_DEBUG_EXIT, p->debug_exit, VDEBUG_EXIT_PORTS);
    check_port(c, KEY_DEBUG_CONSOLE, p->debug_console, 1);
    if (p->debug_exit && p->debug_console >= p->debug_exit && p->debug_console < p->debug_exit + VDEBUG_EXIT_PORTS)
        WRONG(c, KEY_DEBUG_CONSOLE, "debug-console: port 0x%lx is one of debug-exit's %d, too",
              p->debug_console, VDEBUG_EXIT_PORTS);
}

static void check_memory(struct check *c, uint64_t *left)
{
    const struct partition_config *p = c->partition;
    char wanted[24];
    if (!p->valid)
        return;
    if (p->memory <= *left) {
        *left -= p->memory;
        return;
    }
    WRONG(c, KEY_MEMORY, "memory: %s is too much: %luM of this machine's %luM for partitions are left for it",
          config_print_size(wanted, sizeof wanted, p->memory), *left / MiB(1), c->parser->limits->free_memory / MiB(1));
}

void config_check(struct config_parser *p)
{
    uint64_t left = p->limits->free_memory;
    for (unsigned i = 0; i < p->out->partition_count; i++) {
        struct check c = { p, &p->out->partitions[i], p->lines[i], 0 };
        check_kernel_or_image(&c);
        check_files(&c);
        check_ports(&c);
        check_memory(&c, &left);
    }
    if (!p->out->partition_count)
        config_mistake(p, 0, NULL, "there is no partition; expected at least one [partition NAME] section");
}
