/* Which vCPUs does an interrupt message reach? */
#ifndef HV_DEV_APIC_ROUTE_H
#define HV_DEV_APIC_ROUTE_H

#include "hv/dev/vlapic.h"

#define APIC_ROUTE_NO_SENDER UINT32_MAX

/* Bit n of the result: apics[n] gets the message. `count` is at most 64; `sender` is the index of the APIC that sent
 * it, or APIC_ROUTE_NO_SENDER (IOAPIC, MSI). Lowest-priority messages reach exactly one, if any matches: of those with the
 * lowest processor priority the one that `vector` selects, so that different vectors spread. */
uint64_t apic_route(const struct apic_message *message, struct vlapic *const apics[], unsigned count, unsigned sender);

#endif
