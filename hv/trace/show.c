#include "hv/trace/show.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"
#include "hv/trace/explain.h"

const char trace_show_title[] = "        TIME WHO                TICKS KIND              INSTRUCTION              DETAIL";

void trace_show_time(const struct trace_machine *m, uint64_t tsc, char out[TRACE_SHOW_SIZE])
{
    uint64_t hz = m->tsc_hz ? m->tsc_hz : 1;
    uint64_t fraction = tsc % hz * 1000000 / hz; /* below 2^64 up to 18 THz */
    fmt_print(out, TRACE_SHOW_SIZE, "%lu.%06lu", (tsc / hz), fraction);
}

void trace_show_who(const struct trace_machine *m, const struct trace_record *r, char out[TRACE_SHOW_SIZE])
{
    unsigned vcpus;
    const char *name = r->partition < m->partitions ? m->partition(r->partition, &vcpus) : NULL;
    fmt_print(out, TRACE_SHOW_SIZE, "%s", name ? name : "-");
    if (name && r->vcpu != TRACE_NOBODY)
        fmt_print(out + strlen(out), TRACE_SHOW_SIZE - strlen(out), "/%u", r->vcpu);
}

const char *trace_show_kind(const struct trace_record *r)
{
    const char *word = r->type == TRACE_EXIT ? explain_word(r->kind) : NULL;
    return word ? word : trace_type_name(r->type);
}

/* ---- exits, by the layout of `info` ---------------------------------------------------------------------------------- */

typedef void (*info_t)(const struct trace_record *r, char *out);
#define SAY(...) fmt_print(out, TRACE_SHOW_SIZE, __VA_ARGS__)
#define BYTE(n)  ((unsigned)(r->info >> 8 * (n)) & 0xff)

/* What is known only afterwards, or that it is not known yet. */
static const char *afterwards(const struct trace_record *r, unsigned size, char out[16])
{
    uint32_t mask = size >= 4 ? UINT32_MAX : (1u << 8 * size) - 1;
    if (r->ticks)
        fmt_print(out, 16, "%x", r->info_high & mask);
    return r->ticks ? out : "?";
}

static void say_reason(const struct trace_record *r, char *out) { SAY("reason %u", r->info_high); }
static void say_detail(const struct trace_record *r, char *out) { SAY("qualification %lx", r->info); }
static void say_gpa(const struct trace_record *r, char *out)    { SAY("at %lx", r->info); }
static void say_vector(const struct trace_record *r, char *out) { SAY("vector %x", BYTE(0)); }

static void say_eax(const struct trace_record *r, char *out)
{
    char after[16];
    SAY("eax %x -> %s", r->info_low, afterwards(r, 4, after));
}

static void say_ecx(const struct trace_record *r, char *out)
{
    char after[16];
    SAY("%x: eax %s", r->info_low, afterwards(r, 4, after));
}

static void say_io(const struct trace_record *r, char *out)
{
    char value[16];
    SAY("port %x %s %s", r->info_low & 0xffff, BYTE(3) ? "->" : "<-", afterwards(r, BYTE(2), value));
}

static void say_cr(const struct trace_record *r, char *out)
{
    static const char *const registers[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                               "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
    if (BYTE(2) == VT_CR_CLTS)
        SAY("cr0: CLTS");
    else if (BYTE(2) == VT_CR_LMSW)
        SAY("cr0: LMSW %lx", (r->info >> 32 & 0xffff));
    else
        SAY("cr%u %s %s", BYTE(0), r->kind == VT_EXIT_CR_READ ? "->" : "<-", registers[BYTE(1) & 15]);
}

static void say_exception(const struct trace_record *r, char *out)
{
    SAY("vector %u", BYTE(0));
    if (BYTE(2))
        fmt_print(out + strlen(out), TRACE_SHOW_SIZE - strlen(out), ", error code %x", r->info_high);
}

static void say_apic(const struct trace_record *r, char *out)
{
    SAY("%s register %x", BYTE(3) ? "write of" : "read of", r->info_low & 0xffff);
}

static void say_task(const struct trace_record *r, char *out)
{
    static const char *const sources[] = { "CALL", "IRET", "JMP", "IDT" };
    SAY("TSS %x by %s", r->info_low & 0xffff, sources[BYTE(2) & 3]);
}

static const info_t infos[TRACE_INFOS] = {
    [TRACE_INFO_REASON] = say_reason, [TRACE_INFO_DETAIL] = say_detail, [TRACE_INFO_EAX] = say_eax, [TRACE_INFO_ECX] = say_ecx,
    [TRACE_INFO_IO] = say_io, [TRACE_INFO_GPA] = say_gpa, [TRACE_INFO_CR] = say_cr, [TRACE_INFO_EXCEPTION] = say_exception,
    [TRACE_INFO_VECTOR] = say_vector, [TRACE_INFO_APIC] = say_apic, [TRACE_INFO_TASK] = say_task,
};

/* ---- the other types ------------------------------------------------------------------------------------------------- */

static uint64_t to_us(const struct trace_machine *m, uint64_t ticks)
{
    uint64_t per_us = m->tsc_hz / 1000000;
    return per_us ? ticks / per_us : ticks;
}

static void say_exit(const struct trace_machine *m, const struct trace_record *r, char *out)
{
    enum trace_info layout = r->kind < m->exit_kinds ? m->exit_info(r->kind) : TRACE_INFO_REASON;
    infos[layout < TRACE_INFOS ? layout : TRACE_INFO_REASON](r, out);
}

static void say_inject(const struct trace_machine *m, const struct trace_record *r, char *out)
{
    static const char *const types[] = { "interrupt", "event", "NMI", "exception" };
    SAY("%s %x", types[TRACE_INJECT_TYPE(r->info) & 3], r->kind);
    if (r->info & TRACE_INJECT_HAS_ERROR)
        fmt_print(out + strlen(out), TRACE_SHOW_SIZE - strlen(out), ", error code %x", r->info_high);
}

static void say_run(const struct trace_machine *m, const struct trace_record *r, char *out)
{
    char who[TRACE_SHOW_SIZE];
    const struct trace_record before = { .partition = (uint8_t)r->rip, .vcpu = (uint8_t)(r->rip >> 8) };
    SAY("for %lu us at most", to_us(m, r->info - r->tsc));
    if (!r->kind)
        return;
    trace_show_who(m, &before, who);
    fmt_print(out + strlen(out), TRACE_SHOW_SIZE - strlen(out), "; loaded, before: %s", who);
}

static void say_leave(const struct trace_machine *m, const struct trace_record *r, char *out)
{
    static const char *const why[] = { "its turn is over", "it waits for an event", "its partition does not run" };
    SAY("after %lu us: %s", to_us(m, r->info), r->kind < ARRAY_SIZE(why) ? why[r->kind] : "?");
}

static void say_idle(const struct trace_machine *m, const struct trace_record *r, char *out)
{
    if (r->info == UINT64_MAX)
        SAY("until an interrupt");
    else
        SAY("for %lu us at most", to_us(m, r->info - r->tsc));
}

static void say_wake(const struct trace_machine *m, const struct trace_record *r, char *out)
{
    SAY("requests %lx", r->info);
}

static void say_steal(const struct trace_machine *m, const struct trace_record *r, char *out)
{
    SAY("from CPU %lu", r->info);
}

static void say_interrupt(const struct trace_machine *m, const struct trace_record *r, char *out)
{
    static const char *const modes[8] = { "fixed", "lowest priority", "SMI", "?", "NMI", "INIT", "start-up", "ExtINT" };
    SAY("vector %x, %s", r->kind, modes[r->info & 7]);
}

static void say_timer(const struct trace_machine *m, const struct trace_record *r, char *out)
{
    SAY("%lu ticks late", r->info);
}

static void say_line(const struct trace_machine *m, const struct trace_record *r, char *out)
{
    SAY("GSI %u %s", r->kind, r->info ? "high" : "low");
}

static void say_partition(const struct trace_machine *m, const struct trace_record *r, char *out)
{
    static const char *const what[] = { "started", "ended", "paused", "goes on" };
    SAY("%s", r->kind < ARRAY_SIZE(what) ? what[r->kind] : "?");
}

static void (*const types[TRACE_TYPES])(const struct trace_machine *m, const struct trace_record *r, char *out) = {
    [TRACE_EXIT] = say_exit, [TRACE_INJECT] = say_inject, [TRACE_RUN] = say_run, [TRACE_LEAVE] = say_leave,
    [TRACE_IDLE] = say_idle, [TRACE_WAKE] = say_wake, [TRACE_STEAL] = say_steal, [TRACE_INTERRUPT] = say_interrupt,
    [TRACE_TIMER] = say_timer, [TRACE_LINE] = say_line, [TRACE_PARTITION] = say_partition,
};

void trace_show_detail(const struct trace_machine *m, const struct trace_record *r, char out[TRACE_SHOW_SIZE])
{
    out[0] = '\0';
    if (r->type < TRACE_TYPES && types[r->type])
        types[r->type](m, r, out);
}

void trace_show(const struct trace_machine *m, const struct trace_record *r, const char *insn, char *out, size_t size)
{
    char time[TRACE_SHOW_SIZE], who[TRACE_SHOW_SIZE], detail[TRACE_SHOW_SIZE], ticks[16] = "";
    trace_show_time(m, r->tsc, time);
    trace_show_who(m, r, who);
    trace_show_detail(m, r, detail);
    if (r->type == TRACE_EXIT)
        fmt_print(ticks, sizeof ticks, "%u", r->ticks);
    if (r->type == TRACE_EXIT && !r->ticks)
        str_copy(ticks, sizeof ticks, "...");
    fmt_print(out, size, "%12s %-15s %8s %-17s %-24s %s", time, who, ticks, trace_show_kind(r), insn, detail);
}
