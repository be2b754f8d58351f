/* When is a CPU stuck? Pure: what one CPU makes of the marks that another one leaves. */
#ifndef HV_VM_WATCH_H
#define HV_VM_WATCH_H

#include "hv/lib/types.h"

/* A mark: 0 before the CPU is in its loop, and when it is to be watched no more; changed at each turn of the loop; odd while the
 * CPU sleeps. One word, so that no order of two stores matters. */
#define WATCH_AWAKE UINT64_C(2)
#define WATCH_ASLEEP UINT64_C(1)

/* So many looks in a row at one and the same mark. Looks are counted, and not the time between them: a watcher that was itself
 * away, as in an emulator whose host was busy, has seen nothing meanwhile. */
#define WATCH_LOOKS 4u
#define WATCH_OWN_LOOKS 6u /* of a CPU at its own mark, by NMI: so that another, if there is one, comes first */

enum watch_news { WATCH_NOTHING, WATCH_STUCK, WATCH_GOES_ON };

struct watch {
    uint64_t mark;  /* as it was last seen */
    unsigned looks; /* since it changed */
    bool stuck;     /* it was told */
};

/* One look; `needed`: WATCH_LOOKS or WATCH_OWN_LOOKS. Each stay is told once, and that it is over once. */
enum watch_news watch_look(struct watch *w, uint64_t mark, unsigned needed);

/* Whether the CPU with this mark looks after others: not if it is stuck or not in its loop. Then somebody else has to. */
bool watch_watches(const struct watch *w);

#endif
