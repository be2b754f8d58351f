#include "hv/selfcheck.h"
#include "arch/x86_64/cpu/image.h"
#include "arch/x86_64/cpu/panic.h"
#include "hv/bringup.h"
#include "hv/lib/fmt.h"
#include "hv/vm/vm.h"

#define PIECE KiB(64)
#define MIX   UINT64_C(0x9e3779b97f4a7c15)

static struct {
    uint64_t sum;                    /* of text and rodata, which lie side by side */
    uint64_t used[PAGE_OWNERS], total;
    uint64_t at, sum_so_far;         /* of the piecewise check */
} whole;

static uint64_t mix(uint64_t sum, const void *from, uint64_t bytes)
{
    const uint64_t *word = from;
    for (const uint64_t *end = word + bytes / sizeof *word; word < end; word++)
        sum = ((sum << 7 | sum >> 57) ^ *word) * MIX;
    return sum;
}

static uint64_t read_only_size(void)
{
    return (uint64_t)(rodata_end - text_start);
}

static uint64_t total_pages(void)
{
    uint64_t total = page_free_bytes(&machine.pages);
    for (unsigned owner = 0; owner < PAGE_OWNERS; owner++)
        total += page_used_bytes(&machine.pages, owner);
    return total;
}

void selfcheck_begin(void)
{
    whole.sum = mix(0, text_start, read_only_size());
    for (unsigned owner = 0; owner < PAGE_OWNERS; owner++)
        whole.used[owner] = page_used_bytes(&machine.pages, owner);
    whole.total = total_pages();
}

/* Tables may grow and shrink as pages are split and joined; nobody else's share changes while partitions live. */
static const char *wrong_pages(void)
{
    if (!page_check(&machine.pages))
        return "the page allocator's lists and its counts differ";
    if (total_pages() != whole.total)
        return "pages were lost or came from nowhere";
    if (page_used_bytes(&machine.pages, PAGE_OWNER_GUEST) != whole.used[PAGE_OWNER_GUEST])
        return "guests have more or less memory than at first";
    if (page_used_bytes(&machine.pages, PAGE_OWNER_CPU) != whole.used[PAGE_OWNER_CPU])
        return "the CPUs' pages are more or less than at first";
    return NULL;
}

bool selfcheck_all(void (*say)(void *ctx, const char *text), void *ctx)
{
    char line[160];
    bool same = mix(0, text_start, read_only_size()) == whole.sum;
    const char *wrong = !whole.total ? "it was not begun" : same ? wrong_pages() : "code or constants have CHANGED";
    fmt_print(line, sizeof line, "self-check: %s: %s; %lu KiB of code and constants, sum %016lx; pages: %lu KiB free of %lu KiB",
              wrong ? "FAILED" : "ok", wrong ? wrong : "nothing changed", read_only_size() >> 10, whole.sum,
              page_free_bytes(&machine.pages) >> 10, whole.total >> 10);
    say(ctx, line);
    return !wrong;
}

void selfcheck_piece(void)
{
    uint64_t size = read_only_size(), bytes = MIN(PIECE, size - whole.at);
    whole.sum_so_far = mix(whole.sum_so_far, text_start + whole.at, bytes);
    whole.at += bytes;
    if (whole.at < size)
        return;
    if (whole.sum_so_far != whole.sum)
        panic("self-check: the hypervisor's code or constants have changed");
    whole.at = whole.sum_so_far = 0;
}
