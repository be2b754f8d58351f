/* The neutral exit's own fields as text: a function for each kind that has some. */
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"
#include "hv/vm/exits.h"
#include "hv/vm/why.h"

typedef void (*show_t)(const struct vt_exit *x, uint32_t ecx, char *out);

static const char *const gprs[VT_GPR_COUNT] = { "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                                "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15" };

static void show_io(const struct vt_exit *x, uint32_t ecx, char *out)
{
    fmt_print(out, EXIT_DETAIL_SIZE, "port %xh, %u byte%s, %s%s%s", x->io.port, x->io.size, x->io.size == 1 ? "" : "s",
              x->io.in ? "read" : "write", x->io.string ? ", string" : "", x->io.rep ? ", repeated" : "");
}

static void show_mem(const struct vt_exit *x, uint32_t ecx, char *out)
{
    if (!x->mem.read && !x->mem.write && !x->mem.fetch) /* not told: a misconfiguration, or a record of the trace */
        fmt_print(out, EXIT_DETAIL_SIZE, "guest-physical %lxh", x->mem.gpa.raw);
    else
        fmt_print(out, EXIT_DETAIL_SIZE, "%s of guest-physical %lxh%s",
                  x->mem.fetch ? "fetch" : x->mem.write ? "write" : "read", x->mem.gpa.raw,
                  x->mem.own ? "" : ", by the CPU itself");
}

static void show_cr(const struct vt_exit *x, uint32_t ecx, char *out)
{
    static const char *const ways[] = { [VT_CR_MOV] = "MOV", [VT_CR_CLTS] = "CLTS", [VT_CR_LMSW] = "LMSW" };
    if (x->cr.how == VT_CR_MOV)
        fmt_print(out, EXIT_DETAIL_SIZE, "CR%u, %s %s", x->cr.cr, x->kind == VT_EXIT_CR_READ ? "to" : "from",
                  gprs[x->cr.gpr & 15]);
    else
        fmt_print(out, EXIT_DETAIL_SIZE, "CR0, by %s", x->cr.how <= VT_CR_LMSW ? ways[x->cr.how] : "?");
}

#define DR_UNKNOWN 0xff /* dr.number, of a record: the trace has the hardware's word only, which differs */

static void show_dr(const struct vt_exit *x, uint32_t ecx, char *out)
{
    if (x->dr.number < 16)
        fmt_print(out, EXIT_DETAIL_SIZE, "DR%u, %s", x->dr.number, x->dr.read ? "read" : "write");
}

static void show_exception(const struct vt_exit *x, uint32_t ecx, char *out)
{
    size_t used = fmt_print(out, EXIT_DETAIL_SIZE, "vector %u", x->exception.vector);
    if (x->exception.has_error_code)
        fmt_print(out + used, EXIT_DETAIL_SIZE - used, ", error code %xh", x->exception.error_code);
}

static void show_interrupt(const struct vt_exit *x, uint32_t ecx, char *out)
{
    fmt_print(out, EXIT_DETAIL_SIZE, "vector %xh of the machine", x->interrupt.vector);
}

static void show_apic(const struct vt_exit *x, uint32_t ecx, char *out)
{
    fmt_print(out, EXIT_DETAIL_SIZE, "local APIC register %xh, %s", x->apic.offset, x->apic.write ? "write" : "read");
}

static void show_vector(const struct vt_exit *x, uint32_t ecx, char *out)
{
    fmt_print(out, EXIT_DETAIL_SIZE, "vector %xh", (unsigned)x->qualification & 0xff);
}

static void show_msr(const struct vt_exit *x, uint32_t ecx, char *out)
{
    fmt_print(out, EXIT_DETAIL_SIZE, "MSR %xh", ecx);
}

static void show_task(const struct vt_exit *x, uint32_t ecx, char *out)
{
    static const char *const sources[] = { "CALL", "IRET", "JMP", "a task gate" };
    fmt_print(out, EXIT_DETAIL_SIZE, "TSS selector %xh, by %s", x->task.selector, sources[x->task.source & 3]);
}

static const show_t shows[VT_EXIT_KINDS] = {
    [VT_EXIT_IO] = show_io, [VT_EXIT_MMIO] = show_mem, [VT_EXIT_BAD_NESTED_PAGE] = show_mem, [VT_EXIT_CR_WRITE] = show_cr,
    [VT_EXIT_CR_READ] = show_cr, [VT_EXIT_DR_ACCESS] = show_dr, [VT_EXIT_EXCEPTION] = show_exception,
    [VT_EXIT_INTERRUPT] = show_interrupt, [VT_EXIT_APIC_ACCESS] = show_apic, [VT_EXIT_APIC_WRITE] = show_apic,
    [VT_EXIT_APIC_EOI] = show_vector, [VT_EXIT_RDMSR] = show_msr, [VT_EXIT_WRMSR] = show_msr, [VT_EXIT_TASK_SWITCH] = show_task,
};

void exit_detail(const struct vt_exit *exit, uint32_t ecx, char out[EXIT_DETAIL_SIZE])
{
    out[0] = '\0';
    if (exit->kind < VT_EXIT_KINDS && shows[exit->kind])
        shows[exit->kind](exit, ecx, out);
}

/* The inverse of what run.c does with exit_infos[]. The upper half may be EAX afterwards, which is not wanted here. */
void exit_of_record(const struct trace_record *r, struct vt_exit *out, uint32_t *ecx)
{
    struct vt_vcpu v = { 0 };
    if (r->kind < VT_EXIT_KINDS) {
        const struct exit_info *info = &exit_infos[r->kind];
        bool then_eax = info->after == offsetof(struct vt_vcpu, gpr[VT_RAX]);
        memcpy((char *)&v + info->before, &r->info, then_eax ? 4 : 8);
    }
    if (r->kind == VT_EXIT_DR_ACCESS)
        v.exit.dr.number = DR_UNKNOWN;
    v.exit.kind = r->kind;
    v.exit.rip = r->rip;
    *out = v.exit;
    *ecx = (uint32_t)v.gpr[VT_RCX];
}
