/* The MC146818 real-time clock with CMOS memory, IRQ 8 (ports 70h-73h). Facts from Motorola's "MC146818" data sheet and
 * the 82371SB's (second bank, NMI bit).
 *
 * The time is an epoch handed in plus virtual time plus what the guest has set. Flags are computed when someone looks;
 * a deadline exists only while an interrupt is enabled and not already pending. */
#ifndef HV_DEV_VRTC_H
#define HV_DEV_VRTC_H

#include "hv/dev/dev.h"

#define VRTC_PORT_RANGES 1
#define VRTC_BANK_BYTES  128
#define VRTC_IRQ         8

struct vrtc {
    uint8_t ram[VRTC_BANK_BYTES];       /* 00h-09h and 32h hold the time only while the clock is stopped (SET) */
    uint8_t extended[VRTC_BANK_BYTES];
    uint8_t index, extended_index;
    bool nmi_masked;                    /* bit 7 of port 70h */
    struct irq_line irq;
    bool irq_level;
    int64_t seconds;                    /* since 1970-01-01 00:00 at virtual time `anchor` */
    int64_t anchor;                     /* a moment at which a second began, ns; may lie ahead, or before 0 */
    uint8_t weekday_shift;              /* what the guest set against what the date says, 0-6 */
    vtime_t synced;                     /* flags in register C are right up to here */
};

extern const struct dev_ops vrtc_ops;
extern const struct dev_ports vrtc_ports[VRTC_PORT_RANGES];

/* `epoch`: seconds since 1970-01-01 00:00 (in whatever zone the guest's clock shall show) at virtual time `now`. */
void vrtc_init(struct vrtc *rtc, struct irq_line irq8, int64_t epoch, vtime_t now);
/* The sizes that PC firmware leaves in CMOS: RAM below 4 GiB (from address 0) and above it, in bytes. */
void vrtc_set_memory(struct vrtc *rtc, uint64_t below_4g, uint64_t above_4g);
/* A CMOS byte as firmware would leave it (0Eh-7Fh); the checksum at 2Eh is kept right. */
void vrtc_set_cmos(struct vrtc *rtc, unsigned index, uint8_t value);
/* What the guest's clock shows now, in seconds since 1970. */
int64_t vrtc_time(const struct vrtc *rtc, vtime_t now);

#endif
