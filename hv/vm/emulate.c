#include "hv/vm/emulate.h"
#include "arch/x86_64/emul/exec.h"
#include "arch/x86_64/emul/show.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/mmu/guest_walk.h"
#include "hv/lib/str.h"
#include "hv/vm/exits.h"
#include "hv/vm/linear.h"

#define REP_BUDGET 64 /* iterations before interrupts get their chance */

/* What the callbacks of one emulated instruction share. */
struct emulation {
    struct vcpu *v;
    const struct vt_exit *exit;
    struct guest_paging paging;
    enum { NO_FAILURE, TABLE_OUTSIDE } failure;
    gpa_t failed_at;
    struct known_access known; /* if it is the instruction's only one */
};

static enum exec_access translate(struct emulation *e, uint64_t linear, unsigned access, gpa_t *gpa,
                                  struct exec_fault *fault)
{
    enum exec_access r = vcpu_translate(e->v, &e->paging, linear, access, gpa, fault);
    if (UNLIKELY(r != EXEC_ACCESS_OK) && !fault->vector) {
        e->failure = TABLE_OUTSIDE;
        e->failed_at = *gpa;
    }
    return r;
}

/* Of an instruction with one memory operand, the access that exited is the operand's: only its place in the page is
 * compared, which tells apart the bytes that BT and its kind may choose. */
static inline enum exec_access translate_operand(struct emulation *e, uint64_t linear, unsigned access, gpa_t *gpa,
                                                 struct exec_fault *fault)
{
    bool known = access == GUEST_WRITE ? e->known.write : e->known.read;
    if (LIKELY(known && !((linear ^ e->known.gpa.raw) & (PAGE_SIZE - 1)))) {
        *gpa = e->known.gpa;
        return EXEC_ACCESS_OK;
    }
    return translate(e, linear, access, gpa, fault);
}

/* RAM neither comes nor goes while vCPUs run: what was not RAM once is a device for good. The access lies in a page. */
static inline uint64_t *device_slot(struct vcpu *v, gpa_t gpa)
{
    return &v->device_pages[gpa.raw / MiB(2) % ARRAY_SIZE(v->device_pages)];
}

static inline bool is_device(struct vcpu *v, gpa_t gpa)
{
    return *device_slot(v, gpa) == (gpa.raw & ~(uint64_t)(PAGE_SIZE - 1));
}

static void note_device(struct vcpu *v, gpa_t gpa)
{
    *device_slot(v, gpa) = gpa.raw & ~(uint64_t)(PAGE_SIZE - 1);
}

static uint64_t read_physical(struct vcpu *v, gpa_t gpa, unsigned size)
{
    uint64_t value = 0;
    if (!is_device(v, gpa) && gmem_read(&v->part->mem, gpa, &value, size) == GMEM_OK)
        return value;
    note_device(v, gpa);
    return vcpu_mmio_read(v, gpa, size);
}

static void write_physical(struct vcpu *v, gpa_t gpa, unsigned size, uint64_t value)
{
    switch (is_device(v, gpa) ? GMEM_OUTSIDE : gmem_write(&v->part->mem, gpa, &value, size)) {
    case GMEM_OK:
    case GMEM_READ_ONLY: /* a ROM ignores it */
        return;
    default:
        note_device(v, gpa);
        vcpu_mmio_write(v, gpa, size, value);
    }
}

static inline unsigned in_page(uint64_t linear, unsigned size)
{
    return (unsigned)linear_in_page(linear, size);
}

/* An access that crosses a page: both parts are translated before either is touched. Devices have no page-crossing
 * registers, so a part that is not RAM goes byte by byte. */
static enum exec_access split(struct emulation *e, uint64_t linear, unsigned size, unsigned access, uint8_t *bytes,
                              bool write, struct exec_fault *fault)
{
    unsigned first = in_page(linear, size);
    gpa_t at[2];
    enum exec_access r = translate(e, linear, access, &at[0], fault);
    if (r == EXEC_ACCESS_OK)
        r = translate(e, linear + first, access, &at[1], fault);
    if (r != EXEC_ACCESS_OK)
        return r;
    for (unsigned i = 0; i < size; i++) {
        gpa_t gpa = i < first ? GPA(at[0].raw + i) : GPA(at[1].raw + i - first);
        if (write)
            write_physical(e->v, gpa, 1, bytes[i]);
        else
            bytes[i] = (uint8_t)read_physical(e->v, gpa, 1);
    }
    return EXEC_ACCESS_OK;
}

static enum exec_access bus_read(void *ctx, uint64_t linear, unsigned size, enum exec_intent intent, uint64_t *value,
                                 struct exec_fault *fault)
{
    struct emulation *e = ctx;
    unsigned access = intent == EXEC_MODIFY ? GUEST_WRITE : GUEST_READ;
    gpa_t gpa;
    if (UNLIKELY(in_page(linear, size) < size))
        return split(e, linear, size, access, (uint8_t *)value, false, fault);
    enum exec_access r = translate_operand(e, linear, access, &gpa, fault);
    if (r != EXEC_ACCESS_OK)
        return r;
    value[0] = read_physical(e->v, gpa, MIN(size, 8u));
    if (size == 16)
        value[1] = read_physical(e->v, GPA(gpa.raw + 8), 8);
    return EXEC_ACCESS_OK;
}

static enum exec_access bus_write(void *ctx, uint64_t linear, unsigned size, const uint64_t *value,
                                  struct exec_fault *fault)
{
    struct emulation *e = ctx;
    gpa_t gpa;
    if (UNLIKELY(in_page(linear, size) < size)) {
        uint8_t bytes[16];
        memcpy(bytes, value, size);
        return split(e, linear, size, GUEST_WRITE, bytes, true, fault);
    }
    enum exec_access r = translate_operand(e, linear, GUEST_WRITE, &gpa, fault);
    if (r != EXEC_ACCESS_OK)
        return r;
    write_physical(e->v, gpa, MIN(size, 8u), value[0]);
    if (size == 16)
        write_physical(e->v, GPA(gpa.raw + 8), 8, value[1]);
    return EXEC_ACCESS_OK;
}

static enum exec_access bus_probe(void *ctx, uint64_t linear, unsigned size, struct exec_fault *fault)
{
    struct emulation *e = ctx;
    gpa_t gpa;
    unsigned first = in_page(linear, size);
    enum exec_access r = translate(e, linear, GUEST_WRITE, &gpa, fault);
    if (r == EXEC_ACCESS_OK && first < size)
        r = translate(e, linear + first, GUEST_WRITE, &gpa, fault);
    return r;
}

/* The CPU has checked the guest's right to a port only if that very access exited: another vCPU may have changed the
 * instruction's bytes since, or they are those of an access to memory. If not, the guest has to try it itself. */
static bool may_use_port(const struct emulation *e, uint16_t port, unsigned size, bool in)
{
    const struct vt_exit *x = e->exit;
    return x->kind == VT_EXIT_IO && x->io.port == port && x->io.size == size && x->io.in == in;
}

static enum exec_access bus_in(void *ctx, uint16_t port, unsigned size, uint32_t *value, struct exec_fault *fault)
{
    struct emulation *e = ctx;
    if (!may_use_port(e, port, size, true))
        return EXEC_ACCESS_RETRY;
    *value = vcpu_port_in(e->v, port, size);
    return EXEC_ACCESS_OK;
}

static enum exec_access bus_out(void *ctx, uint16_t port, unsigned size, uint32_t value, struct exec_fault *fault)
{
    struct emulation *e = ctx;
    if (!may_use_port(e, port, size, false))
        return EXEC_ACCESS_RETRY;
    vcpu_port_out(e->v, port, size, value);
    return EXEC_ACCESS_OK;
}

/* ---- around the executor ------------------------------------------------------------------------------------------ */

static void load_segments(struct vcpu *v, struct exec_cpu *cpu, enum insn_mode mode, const struct insn *insn)
{
    if (mode == INSN_MODE_64) {
        if (insn->seg == INSN_FS || insn->seg == INSN_GS)
            cpu->seg[insn->seg].base = vt.get(v->vt, VT_BASE + insn->seg);
        if (insn->op == INSN_MOV_FROM_SREG)
            cpu->seg[insn->reg].selector = (uint16_t)vt.get(v->vt, VT_SELECTOR + insn->reg);
        return;
    }
    for (unsigned s = 0; s < INSN_SEG_COUNT; s++)
        cpu->seg[s] = (struct exec_seg){
            .base = vt.get(v->vt, VT_BASE + s),
            .limit = (uint32_t)vt.get(v->vt, VT_LIMIT + s),
            .rights = (uint32_t)vt.get(v->vt, VT_ACCESS + s),
            .selector = (uint16_t)vt.get(v->vt, VT_SELECTOR + s),
        };
}

static void describe_bytes(char *text, size_t size, const uint8_t *bytes, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (size_t i = 0; i < len && n + 4 < size; i++) {
        text[n++] = hex[bytes[i] >> 4];
        text[n++] = hex[bytes[i] & 15];
        text[n++] = ' ';
    }
    text[n ? n - 1 : 0] = '\0';
}

static enum vcpu_next refuse(struct vcpu *v, const struct vt_exit *exit, const uint8_t *bytes, size_t len)
{
    char text[64];
    describe_bytes(text, sizeof text, bytes, MIN(len, (size_t)INSN_MAX_LENGTH));
    partition_fail(v, "an instruction that is not emulated (bytes %s) accessed guest-physical 0x%lx, where there is no "
                      "RAM: use MOV, ALU or string instructions on device memory", text,
                   exit->kind == VT_EXIT_MMIO ? exit->mem.gpa.raw : 0);
    return VCPU_RESUME;
}

static enum vcpu_next inject_fault(struct vcpu *v, const struct exec_fault *f)
{
    if (f->vector == EXC_PF)
        vt.set(v->vt, VT_CR2, f->cr2);
    vcpu_exception(v, f->vector, f->has_error, f->error);
    return VCPU_RESUME;
}

static void finish(struct vcpu *v, const struct exec_cpu *cpu, uint64_t old_rflags, uint64_t old_rsp)
{
    uint64_t rsp = v->vt->gpr[VT_RSP];
    if (UNLIKELY(cpu->rflags != old_rflags))
        vt.set(v->vt, VT_RFLAGS, cpu->rflags);
    vt.advance(v->vt, cpu->rip);
    if (UNLIKELY(rsp != old_rsp))
        vt.set(v->vt, VT_RSP_, rsp);
}

/* What has a handler of its own, since it may exit by policy, is done by that. */
static exit_handler_t handler_of(const struct insn *insn)
{
    switch (insn->op) {
    case INSN_SGDT: case INSN_SIDT: case INSN_LGDT: case INSN_LIDT:
    case INSN_SLDT: case INSN_STR: case INSN_LLDT: case INSN_LTR:
        return exit_descriptor;
    case INSN_SMSW: case INSN_LMSW:
        return exit_cr_insn;
    case INSN_PUSHF: case INSN_POPF:
        return exit_flags;
    case INSN_INVPCID:
        return exit_invpcid;
    default:
        return NULL;
    }
}

/* The exit's own address stands for the operand's if the instruction accesses memory in one place only. */
static bool has_one_access(const struct insn *insn)
{
    enum { ONE_PLACE = 1u << INSN_FORM_RM_REG | 1u << INSN_FORM_REG_RM | 1u << INSN_FORM_RM_IMM };
    return ONE_PLACE >> insn->form & 1;
}

static __attribute__((noinline)) enum vcpu_next execute(struct vcpu *v, const struct vt_exit *exit,
                                                        const struct known_access *known, const struct fetch_row *row,
                                                        const struct vt_snapshot *regs)
{
    struct emulation e; /* field by field: clearing all of it costs more than the rest of the set-up */
    struct exec_cpu cpu;
    const struct insn *insn = &row->insn;

    e.v = v;
    e.exit = exit;
    e.failure = NO_FAILURE;
    vcpu_paging_of(v, regs, &e.paging);
    cpu.gpr = v->vt->gpr;
    cpu.gpr[VT_RSP] = regs->rsp;
    cpu.rip = regs->rip;
    cpu.rflags = regs->rflags;
    cpu.budget = cpu.rflags & RFLAGS_TF ? 1 : REP_BUDGET; /* a single step is one iteration */
    cpu.protected_mode = regs->cr0 & CR0_PE;
    cpu.linear_bits = CR4_LINEAR_BITS(regs->cr4);
    e.known = has_one_access(insn) ? *known : (struct known_access){ { 0 }, false, false };
    load_segments(v, &cpu, insn->mode, insn);
    const struct exec_bus bus = { &e, bus_read, bus_write, bus_probe, bus_in, bus_out };
    switch (insn_execute(insn, &cpu, &bus)) {
    case EXEC_DONE:
        finish(v, &cpu, regs->rflags, regs->rsp);
        return VCPU_RESUME;
    case EXEC_AGAIN: /* the registers hold how far it came; the next entry exits here again */
        finish(v, &cpu, regs->rflags, regs->rsp);
        vt.set(v->vt, VT_RFLAGS, cpu.rflags); /* RF stays until the last iteration */
        return VCPU_RESUME;
    case EXEC_FAULT:
        if (e.failure == TABLE_OUTSIDE) {
            partition_fail(v, "a page-table entry at guest-physical 0x%lx, outside of its memory, was needed to "
                              "translate an operand: check CR3 and the tables it leads to", e.failed_at.raw);
            return VCPU_RESUME;
        }
        return inject_fault(v, &cpu.fault);
    case EXEC_RETRY:
        return VCPU_RESUME;
    case EXEC_UNSUPPORTED:
        break;
    }
    exit_handler_t handler = handler_of(insn);
    return handler ? handler(v, exit) : refuse(v, exit, (const uint8_t *)row->bytes, insn->length);
}

/* No RAM where it was: its CPU will say the same, or execute what is there by then. */
bool vcpu_settle_fetch(struct vcpu *v, const struct fetch_failure *f)
{
    switch (f->status) {
    case INSN_NEED_MORE:
        if (f->fault.vector)
            (void)inject_fault(v, &f->fault);
        else
            vcpu_retry(v);
        return true;
    case INSN_TOO_LONG:
        vcpu_gp(v);
        return true;
    case INSN_UNDEFINED:
        vcpu_ud(v);
        return true;
    default:
        return false;
    }
}

static __attribute__((noinline)) enum vcpu_next not_fetched(struct vcpu *v, const struct vt_exit *exit,
                                                            const struct fetch_failure *f)
{
    return vcpu_settle_fetch(v, f) ? VCPU_RESUME : refuse(v, exit, (const uint8_t *)f->bytes, f->length);
}

/* The common case in a few steps: a MOV to or from a device known as such, whose access is the one that exited. That the
 * operand's place in the page is the exit's tells that it does not begin on the page before. False: nothing is done. */
static inline bool move(struct vcpu *v, const struct known_access *known, const struct fetch_row *row, uint64_t rip)
{
    const struct insn *in = &row->insn;
    uint64_t *gpr = v->vt->gpr, place = known->gpa.raw & (PAGE_SIZE - 1);
    uint64_t address = (uint64_t)in->disp + (in->base < VT_GPR_COUNT ? gpr[in->base] : 0);
    if (UNLIKELY((address ^ place) & (PAGE_SIZE - 1)) || UNLIKELY(place > PAGE_SIZE - sizeof(uint32_t)) ||
        UNLIKELY(!is_device(v, known->gpa)))
        return false;
    if (row->move == FETCH_LOAD) {
        if (UNLIKELY(!known->read))
            return false;
        gpr[in->reg] = (uint32_t)vcpu_mmio_read(v, known->gpa, sizeof(uint32_t));
    } else {
        if (UNLIKELY(!known->write))
            return false;
        vcpu_mmio_write(v, known->gpa, sizeof(uint32_t), (uint32_t)(row->move == FETCH_STORE ? gpr[in->reg] : in->imm));
    }
    vt.advance(v->vt, rip + in->length);
    return true;
}

enum vcpu_next vcpu_emulate(struct vcpu *v, const struct vt_exit *exit, const struct known_access *known)
{
    struct vt_snapshot regs;
    struct fetch_failure failure;

    vt.snapshot(v->vt, &regs);
    const struct fetch_row *row = vcpu_fetch(v, &v->fetch_cache, &regs, &failure);
    if (UNLIKELY(!row))
        return not_fetched(v, exit, &failure);
    if (LIKELY(row->move) && LIKELY(move(v, known, row, regs.rip)))
        return VCPU_RESUME;
    return execute(v, exit, known, row, &regs);
}

/* ---- for exits that say too little of their instruction ----------------------------------------------------------- */

const struct insn *vcpu_decode(struct vcpu *v, struct fetch_failure *failure)
{
    struct vt_snapshot regs;
    vt.snapshot(v->vt, &regs);
    const struct fetch_row *row = vcpu_fetch(v, &v->fetch_cache, &regs, failure);
    return row ? &row->insn : NULL;
}

unsigned vcpu_insn_length(void *vcpu)
{
    struct fetch_failure failure;
    const struct insn *insn = vcpu_decode(vcpu, &failure);
    return insn ? insn->length : 0;
}
