#include "hv/shell/shell_command.h"
#include "hv/shell/shell_screen.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"

#define LOG_DEFAULT_LINES 20
#define LIST_REASON       88 /* characters, so that a row is no longer than two lines of a terminal */

typedef const struct shell_command command_t;
typedef const struct shell_call call_t;

/* ---- partitions ---- */

static void format_size(char out[16], uint64_t bytes)
{
    if (bytes >= MiB(1) && bytes % MiB(1) == 0)
        fmt_print(out, 16, "%llu MiB", (unsigned long long)(bytes >> 20));
    else
        fmt_print(out, 16, "%llu KiB", (unsigned long long)(bytes >> 10));
}

static size_t state_length(const char *state)
{
    size_t n = 0;
    while (state[n] && !(state[n] == ':' && state[n + 1] == ' '))
        n++;
    return n;
}

/* "stopped: triple fault": the reason comes last, cut where it is too long. True: it was. */
static bool print_row(struct shell *s, size_t number, const struct shell_partition *p)
{
    char memory[16];
    int state_width = (int)state_length(p->state);
    const char *why = p->state[state_width] ? &p->state[state_width + 2] : "";
    bool cut = strlen(why) > LIST_REASON;
    format_size(memory, p->memory);
    shell_line(s, "%2zu %-16s %-20.*s %5u %10s %4u.%u%% %9llu%s%.*s%s", number, p->name, state_width, p->state, p->vcpus, memory,
               p->cpu_permille / 10, p->cpu_permille % 10, (unsigned long long)p->exits_per_s, *why ? "  " : "",
               cut ? LIST_REASON - 3 : LIST_REASON, why, cut ? "..." : "");
    return cut;
}

static void run_list(struct shell *s, command_t *self, call_t *call)
{
    shell_refresh(s);
    if (!s->partition_count) {
        shell_line(s, "there are no partitions");
        return;
    }
    shell_line(s, " # %-16s %-20s %5s %10s %7s %9s", "NAME", "STATE", "VCPUS", "MEMORY", "CPU", "EXITS/s");
    bool cut = false;
    for (size_t i = 0; i < s->partition_count; i++)
        cut |= print_row(s, i + 1, &s->partitions[i]);
    if (cut)
        shell_line(s, "...: cut; info NAME shows the whole reason, postmortem NAME what led to it");
}

static void run_console(struct shell *s, command_t *self, call_t *call)
{
    if (!con_attach(s->con, (unsigned)call->partition))
        shell_line(s, "%s: %s has no console", self->name, s->partitions[call->partition].name);
}

static void run_overview(struct shell *s, command_t *self, call_t *call)
{
    con_show_overview(s->con);
}

static void run_control(struct shell *s, command_t *self, call_t *call)
{
    const char *why = s->ops->control(s->ops->ctx, call->partition, self->action);
    const char *name = s->partitions[call->partition].name;
    if (why)
        shell_line(s, "%s: %s: %s", self->name, name, why);
    else
        shell_line(s, "%s: %s: done", self->name, name);
}

static void run_info(struct shell *s, command_t *self, call_t *call)
{
    const struct shell_printer out = { shell_print_line, s };
    const struct shell_words *w = call->words;
    size_t index;
    bool fields = shell_is_word(w, 2, "fields");
    if (w->count < 2 || w->count > 3 || (w->count == 3 && !fields))
        shell_usage(s, self);
    else if (shell_partition_word(s, self->name, w, 1, &index))
        (fields ? s->ops->fields : s->ops->info)(s->ops->ctx, index, &out);
}

/* For who waits for something to change there. */
static void say_if_it_stands(struct shell *s, const struct shell_partition *p)
{
    if (!strncmp(p->state, "paused", 6))
        shell_line(s, "%s is paused, so nothing changes there; resume %s lets it go on", p->name, p->name);
    else if (!strncmp(p->state, "stopped", 7))
        shell_line(s, "%s is stopped, and this is what it left; start %s boots it", p->name, p->name);
}

static void run_screen(struct shell *s, command_t *self, call_t *call)
{
    char text[SHELL_VGA_COLUMNS + 1];
    char frame[SHELL_VGA_COLUMNS + 1];
    if (!s->ops->vga_text(s->ops->ctx, call->partition, s->vga)) {
        shell_line(s, "%s: %s has no text screen", self->name, s->partitions[call->partition].name);
        return;
    }
    memset(frame, '-', SHELL_VGA_COLUMNS);
    frame[SHELL_VGA_COLUMNS] = '\0';
    shell_line(s, "+%s+", frame);
    for (unsigned row = 0; row < SHELL_VGA_ROWS; row++) {
        shell_screen_row(s->vga, row, text);
        shell_line(s, "|%s|", text);
    }
    shell_line(s, "+%s+", frame);
    say_if_it_stands(s, &s->partitions[call->partition]);
}

/* ---- the machine ---- */

static void run_cpus(struct shell *s, command_t *self, call_t *call)
{
    size_t count = s->ops->cpus(s->ops->ctx, s->cpus, SHELL_MAX_CPUS);
    count = MIN(count, (size_t)SHELL_MAX_CPUS);
    shell_line(s, "%3s %7s %-8s %7s %6s  %s", "CPU", "APIC ID", "STATE", "BUSY", "VCPUS", "RUNNING");
    for (size_t i = 0; i < count; i++) {
        const struct shell_cpu *c = &s->cpus[i];
        shell_line(s, "%3zu %7u %-8s %4u.%u%% %6u  %s", i, c->apic_id, c->online ? "online" : "offline",
                   c->busy_permille / 10, c->busy_permille % 10, c->vcpus, c->running);
    }
    shell_line(s, "speculation (docs/security.md):");
    s->ops->speculation(s->ops->ctx, &(struct shell_printer){ shell_print_line, s });
}

/* Where the last `lines` lines of text begin. */
static size_t last_lines(const char *text, size_t len, uint64_t lines)
{
    size_t at = len;
    while (at && lines) {
        at--;
        while (at && text[at - 1] != '\n')
            at--;
        lines--;
    }
    return at;
}

/* The oldest line is cut where the text fills its buffer. */
static size_t first_whole_line(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len && text[at] != '\n')
        at++;
    return MIN(at + 1, len);
}

static void run_log(struct shell *s, command_t *self, call_t *call)
{
    size_t len = s->ops->log_tail(s->log, sizeof s->log, sizeof s->log);
    size_t at = last_lines(s->log, len, call->number ? call->number : LOG_DEFAULT_LINES);
    if (at == 0 && len == sizeof s->log)
        at = first_whole_line(s->log, len);
    while (at < len) {
        size_t end = at;
        while (end < len && s->log[end] != '\n')
            end++;
        shell_line(s, "%.*s", (int)(end - at), s->log + at);
        at = end + 1;
    }
}

static void run_machine(struct shell *s, command_t *self, call_t *call)
{
    s->ops->machine(s->ops->ctx, self->name[0] == 'p' ? SHELL_POWEROFF : SHELL_REBOOT);
    shell_line(s, "%s: this machine offers no way that works", self->name);
}

static void run_self_check(struct shell *s, command_t *self, call_t *call)
{
    s->ops->self_check(s->ops->ctx, &(struct shell_printer){ shell_print_line, s });
}

static void run_version(struct shell *s, command_t *self, call_t *call)
{
    shell_line(s, "%s", s->ops->version);
}

static void run_help(struct shell *s, command_t *self, call_t *call)
{
    for (size_t i = 0; i < shell_command_count; i++) {
        char synopsis[40];
        fmt_print(synopsis, sizeof synopsis, "%s %s", shell_commands[i].name, shell_commands[i].usage);
        shell_line(s, "  %-15s %s", synopsis, shell_commands[i].help);
    }
    shell_line(s, "NAME is a partition's name or its number in the list. Tab completes. Ctrl-] ? shows the console's keys.");
}

#define NAME "NAME", .argument = SHELL_PARTITION

const struct shell_command shell_commands[] = {
    { "help", "", "List the commands.", .run = run_help },
    { "list", "", "Show the partitions: state, vCPUs, memory, share of CPU time, exits per second.", .run = run_list },
    { "console", .usage = NAME, .help = "Attach to a guest's serial console; Ctrl-] m comes back.", .run = run_console },
    { "overview", "", "Show all guests' output, line by line.", .run = run_overview },
    { "pause", .usage = NAME, .help = "Stop a guest's CPUs and its clock.", .action = SHELL_PAUSE, .run = run_control },
    { "resume", .usage = NAME, .help = "Let a paused guest go on.", .action = SHELL_RESUME, .run = run_control },
    { "stop", .usage = NAME, .help = "End a guest, as if its power was cut.", .action = SHELL_STOP, .run = run_control },
    { "start", .usage = NAME, .help = "Boot a stopped guest.", .action = SHELL_START, .run = run_control },
    { "restart", .usage = NAME, .help = "Stop and start a guest.", .action = SHELL_RESTART, .run = run_control },
    { "info", "NAME [fields]", "Show a guest's registers, memory map and devices; or its VMCS or VMCB, field by field.",
      SHELL_WORDS, .run = run_info },
    { "screen", .usage = NAME, .help = "Show a guest's VGA text screen.", .run = run_screen },
    { "exits", "[NAME] [--watch]", "Count exits by kind, with what they cost; without NAME all guests'.", SHELL_WORDS, .run = shell_run_exits },
    { "trace", "NAME|dump [N] [KIND]", "Show a guest's last N exits and events (20); of one kind. trace dump [N]: all CPUs', for scripts/trace.",
      SHELL_WORDS, .run = shell_run_trace },
    { "step", .usage = NAME, .help = "Run a guest to the next exit that is its own, and explain that.", .run = shell_run_step },
    { "policy", "NAME [CONTROL=on|off ...]", "Show a guest's exit controls, or switch some, so that it exits more often (=exit is =on).",
      SHELL_PARTITION_AND_REST, .run = shell_run_policy },
    { "explain", "[KIND]", "Explain a kind of exit: what, why, and what is done; without KIND, list them.",
      SHELL_OPTIONAL_WORD, .run = shell_run_explain },
    { "why", .usage = NAME, .help = "Explain a guest's last exit: the instruction, and what it means.", .run = shell_run_why },
    { "postmortem", .usage = NAME, .help = "Show why a guest could not go on: registers, faults, page walk.", .run = shell_run_postmortem },
    { "log", "[LINES]", "Show the hypervisor's last messages (20 lines).", SHELL_OPTIONAL_NUMBER, .run = run_log },
    { "cpus", "", "Show the machine's CPUs and what they run.", .run = run_cpus },
    { "self-check", "", "Are the hypervisor's code, constants and page counts as at the start?", .run = run_self_check },
    { "version", "", "Show which Trapeze this is.", .run = run_version },
    { "poweroff", "", "Switch the machine off, with all guests.", .run = run_machine },
    { "reboot", "", "Restart the machine, with all guests.", .run = run_machine },
};
const size_t shell_command_count = ARRAY_SIZE(shell_commands);
