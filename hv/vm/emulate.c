#include "hv/vm/emulate.h"
#include "arch/x86_64/emul/exec.h"
#include "arch/x86_64/emul/show.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/mmu/guest_walk.h"
#include "hv/lib/str.h"

#define REP_BUDGET 64 /* iterations before interrupts get their chance */

/* What the callbacks of one emulated instruction share. */
struct emulation {
    struct vcpu *v;
    const struct vt_exit *exit;
    struct guest_paging paging;
    enum { NO_FAILURE, TABLE_OUTSIDE } failure;
    gpa_t failed_at;
    /* What the CPU has translated and found allowed, on its way to the exit. */
    gpa_t known;
    bool known_read, known_write;
};

static enum exec_access translate(struct emulation *e, uint64_t linear, unsigned access, gpa_t *gpa,
                                  struct exec_fault *fault)
{
    struct guest_translation t;
    switch (guest_walk(&e->paging, &gmem_walk, &e->v->part->mem, GVA(linear), access, &t)) {
    case GUEST_WALK_OK:
        *gpa = t.gpa;
        return EXEC_ACCESS_OK;
    case GUEST_WALK_FAULT:
        *fault = (struct exec_fault){ .vector = EXC_PF, .has_error = true, .error = t.error_code, .cr2 = linear };
        return EXEC_ACCESS_FAULT;
    case GUEST_WALK_NON_CANONICAL:
        *fault = (struct exec_fault){ .vector = EXC_GP, .has_error = true };
        return EXEC_ACCESS_FAULT;
    case GUEST_WALK_NO_MEMORY:
        break;
    }
    e->failure = TABLE_OUTSIDE;
    e->failed_at = t.gpa;
    *fault = (struct exec_fault){ 0 };
    return EXEC_ACCESS_FAULT;
}

/* Of an instruction with one memory operand, the access that exited is the operand's: only its place in the page is
 * compared, which tells apart the bytes that BT and its kind may choose. */
static inline enum exec_access translate_operand(struct emulation *e, uint64_t linear, unsigned access, gpa_t *gpa,
                                                 struct exec_fault *fault)
{
    bool known = access == GUEST_WRITE ? e->known_write : e->known_read;
    if (LIKELY(known && !((linear ^ e->known.raw) & (PAGE_SIZE - 1)))) {
        *gpa = e->known;
        return EXEC_ACCESS_OK;
    }
    return translate(e, linear, access, gpa, fault);
}

/* RAM neither comes nor goes while vCPUs run: what was not RAM once is a device for good. The access lies in a page. */
static inline bool is_device(const struct vcpu *v, gpa_t gpa)
{
    return (gpa.raw & ~(uint64_t)(PAGE_SIZE - 1)) == v->device_page;
}

static void note_device(struct vcpu *v, gpa_t gpa)
{
    v->device_page = gpa.raw & ~(uint64_t)(PAGE_SIZE - 1);
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

/* Bytes up to the end of the page. */
static unsigned in_page(uint64_t linear, unsigned size)
{
    uint64_t left = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
    return left < size ? (unsigned)left : size;
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
    (void)fault;
    if (!may_use_port(e, port, size, true))
        return EXEC_ACCESS_RETRY;
    *value = vcpu_port_in(e->v, port, size);
    return EXEC_ACCESS_OK;
}

static enum exec_access bus_out(void *ctx, uint16_t port, unsigned size, uint32_t value, struct exec_fault *fault)
{
    struct emulation *e = ctx;
    (void)fault;
    if (!may_use_port(e, port, size, false))
        return EXEC_ACCESS_RETRY;
    vcpu_port_out(e->v, port, size, value);
    return EXEC_ACCESS_OK;
}

/* ---- fetching and decoding --------------------------------------------------------------------------------------- */

static size_t fetch(struct emulation *e, uint64_t linear, uint8_t bytes[16], struct exec_fault *fault)
{
    gpa_t gpa;
    unsigned first = in_page(linear, INSN_MAX_LENGTH);
    if (translate(e, linear, GUEST_FETCH, &gpa, fault) != EXEC_ACCESS_OK)
        return 0;
    if (LIKELY(in_page(linear, 16) == 16)) {
        uint64_t low, high;
        if (gmem_read_u64(&e->v->part->mem, gpa, &low) != GMEM_OK ||
            gmem_read_u64(&e->v->part->mem, GPA(gpa.raw + 8), &high) != GMEM_OK)
            return 0;
        uint64_t *words = (uint64_t *)(void *)bytes; /* they are two words: see the callers */
        words[0] = low;
        words[1] = high & UINT64_MAX >> 8;
        return INSN_MAX_LENGTH;
    }
    if (gmem_read(&e->v->part->mem, gpa, bytes, first) != GMEM_OK)
        return 0;
    /* The second page counts only if the instruction reaches into it: a fault there is found when decoding runs short. */
    if (first < INSN_MAX_LENGTH && translate(e, linear + first, GUEST_FETCH, &gpa, fault) == EXEC_ACCESS_OK &&
        gmem_read(&e->v->part->mem, gpa, bytes + first, INSN_MAX_LENGTH - first) == GMEM_OK)
        return INSN_MAX_LENGTH;
    return first;
}

static const struct insn *decode(struct vcpu *v, const uint64_t bytes[2], size_t len, enum insn_mode mode,
                                 enum insn_status *status)
{
    struct insn_cache *c = &v->insn_cache;
    *status = INSN_OK;
    if (c->valid && c->bytes[0] == bytes[0] && c->bytes[1] == bytes[1] && c->insn.mode == mode && c->insn.length <= len)
        return &c->insn;
    c->valid = 0;
    *status = insn_decode(&c->insn, (const uint8_t *)bytes, len, mode);
    if (*status != INSN_OK)
        return NULL;
    c->bytes[0] = bytes[0];
    c->bytes[1] = bytes[1];
    c->valid = 1;
    return &c->insn;
}

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

/* The exit's own address stands for the operand's if the instruction accesses memory in one place only, and the exit
 * came from that access. The CPU has then made every check on the guest's tables itself. */
static void use_known(struct emulation *e, const struct vt_exit *exit, const struct insn *insn)
{
    enum { ONE_PLACE = 1u << INSN_FORM_RM_REG | 1u << INSN_FORM_REG_RM | 1u << INSN_FORM_RM_IMM };
    if (!(ONE_PLACE >> insn->form & 1))
        return;
    if (exit->kind == VT_EXIT_APIC_ACCESS) {
        e->known = GPA(APIC_BASE_DEFAULT + exit->apic.offset);
        e->known_read = exit->apic.own;
        e->known_write = exit->apic.own && exit->apic.write;
    } else if (exit->kind == VT_EXIT_MMIO) {
        e->known = exit->mem.gpa;
        e->known_read = exit->mem.own && !exit->mem.fetch;
        e->known_write = e->known_read && exit->mem.write;
    }
}

enum vcpu_next vcpu_emulate(struct vcpu *v, const struct vt_exit *exit)
{
    struct emulation e; /* field by field: clearing all of it costs more than the rest of the set-up */
    struct exec_cpu cpu;
    struct exec_fault fault = { 0 };
    uint64_t bytes[2] = { 0, 0 };
    enum insn_mode mode = vcpu_insn_mode(v);
    enum insn_status status;

    e.v = v;
    e.exit = exit;
    e.failure = NO_FAILURE;
    e.known_read = e.known_write = false;
    vcpu_paging(v, &e.paging);
    cpu.gpr = v->vt->gpr;
    cpu.gpr[VT_RSP] = vt.get(v->vt, VT_RSP_);
    cpu.rip = vt.get(v->vt, VT_RIP);
    cpu.rflags = e.paging.rflags;
    cpu.budget = cpu.rflags & RFLAGS_TF ? 1 : REP_BUDGET; /* a single step is one iteration */
    cpu.protected_mode = e.paging.cr0 & CR0_PE;
    cpu.linear_bits = e.paging.cr4 & CR4_LA57 ? 57 : 48;
    uint64_t linear = mode == INSN_MODE_64 ? cpu.rip : (uint32_t)(vt.get(v->vt, VT_BASE + VT_CS) + cpu.rip);

    size_t len = fetch(&e, linear, (uint8_t *)bytes, &fault);
    const struct insn *insn = decode(v, bytes, len, mode, &status);
    if (UNLIKELY(!insn)) {
        if (status == INSN_NEED_MORE && len < INSN_MAX_LENGTH && fault.vector)
            return inject_fault(v, &fault);
        if (status == INSN_TOO_LONG)
            return vcpu_gp(v), VCPU_RESUME;
        if (status == INSN_UNDEFINED)
            return vcpu_ud(v), VCPU_RESUME;
        return refuse(v, exit, (const uint8_t *)bytes, len);
    }
    e.failure = NO_FAILURE; /* of the page after the instruction */
    use_known(&e, exit, insn);
    uint64_t rsp = cpu.gpr[VT_RSP];
    load_segments(v, &cpu, mode, insn);
    const struct exec_bus bus = { &e, bus_read, bus_write, bus_probe, bus_in, bus_out };
    switch (insn_execute(insn, &cpu, &bus)) {
    case EXEC_DONE:
        finish(v, &cpu, e.paging.rflags, rsp);
        return VCPU_RESUME;
    case EXEC_AGAIN: /* the registers hold how far it came; the next entry exits here again */
        finish(v, &cpu, e.paging.rflags, rsp);
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
    return refuse(v, exit, (const uint8_t *)bytes, insn->length);
}

/* ---- for exits that say too little of their instruction ----------------------------------------------------------- */

const struct insn *vcpu_decode(struct vcpu *v)
{
    struct emulation e = { .v = v };
    struct exec_fault fault = { 0 };
    uint64_t bytes[2] = { 0, 0 };
    enum insn_mode mode = vcpu_insn_mode(v);
    enum insn_status status;
    uint64_t rip = vt.get(v->vt, VT_RIP);

    vcpu_paging(v, &e.paging);
    uint64_t linear = mode == INSN_MODE_64 ? rip : (uint32_t)(vt.get(v->vt, VT_BASE + VT_CS) + rip);
    size_t len = fetch(&e, linear, (uint8_t *)bytes, &fault);
    return decode(v, bytes, len, mode, &status);
}

unsigned vcpu_insn_length(void *vcpu)
{
    const struct insn *insn = vcpu_decode(vcpu);
    return insn ? insn->length : 0;
}
