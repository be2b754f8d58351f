#include "boot/last_log.h"

const uint64_t last_log_places[] = { MiB(48), MiB(80), MiB(112), MiB(176) };
const size_t last_log_place_count = ARRAY_SIZE(last_log_places);

bool last_log_valid(const struct log_ring *area)
{
    bool power_of_two = area->size && !(area->size & (area->size - 1));
    return area->magic == LOG_RING_MAGIC && power_of_two && area->size <= LAST_LOG_TEXT &&
           area->check == ~area->head && area->head > 0;
}

size_t last_log_copy(const struct log_ring *area, char *out)
{
    uint64_t have = MIN(area->head, area->size);
    uint64_t at = area->head - have;
    if (area->head > area->size) /* the oldest line was cut by the newest */
        while (at < area->head && area->text[at++ & (area->size - 1)] != '\n')
            ;
    size_t len = 0;
    for (; at < area->head; at++)
        out[len++] = area->text[at & (area->size - 1)];
    return len;
}
