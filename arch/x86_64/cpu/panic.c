#include "arch/x86_64/cpu/panic.h"
#include <stdarg.h>
#include "arch/x86_64/cpu/backtrace.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/cpu/machine_check.h"
#include "arch/x86_64/cpu/pcpu.h"
#include "arch/x86_64/cpu/stack.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/lib/fmt.h"
#include "hv/lib/log.h"

typedef unsigned long long ull;

static void (*panic_hook)(void);
static void (*panic_end)(void);
static struct pcpu *_Atomic panicking; /* the CPU that speaks; set once */
static bool stage_hook_done, stage_end_done;

void panic_set_hook(void (*hook)(void)) { panic_hook = hook; }
void panic_set_end(void (*end)(void)) { panic_end = end; }

static NORETURN void stop_here(void)
{
    atomic_store_explicit(&pcpu_this()->state, PCPU_STOPPED, memory_order_release);
    for (;;) {
        cli();
        hlt();
    }
}

void panic_stop_if_told(void)
{
    struct pcpu *speaker = atomic_load_explicit(&panicking, memory_order_acquire);
    if (UNLIKELY(speaker != NULL && speaker != pcpu_this()))
        stop_here();
}

/* The last steps may themselves fail: each is tried once. */
static NORETURN void finish(void)
{
    if (panic_hook && !stage_hook_done) {
        stage_hook_done = true;
        panic_hook();
    }
    log_emergency("The machine is stopped. This is a bug in the hypervisor: please report the lines above.");
    if (panic_end && !stage_end_done) {
        stage_end_done = true;
        panic_end();
    }
    stop_here();
}

/* Only one CPU speaks; a panic within its panic says so and goes to the end. */
static void begin(void)
{
    cli();
    struct pcpu *none = NULL;
    if (!atomic_compare_exchange_strong(&panicking, &none, pcpu_this())) {
        if (none != pcpu_this())
            stop_here();
        return;
    }
    for (unsigned i = 0; i < pcpu_count(); i++) {
        struct pcpu *p = pcpu_at(i);
        if (p != pcpu_this() && atomic_load_explicit(&p->state, memory_order_acquire) == PCPU_ONLINE)
            lapic_send_nmi(p->apic_id);
    }
}

static void log_registers(const struct trap_frame *f)
{
    log_emergency("rip %016llx rsp %016llx rbp %016llx rflags %08llx", (ull)f->rip, (ull)f->rsp, (ull)f->rbp, (ull)f->rflags);
    log_emergency("rax %016llx rbx %016llx rcx %016llx rdx %016llx", (ull)f->rax, (ull)f->rbx, (ull)f->rcx, (ull)f->rdx);
    log_emergency("rsi %016llx rdi %016llx r8  %016llx r9  %016llx", (ull)f->rsi, (ull)f->rdi, (ull)f->r8, (ull)f->r9);
    log_emergency("r10 %016llx r11 %016llx r12 %016llx r13 %016llx", (ull)f->r10, (ull)f->r11, (ull)f->r12, (ull)f->r13);
    log_emergency("r14 %016llx r15 %016llx cs %04llx ss %04llx", (ull)f->r14, (ull)f->r15, (ull)f->cs, (ull)f->ss);
}

static void log_control_registers(void)
{
    log_emergency("cr0 %08llx cr2 %016llx cr3 %08llx cr4 %08llx efer %04llx", (ull)read_cr0(), (ull)read_cr2(),
                  (ull)read_cr3(), (ull)read_cr4(), (ull)rdmsr(IA32_EFER));
}

NORETURN void panic(const char *format, ...)
{
    bool again = atomic_load(&panicking) == pcpu_this();
    begin();
    char text[192];
    va_list args;
    va_start(args, format);
    fmt_vprint(text, sizeof text, format, args);
    va_end(args);
    log_emergency("PANIC on CPU %u: %s", pcpu_this()->index, text);
    if (!again) {
        log_control_registers();
        uint64_t rbp = (uint64_t)(uintptr_t)__builtin_frame_address(0);
        backtrace_log((uint64_t)(uintptr_t)__builtin_return_address(0), *(const uint64_t *)rbp, 0);
    }
    finish();
}

static const char *page_fault_detail(char *buf, size_t size, uint64_t error, uint64_t address)
{
    fmt_print(buf, size, ": %s of %016llx, %s%s", error & PF_I ? "execution" : error & PF_W ? "write" : "read",
              (ull)address, error & PF_RSVD ? "reserved bit set" : error & PF_P ? "not permitted" : "not mapped",
              address < PAGE_SIZE ? " (null pointer)" : "");
    return buf;
}

/* A push onto the guard page faults, and so does the delivery of that fault: hence the double fault. */
static bool is_stack_overflow(const struct trap_frame *f)
{
    return (f->vector == EXC_DF || f->vector == EXC_PF) && stack_is_guard(read_cr2());
}

NORETURN void panic_exception(const struct trap_frame *f)
{
    char detail[96] = "", name[BACKTRACE_NAME_SIZE];
    bool again = atomic_load(&panicking) == pcpu_this();
    uint64_t cr2 = read_cr2();
    begin();
    if (f->vector == EXC_PF)
        page_fault_detail(detail, sizeof detail, f->error_code, cr2);
    log_emergency("PANIC on CPU %u: %s%s%s (vector %llu, error code 0x%llx) at %s", pcpu_this()->index,
                  is_stack_overflow(f) ? "stack overflow: " : "", exception_name((unsigned)f->vector), detail,
                  (ull)f->vector, (ull)f->error_code, backtrace_name(name, sizeof name, f->rip));
    log_registers(f);
    if (f->vector == EXC_MC && !again)
        machine_check_log(log_emergency);
    if (!again) {
        log_control_registers();
        backtrace_log(f->rip, f->rbp, f->rsp);
    }
    finish();
}
