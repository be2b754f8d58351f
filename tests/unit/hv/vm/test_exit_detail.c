/* What `why` says an exit came with, kind by kind; and that a record of the trace tells the same. */
#include <string.h>
#include "hv/vm/exits.h"
#include "hv/vm/why.h"
#include "tests/unit/test.h"

static bool shows(const struct vt_exit *x, uint32_t ecx, const char *expected)
{
    char text[EXIT_DETAIL_SIZE];
    memset(text, 'x', sizeof text);
    exit_detail(x, ecx, text);
    if (strcmp(text, expected)) {
        printf("  \"%s\" instead of \"%s\"\n", text, expected);
        return false;
    }
    return true;
}

TEST(an_access_to_a_port_is_told_with_width_and_way)
{
    struct vt_exit x = { .kind = VT_EXIT_IO, .io = { .port = 0x3f8, .size = 1 } };
    CHECK(shows(&x, 0, "port 3f8h, 1 byte, write"));
    x.io = (struct vt_io){ .port = 0xcfc, .size = 4, .in = true };
    CHECK(shows(&x, 0, "port cfch, 4 bytes, read"));
    x.io.string = x.io.rep = true;
    CHECK(shows(&x, 0, "port cfch, 4 bytes, read, string, repeated"));
}

TEST(an_access_to_memory_says_who_made_it)
{
    struct vt_exit x = { .kind = VT_EXIT_MMIO, .mem = { .gpa = GPA(0xfec00000), .own = true, .read = true } };
    CHECK(shows(&x, 0, "read of guest-physical fec00000h"));
    x.mem.write = true; /* a read-modify-write is a write */
    CHECK(shows(&x, 0, "write of guest-physical fec00000h"));
    x.mem.own = false;
    CHECK(shows(&x, 0, "write of guest-physical fec00000h, by the CPU itself"));
    x.mem.read = x.mem.write = false;
    x.mem.own = x.mem.fetch = true;
    CHECK(shows(&x, 0, "fetch of guest-physical fec00000h"));
}

TEST(a_misconfiguration_does_not_tell_the_access)
{
    const struct vt_exit x = { .kind = VT_EXIT_BAD_NESTED_PAGE, .mem = { .gpa = GPA(0x1000), .own = true } };
    CHECK(shows(&x, 0, "guest-physical 1000h"));
}

TEST(an_access_to_a_control_register_says_direction_and_instruction)
{
    struct vt_exit x = { .kind = VT_EXIT_CR_READ, .cr = { .cr = 3, .gpr = VT_RAX, .how = VT_CR_MOV } };
    CHECK(shows(&x, 0, "CR3, to RAX"));
    x.kind = VT_EXIT_CR_WRITE;
    x.cr.gpr = 15;
    CHECK(shows(&x, 0, "CR3, from R15"));
    x.cr.how = VT_CR_CLTS;
    CHECK(shows(&x, 0, "CR0, by CLTS"));
    x.cr.how = VT_CR_LMSW;
    CHECK(shows(&x, 0, "CR0, by LMSW"));
    x.cr.how = VT_CR_LMSW + 1;
    CHECK(shows(&x, 0, "CR0, by ?"));
}

TEST(an_access_to_a_debug_register_says_direction)
{
    struct vt_exit x = { .kind = VT_EXIT_DR_ACCESS, .dr = { .number = 7 } };
    CHECK(shows(&x, 0, "DR7, write"));
    x.dr.read = true;
    CHECK(shows(&x, 0, "DR7, read"));
}

TEST(an_exception_is_told_with_the_error_code_that_it_has)
{
    struct vt_exit x = { .kind = VT_EXIT_EXCEPTION, .exception = { .vector = 6 } };
    CHECK(shows(&x, 0, "vector 6"));
    x.exception.vector = 14;
    x.exception.has_error_code = true;
    x.exception.error_code = 0x11;
    CHECK(shows(&x, 0, "vector 14, error code 11h"));
}

TEST(apic_interrupts_msrs_and_tasks_name_what_was_meant)
{
    struct vt_exit x = { .kind = VT_EXIT_APIC_ACCESS, .apic = { .offset = 0x20 } };
    CHECK(shows(&x, 0, "local APIC register 20h, read"));
    x = (struct vt_exit){ .kind = VT_EXIT_APIC_WRITE, .apic = { .offset = 0x300, .write = true } };
    CHECK(shows(&x, 0, "local APIC register 300h, write"));
    x = (struct vt_exit){ .kind = VT_EXIT_APIC_EOI, .qualification = 0xffffff31 };
    CHECK(shows(&x, 0, "vector 31h"));
    x = (struct vt_exit){ .kind = VT_EXIT_INTERRUPT, .interrupt = { .vector = 0xf0 } };
    CHECK(shows(&x, 0, "vector f0h of the machine"));
    x = (struct vt_exit){ .kind = VT_EXIT_WRMSR };
    CHECK(shows(&x, 0xc0000080, "MSR c0000080h"));
    x = (struct vt_exit){ .kind = VT_EXIT_TASK_SWITCH, .task = { .selector = 0x28, .source = 3 } };
    CHECK(shows(&x, 0, "TSS selector 28h, by a task gate"));
}

TEST(an_exit_that_comes_with_nothing_and_a_kind_that_is_none_show_nothing)
{
    struct vt_exit x = { .kind = VT_EXIT_HLT };
    CHECK(shows(&x, 0, ""));
    x.kind = VT_EXIT_KINDS;
    CHECK(shows(&x, 0, ""));
    x.kind = UINT32_MAX;
    CHECK(shows(&x, 0, ""));
}

/* ---- records of the trace ------------------------------------------------------------------------------------------ */

static struct vt_exit of_record(uint32_t kind, uint64_t info, uint32_t *ecx)
{
    const struct trace_record r = { .kind = (uint8_t)kind, .info = info, .rip = 0x7c00 };
    struct vt_exit x;
    exit_of_record(&r, &x, ecx);
    return x;
}

/* As the run loop fills a record: eight bytes from exit_infos[].before, unless the upper half is EAX. */
static uint64_t recorded(const struct vt_vcpu *v)
{
    uint64_t info;
    memcpy(&info, (const char *)v + exit_infos[v->exit.kind].before, 8);
    return info;
}

TEST(what_a_record_holds_of_an_exit_comes_back_from_it)
{
    uint32_t ecx;
    struct vt_vcpu v = { .exit = { .kind = VT_EXIT_IO, .io = { .port = 0x60, .size = 1, .in = true } } };
    struct vt_exit x = of_record(VT_EXIT_IO, recorded(&v) & UINT32_MAX, &ecx);
    CHECK_EQ(x.kind, VT_EXIT_IO);
    CHECK_EQ(x.rip, 0x7c00);
    CHECK(shows(&x, ecx, "port 60h, 1 byte, read"));

    v = (struct vt_vcpu){ .exit = { .kind = VT_EXIT_MMIO, .mem = { .gpa = GPA(0x1fee00000), .own = true, .read = true } } };
    x = of_record(VT_EXIT_MMIO, recorded(&v), &ecx);
    CHECK(shows(&x, ecx, "guest-physical 1fee00000h")); /* the address has all eight bytes */

    v = (struct vt_vcpu){ .gpr[VT_RCX] = 0x1b, .exit = { .kind = VT_EXIT_RDMSR } };
    x = of_record(VT_EXIT_RDMSR, recorded(&v), &ecx);
    CHECK_EQ(ecx, 0x1b);
    CHECK(shows(&x, ecx, "MSR 1bh"));
}

TEST(eax_in_a_record_is_not_taken_for_a_part_of_the_exit)
{
    uint32_t ecx;
    struct vt_exit x = of_record(VT_EXIT_RDMSR, UINT64_C(0xffffffff00000010), &ecx);
    CHECK_EQ(ecx, 0x10);
    CHECK(shows(&x, ecx, "MSR 10h"));
}

TEST(a_record_does_not_tell_which_debug_register_and_shows_none)
{
    uint32_t ecx;
    struct vt_exit x = of_record(VT_EXIT_DR_ACCESS, 0, &ecx);
    CHECK(shows(&x, ecx, ""));
}

TEST(a_record_of_no_kind_of_exit_shows_nothing)
{
    uint32_t ecx;
    struct vt_exit x = of_record(0xff, UINT64_MAX, &ecx);
    CHECK_EQ(x.kind, 0xff);
    CHECK_EQ(ecx, 0);
    CHECK(shows(&x, ecx, ""));
}
