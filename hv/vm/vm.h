/* Partitions and vCPUs: the structs that everything which knows guests shares.
 *
 * A vCPU's `vt` and `lapic` are touched only by the pCPU that has it loaded. Others talk to it through vlapic_post() and
 * vcpu_kick(). A partition's bus and devices are guarded by partition.lock. Order of locks: partition.lock,
 * then a run queue's (hv/vm/dispatch.c), then the log's, then the console's; none is held while a guest runs. */
#ifndef HV_VM_VM_H
#define HV_VM_VM_H

#include <stdatomic.h>
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/tsc.h"
#include "arch/x86_64/mmu/pt.h"
#include "arch/x86_64/vt/vt.h"
#include "hv/dev/bus.h"
#include "hv/dev/vdebug.h"
#include "hv/dev/vdma.h"
#include "hv/dev/vfwcfg.h"
#include "hv/dev/vioapic.h"
#include "hv/dev/vkbc.h"
#include "hv/dev/vlapic.h"
#include "hv/dev/vpci.h"
#include "hv/dev/vpic.h"
#include "hv/dev/vpit.h"
#include "hv/dev/vpm.h"
#include "hv/dev/vrtc.h"
#include "hv/dev/vuart.h"
#include "hv/dev/vvga.h"
#include "hv/lib/spinlock.h"
#include "hv/mem/gmem.h"
#include "hv/part/layout.h"
#include "hv/part/partition_config.h"
#include "hv/sched/policy.h"
#include "hv/trace/record.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/fetch.h"

#define VM_MAX_PARTITIONS 16
#define VM_MAX_VCPUS      16
#define VM_TSC_NEVER      UINT64_MAX
#define VM_POSTMORTEM_SIZE 6144

struct partition;
struct trace_ring;
struct part_files; /* hv/part/partition.h */

/* What a vCPU is asked by others; bits of vcpu.requests. Partner of each: vcpu_take_requests(). */
enum vcpu_request {
    VCPU_REQ_EVENT = 1u << 0, /* an interrupt or NMI may be deliverable: look again */
    VCPU_REQ_STATE = 1u << 1, /* the partition's state changed */
    VCPU_REQ_INIT  = 1u << 2,
    VCPU_REQ_SIPI  = 1u << 3,
    VCPU_REQ_NMI   = 1u << 4,
    VCPU_REQ_FLUSH = 1u << 5, /* nested tables became stricter */
    VCPU_REQ_TIMER = 1u << 6, /* a device's deadline moved nearer */
    VCPU_REQ_CLOCK = 1u << 7, /* the paravirtual clock's page is out of date */
    VCPU_REQ_YIELD = 1u << 8, /* it woke one with more claim to its own pCPU: its turn is over */
    VCPU_REQ_SNAPSHOT = 1u << 9, /* `info` wants its registers */
    VCPU_REQ_POLICY = 1u << 10, /* partition.policy changed */
};

enum vcpu_state {
    VCPU_RUNNABLE,
    VCPU_HALTED,
    VCPU_WAIT_SIPI, /* after INIT, or not yet started */
};

/* What an exit handler tells the run loop. */
enum vcpu_next {
    VCPU_RESUME,  /* enter again */
    VCPU_YIELD,   /* its turn ends, it stays runnable */
    VCPU_BLOCK,   /* it halted, waits for SIPI, or is parked: see state */
};

struct vcpu;
typedef enum vcpu_next (*exit_handler_t)(struct vcpu *v, const struct vt_exit *exit);

/* What a lab guest may ask for (hv/vm/lab.h): the last exit that an instruction caused. */
struct exit_note {
    uint64_t count;               /* of such exits */
    uint64_t rip, qualification;
    uint32_t kind, raw;
    uint8_t length;               /* of the instruction; 0: not known */
};

/* MSRs that are plain memory to the guest. */
struct vcpu_msrs {
    uint64_t misc_enable, mtrr_def_type, mtrr_fixed[11], mtrr_var[16], mcg_status;
};

struct vcpu {
    struct vt_vcpu *vt;
    struct partition *part;
    unsigned index;               /* = APIC ID */
    const exit_handler_t *handlers; /* by kind: exit_handlers, or lab_handlers */
    bool nmi_pending;
    bool interrupt_kept;          /* kept_vector was taken from its controller, then an exception came in its delivery */
    uint8_t kept_vector;
    bool exits_at_deadline;       /* the backend ends run() in time by itself; else the pCPU's APIC timer interrupts it */
    bool window_wanted;           /* the backend was asked for a window */
    bool apicv;                   /* the hardware delivers what the register page holds */
    _Atomic uint32_t requests;
    _Atomic uint32_t state;       /* enum vcpu_state; written by the pCPU that has it */
    bool parked;                  /* its partition does not run, and it has noticed; [run queue's lock] */
    _Atomic uint32_t sipi_vector;

    struct vlapic lapic;          /* others may only vlapic_post() */
    hpa_t apic_page;
    uint64_t tsc_adjust;          /* the guest's own changes of its TSC */
    uint64_t deadline;            /* host TSC at which a timer of this vCPU is due, or VM_TSC_NEVER */
    uint64_t slice_end;           /* host TSC: its turn ends; [pCPU] */
    uint64_t armed;               /* what this pCPU's APIC timer is set to, while the vCPU runs and needs it */
    uint64_t run_until;           /* the earlier of the two, and timer_slack */
    uint32_t timer_slack;         /* vt_features.timer_granularity: a timer may be late, never early */

    struct sched_entity sched;
    struct vcpu *timer_next, *timer_prev; /* list of halted vCPUs with a deadline; [run queue's lock] */
    bool timer_queued;

    uint64_t pvclock_gpa, pv_eoi_gpa; /* as written to the MSRs, bit 0 is "enabled" */
    uint32_t pvclock_version;
    bool pv_eoi_set;

    struct fetch_cache fetch_cache;
    uint64_t device_pages[4];     /* guest-physical pages that emulated accesses found not to be RAM */
    struct cpuid_table cpuid;
    struct cpuid_regs cpuid_1;    /* leaf 1 for the present CR4.OSXSAVE and IA32_APIC_BASE.EN, whose changes exit */
    bool cpuid_1_valid;
    uint64_t cr4_allowed;         /* CR4 bits the guest may set: cpuid_cr4_allowed() */
    struct vcpu_msrs msr;
    struct trace_ring *ring;      /* of the pCPU that runs it */
    uint64_t trace_exit;          /* TRACE_WHO of its exits: of other types, see tracing_who() */
    uint64_t exit_count[VT_EXIT_KINDS];
    uint64_t exit_ticks[VT_EXIT_KINDS]; /* host TSC ticks in the hypervisor, by the exit that led there */
    struct exit_note note;        /* lab guests only */
    struct vt_snapshot snapshot;  /* as it last left its pCPU, or was asked for */
    _Atomic bool snapshot_wanted; /* partner: dispatch_fetch_snapshot() */
};

#define PARTITION_REASON_SIZE 200

/* ENDING: not running any more, but what comes next is not decided yet; for an instant, and it counts as alive. */
enum partition_state { PART_STOPPED, PART_RUNNING, PART_PAUSED, PART_ENDED, PART_ENDING };

struct partition {
    char name[32];
    unsigned index;
    uint64_t serial;              /* 1, 2, ...: never another's, though index and memory may be */
    _Atomic uint32_t state;       /* enum partition_state */
    _Atomic uint32_t wish;        /* enum partition_wish: what to do once no vCPU runs */
    _Atomic bool stepping;        /* the first vCPU that exits pauses the partition; partner: stepped() */
    struct trace_record stepped;  /* that exit, valid once all are parked */
    _Atomic uint32_t active;      /* vCPUs not parked; the last one to park wakes the housekeeper */
    char reason[PARTITION_REASON_SIZE]; /* why it ended, for `list` */
    uint32_t exit_status;         /* what it wrote to debug-exit */
    bool has_status;
    bool told;                    /* the log has why it ended */
    uint64_t shown_at;            /* host TSC: its last post-mortem in the log, 0: none yet */
    const struct partition_config *config;

    struct layout layout;
    struct gmem mem;
    struct pt nested;
    struct pt_mem nested_mem;
    hpa_t apic_access;            /* hv/vm/apic_page.h */
    bool apic_access_mapped;      /* [lock] */
    unsigned vcpu_count;
    struct vcpu *vcpus[VM_MAX_VCPUS];

    _Atomic uint64_t policy;      /* exit controls wanted: arch/x86_64/vt/policy.h; partner: VCPU_REQ_POLICY */
    _Atomic uint64_t tsc_offset;  /* guest TSC = host TSC + this (+ the vCPU's own adjustment) */
    uint64_t paused_at;           /* host TSC at which virtual time stands still, 0: it does not; the boot pCPU's own */
    uint64_t started_at;          /* host TSC */
    uint32_t starts;              /* how often, this life included; guests see it in CPUID */
    uint64_t restart_at;          /* host TSC: no restart before; whoever ends it sets this before the wish */
    uint64_t restart_delay;       /* ns, of the last restart that a guest caused */
    const struct part_files *files;
    int64_t epoch;                /* seconds since 1970 at virtual time 0 */
    int64_t made_epoch;           /* the same when it was made, */
    uint64_t made_at;             /* at this host TSC */

    spinlock_t lock;              /* guards all below */
    struct bus bus;
    struct vpic pic;
    struct vioapic ioapic;
    struct vpit pit;
    struct vrtc rtc;
    struct vuart uart;
    struct vkbc kbc;
    struct vpci pci;
    struct vpm pm;
    struct vvga vga;
    struct vdma dma;
    struct vdebug_exit debug_exit;
    struct vdebug_console debug_console;
    struct vfwcfg fwcfg;
    uint32_t gsi_levels;          /* lines now high */
    vtime_t device_deadline;      /* what vCPU 0 was last told */
    uint64_t device_deadline_tsc; /* the same in host TSC */
    uint32_t complaints;          /* bits of enum partition_complaint already logged */
    unsigned logged_port_count, logged_msr_count; /* unclaimed ports and unknown MSRs are logged once each, the first few */
    uint32_t logged_msrs[32];
    char postmortem[VM_POSTMORTEM_SIZE]; /* hv/vm/postmortem.h; of the last vCPU that could not go on */
};

/* What is said once in a partition's life: bits. */
enum partition_complaint { COMPLAINED_MMIO = 1, COMPLAINED_CHANGED = 2 };

enum partition_wish { WISH_NONE, WISH_RESTART, WISH_STOP, WISH_RESUME };

extern struct vt_ops vt;             /* the backend in use: a copy, set once by main.c, so that a call is one instruction */
extern struct partition *partitions[VM_MAX_PARTITIONS];
extern unsigned partition_count;

/* ---- time ---- */
/* A partition's virtual time: its guest TSC, which stands still while it is paused, in nanoseconds. */
static inline uint64_t vm_guest_tsc_at(const struct vcpu *v, uint64_t host_tsc)
{
    return host_tsc + atomic_load_explicit(&v->part->tsc_offset, memory_order_relaxed) + v->tsc_adjust;
}

static inline uint64_t vm_guest_tsc(const struct vcpu *v)
{
    return vm_guest_tsc_at(v, rdtsc());
}

static inline vtime_t vm_now(const struct partition *p)
{
    return tsc_to_ns(rdtsc() + atomic_load_explicit(&p->tsc_offset, memory_order_relaxed));
}

/* The same where no vCPU of it runs: for the boot pCPU, which alone freezes it. */
static inline vtime_t vm_now_or_frozen(const struct partition *p)
{
    if (!p->paused_at)
        return vm_now(p);
    return tsc_to_ns(p->paused_at + atomic_load_explicit(&p->tsc_offset, memory_order_relaxed));
}

/* Seconds since 1970 at a host TSC: the machine's clock is read once, when partitions are made. */
static inline int64_t vm_epoch_at(const struct partition *p, uint64_t host_tsc)
{
    return p->made_epoch + (int64_t)(tsc_to_ns(host_tsc - p->made_at) / 1000000000);
}

/* Host TSC; VTIME_NEVER gives VM_TSC_NEVER. Rounded up: a timer may be late, never early. */
static inline uint64_t vm_vtime_to_tsc(const struct partition *p, vtime_t t)
{
    if (t == VTIME_NEVER)
        return VM_TSC_NEVER;
    return ns_to_tsc(t) + 1 - atomic_load_explicit(&p->tsc_offset, memory_order_relaxed);
}

/* ---- vcpu.c: life of a vCPU ---- */
bool vcpu_create(struct partition *p, unsigned index) MUST_CHECK;
void vcpu_destroy(struct vcpu *v);
void vcpu_reset(struct vcpu *v);          /* power-on state; loaded nowhere or here */
void vcpu_init_signal(struct vcpu *v);    /* INIT: as reset, but FPU and some MSRs stay */
void vcpu_start_at(struct vcpu *v, uint8_t sipi_vector);
void vcpu_set_segment(struct vcpu *v, unsigned seg, uint16_t selector, uint64_t base, uint32_t limit, uint32_t access);
/* What its guest exits on from now on, on all its vCPUs; from any pCPU. What the CPU cannot switch is left out. */
void partition_set_policy(struct partition *p, uint64_t controls);

/* ---- run.c ---- */
enum vcpu_next vcpu_run(struct vcpu *v, uint64_t until);

/* ---- run.c: both keep run_until in step ---- */
void vcpu_set_deadline(struct vcpu *v, uint64_t tsc);
void vcpu_set_slice(struct vcpu *v, uint64_t tsc);

/* ---- interrupt.c ---- */
void vcpu_deliver(struct vcpu *v);                             /* what is pending into the next entry */
bool vcpu_has_event(struct vcpu *v);                           /* would HLT end now? */
void vcpu_timers(struct vcpu *v);                              /* do what is due, set v->deadline anew */
void vcpu_apic_changed(struct vcpu *v);                        /* IA32_APIC_BASE was written, or reset */
void vcpu_apic_timer_changed(struct vcpu *v);
void vcpu_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error);
static inline void vcpu_gp(struct vcpu *v) { vcpu_exception(v, 13, true, 0); }
static inline void vcpu_ud(struct vcpu *v) { vcpu_exception(v, 6, false, 0); }
void partition_set_gsi(void *part, unsigned gsi, bool level);  /* an irq_line's set; partition.lock held */
extern const struct vlapic_ops vcpu_lapic_ops;
void partition_route(void *part, const struct apic_message *message); /* from an IOAPIC pin */
#define IOAPIC_TIMER_PIN 2 /* where IRQ 0 arrives */
void partition_timers_changed(struct partition *p);            /* after an access to a device; lock held */

/* ---- dispatch.c: which vCPU a pCPU runs ---- */
void vcpu_kick(struct vcpu *v, uint32_t requests);
bool vcpu_current_here(const struct vcpu *v);

/* ---- platform.c: the PC around the vCPUs ---- */
void platform_init(struct partition *p);
void platform_reset(struct partition *p);

/* ---- end.c: how partitions end ---- */
void partition_fail(struct vcpu *v, const char *format, ...) PRINTF(2, 3); /* says who, why, and stops it */
/* False: it did not run any more; another vCPU, or the monitor, was first. */
bool partition_end(struct partition *p, enum partition_wish wish, const char *reason);
bool partition_pause(struct partition *p); /* false: it does not run */
bool partition_reset(struct partition *p, const char *by); /* as the configuration's on-reboot says */
void partition_end_with_status(struct partition *p, uint32_t status); /* debug-exit */

/* ---- access.c: the guest's memory as its CPU sees it ---- */
struct guest_paging;
void vcpu_paging(struct vcpu *v, struct guest_paging *out);
unsigned vcpu_cpl(struct vcpu *v);
enum insn_mode vcpu_insn_mode(struct vcpu *v);
void vcpu_record_debug_exception(struct vcpu *v, uint64_t causes); /* exit_dr.c: in DR6, DR7, DEBUGCTL; causes as DR6 */
bool vcpu_load_cr3(struct vcpu *v, uint64_t value) MUST_CHECK; /* as MOV to CR3; false: #GP(0) */

#endif
