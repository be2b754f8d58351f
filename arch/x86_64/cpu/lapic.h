/* The local APIC: SDM vol 3, "Advanced Programmable Interrupt Controller (APIC)". xAPIC through memory, or x2APIC
 * through MSRs where the CPU has it or the firmware already switched it on. Destinations are physical.
 * IA32_APIC_BASE.EN is never cleared (it could not be set again on some machines). */
#ifndef ARCH_X86_64_CPU_LAPIC_H
#define ARCH_X86_64_CPU_LAPIC_H

#include "hv/lib/types.h"

enum { LAPIC_SPURIOUS_VECTOR = 0xff }; /* its low four bits are 1 on old CPUs whatever is written */

enum lapic_mode { LAPIC_NONE = 0, LAPIC_XAPIC, LAPIC_X2APIC };
enum lapic_timer { LAPIC_TIMER_NONE = 0, LAPIC_TIMER_ONE_SHOT, LAPIC_TIMER_TSC_DEADLINE };

/* Where the registers are; the caller maps this page uncached for lapic_init(). */
hpa_t lapic_mmio_address(void);

/* Once, on the boot CPU: choose the mode for the machine and enable this CPU's APIC. `mmio` may be NULL only if
 * lapic_wants_mmio() is false. */
bool lapic_wants_mmio(void);
void lapic_init(volatile void *mmio);

/* On each CPU (lapic_init() does it for the first): enabled, the firmware's NMI input kept, all else masked. */
void lapic_enable(void);

enum lapic_mode lapic_mode(void);
uint32_t lapic_id(void);
void lapic_eoi(void);

/* Before lapic_init(): this CPU's ID as CPUID tells it. */
uint32_t lapic_id_by_cpuid(void);

/* Interprocessor interrupts; `apic_id` of one CPU. All stores before are visible to the target. A send waits for
 * the one before it, for a bounded time. */
void lapic_send(uint32_t apic_id, uint8_t vector);
void lapic_send_nmi(uint32_t apic_id);
void lapic_send_init(uint32_t apic_id);
void lapic_send_startup(uint32_t apic_id, uint8_t page); /* starts at page << 12 */
void lapic_send_self(uint8_t vector);

/* The interrupt has arrived and waits for the CPU to take it: IRR. */
bool lapic_is_requested(uint8_t vector);

/* Writes the TPR as it is. On a CPU this changes nothing; an emulated APIC tells its CPU anew of what waits. */
void lapic_look_again(void);

/* On each CPU, after lapic_set_frequency(): the mode of its timer, which then raises `vector`. */
void lapic_timer_setup(uint8_t vector);

/* Interrupt once, when the TSC reaches `deadline`; at once if that is past. Replaces what was armed. In one-shot mode
 * a far deadline may fire early: the handler looks at the time and arms again. */
void lapic_timer_arm(uint64_t deadline);

/* Ticks of the timer per TSC tick (32.32 fixed point): only the one-shot mode needs it. */
void lapic_set_frequency(uint64_t timer_hz, uint64_t tsc_hz);

/* For calibration: run the timer masked, as a plain counter; counts up by lapic_counter_read(). */
void lapic_counter_start(void);
uint64_t lapic_counter_read(void *ctx);

/* Mask both 8259s: their lines would otherwise arrive as vectors 8-15 or 70h-77h. */
void pic_mask_all(void);

#endif
