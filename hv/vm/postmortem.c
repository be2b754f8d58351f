#include "hv/vm/postmortem.h"

#include "arch/x86_64/emul/exec.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/mmu/guest_path.h"
#include "arch/x86_64/mmu/pt_path.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"
#include "hv/trace/explain.h"
#include "hv/vm/delivery.h"
#include "hv/vm/look.h"
#include "hv/vm/tracing.h"
#include "hv/vm/why.h"

#define LINE       80 /* with the terminator */
#define LAST_EXITS 16

/* What all parts look at. */
struct subject {
    struct vcpu *v;
    struct partition *p;
    const struct vt_exit *exit;
    struct look at;            /* RIP */
    uint64_t gpr[VT_GPR_COUNT];
    struct { bool known; uint64_t address; unsigned access; const char *what; } suspect; /* whose page walk is shown */
    uint64_t nested_shown;     /* guest-physical */
};

static uint64_t reg(const struct subject *s, unsigned field)
{
    return vt.get(s->v->vt, field);
}

static void suspect(struct subject *s, uint64_t address, unsigned access, const char *what)
{
    s->suspect.known = true;
    s->suspect.address = address;
    s->suspect.access = access;
    s->suspect.what = what;
}

/* One line more; what does not fit any more leaves a mark. */
static void say(struct subject *s, const char *format, ...) PRINTF(2, 3);
static void say(struct subject *s, const char *format, ...)
{
    char line[LINE];
    struct partition *p = s->p;
    va_list args;
    va_start(args, format);
    size_t len = fmt_vprint(line, sizeof line, format, args);
    va_end(args);
    len = MIN(len, sizeof line - 1);
    size_t used = strlen(p->postmortem), room = sizeof p->postmortem - used;
    if (len + 2 > room) {
        str_copy(p->postmortem + sizeof p->postmortem - 5, 5, "...\n");
        return;
    }
    memcpy(p->postmortem + used, line, len);
    p->postmortem[used + len] = '\n';
    p->postmortem[used + len + 1] = '\0';
}

/* ---- words and the instruction ------------------------------------------------------------------------------------- */

static const char *exception_name(unsigned vector)
{
    static const char *const names[EXC_COUNT] = {
        [EXC_DE] = "#DE", [EXC_DB] = "#DB", [EXC_NMI] = "NMI", [EXC_BP] = "#BP", [EXC_OF] = "#OF", [EXC_BR] = "#BR",
        [EXC_UD] = "#UD", [EXC_NM] = "#NM", [EXC_DF] = "#DF", [EXC_TS] = "#TS", [EXC_NP] = "#NP", [EXC_SS] = "#SS",
        [EXC_GP] = "#GP", [EXC_PF] = "#PF", [EXC_MF] = "#MF", [EXC_AC] = "#AC", [EXC_MC] = "#MC", [EXC_XM] = "#XM",
    };
    return vector < EXC_COUNT && names[vector] ? names[vector] : "an interrupt";
}

static void show_instruction(struct subject *s)
{
    static const char *const modes[] = { "16-bit", "32-bit", "64-bit" };
    char text[LOOK_TEXT_SIZE];
    look_text(&s->at, text);
    say(s, "post-mortem of vCPU %u, in %s code at CPL %u:", s->v->index, modes[s->at.mode], s->at.paging.cpl);
    say(s, "  %s", text);
}

/* ---- registers ----------------------------------------------------------------------------------------------------- */

static void show_registers(struct subject *s)
{
    static const char *const gprs[VT_GPR_COUNT] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                    "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15" };
    static const char *const segments[VT_SEG_COUNT] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };
    for (unsigned i = 0; i < 15; i += 3)
        say(s, "  %s %016lx  %s %016lx  %s %016lx", gprs[i], s->gpr[i], gprs[i + 1], s->gpr[i + 1], gprs[i + 2],
            s->gpr[i + 2]);
    say(s, "  r15 %016lx  rfl %016lx  cr2 %016lx", s->gpr[VT_R15], s->at.paging.rflags, reg(s, VT_CR2));
    say(s, "  cr0 %08lx cr3 %lx cr4 %lx efer %lx", s->at.paging.cr0, s->at.paging.cr3, s->at.paging.cr4, s->at.paging.efer);
    for (unsigned i = 0; i < VT_SEG_COUNT; i += 2) {
        char half[2][LINE];
        for (unsigned k = 0; k < 2; k++)
            fmt_print(half[k], sizeof half[k], "%-4s %04lx base %lx limit %lx %05lx", segments[i + k],
                      reg(s, VT_SELECTOR + i + k), reg(s, VT_BASE + i + k), reg(s, VT_LIMIT + i + k),
                      reg(s, VT_ACCESS + i + k));
        say(s, "  %-37s %s", half[0], half[1]);
    }
    say(s, "  gdtr %lx limit %lx  idtr %lx limit %lx", reg(s, VT_GDTR_BASE), reg(s, VT_GDTR_LIMIT), reg(s, VT_IDTR_BASE),
        reg(s, VT_IDTR_LIMIT));
}

/* ---- the chain of faults ------------------------------------------------------------------------------------------- */

static bool walk_fails(struct subject *s, uint64_t address, unsigned access, uint8_t *vector)
{
    struct guest_translation t;
    enum guest_walk_result r = guest_walk(&s->at.paging, &gmem_walk, &s->p->mem, GVA(address), access | GUEST_PROBE, &t);
    *vector = r == GUEST_WALK_NON_CANONICAL ? EXC_GP : EXC_PF;
    return r == GUEST_WALK_FAULT || r == GUEST_WALK_NON_CANONICAL;
}

static uint64_t operand_address(struct subject *s)
{
    struct exec_cpu cpu = { .gpr = s->gpr, .rip = s->at.rip, .rflags = s->at.paging.rflags };
    cpu.protected_mode = s->at.paging.cr0 & CR0_PE;
    cpu.linear_bits = CR4_LINEAR_BITS(s->at.paging.cr4);
    for (unsigned i = 0; i < INSN_SEG_COUNT; i++)
        cpu.seg[i].base = reg(s, VT_BASE + i);
    return insn_linear_address(&s->at.insn, &cpu);
}

/* What the instruction at RIP raises, if it is plain to see. NULL: it is not. */
static const char *first_exception(struct subject *s, uint8_t *vector)
{
    uint64_t cr2 = reg(s, VT_CR2), stack = s->gpr[VT_RSP] - 8;
    if (!s->at.fetched && walk_fails(s, s->at.linear, GUEST_FETCH, vector))
        return suspect(s, s->at.linear, GUEST_FETCH, "RIP"), "the instruction at RIP cannot be fetched";
    if (s->at.status == INSN_UNDEFINED || (s->at.status == INSN_OK && s->at.insn.op == INSN_UD2))
        return *vector = EXC_UD, "the instruction at RIP raises it";
    if (s->at.status == INSN_OK && (s->at.insn.op == INSN_INT3 || s->at.insn.op == INSN_INT))
        return *vector = s->at.insn.op == INSN_INT ? (uint8_t)s->at.insn.imm : EXC_BP, "the instruction at RIP asks for it";
    if (s->at.status == INSN_OK && (s->at.insn.flags & INSN_MEM))
        for (unsigned access = GUEST_READ; access <= GUEST_WRITE; access += GUEST_WRITE)
            if (walk_fails(s, operand_address(s), access, vector))
                return suspect(s, operand_address(s), access, "the operand"), "the operand of the instruction at RIP";
    if (s->at.mode == INSN_MODE_64 && walk_fails(s, stack, GUEST_WRITE, vector))
        return suspect(s, stack, GUEST_WRITE, "the stack"), "the stack below RSP cannot be written";
    if (cr2 && walk_fails(s, cr2, GUEST_READ, vector))
        return suspect(s, cr2, GUEST_READ, "CR2"), "CR2 tells of it, and its page is still not there";
    return NULL;
}

static void show_chain(struct subject *s, uint8_t first)
{
    struct delivery_chain chain;
    delivery_chain(s->v, &s->at.paging, first, &chain);
    for (unsigned i = 0; i < chain.count; i++) {
        const struct delivery *d = &chain.step[i];
        const char *name = exception_name(d->vector);
        if (d->result == DELIVERY_OK)
            say(s, "    %s could be delivered: what came after it cannot be told", name);
        else if (d->result == DELIVERY_OUTSIDE)
            say(s, "    %s is not delivered: %s, no RAM", name, d->problem);
        else
            say(s, "    %s is not delivered: %s, %s", name, exception_name(d->fault), d->problem);
        if (d->has_address)
            suspect(s, d->address, d->access, "needed for the delivery");
    }
    if (chain.triple_fault)
        say(s, "    #DF is the last resort: triple fault");
}

static void show_exceptions(struct subject *s)
{
    struct vt_event e = { 0 };
    bool delivering = vt.pending_event(s->v->vt, &e), triple = s->exit->kind == VT_EXIT_TRIPLE_FAULT;
    uint8_t vector = e.vector;
    const char *why = triple ? first_exception(s, &vector) : NULL;
    if (delivering)
        say(s, "  %s (vector %u) was being delivered", exception_name(e.vector), e.vector);
    if (!delivering && !triple)
        return;
    say(s, "  chain of faults, worked out from the registers and tables as they are now:");
    if (why)
        say(s, "    %s (vector %u): %s", exception_name(vector), vector, why);
    else if (!delivering)
        say(s, "    what the first was cannot be told from the state");
    if (why || delivering)
        show_chain(s, vector);
}

/* ---- the page walk ------------------------------------------------------------------------------------------------- */

static const char *page_size_name(uint64_t size)
{
    return size == KiB(4) ? "4 KiB" : size == MiB(2) ? "2 MiB" : size == MiB(4) ? "4 MiB" : "1 GiB";
}

/* Through the hypervisor's own tables. */
static void show_nested(struct subject *s, uint64_t gpa)
{
    struct pt_path path;
    char steps[LINE] = "";
    size_t used = 0;
    s->nested_shown = gpa;
    pt_path_find(&s->p->nested, gpa, &path);
    for (unsigned i = 0; i < path.count && used < sizeof steps; i++)
        used += fmt_print(steps + used, sizeof steps - used, " L%u %lx", path.step[i].level, path.step[i].entry);
    say(s, "    nested (%s):%s", s->p->nested.format->name, steps);
    if (!path.count)
        say(s, "    there is none: guest-physical %lx is wider than the nested tables", gpa);
    else if (!path.mapped)
        say(s, "    fails at level %u of the nested tables: guest-physical %lx is no RAM", path.step[path.count - 1].level, gpa);
}

static void show_walk(struct subject *s)
{
    struct guest_path path;
    uint64_t address = s->suspect.address;
    unsigned access = s->suspect.access;
    const char *how = access & GUEST_WRITE ? "write" : access & GUEST_FETCH ? "fetch" : "read";
    guest_path_find(&s->at.paging, &gmem_walk, &s->p->mem, GVA(address), access, &path);
    say(s, "  page walk of %lx (%s, %s):", address, s->suspect.what, how);
    for (unsigned i = 0; i < path.count; i++)
        say(s, "    %-5s at %lx%s = %016lx%s%s", path.step[i].name, path.step[i].at,
            path.step[i].in_register ? " (register)" : "", path.step[i].value, i == path.blamed ? ": " : "",
            i == path.blamed ? path.problem : "");
    if (path.result == GUEST_WALK_NON_CANONICAL)
        say(s, "    fails: the address is not canonical");
    else if (path.result == GUEST_WALK_FAULT)
        say(s, "    fails at the %s: #PF, error code %x", path.step[path.blamed].name, path.translation.error_code);
    else if (path.result == GUEST_WALK_NO_MEMORY)
        say(s, "    fails at the %s, which is to be read at guest-physical %lx", path.step[path.blamed].name,
            path.translation.gpa.raw);
    else
        say(s, "    = guest-physical %lx%s%s%s", path.translation.gpa.raw, path.count ? ", page of " : ", no paging",
            path.count ? page_size_name(path.translation.page_size) : "", "");
    if (path.result == GUEST_WALK_OK || path.result == GUEST_WALK_NO_MEMORY)
        show_nested(s, path.translation.gpa.raw);
}

/* The address that the exit names, if the walk has led to another. */
static void show_refused(struct subject *s)
{
    if (s->exit->kind != VT_EXIT_MMIO || s->exit->mem.gpa.raw == s->nested_shown)
        return;
    say(s, "  guest-physical %lx, which the exit names:", s->exit->mem.gpa.raw);
    show_nested(s, s->exit->mem.gpa.raw);
}

/* ---- the last exits ------------------------------------------------------------------------------------------------ */

/* Equal ones in a row are one line: a guest that prints or polls would fill all of them. */
static void show_exits(struct subject *s)
{
    const struct trace_filter filter = { (int)s->p->index, TRACE_EXIT, 0 };
    struct trace_record last[LAST_EXITS];
    size_t count = trace_last_of((const struct trace_ring *const *)tracing_rings, pcpu_count(), &filter, last, LAST_EXITS);
    if (count)
        say(s, "  last exits of the partition, the oldest first:");
    for (size_t i = 0, same; i < count; i += same) {
        char detail[EXIT_DETAIL_SIZE], times[24] = "";
        struct vt_exit x;
        uint32_t ecx;
        for (same = 1; i + same < count && last[i + same].kind == last[i].kind && last[i + same].rip == last[i].rip &&
                       (uint32_t)last[i + same].info == (uint32_t)last[i].info; same++)
            ;
        exit_of_record(&last[i], &x, &ecx);
        exit_detail(&x, ecx, detail);
        if (same > 1)
            fmt_print(times, sizeof times, " (%zu times)", same);
        say(s, "    %-12s at %lx%s%s%s", explain_word(x.kind), x.rip, detail[0] ? " " : "", detail, times);
    }
}

/* ---- all of it ----------------------------------------------------------------------------------------------------- */

static void show_exit(struct subject *s)
{
    const struct vt_exit *x = s->exit;
    if (x->kind == VT_EXIT_MMIO)
        say(s, "  exit: %s of guest-physical %lx (code %x, detail %lx)", x->mem.fetch ? "fetch" : x->mem.write ? "write" : "read",
            x->mem.gpa.raw, x->raw, x->qualification);
    else
        say(s, "  exit: %s (code %x)", vt_exit_name(x->kind), x->raw);
}

/* If the chain has named no address: the operand of a refused access, else RIP itself. */
static void choose_suspect(struct subject *s)
{
    bool access = s->exit->kind == VT_EXIT_MMIO || s->exit->kind == VT_EXIT_APIC_ACCESS;
    if (s->suspect.known)
        return;
    if (access && !(s->exit->kind == VT_EXIT_MMIO && s->exit->mem.fetch) && s->at.status == INSN_OK && (s->at.insn.flags & INSN_MEM))
        suspect(s, operand_address(s), GUEST_READ, "the operand");
    else
        suspect(s, s->at.linear, GUEST_FETCH, "RIP");
}

void postmortem_take(struct vcpu *v)
{
    struct subject s;
    s = (struct subject){ .v = v, .p = v->part, .exit = &v->vt->exit };
    look_at(v, vt.get(v->vt, VT_RIP), &s.at);
    memcpy(s.gpr, v->vt->gpr, sizeof s.gpr);
    s.gpr[VT_RSP] = vt.get(v->vt, VT_RSP_);
    s.p->postmortem[0] = '\0';
    show_instruction(&s);
    show_registers(&s);
    show_exit(&s);
    show_exceptions(&s);
    choose_suspect(&s);
    show_walk(&s);
    show_refused(&s);
    show_exits(&s);
}

/* It may be written anew at this very moment, so the end of the buffer is looked at, too. */
bool postmortem_lines(const struct partition *p, void (*line)(void *ctx, const char *text), void *ctx)
{
    const char *at = p->postmortem, *limit = at + sizeof p->postmortem;
    char text[LINE];
    bool any = false;
    while (at < limit && *at) {
        size_t len = 0;
        while (at + len < limit && at[len] && at[len] != '\n')
            len++;
        fmt_print(text, sizeof text, "%.*s", (int)len, at);
        line(ctx, text);
        at += len + 1;
        any = true;
    }
    return any;
}
