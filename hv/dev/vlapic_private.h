/* What the files of the local APIC model share: vlapic.c (interrupts), vlapic_registers.c (the guest's accesses),
 * vlapic_timer.c. Nobody else includes this. */
#ifndef HV_DEV_VLAPIC_PRIVATE_H
#define HV_DEV_VLAPIC_PRIVATE_H

#include "hv/dev/vlapic.h"

/* Offset of the dword of a 256-bit register (ISR, TMR, IRR) that holds `vector`, and the vector's bit in it. */
#define VECTOR_OFFSET(bank, vector) ((unsigned)(bank) + ((unsigned)(vector) >> 1 & 0x70))
#define VECTOR_BIT(vector)          (UINT32_C(1) << ((vector) & 31))

static inline void vlapic_store(struct vlapic *v, unsigned offset, uint32_t value)
{
    *(uint32_t *)(void *)(v->config.page + offset) = value;
}

static inline bool vlapic_vector_is_level(const struct vlapic *v, unsigned vector)
{
    return vlapic_register(v, VECTOR_OFFSET(APIC_TMR, vector)) & VECTOR_BIT(vector);
}

/* An error for ESR; interrupts through LVT error if that is set up. */
void vlapic_raise_error(struct vlapic *v, uint32_t esr_bit);
/* A local source fires: deliver as its LVT entry says. */
void vlapic_fire_lvt(struct vlapic *v, unsigned lvt_offset);
/* A level-triggered LINT pin may interrupt again: its entry was written, or its vector finished. */
void vlapic_retry_lint(struct vlapic *v, unsigned pin);
/* ID and LDR as the present mode shows them. */
void vlapic_show_identity(struct vlapic *v);
void vlapic_mask_all_lvts(struct vlapic *v);

void vlapic_timer_stop(struct vlapic *v);
void vlapic_timer_write_lvt(struct vlapic *v, uint32_t lvt);
void vlapic_timer_write_initial(struct vlapic *v, uint32_t count, vtime_t now);
void vlapic_timer_write_divide(struct vlapic *v, uint32_t divide, vtime_t now);
uint32_t vlapic_timer_current(const struct vlapic *v, vtime_t now);

#endif
