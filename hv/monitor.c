#include "hv/monitor.h"
#include "hv/monitor_policy.h"
#include "arch/x86_64/cpu/mitigation.h"
#include "arch/x86_64/cpu/pcpu.h"
#include "arch/x86_64/isa/cr.h"
#include "hv/lib/fmt.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"
#include "hv/monitor_trace.h"
#include "hv/part/partition.h"
#include "hv/trace/explain.h"
#include "hv/version.h"
#include "hv/vm/dispatch.h"
#include "hv/vm/hw_fields.h"
#include "hv/vm/postmortem.h"
#include "hv/vm/why.h"

/* ---- rates ------------------------------------------------------------------------------------------------------- */

static struct {
    uint64_t at, interval;
    struct { uint64_t ran, exits; unsigned permille; uint64_t exits_per_s; } part[VM_MAX_PARTITIONS];
    struct { uint64_t count, per_s; } kind[VM_MAX_PARTITIONS][VT_EXIT_KINDS];
    struct { uint64_t busy; unsigned permille; } cpu[PCPU_MAX];
} rates;

static uint64_t exits_of_kind(const struct partition *p, unsigned kind)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < p->vcpu_count; i++)
        sum += p->vcpus[i]->exit_count[kind];
    return sum;
}

static uint64_t total_exits(const struct partition *p)
{
    uint64_t sum = 0;
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++)
        sum += exits_of_kind(p, k);
    return sum;
}

static uint64_t since(uint64_t before, uint64_t now)
{
    return now >= before ? now - before : now; /* restarted: counts anew */
}

static uint64_t rate(uint64_t before, uint64_t now, uint64_t ns)
{
    return since(before, now) * 1000000 / (ns / 1000 + 1);
}

static void measure_kinds(const struct partition *p, uint64_t ns)
{
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++) {
        uint64_t count = exits_of_kind(p, k);
        rates.kind[p->index][k].per_s = rate(rates.kind[p->index][k].count, count, ns);
        rates.kind[p->index][k].count = count;
    }
}

static uint64_t total_run(const struct partition *p)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < p->vcpu_count; i++)
        sum += dispatch_ran_ns(p->vcpus[i]);
    return sum;
}

void monitor_measure(uint64_t now_ns)
{
    uint64_t ns = now_ns - rates.at;
    rates.at = now_ns;
    for (unsigned i = 0; i < partition_count; i++) {
        if (!partitions[i])
            continue;
        uint64_t ran = total_run(partitions[i]), exits = total_exits(partitions[i]);
        rates.part[i].permille = (unsigned)(since(rates.part[i].ran, ran) * 1000 / ns);
        rates.part[i].exits_per_s = rate(rates.part[i].exits, exits, ns);
        measure_kinds(partitions[i], ns);
        rates.part[i].ran = ran;
        rates.part[i].exits = exits;
    }
    for (unsigned i = 0; i < pcpu_count(); i++) {
        struct dispatch_stats s;
        dispatch_get_stats(i, &s);
        rates.cpu[i].permille = (unsigned)((s.busy_ns - rates.cpu[i].busy) * 1000 / ns);
        rates.cpu[i].busy = s.busy_ns;
    }
}

_Static_assert(sizeof ((struct shell_partition *)0)->state >= PARTITION_REASON_SIZE + sizeof "stopped: ", "no reason is cut");
#define MONITOR_LINE (PARTITION_REASON_SIZE + 100) /* that, with a name */

/* ---- queries ----------------------------------------------------------------------------------------------------- */

static const struct config *asked_for;

void monitor_set_config(const struct config *config)
{
    asked_for = config;
}

static void describe_missing(const struct partition_config *c, struct shell_partition *out)
{
    *out = (struct shell_partition){ .vcpus = (unsigned)c->cpus, .memory = c->memory };
    str_copy(out->name, sizeof out->name, c->name);
    str_copy(out->state, sizeof out->state, c->valid ? "not created (see `log`)" : "has mistakes (see `log`)");
}

static size_t list_partitions(void *ctx, struct shell_partition *out, size_t max)
{
    size_t n = MIN((size_t)partition_count, max);
    for (size_t i = 0; i < n; i++) {
        const struct partition *p = partitions[i];
        if (!p) {
            describe_missing(&asked_for->partitions[i], &out[i]);
            continue;
        }
        out[i] = (struct shell_partition){ 0 };
        str_copy(out[i].name, sizeof out[i].name, p->name);
        partition_state_text(p, out[i].state, sizeof out[i].state);
        out[i].vcpus = p->vcpu_count;
        out[i].memory = p->config->memory;
        out[i].cpu_permille = rates.part[i].permille;
        out[i].exits_per_s = rates.part[i].exits_per_s;
    }
    return n;
}

static const char *control(void *ctx, size_t index, enum shell_action action)
{
    static const enum partition_action actions[] = {
        [SHELL_PAUSE] = PARTITION_PAUSE, [SHELL_RESUME] = PARTITION_RESUME, [SHELL_STOP] = PARTITION_ACT_STOP,
        [SHELL_START] = PARTITION_ACT_START, [SHELL_RESTART] = PARTITION_ACT_RESTART,
    };
    if (index >= partition_count || !partitions[index])
        return "it could not be created; `log` says why";
    return partition_request(partitions[index], actions[action]);
}

static void say(const struct shell_printer *out, const char *format, ...) PRINTF(2, 3);
static void say(const struct shell_printer *out, const char *format, ...)
{
    char line[MONITOR_LINE];
    va_list args;
    va_start(args, format);
    fmt_vprint(line, sizeof line, format, args);
    va_end(args);
    out->line(out->ctx, line);
}

static void show_memory(const struct partition *p, const struct shell_printer *out)
{
    static const char *const kinds[] = { "RAM", "VGA text", "ROM" };
    say(out, "memory map (guest-physical):");
    for (unsigned i = 0; i < p->layout.slot_count; i++) {
        const struct layout_slot *s = &p->layout.slots[i];
        say(out, "  %012lx-%012lx %s", s->gpa, s->gpa + s->size - 1, kinds[s->kind]);
    }
}

static void show_devices(const struct partition *p, const struct shell_printer *out)
{
    say(out, "devices:");
    for (unsigned i = 0; i < p->bus.device_count; i++)
        say(out, "  %s", p->bus.devices[i].ops->name);
}

static void show_vcpu(struct vcpu *v, const struct shell_printer *out)
{
    static const char *const states[] = { "runs or waits for a CPU", "halted", "waits for a start-up IPI" };
    const struct vt_snapshot *s = &v->snapshot;
    const uint64_t *g = v->vt->gpr;
    dispatch_fetch_snapshot(v);
    say(out, "vCPU %u: %s, CPU %u; registers at its last exit:", v->index, states[atomic_load(&v->state)], v->sched.cpu);
    say(out, "  rip %016lx rsp %016lx rflags %08lx", s->rip, s->rsp, s->rflags);
    say(out, "  rax %016lx rbx %016lx rcx %016lx", g[VT_RAX], g[VT_RBX], g[VT_RCX]);
    say(out, "  rdx %016lx rsi %016lx rdi %016lx", g[VT_RDX], g[VT_RSI], g[VT_RDI]);
    say(out, "  rbp %016lx r8  %016lx r9  %016lx", g[VT_RBP], g[VT_R8], g[VT_R9]);
    say(out, "  r10 %016lx r11 %016lx r12 %016lx", g[VT_R10], g[VT_R11], g[VT_R12]);
    say(out, "  r13 %016lx r14 %016lx r15 %016lx", g[VT_R13], g[VT_R14], g[VT_R15]);
    say(out, "  cr0 %08lx cr3 %016lx cr4 %08lx efer %04lx cs %04x", s->cr0, s->cr3, s->cr4, s->efer, s->cs);
}

static void info(void *ctx, size_t index, const struct shell_printer *out)
{
    if (index >= partition_count || !partitions[index])
        return;
    const struct partition *p = partitions[index];
    char state[sizeof ((struct shell_partition *)0)->state];
    partition_state_text(p, state, sizeof state);
    say(out, "%s: %s; %s (info %s fields: its %s)", p->name, state, vt.name, p->name, vt.dump_name);
    for (unsigned i = 0; i < p->vcpu_count; i++)
        show_vcpu(p->vcpus[i], out);
    show_memory(p, out);
    show_devices(p, out);
}

static void fields(void *ctx, size_t index, const struct shell_printer *out)
{
    if (index >= partition_count || !partitions[index])
        return;
    const struct partition *p = partitions[index];
    for (unsigned i = 0; i < p->vcpu_count; i++) {
        say(out, "vCPU %u: %s", i, vt.dump_name);
        if (!hw_fields_print(p->vcpus[i], out->line, out->ctx))
            say(out, "  its pCPU is busy, so it cannot be read now; try again");
    }
}

static const char *backend(void *ctx)
{
    return vt.name;
}

static unsigned why(void *ctx, size_t index, const struct shell_printer *out)
{
    if (index >= partition_count || !partitions[index])
        return VT_EXIT_KINDS;
    return why_print(partitions[index], out->line, out->ctx);
}

static bool postmortem(void *ctx, size_t index, const struct shell_printer *out)
{
    return index < partition_count && partitions[index] && postmortem_lines(partitions[index], out->line, out->ctx);
}

static bool vga_text(void *ctx, size_t index, uint8_t cells[SHELL_VGA_ROWS * SHELL_VGA_COLUMNS * 2])
{
    if (index >= partition_count || !partitions[index])
        return false;
    struct partition *p = partitions[index];
    uint64_t at = LAYOUT_VGA_TEXT + 2 * (uint64_t)vvga_text(&p->vga).start;
    size_t bytes = SHELL_VGA_ROWS * SHELL_VGA_COLUMNS * 2;
    if (!range_fits(at - LAYOUT_VGA_TEXT, bytes, LAYOUT_VGA_SIZE))
        at = LAYOUT_VGA_TEXT;
    return gmem_read(&p->mem, GPA(at), cells, bytes) == GMEM_OK;
}

static void add_partition(const struct partition *p, struct shell_exit rows[VT_EXIT_KINDS])
{
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++) {
        rows[k].count += exits_of_kind(p, k);
        rows[k].per_s += rates.kind[p->index][k].per_s;
        for (unsigned i = 0; i < p->vcpu_count; i++)
            rows[k].ticks += p->vcpus[i]->exit_ticks[k];
    }
}

static size_t exits(void *ctx, size_t index, struct shell_exit *out, size_t max)
{
    struct shell_exit rows[VT_EXIT_KINDS] = { 0 };
    struct monitor_ticks ticks[VT_EXIT_KINDS];
    size_t n = 0;
    for (unsigned i = 0; i < partition_count; i++)
        if (partitions[i] && (index == SHELL_ALL || index == i))
            add_partition(partitions[i], rows);
    monitor_trace_ticks(index == SHELL_ALL ? -1 : (int)index, ticks);
    for (unsigned k = 0; k < VT_EXIT_KINDS && n < max; k++) {
        if (!rows[k].count)
            continue;
        rows[k].kind = explain_word(k);
        rows[k].median = ticks[k].median;
        rows[k].high = ticks[k].high;
        out[n++] = rows[k];
    }
    return n;
}

static size_t list_cpus(void *ctx, struct shell_cpu *out, size_t max)
{
    size_t n = MIN((size_t)pcpu_count(), max);
    for (unsigned i = 0; i < n; i++) {
        struct dispatch_stats s;
        dispatch_get_stats(i, &s);
        const struct pcpu *c = pcpu_at(i);
        out[i] = (struct shell_cpu){
            .apic_id = c->apic_id,
            .online = atomic_load(&c->state) == PCPU_ONLINE,
            .busy_permille = rates.cpu[i].permille,
            .vcpus = s.runnable,
        };
        if (s.running)
            fmt_print(out[i].running, sizeof out[i].running, "%s/%u", s.running->part->name, s.running->index);
        else
            str_copy(out[i].running, sizeof out[i].running, "idle");
    }
    return n;
}

static void speculation(void *ctx, const struct shell_printer *out)
{
    const struct speculation_policy *policy = mitigation_policy();
    for (unsigned m = 0; m < SPECULATION_MEASURES; m++)
        say(out, "%s", speculation_text(m, policy->state[m]));
}

/* .machine is the composition root's. */
const struct shell_ops monitor_ops = {
    .version = TRAPEZE_VERSION,
    .backend = backend,
    .partitions = list_partitions,
    .control = control,
    .info = info,
    .fields = fields,
    .why = why,
    .postmortem = postmortem,
    .vga_text = vga_text,
    .exits = exits,
    .control_state = monitor_control_state,
    .switch_controls = monitor_switch_controls,
    .trace_machine = monitor_trace_machine,
    .trace = monitor_trace,
    .instruction = monitor_instruction,
    .dump_begin = monitor_dump_begin,
    .dump_line = monitor_dump_line,
    .dump_end = monitor_dump_end,
    .step_begin = monitor_step_begin,
    .step_poll = monitor_step_poll,
    .step_cancel = monitor_step_cancel,
    .cpus = list_cpus,
    .speculation = speculation,
    .log_tail = log_tail,
};
