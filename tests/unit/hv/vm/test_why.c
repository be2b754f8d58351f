/* The monitor's `why` (its file is included here): what it says is at RIP. */
#include <stdio.h>
#include <string.h>
#include "hv/vm/look.h"
#include "tests/unit/test.h"

#define look_at   fake_look_at
#define look_text fake_look_text
static void fake_look_at(struct vcpu *v, uint64_t rip, struct look *out);
static void fake_look_text(const struct look *l, char out[LOOK_TEXT_SIZE]);
#include "hv/vm/why.c"

static struct vt_vcpu cpu;
static struct vcpu vcpu = { .vt = &cpu };
static struct partition part = { .name = "linux", .vcpu_count = 1, .vcpus = { &vcpu } };
static char text[1024];

const char *vt_exit_name(enum vt_exit_kind kind) { return kind == VT_EXIT_HLT ? "HLT" : "something"; }
bool dispatch_inspect(struct vcpu *v, inspector_t fn, void *ctx) { fn(v, ctx); return true; }
static void fake_look_at(struct vcpu *v, uint64_t rip, struct look *out) { out->rip = rip; }
static void fake_look_text(const struct look *l, char out[LOOK_TEXT_SIZE]) { snprintf(out, LOOK_TEXT_SIZE, "%llx  hlt", (unsigned long long)l->rip); }

static void line(void *ctx, const char *more)
{
    strcat(strcat(text, more), "\n");
}

static bool says(enum vt_exit_kind kind, const char *what)
{
    text[0] = '\0';
    memset(vcpu.exit_count, 0, sizeof vcpu.exit_count);
    vcpu.exit_count[kind] = 1;
    cpu.exit = (struct vt_exit){ .kind = kind, .rip = 0x8000 };
    return why_print(&part, line, NULL) == kind && strstr(text, what);
}

TEST(an_exit_by_an_instruction_is_at_it)
{
    CHECK(says(VT_EXIT_HLT, "linux: vCPU 0, last exit: HLT (code 0x0)\n  at 8000  hlt\n"));
    CHECK(says(VT_EXIT_CPUID, "\n  at 8000  hlt\n"));
}

TEST(an_interrupt_of_the_machine_is_not_laid_to_the_instruction_that_comes_next)
{
    static const enum vt_exit_kind kinds[] = { VT_EXIT_INTERRUPT, VT_EXIT_TIMER, VT_EXIT_HOST_EVENT, VT_EXIT_NMI };
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        CHECK(says(kinds[i], "\n  the machine's, not from an instruction of the guest; the next one is at 8000  hlt\n"));
}

TEST(what_led_to_an_exit_that_comes_after_it_is_over)
{
    CHECK(says(VT_EXIT_INTERRUPT_WINDOW, "\n  the instruction that led to it is over; the next one is at 8000  hlt\n"));
    CHECK(says(VT_EXIT_APIC_WRITE, "is over; the next one is at 8000"));
}

TEST(a_guest_without_exits_has_nothing_to_say)
{
    memset(vcpu.exit_count, 0, sizeof vcpu.exit_count);
    CHECK_EQ(why_print(&part, line, NULL), VT_EXIT_KINDS);
}
