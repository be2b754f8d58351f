/* Any bytes typed to the monitor, over any answers of the hypervisor: what it prints is printable, and it asks only for
 * partitions that there are.
 * covers: hv/shell/shell.c hv/shell/shell_command.c hv/shell/shell_complete.c hv/shell/shell_screen.c
 * max_len: 64 */
#include "hv/shell/shell.h"
#include "tests/fuzz/fuzz.h"

static struct shell shell;
static struct con *const no_con = (struct con *)(uintptr_t)8; /* handed through, never touched */
static size_t partition_count;
static uint8_t noise;

/* ---- in place of hv/con ------------------------------------------------------------------------------------------- */

void con_monitor_write(struct con *c, const char *text, size_t len)
{
    FUZZ_CHECK(c == no_con);
    for (size_t i = 0; i < len; i++)
        FUZZ_CHECK((text[i] >= ' ' && text[i] < 0x7f) || strchr("\n\r\033\a", text[i]));
}

bool con_attach(struct con *c, unsigned partition)
{
    FUZZ_CHECK(c == no_con && partition < partition_count);
    return partition & 1;
}

void con_show_overview(struct con *c) { FUZZ_CHECK(c == no_con); }

/* ---- in place of hv/monitor ---------------------------------------------------------------------------------------- */

static size_t on_partitions(void *ctx, struct shell_partition *out, size_t max)
{
    static const char *const names[] = { "linux", "lintel", "a", "a\033[2J", "" };
    (void)ctx;
    for (size_t i = 0; i < partition_count && i < max; i++) {
        out[i] = (struct shell_partition){ .vcpus = noise, .memory = (uint64_t)noise << 30, .exits_per_s = noise * 12345u };
        strcpy(out[i].name, names[i % ARRAY_SIZE(names)]);
        strcpy(out[i].state, noise & 1 ? "running" : "stopped: a long reason with a \033 in it, and much more of it");
    }
    return partition_count;
}

static const char *on_control(void *ctx, size_t partition, enum shell_action action)
{
    (void)ctx;
    FUZZ_CHECK(partition < partition_count && action <= SHELL_RESTART);
    return noise & 2 ? "it does not want to" : NULL;
}

static void on_info(void *ctx, size_t partition, const struct shell_printer *out)
{
    (void)ctx;
    FUZZ_CHECK(partition < partition_count);
    out->line(out->ctx, "a line with a \033[31m in it");
}

static bool on_vga_text(void *ctx, size_t partition, uint8_t cells[SHELL_VGA_ROWS * SHELL_VGA_COLUMNS * 2])
{
    (void)ctx;
    FUZZ_CHECK(partition < partition_count);
    for (unsigned i = 0; i < SHELL_VGA_ROWS * SHELL_VGA_COLUMNS * 2; i++)
        cells[i] = (uint8_t)(i * noise);
    return noise & 4;
}

static size_t on_exits(void *ctx, size_t partition, struct shell_exit *out, size_t max)
{
    (void)ctx;
    FUZZ_CHECK(partition < partition_count);
    size_t count = MIN((size_t)noise, max);
    for (size_t i = 0; i < count; i++)
        out[i] = (struct shell_exit){ "CPUID", i & 1 ? "It asked." : NULL, i * noise % 7, (uint64_t)noise << i % 57 };
    return count;
}

static size_t on_cpus(void *ctx, struct shell_cpu *out, size_t max)
{
    (void)ctx;
    size_t count = MIN((size_t)(noise >> 2), max);
    for (size_t i = 0; i < count; i++)
        out[i] = (struct shell_cpu){ (uint32_t)i, i & 1, noise * 8u, noise, "idle" };
    return count;
}

static size_t on_log_tail(char *buf, size_t size, uint64_t back)
{
    static const char text[] = "first\nsecond \033[2J\n\nthird without an end";
    size_t length = sizeof text - 1, count = MIN(MIN((size_t)back, length), size);
    memcpy(buf, text + length - MIN((size_t)back, length), count);
    return count;
}

static void on_machine(void *ctx, enum shell_machine what)
{
    (void)ctx;
    FUZZ_CHECK(what <= SHELL_REBOOT);
}

static const struct shell_ops ops = {
    .version = "Trapeze", .partitions = on_partitions, .control = on_control, .info = on_info, .vga_text = on_vga_text,
    .exits = on_exits, .cpus = on_cpus, .log_tail = on_log_tail, .machine = on_machine,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint8_t count = fuzz_u8(&in);
    partition_count = count & 128 ? SHELL_MAX_PARTITIONS : count % 6;
    noise = fuzz_u8(&in);
    shell_init(&shell, no_con, &ops);
    while (in.left)
        shell_input(&shell, fuzz_u8(&in));
    shell_input(&shell, '\r');
    shell_redraw(&shell);
    return 0;
}
