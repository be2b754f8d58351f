/* How partitions end: by their own wish, or because they cannot go on. Others are not touched. */
#include "hv/lib/fmt.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"
#include "hv/vm/output.h"
#include "hv/vm/postmortem.h"
#include "hv/vm/tracing.h"
#include "hv/vm/vm.h"

#define SHORTEST_DELAY_NS UINT64_C(100000000)
#define NS_PER_MS         UINT64_C(1000000)
#define POSTMORTEM_GAP_NS UINT64_C(1000000000)
#define LONG_LIFE_NS      UINT64_C(60000000000) /* a partition that lived so long is not in a loop */

struct vt_ops vt;
struct partition *partitions[VM_MAX_PARTITIONS];
unsigned partition_count;

static vm_output_t output;
/* One post-mortem at a time: two vCPUs of a partition may fail at once. */
static spinlock_t telling = SPINLOCK_INIT(LOCK_POSTMORTEM);

void vm_set_output(vm_output_t fn)
{
    output = fn;
}

void vm_output(struct partition *p, enum vm_stream stream, uint8_t byte)
{
    if (output)
        output(p->index, stream, byte);
}

/* A guest that restarts again and again has to wait longer and longer, so that making its memory anew does not take
 * the boot pCPU from the others. */
static void set_restart_time(struct partition *p)
{
    uint64_t now = rdtsc();
    bool lived = tsc_to_ns(now - p->started_at) >= LONG_LIFE_NS;
    p->restart_delay = lived ? SHORTEST_DELAY_NS : MAX(2 * p->restart_delay, SHORTEST_DELAY_NS);
    p->restart_delay = MIN(p->restart_delay, p->config->restart_delay * NS_PER_MS);
    p->restart_at = now + ns_to_tsc(p->restart_delay);
}

static bool end(struct partition *p, enum partition_wish wish, const char *reason, const uint32_t *status)
{
    uint32_t running = PART_RUNNING;
    if (!atomic_compare_exchange_strong(&p->state, &running, PART_ENDING))
        return false;
    tracing_partition(TRACE_PARTITION, p, TRACE_END, 0);
    str_copy(p->reason, sizeof p->reason, reason);
    p->has_status = status;
    p->exit_status = status ? *status : 0;
    if (wish == WISH_RESTART)
        set_restart_time(p);
    atomic_store(&p->wish, wish);
    atomic_store(&p->state, PART_ENDED); /* last: who sees it sees the wish */
    for (unsigned i = 0; i < p->vcpu_count; i++)
        vcpu_kick(p->vcpus[i], VCPU_REQ_STATE);
    return true;
}

bool partition_pause(struct partition *p)
{
    uint32_t running = PART_RUNNING;
    if (!atomic_compare_exchange_strong(&p->state, &running, PART_PAUSED))
        return false;
    tracing_partition(TRACE_PARTITION, p, TRACE_PAUSE, 0);
    for (unsigned i = 0; i < p->vcpu_count; i++)
        vcpu_kick(p->vcpus[i], VCPU_REQ_STATE);
    return true;
}

bool partition_end(struct partition *p, enum partition_wish wish, const char *reason)
{
    return end(p, wish, reason, NULL);
}

bool partition_reset(struct partition *p, const char *by)
{
    char text[80];
    bool stop = p->config->on_reboot == PARTITION_STOP;
    fmt_print(text, sizeof text, "%sreset by %s", stop ? "" : "restarting: ", by);
    return partition_end(p, stop ? WISH_STOP : WISH_RESTART, text);
}

void partition_end_with_status(struct partition *p, uint32_t status)
{
    char text[64];
    fmt_print(text, sizeof text, "ended by debug-exit with status %u (0x%x)", status, status);
    (void)end(p, WISH_STOP, text, &status);
}

static void log_text(void *part, const char *text)
{
    log_line("%s: %s", ((struct partition *)part)->name, text);
}

/* A guest that crashes at each start would have the log, and the serial line, to itself. */
static bool shows_postmortem(struct partition *p)
{
    uint64_t now = rdtsc();
    bool show = p->shown_at == 0 || p->shown_at >= p->started_at || tsc_to_ns(now - p->shown_at) >= POSTMORTEM_GAP_NS;
    if (show)
        p->shown_at = now;
    return show;
}

void partition_fail(struct vcpu *v, const char *format, ...)
{
    char what[PARTITION_REASON_SIZE];
    struct partition *p = v->part;
    va_list args;

    va_start(args, format);
    fmt_vprint(what, sizeof what, format, args);
    va_end(args);
    log_line("%s: stopped: vCPU %u at %04lx:%016lx: %s", p->name, v->index, vt.get(v->vt, VT_SELECTOR + VT_CS),
             vt.get(v->vt, VT_RIP), what);
    spin_lock(&telling);
    postmortem_take(v);
    if (shows_postmortem(p))
        (void)postmortem_lines(p, log_text, p);
    else
        log_line("%s: the last post-mortem was less than a second ago: the monitor's `postmortem %s` shows this one",
                 p->name, p->name);
    spin_unlock(&telling);
    p->told = true;
    bool restart = p->config->on_crash == PARTITION_RESTART;
    partition_end(p, restart ? WISH_RESTART : WISH_STOP, what);
}
