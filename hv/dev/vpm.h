/* ACPI fixed hardware: the PM1a event and control blocks, the PM timer, an empty GPE block and the SCI; always in ACPI
 * mode. Facts from the "ACPI Specification", "ACPI Hardware Specification". The ACPI tables are built from the constants
 * here. The SMI command port B2h and its data port B3h only remember what is written. */
#ifndef HV_DEV_VPM_H
#define HV_DEV_VPM_H

#include "hv/dev/dev.h"

#define VPM_PM1_EVT_PORT  0x600
#define VPM_PM1_EVT_BYTES 4
#define VPM_PM1_CNT_PORT  0x604
#define VPM_PM1_CNT_BYTES 2
#define VPM_PM_TMR_PORT   0x608
#define VPM_PM_TMR_BYTES  4
#define VPM_GPE0_PORT     0x620
#define VPM_GPE0_BYTES    4         /* two status bytes, two enable bytes; no event is wired */
#define VPM_SMI_CMD_PORT  0xb2      /* for completeness: the FADT says 0, "no SMI command port" */
#define VPM_SCI_IRQ       9         /* level, active low: active state is `true` on the line */
#define VPM_S5_SLP_TYP    5         /* the DSDT's \_S5 */
#define VPM_TIMER_HZ      3579545
#define VPM_TIMER_32BIT   true      /* what the FADT says of the PM timer: vpm_init() has to be told the same */
#define VPM_PORT_RANGES   5

enum vpm_pm1_event {                /* PM1 status and enable registers */
    VPM_TMR = 1u << 0,
    VPM_BM = 1u << 4,
    VPM_GBL = 1u << 5,
    VPM_PWRBTN = 1u << 8,
    VPM_SLPBTN = 1u << 9,
    VPM_RTC = 1u << 10,
    VPM_WAK = 1u << 15,
};

enum vpm_pm1_control {
    VPM_SCI_EN = 1u << 0,
    VPM_BM_RLD = 1u << 1,
    VPM_GBL_RLS = 1u << 2,
    VPM_SLP_TYP_SHIFT = 10,
    VPM_SLP_TYP_MASK = 7u << 10,
    VPM_SLP_EN = 1u << 13,
};

struct vpm {
    uint16_t status, enable, control;
    uint8_t gpe_enable[2];
    uint8_t smi[2];                 /* B2h, B3h */
    bool timer_32bit;               /* must agree with the FADT's TMR_VAL_EXT */
    vtime_t next_turn;              /* when the timer's highest bit changes next */
    struct irq_line sci;
    bool sci_level;
    struct dev_request power_off;
};

extern const struct dev_ops vpm_ops;
extern const struct dev_ports vpm_ports[VPM_PORT_RANGES];

void vpm_init(struct vpm *pm, struct irq_line sci, struct dev_request power_off, bool timer_32bit);
/* The power button was pressed: asks a guest that listens to shut down. False if the guest has not enabled it. */
bool vpm_press_power_button(struct vpm *pm);

#endif
