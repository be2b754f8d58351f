/* The monitor's `trace dump` (its file is included here) on three CPUs, of which one had no memory for a ring. */
#include <stdlib.h>
#include <string.h>
#include "hv/mem/page.h"
#include "tests/unit/test.h"

static enum page_result take_pages(struct page_allocator *a, unsigned order, enum page_owner owner, hpa_t *block);
static uint64_t give_back(struct page_allocator *a, hpa_t block);
#define page_alloc take_pages
#define page_free give_back
#include "hv/monitor_trace.c"

struct vt_ops vt;
struct partition *partitions[VM_MAX_PARTITIONS];
unsigned partition_count;
struct tsc_scale tsc_scale = { .hz = 2000000000 };
struct trace_ring *tracing_rings[PCPU_MAX];
const struct exit_info exit_infos[VT_EXIT_KINDS];
static struct trace_ring ring[3];
static unsigned live;

unsigned pcpu_count(void) { return 3; }
const char *vt_exit_name(enum vt_exit_kind kind) { (void)kind; return "exit"; }
void dispatch_fetch_snapshot(struct vcpu *v) { (void)v; }
size_t trace_last(const struct partition *p, struct trace_record *out, size_t max) { (void)p, (void)out, (void)max; return 0; }
const char *partition_request(struct partition *p, enum partition_action action) { (void)p, (void)action; return NULL; }

static enum page_result take_pages(struct page_allocator *a, unsigned order, enum page_owner owner, hpa_t *block)
{
    (void)a, (void)owner;
    live++;
    *block = ptr_to_hpa(aligned_alloc(PAGE_SIZE, PAGE_SIZE << order));
    return PAGE_OK;
}

static uint64_t give_back(struct page_allocator *a, hpa_t block)
{
    (void)a;
    live--;
    free(hpa_to_ptr(block));
    return 0;
}

static void start(unsigned without)
{
    for (unsigned i = 0; i < 3; i++) {
        ring[i] = (struct trace_ring){ .records = calloc(1, TRACE_RING_BYTES) };
        for (unsigned n = 0; n <= i; n++)
            trace_put(&ring[i], TRACE_WHO(TRACE_RUN, 0, 0), 1, n, 0, 0);
        tracing_rings[i] = i == without ? NULL : &ring[i];
    }
}

static void end(void)
{
    for (unsigned i = 0; i < 3; i++)
        free(ring[i].records);
}

/* What the dump says of each CPU's ring: how many records it has. */
static void dumped(unsigned long long written[3], unsigned *count)
{
    char line[TRACE_FRAME_SIZE];
    *count = 0;
    CHECK(!monitor_dump_begin(NULL, UINT64_MAX));
    while (monitor_dump_line(NULL, line)) {
        unsigned cpu;
        unsigned long long n;
        const char *at = strstr(line, "C ");
        if (at && sscanf(at, "C %u %llu", &cpu, &n) == 2 && cpu < 3) {
            written[cpu] = n;
            (*count)++;
        }
    }
    monitor_dump_end(NULL);
    CHECK_EQ(live, 0);
}

TEST(a_cpu_without_a_ring_hides_none_of_the_others)
{
    for (unsigned without = 0; without < 3; without++) {
        unsigned long long written[3] = { 99, 99, 99 };
        unsigned count;
        start(without);
        CHECK(monitor_trace_machine(NULL) != NULL);
        dumped(written, &count);
        CHECK_EQ(count, 3);
        for (unsigned i = 0; i < 3; i++)
            CHECK_EQ(written[i], i == without ? 0 : i + 1);
        end();
    }
}

TEST(without_any_ring_there_is_no_trace)
{
    memset(tracing_rings, 0, sizeof tracing_rings);
    CHECK(!monitor_trace_machine(NULL));
}
