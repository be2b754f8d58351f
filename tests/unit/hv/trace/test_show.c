#include <string.h>
#include "arch/x86_64/vt/vt.h"
#include "hv/trace/show.h"
#include "tests/unit/test.h"

static const char *exit_name(unsigned kind) { (void)kind; return "an exit"; }
static enum trace_info layout;
static enum trace_info exit_info(unsigned kind) { (void)kind; return layout; }
static const char *partition_name(unsigned index, unsigned *vcpus) { *vcpus = 1; return index == 1 ? "linux" : NULL; }

static const struct trace_machine machine = {
    .tsc_hz = 50000000, .exit_kinds = VT_EXIT_KINDS, .exit_name = exit_name, .exit_info = exit_info, .partitions = 2,
    .partition = partition_name,
};

static char text[256];

static const char *detail(enum trace_info how, unsigned kind, uint64_t info, uint32_t ticks)
{
    const struct trace_record r = { .type = TRACE_EXIT, .kind = (uint8_t)kind, .info = info, .ticks = ticks };
    layout = how;
    trace_show_detail(&machine, &r, text);
    return text;
}

#define DETAIL(layout, kind, info, expected) CHECK(!strcmp(detail(TRACE_INFO_##layout, VT_EXIT_##kind, info, 1), expected))

TEST(a_line_has_time_vcpu_ticks_kind_instruction_and_detail)
{
    const struct trace_record r = { .type = TRACE_EXIT, .kind = VT_EXIT_CPUID, .partition = 1, .vcpu = 3, .ticks = 136,
                                    .tsc = 50000000 * 12ull + 17283945, .info = UINT64_C(0x4000001040000000) };
    layout = TRACE_INFO_EAX;
    trace_show(&machine, &r, "cpuid", text, sizeof text);
    CHECK(!strcmp(text, "   12.345678 linux/3              136 cpuid             cpuid                    eax 40000000 -> 40000010"));
}

TEST(an_exit_that_is_not_over_is_told_from_one_that_is)
{
    const struct trace_record r = { .type = TRACE_EXIT, .kind = VT_EXIT_RDMSR, .partition = 7, .info = 0x1a0 };
    layout = TRACE_INFO_ECX;
    trace_show(&machine, &r, "", text, sizeof text);
    CHECK(!strcmp(text, "    0.000000 -                    ... rdmsr                                      1a0: eax ?"));
}

TEST(every_layout_says_what_matters)
{
    DETAIL(REASON, HLT, UINT64_C(12) << 32 | 5, "reason 12");
    DETAIL(DETAIL, INVLPG, 0xfee00000, "qualification fee00000");
    DETAIL(ECX, WRMSR, UINT64_C(0x12345678) << 32 | 0x1b, "1b: eax 12345678");
    DETAIL(IO, IO, UINT64_C(0xffffff41) << 32 | 0x000103f8, "port 3f8 <- 41");
    DETAIL(IO, IO, UINT64_C(0xffff1234) << 32 | 0x01020060, "port 60 -> 1234");
    DETAIL(IO, IO, UINT64_C(0xffff1234) << 32 | 0x01040cfc, "port cfc -> ffff1234");
    DETAIL(GPA, MMIO, 0x1fee00380, "at 1fee00380");
    DETAIL(CR, CR_WRITE, 0x0304, "cr4 <- rbx");
    DETAIL(CR, CR_READ, 0x0803, "cr3 -> r8");
    DETAIL(CR, CR_WRITE, VT_CR_CLTS << 16, "cr0: CLTS");
    DETAIL(CR, CR_WRITE, UINT64_C(0xf) << 32 | VT_CR_LMSW << 16, "cr0: LMSW f");
    DETAIL(EXCEPTION, EXCEPTION, UINT64_C(2) << 32 | 1 << 16 | 3 << 8 | 14, "vector 14, error code 2");
    DETAIL(EXCEPTION, EXCEPTION, UINT64_C(2) << 32 | 3 << 8 | 1, "vector 1");
    DETAIL(VECTOR, INTERRUPT, 0xf1, "vector f1");
    DETAIL(APIC, APIC_ACCESS, 1 << 24 | 0x380, "write of register 380");
    DETAIL(TASK, TASK_SWITCH, 3 << 16 | 0x28, "TSS 28 by IDT");
}

TEST(an_unknown_kind_or_layout_is_still_shown)
{
    const struct trace_record r = { .type = TRACE_EXIT, .kind = 200, .info = UINT64_C(77) << 32 };
    trace_show_detail(&machine, &r, text);
    CHECK(!strcmp(text, "reason 77"));
    CHECK(!strcmp(trace_show_kind(&r), "exit"));
    CHECK(!strcmp(detail((enum trace_info)99, VT_EXIT_HLT, 0, 1), "reason 0"));
}

static const char *event(enum trace_type type, unsigned kind, uint64_t rip, uint64_t info)
{
    const struct trace_record r = { .type = (uint8_t)type, .kind = (uint8_t)kind, .rip = rip, .info = info, .tsc = 100, .partition = 1 };
    trace_show_detail(&machine, &r, text);
    return text;
}

#define EVENT(type, kind, rip, info, expected) CHECK(!strcmp(event(TRACE_##type, kind, rip, info), expected))

TEST(every_type_of_record_is_put_in_words)
{
    EVENT(INJECT, 0x30, 0, 0, "interrupt 30");
    EVENT(INJECT, 14, 0, UINT64_C(2) << 32 | 0x103, "exception e, error code 2");
    EVENT(RUN, 0, 0, 500100, "for 10000 us at most");
    EVENT(RUN, 1, 0x0201, 500100, "for 10000 us at most; loaded, before: linux/2");
    EVENT(RUN, 1, 0xffff, 500100, "for 10000 us at most; loaded, before: -");
    EVENT(LEAVE, TRACE_LEAVE_BLOCK, 0, 5000, "after 100 us: it waits for an event");
    EVENT(IDLE, 0, 0, UINT64_MAX, "until an interrupt");
    EVENT(IDLE, 0, 0, 600, "for 10 us at most");
    EVENT(WAKE, 0, 0, 0x40, "requests 40");
    EVENT(STEAL, 0, 0, 3, "from CPU 3");
    EVENT(INTERRUPT, 0xec, 0, 0, "vector ec, fixed");
    EVENT(TIMER, 0, 0, 17, "17 ticks late");
    EVENT(LINE, 4, 0, 1, "GSI 4 high");
    EVENT(PARTITION, TRACE_PAUSE, 0, 0, "paused");
    EVENT(TYPES, 0, 0, 0, "");
}
