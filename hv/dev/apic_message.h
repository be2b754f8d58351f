/* One interrupt message on its way to local APICs: what an IPI, an IOAPIC pin or an MSI sends.
 * Senders canonicalise: an 8-bit physical destination 0xff becomes APIC_DEST_ALL, so receivers in xAPIC and x2APIC
 * mode understand both. */
#ifndef HV_DEV_APIC_MESSAGE_H
#define HV_DEV_APIC_MESSAGE_H

#include "hv/lib/types.h"

/* Intel SDM vol 3, "Interrupt Command Register (ICR)", delivery mode. */
enum apic_mode {
    APIC_FIXED = 0, APIC_LOWEST_PRIORITY = 1, APIC_SMI = 2, APIC_RESERVED_MODE = 3, APIC_NMI = 4, APIC_INIT = 5,
    APIC_STARTUP = 6, APIC_EXTINT = 7,
};

enum apic_shorthand { APIC_TO_DEST = 0, APIC_TO_SELF = 1, APIC_TO_ALL = 2, APIC_TO_OTHERS = 3 };

#define APIC_DEST_ALL UINT32_C(0xffffffff)

struct apic_message {
    uint32_t dest;
    uint8_t vector;    /* for APIC_STARTUP: the page number of the first instruction */
    uint8_t mode;      /* enum apic_mode */
    uint8_t shorthand; /* enum apic_shorthand; anything but APIC_TO_DEST makes `dest` irrelevant */
    bool logical;      /* `dest` is a logical destination */
    bool level;        /* ICR "level": assert */
    bool trigger;      /* level-triggered: the receiver's EOI goes back to the IOAPIC */
};

#endif
