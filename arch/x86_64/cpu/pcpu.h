/* Per-CPU data of the hypervisor, found through the GS base: pcpu_this() is one load.
 * Written during start-up, afterwards only by its own CPU; `state` and `woken` are the fields others may touch. */
#ifndef ARCH_X86_64_CPU_PCPU_H
#define ARCH_X86_64_CPU_PCPU_H

#include <stdatomic.h>
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/segment.h"
#include "hv/lib/types.h"

#define PCPU_MAX 64u

/* Selectors as the VMCS host-state area wants them: RPL 0, TI 0, TR not 0. */
enum host_selector {
    HOST_SEL_NULL = 0x00,
    HOST_SEL_CODE = 0x08,
    HOST_SEL_DATA = 0x10, /* DS, ES, SS, FS, GS */
    HOST_SEL_TSS  = 0x18, /* two slots */
    HOST_GDT_SLOTS = 5,
};

/* Interrupt stack table entries: those three must work whatever RSP is. */
enum host_ist { HOST_IST_NONE = 0, HOST_IST_NMI = 1, HOST_IST_DF = 2, HOST_IST_MC = 3, HOST_IST_COUNT = 3 };

enum pcpu_state { PCPU_ABSENT = 0, PCPU_STARTING, PCPU_ONLINE, PCPU_FAILED, PCPU_STOPPED };

typedef void (*irq_handler_t)(void *ctx, unsigned vector);
struct trap_frame;
typedef void (*nmi_handler_t)(void *ctx, const struct trap_frame *frame);

struct irq_entry {
    irq_handler_t fn; /* NULL: nobody expects it */
    void *ctx;
};

struct pcpu {
    struct pcpu *self;           /* at gs:0 */
    uint32_t index;              /* 0 is the boot CPU; dense */
    uint32_t apic_id;
    _Atomic uint32_t state;      /* enum pcpu_state */
    _Atomic uint32_t woken;      /* an NMI came since cpu_idle_arm() */
    uint64_t tsc_online;         /* its TSC just before it became PCPU_ONLINE */
    void *stack_top;
    void *ist_top[HOST_IST_COUNT]; /* [0] is IST1 */
    nmi_handler_t nmi_fn;
    void *nmi_ctx;
    uint64_t nmi_count;
    uint64_t irq_unexpected;     /* interrupts without a handler */
    void *owner;                 /* for the composition root: what belongs to this CPU above this layer */
    _Alignas(16) uint64_t gdt[HOST_GDT_SLOTS];
    _Alignas(16) struct tss64 tss;
    struct irq_entry irq[VECTOR_COUNT];
};
_Static_assert(offsetof(struct pcpu, self) == 0, "pcpu_this() reads gs:0");

/* Only after pcpu_load() on this CPU. */
static inline struct pcpu *pcpu_this(void)
{
    return read_gs0();
}

/* Every slot up to PCPU_MAX exists; pcpu_count() says how many were taken by pcpu_add(). */
struct pcpu *pcpu_at(unsigned index);
unsigned pcpu_count(void);

/* Take the next slot; NULL if all are taken. The boot CPU's is the first. */
struct pcpu *pcpu_add(uint32_t apic_id);

/* Give the last slot taken back (its CPU did not start), so that indices stay dense; it keeps its stacks. */
void pcpu_drop_last(void);

/* On the CPU that `p` is for: its GDT, TSS, the common IDT, and GS. Its stacks must be set. */
void pcpu_load(struct pcpu *p);

/* Put changed ist_top[] into the TSS. */
void pcpu_update_ist(struct pcpu *p);

#endif
