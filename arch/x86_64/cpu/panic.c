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
    log_emergency("rip %016lx rsp %016lx rbp %016lx rflags %08lx", f->rip, f->rsp, f->rbp, f->rflags);
    log_emergency("rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
    log_emergency("rsi %016lx rdi %016lx r8  %016lx r9  %016lx", f->rsi, f->rdi, f->r8, f->r9);
    log_emergency("r10 %016lx r11 %016lx r12 %016lx r13 %016lx", f->r10, f->r11, f->r12, f->r13);
    log_emergency("r14 %016lx r15 %016lx cs %04lx ss %04lx", f->r14, f->r15, f->cs, f->ss);
}

static void log_control_registers(void)
{
    log_emergency("cr0 %08lx cr2 %016lx cr3 %08lx cr4 %08lx efer %04lx", read_cr0(), read_cr2(),
                  read_cr3(), read_cr4(), rdmsr(IA32_EFER));
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
        uint64_t call = (uint64_t)(uintptr_t)__builtin_return_address(0) - 1; /* behind it may be another function */
        backtrace_log(call, *(const uint64_t *)rbp, 0);
    }
    finish();
}

static const char *page_fault_detail(char *buf, size_t size, uint64_t error, uint64_t address)
{
    fmt_print(buf, size, ": %s of %016lx, %s%s", error & PF_I ? "execution" : error & PF_W ? "write" : "read",
              address, error & PF_RSVD ? "reserved bit set" : error & PF_P ? "not permitted" : "not mapped",
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
    log_emergency("PANIC on CPU %u: %s%s%s (vector %lu, error code 0x%lx) at %s", pcpu_this()->index,
                  is_stack_overflow(f) ? "stack overflow: " : "", exception_name((unsigned)f->vector), detail,
                  f->vector, f->error_code, backtrace_name(name, sizeof name, f->rip));
    log_registers(f);
    if (f->vector == EXC_MC && !again)
        machine_check_log(log_emergency);
    if (!again) {
        log_control_registers();
        backtrace_log(f->rip, f->rbp, f->rsp);
    }
    finish();
}
