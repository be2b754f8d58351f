#include "hv/monitor_trace.h"
#include "arch/x86_64/emul/show.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/mmu/host.h"
#include "hv/lib/str.h"
#include "hv/part/partition.h"
#include "hv/trace/dump.h"
#include "hv/trace/histogram.h"
#include "hv/trace/show.h"
#include "hv/version.h"
#include "hv/vm/dispatch.h"
#include "hv/vm/exits.h"
#include "hv/vm/fetch.h"
#include "hv/vm/look.h"
#include "hv/vm/tracing.h"

#define LAST_WORDS 24

static struct page_allocator *pages;
static const char *backend;

void monitor_trace_init(struct page_allocator *allocator, const char *backend_name)
{
    backend = backend_name;
    pages = allocator;
}

static struct partition *partition_at(size_t index)
{
    return index < partition_count ? partitions[index] : NULL;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static const char *exit_name(unsigned kind)
{
    return vt_exit_name(kind);
}

static enum trace_info exit_info(unsigned kind)
{
    return exit_infos[kind].layout;
}

static const char *partition_name(unsigned index, unsigned *vcpus)
{
    const struct partition *p = partition_at(index);
    *vcpus = p ? p->vcpu_count : 0;
    return p ? p->name : NULL;
}

static const struct trace_machine *machine(void)
{
    static struct trace_machine m = {
        .version = TRAPEZE_VERSION, .exit_kinds = VT_EXIT_KINDS, .exit_name = exit_name, .exit_info = exit_info,
        .partition = partition_name,
    };
    m.backend = backend;
    m.tsc_hz = tsc_scale.hz;
    m.partitions = partition_count;
    return &m;
}

const struct trace_machine *monitor_trace_machine(void *ctx)
{
    for (unsigned i = 0; i < pcpu_count(); i++)
        if (tracing_rings[i])
            return machine();
    return NULL;
}

/* ---- records and instructions ------------------------------------------------------------------------------------- */

/* Their registers are needed to read the instructions. */
static void fetch_registers(struct partition *p)
{
    for (unsigned i = 0; i < p->vcpu_count; i++)
        dispatch_fetch_snapshot(p->vcpus[i]);
}

size_t monitor_trace(void *ctx, size_t partition, const struct trace_filter *filter, struct trace_record *out, size_t max)
{
    struct partition *p = partition_at(partition);
    struct trace_filter f = *filter;
    if (!p)
        return 0;
    f.partition = (int)p->index;
    size_t count = trace_last_of((const struct trace_ring *const *)tracing_rings, pcpu_count(), &f, out, max);
    fetch_registers(p);
    return count;
}

/* Memory may have changed since: what such an exit cannot have come from is not shown. */
static bool may_be(unsigned kind, const struct insn *insn)
{
    switch (kind) {
    case VT_EXIT_CPUID: return insn->op == INSN_CPUID;
    case VT_EXIT_RDMSR: return insn->op == INSN_RDMSR;
    case VT_EXIT_WRMSR: return insn->op == INSN_WRMSR;
    case VT_EXIT_HLT:   return insn->op == INSN_HLT;
    case VT_EXIT_IO:    return insn->op == INSN_IN || insn->op == INSN_OUT || insn->op == INSN_INS || insn->op == INSN_OUTS;
    default:            return true;
    }
}

/* A code segment's base is not in the snapshot. In protected mode it is taken for 0, as today's systems have it; with
 * another one the bytes at RIP are other ones, too. */
static uint64_t linear_rip(const struct vt_snapshot *s, enum insn_mode mode, uint64_t rip)
{
    if (mode == INSN_MODE_64)
        return rip;
    uint64_t base = s->cr0 & CR0_PE && !(s->rflags & RFLAGS_VM) ? 0 : (uint64_t)s->cs << 4;
    return (uint32_t)(base + rip);
}

bool monitor_instruction(void *ctx, const struct trace_record *r, char *text, size_t size)
{
    struct partition *p = partition_at(r->partition);
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;
    if (!p || r->vcpu >= p->vcpu_count || exit_cause(r->kind) != EXIT_BY_INSTRUCTION)
        return false;
    struct vcpu *v = p->vcpus[r->vcpu];
    const struct vt_snapshot s = v->snapshot;
    enum insn_mode mode = vcpu_mode_of(&s);
    const struct guest_paging paging = {
        .cr0 = s.cr0, .cr3 = s.cr3, .cr4 = s.cr4 & ~(uint64_t)(CR4_SMAP | CR4_PKE), .efer = s.efer, .rflags = s.rflags,
        .physical_bits = (uint8_t)cpuid_physical_bits(&v->cpuid), .huge_pages = cpuid_offers_huge_pages(&v->cpuid),
    };
    unsigned have = look_bytes(&p->mem, &paging, linear_rip(&s, mode, r->rip), GUEST_READ | GUEST_IMPLICIT, bytes);
    if (insn_decode(&insn, bytes, have, mode) != INSN_OK || !may_be(r->kind, &insn))
        return false;
    insn_show(&insn, r->rip, text, size);
    return true;
}

/* ---- the cost of exits -------------------------------------------------------------------------------------------- */

void monitor_trace_ticks(int partition, struct monitor_ticks out[VT_EXIT_KINDS])
{
    static struct trace_histogram all[VT_EXIT_KINDS]; /* too large for a stack; the monitor is on one CPU */
    const struct trace_filter exits = { partition, TRACE_EXIT, 0 };
    struct trace_record r;
    memset(all, 0, sizeof all);
    for (unsigned i = 0; i < pcpu_count(); i++) {
        const struct trace_ring *ring = tracing_rings[i];
        uint64_t end = ring ? trace_written(ring) : 0;
        for (uint64_t n = ring ? trace_oldest(ring) : 0; n < end; n++)
            if (trace_read(ring, n, &r) && trace_wanted(&exits, &r) && r.ticks && r.kind < VT_EXIT_KINDS)
                trace_histogram_add(&all[r.kind], r.ticks);
    }
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++)
        out[k] = (struct monitor_ticks){ trace_histogram_percentile(&all[k], 50), trace_histogram_percentile(&all[k], 99) };
}

/* ---- dump -------------------------------------------------------------------------------------------------------- */

static struct trace_ring copies[PCPU_MAX]; /* the rings as they were when it began */
static const struct trace_ring *copied[PCPU_MAX];
static struct trace_dump dump;

void monitor_dump_end(void *ctx)
{
    for (unsigned i = 0; i < PCPU_MAX; i++) {
        if (copies[i].records)
            page_free(pages, ptr_to_hpa(copies[i].records));
        copies[i] = (struct trace_ring){ 0 };
    }
}

const char *monitor_dump_begin(void *ctx, uint64_t limit)
{
    uint64_t now = rdtsc();
    for (unsigned i = 0; i < pcpu_count(); i++) {
        hpa_t block;
        copied[i] = &copies[i];
        if (!tracing_rings[i])
            continue; /* there was no memory for it: it is an empty one, and the others keep their CPU's number */
        if (page_alloc(pages, page_order(TRACE_RING_BYTES), PAGE_OWNER_HOST, &block) != PAGE_OK) {
            monitor_dump_end(ctx);
            return "there is not enough free memory for a copy of the rings";
        }
        copies[i].records = hpa_to_ptr(block);
        trace_copy(&copies[i], tracing_rings[i]);
    }
    trace_dump_begin(&dump, machine(), copied, pcpu_count(), limit, now);
    return NULL;
}

bool monitor_dump_line(void *ctx, char line[TRACE_FRAME_SIZE])
{
    return trace_dump_line(&dump, line);
}

/* ---- step -------------------------------------------------------------------------------------------------------- */

const char *monitor_step_begin(void *ctx, size_t partition)
{
    struct partition *p = partition_at(partition);
    return p ? partition_request(p, PARTITION_STEP) : "it could not be created; `log` says why";
}

enum shell_step monitor_step_poll(void *ctx, size_t partition, struct trace_record *exit)
{
    struct partition *p = partition_at(partition);
    uint32_t state = atomic_load(&p->state);
    if (atomic_load(&p->stepping))
        return state == PART_RUNNING || state == PART_PAUSED ? SHELL_STEP_RUNS : SHELL_STEP_ENDED;
    if (atomic_load(&p->active))
        return SHELL_STEP_RUNS; /* the others are still on their way */
    *exit = p->stepped;
    fetch_registers(p);
    return SHELL_STEP_DONE;
}

void monitor_step_cancel(void *ctx, size_t partition)
{
    struct partition *p = partition_at(partition);
    (void)partition_request(p, PARTITION_END_STEP);
}

/* ---- last words -------------------------------------------------------------------------------------------------- */

void monitor_trace_last_words(void (*line)(const char *format, ...) PRINTF(1, 2))
{
    static struct trace_record records[LAST_WORDS]; /* panic() speaks on one CPU */
    char text[2 * TRACE_SHOW_SIZE];
    size_t count = trace_last(NULL, records, LAST_WORDS);
    if (count)
        line("the last %zu records of the trace, of all CPUs:", count);
    for (size_t i = 0; i < count; i++) {
        trace_show(machine(), &records[i], "", text, sizeof text);
        line("%s", text);
    }
}
