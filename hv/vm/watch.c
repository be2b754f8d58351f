#include "hv/vm/watch.h"

enum watch_news watch_look(struct watch *w, uint64_t mark, unsigned needed)
{
    bool moved = mark != w->mark, told = w->stuck;
    w->mark = mark;
    if (moved || mark == 0 || (mark & WATCH_ASLEEP)) {
        w->looks = 0;
        w->stuck = false;
        return told ? WATCH_GOES_ON : WATCH_NOTHING;
    }
    if (told || ++w->looks < needed)
        return WATCH_NOTHING;
    w->stuck = true;
    return WATCH_STUCK;
}

bool watch_watches(const struct watch *w)
{
    return w->mark != 0 && !w->stuck;
}
