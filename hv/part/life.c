#include "hv/part/life.h"
#include "hv/lib/fmt.h"
#include "hv/lib/log.h"

#define DIGEST_START UINT64_C(0xcbf29ce484222325)
#define DIGEST_MIX   UINT64_C(0x9e3779b97f4a7c15)
enum { KINDS_PER_LINE = 6 };

static bool enabled;

void life_enable(void)
{
    enabled = true;
}

static uint64_t mix(uint64_t digest, uint64_t word)
{
    digest = (digest ^ word) * DIGEST_MIX;
    return digest ^ digest >> 29;
}

static uint64_t digest_of(const struct partition *p)
{
    uint64_t digest = DIGEST_START;
    for (unsigned i = 0; i < p->vcpu_count; i++)
        for (unsigned k = 0; k < VT_EXIT_KINDS; k++)
            digest = mix(mix(digest, p->vcpus[i]->exit_count[k]), p->vcpus[i]->exit_ticks[k]);
    return digest;
}

static uint64_t count_of(const struct partition *p, unsigned kind)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < p->vcpu_count; i++)
        count += p->vcpus[i]->exit_count[kind];
    return count;
}

static void log_kinds(const struct partition *p)
{
    char line[240];
    size_t used = 0;
    unsigned shown = 0;
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++) {
        uint64_t count = count_of(p, k);
        if (!count)
            continue;
        used += fmt_print(line + used, sizeof line - used, "%s%s %lu", used ? ", " : "", vt_exit_name(k), count);
        if (++shown % KINDS_PER_LINE && used < sizeof line - 64)
            continue;
        log_line("%s: exits: %s", p->name, line);
        used = 0;
    }
    if (used)
        log_line("%s: exits: %s", p->name, line);
}

void life_log(const struct partition *p)
{
    uint64_t all = 0;
    if (!enabled || !p->starts)
        return;
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++)
        all += count_of(p, k);
    log_line("%s: life %u: %lu exits, digest %016lx", p->name, p->starts, all, digest_of(p));
    log_kinds(p);
}
