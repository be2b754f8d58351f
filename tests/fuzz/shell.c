/* Any bytes typed to the monitor, over any answers of the hypervisor: what it prints is printable, and it asks only for
 * partitions that there are.
 * covers: hv/shell/shell.c hv/shell/shell_command.c hv/shell/shell_trace.c hv/shell/shell_complete.c hv/shell/shell_screen.c hv/shell/shell_explain.c hv/shell/shell_policy.c
 * max_len: 64 */
#include "arch/x86_64/vt/vt.h"
#include "hv/shell/shell.h"
#include "tests/fuzz/fuzz.h"

static struct shell shell;
static struct con *const no_con = (struct con *)(uintptr_t)8; /* handed through, never touched */
static size_t partition_count;
static uint8_t noise;

/* Tables are mostly short, however much is asked for: their lines took most of an input's time. */
static size_t rows(size_t wanted, size_t max) { return MIN(noise % 32 == 31 ? wanted : wanted % 13, max); }

/* ---- in place of hv/con ------------------------------------------------------------------------------------------- */

void con_monitor_write(struct con *c, const char *text, size_t len)
{
    const unsigned allowed = 1u << '\n' | 1u << '\r' | 1u << '\033' | 1u << '\a';
    bool good = c == no_con;
    for (size_t i = 0; i < len; i++)
        good &= (text[i] >= ' ' && text[i] < 0x7f) || (text[i] >= 0 && text[i] < ' ' && (allowed >> text[i] & 1));
    FUZZ_CHECK(good);
}

bool con_attach(struct con *c, unsigned partition)
{
    FUZZ_CHECK(c == no_con && partition < partition_count);
    return partition & 1;
}

bool con_shows_monitor(struct con *c)
{
    FUZZ_CHECK(c == no_con);
    return !(noise & 8);
}

bool con_is_congested(struct con *c)
{
    FUZZ_CHECK(c == no_con);
    return noise & 16;
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
    FUZZ_CHECK(partition < partition_count || partition == SHELL_ALL);
    size_t count = rows(noise, max);
    for (size_t i = 0; i < count; i++)
        out[i] = (struct shell_exit){ "cpuid", i * noise % 7, (uint64_t)noise << i % 57, noise, noise * 3u, (uint32_t)i };
    return count;
}

static const char *on_backend(void *ctx)
{
    (void)ctx;
    return noise & 32 ? "VT-x" : "AMD-V";
}

static bool on_postmortem(void *ctx, size_t partition, const struct shell_printer *out)
{
    (void)ctx, (void)out;
    FUZZ_CHECK(partition < partition_count);
    return noise & 1;
}

static const char *exit_name(unsigned kind) { return kind & 1 ? "CPUID" : "HLT"; }
static enum trace_info exit_info(unsigned kind) { return (enum trace_info)(kind % TRACE_INFOS); }

static const char *partition_name(unsigned index, unsigned *vcpus)
{
    FUZZ_CHECK(index < 2);
    *vcpus = index;
    return index ? "a name that is longer than its column" : NULL;
}

static const struct trace_machine *on_trace_machine(void *ctx)
{
    static const struct trace_machine machine = { .tsc_hz = 50000000, .exit_kinds = 39, .exit_name = exit_name, .exit_info = exit_info,
                                                  .partitions = 2, .partition = partition_name };
    (void)ctx;
    return noise & 64 ? &machine : NULL;
}

static size_t on_trace(void *ctx, size_t partition, const struct trace_filter *filter, struct trace_record *out, size_t max)
{
    (void)ctx, (void)filter;
    FUZZ_CHECK(partition < partition_count && max <= SHELL_TRACE_MAX);
    size_t count = rows(max, max);
    for (size_t i = 0; i < count; i++)
        out[i] = (struct trace_record){ .tsc = noise * i << i % 60, .rip = i << i % 64, .info = noise * i << i % 56, .who = noise * i << i % 60 };
    return count;
}

static bool on_instruction(void *ctx, const struct trace_record *r, char *text, size_t size)
{
    (void)ctx;
    snprintf(text, size, "mov eax, [a name with \033]");
    return r->kind & 1;
}

static const char *on_dump_begin(void *ctx, uint64_t limit)
{
    (void)ctx, (void)limit;
    return noise & 2 ? "no memory" : NULL;
}

static bool on_dump_line(void *ctx, char line[TRACE_FRAME_SIZE])
{
    (void)ctx;
    strcpy(line, "@trace 1 H");
    return noise & 4;
}

static void on_dump_end(void *ctx) { (void)ctx; }

static const char *on_step_begin(void *ctx, size_t partition)
{
    (void)ctx;
    FUZZ_CHECK(partition < partition_count);
    return noise & 2 ? "it is not running" : NULL;
}

static enum shell_step on_step_poll(void *ctx, size_t partition, struct trace_record *exit)
{
    (void)ctx;
    FUZZ_CHECK(partition < partition_count);
    *exit = (struct trace_record){ .type = TRACE_EXIT, .kind = noise };
    return noise % 3;
}

static void on_step_cancel(void *ctx, size_t partition)
{
    (void)ctx;
    FUZZ_CHECK(partition < partition_count);
}

static size_t on_cpus(void *ctx, struct shell_cpu *out, size_t max)
{
    (void)ctx;
    size_t count = rows(noise >> 2, max);
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

static unsigned on_why(void *ctx, size_t partition, const struct shell_printer *out)
{
    on_info(ctx, partition, out);
    return noise % (VT_EXIT_KINDS + 1);
}

static bool on_control_state(void *ctx, size_t partition, unsigned control, struct shell_control *out)
{
    (void)ctx;
    *out = (struct shell_control){ (control + noise) % 4, control * noise, (uint64_t)noise << control % 57, noise & 1 };
    return partition < partition_count;
}

static const char *on_switch_controls(void *ctx, size_t partition, uint64_t on, uint64_t off)
{
    (void)ctx;
    FUZZ_CHECK(partition < partition_count && !(on & off));
    return noise & 32 ? "it does not want to" : NULL;
}

static void on_self_check(void *ctx, const struct shell_printer *out)
{
    (void)ctx;
    out->line(out->ctx, "whole, but for \033");
}

static const struct shell_ops ops = {
    .version = "Trapeze", .why = on_why, .control_state = on_control_state, .switch_controls = on_switch_controls,
    .self_check = on_self_check, .speculation = on_self_check, .backend = on_backend, .postmortem = on_postmortem, .trace_machine = on_trace_machine, .trace = on_trace,
    .instruction = on_instruction, .dump_begin = on_dump_begin, .dump_line = on_dump_line, .dump_end = on_dump_end,
    .step_begin = on_step_begin, .step_poll = on_step_poll, .step_cancel = on_step_cancel, .partitions = on_partitions, .control = on_control, .info = on_info, .fields = on_info, .vga_text = on_vga_text,
    .exits = on_exits, .cpus = on_cpus, .log_tail = on_log_tail, .machine = on_machine,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint8_t count = fuzz_u8(&in);
    partition_count = count & 128 ? SHELL_MAX_PARTITIONS : count % 6;
    noise = fuzz_u8(&in);
    shell_init(&shell, no_con, &ops);
    while (in.left) {
        uint8_t byte = fuzz_u8(&in);
        if (byte == 255)
            shell_tick(&shell, in.left * 700000000);
        else
            shell_input(&shell, byte);
    }
    shell_input(&shell, '\r');
    shell_redraw(&shell);
    return 0;
}
