#include "hv/dev/apic_route.h"
#include "hv/lib/bits.h"

static uint64_t shorthand_targets(uint8_t shorthand, unsigned count, unsigned sender)
{
    uint64_t all = count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
    uint64_t self = sender < 64 ? all & UINT64_C(1) << sender : 0;
    return shorthand == APIC_TO_SELF ? self : shorthand == APIC_TO_OTHERS ? all & ~self : all;
}

static uint64_t lowest_priority(uint64_t targets, uint8_t vector, struct vlapic *const apics[])
{
    uint32_t lowest = UINT32_MAX;
    uint64_t best = 0;
    for (uint64_t left = targets; left; left &= left - 1) {
        unsigned n = (unsigned)__builtin_ctzll(left);
        uint32_t priority = apics[n]->software_enabled ? vlapic_priority(apics[n]) >> 4 : UINT32_MAX;
        if (priority < lowest) {
            lowest = priority;
            best = 0;
        }
        if (priority == lowest)
            best |= UINT64_C(1) << n;
    }
    unsigned skip = best ? vector % bit_count(best) : 0;
    while (skip--)
        best &= best - 1;
    return best & -best;
}

uint64_t apic_route(const struct apic_message *message, struct vlapic *const apics[], unsigned count, unsigned sender)
{
    uint64_t targets = 0;
    bool by_dest = message->shorthand == APIC_TO_DEST;
    count = MIN(count, 64u);
    for (unsigned n = 0; n < count; n++)
        if (by_dest ? vlapic_matches(apics[n], message->dest, message->logical) : vlapic_enabled(apics[n]))
            targets |= UINT64_C(1) << n;
    if (!by_dest)
        targets &= shorthand_targets(message->shorthand, count, sender);
    return message->mode == APIC_LOWEST_PRIORITY ? lowest_priority(targets, message->vector, apics) : targets;
}
