/* The instruction executor: carries out one decoded instruction against a bus.
 *
 * Made for the instruction behind a nested-page fault on a device, and for INS and OUTS. The bus sees *linear*
 * addresses: translation, page privilege and the choice between RAM and device are its owner's business, and so is
 * splitting an access that crosses a page (or a device's register); one access is one call of up to 16 bytes.
 * A read-modify-write reads once, with EXEC_MODIFY, then writes once; it is atomic if the caller holds the lock of
 * all who could touch the same place.
 *
 * All or nothing: for every result but EXEC_DONE and EXEC_AGAIN, registers, flags and RIP are as before, except that
 * completed iterations of a REP stay completed. Not looked at here, and the caller's business after EXEC_DONE: ending
 * the STI and MOV SS shadow, clearing RFLAGS.RF, the single-step trap for RFLAGS.TF, I/O permission for INS and OUTS,
 * alignment checks (#AC), and the limit of CS at the new RIP. */
#ifndef ARCH_X86_64_EMUL_EXEC_H
#define ARCH_X86_64_EMUL_EXEC_H

#include "arch/x86_64/emul/insn.h"

enum exec_status {
    EXEC_DONE,         /* finished; RIP is on the next instruction */
    EXEC_AGAIN,        /* a REP used up cpu->budget; RIP is still on it: call again (or enter the guest) */
    EXEC_FAULT,        /* inject cpu->fault */
    EXEC_RETRY,        /* the bus asked to enter the guest again at the same RIP */
    EXEC_UNSUPPORTED,  /* decoded, but not one that is executed (INSN_OPS_DECODED) */
};

struct exec_fault {
    uint8_t vector;
    bool has_error;    /* the vector pushes an error code in the present mode */
    uint32_t error;
    uint64_t cr2;      /* for #PF */
};

/* As in the VMCS: limit in bytes, access rights in the VMCS's format (type 3:0, S 4, DPL 6:5, P 7, D/B 14, G 15,
 * unusable 16). */
struct exec_seg {
    uint64_t base;
    uint32_t limit;
    uint32_t rights;
    uint16_t selector;
};

/* In 64-bit mode only the bases of FS and GS are read, and only if insn.seg names them, and by MOV r/m,Sreg the selector
 * of seg[insn.reg]: the caller may leave the rest of .seg unset. In the other modes insn.seg is checked, ES too for string
 * instructions that write or read ES:rDI, and SS for PUSH and POP. */
struct exec_cpu {
    uint64_t *gpr;               /* 16 registers, order of their encoding */
    uint64_t rip;
    uint64_t rflags;
    uint32_t budget;             /* iterations that one call may do of a REP; at least 1 is done */
    bool protected_mode;         /* CR0.PE: off, segment types are not checked and no error codes are pushed */
    uint8_t linear_bits;         /* canonical width: 57 with CR4.LA57, else 48 */
    struct exec_seg seg[INSN_SEG_COUNT];
    struct exec_fault fault;     /* out, for EXEC_FAULT */
};

enum exec_intent { EXEC_READ, EXEC_MODIFY };   /* MODIFY: a write to the same place follows: fault now if it would */

enum exec_access {
    EXEC_ACCESS_OK = EXEC_DONE,
    EXEC_ACCESS_FAULT = EXEC_FAULT,    /* the callback has filled *fault (#PF with its address, as a rule) */
    EXEC_ACCESS_RETRY = EXEC_RETRY,
};

/* size is 1, 2, 4, 8 or 16; value has one word, two for size 16 (low first). A read fills the low `size` bytes, the
 * rest is ignored; a written value is zero above them. */
struct exec_bus {
    void *ctx;
    enum exec_access (*read)(void *ctx, uint64_t linear, unsigned size, enum exec_intent intent, uint64_t *value,
                             struct exec_fault *fault);
    enum exec_access (*write)(void *ctx, uint64_t linear, unsigned size, const uint64_t *value,
                              struct exec_fault *fault);
    /* Would a write fault? Asked before a read that may have side effects and whose value then goes to memory (INS,
     * MOVS, PUSH m), so that no device's data is lost. May be NULL: nothing is asked. */
    enum exec_access (*probe)(void *ctx, uint64_t linear, unsigned size, struct exec_fault *fault);
    enum exec_access (*in)(void *ctx, uint16_t port, unsigned size, uint32_t *value, struct exec_fault *fault);
    enum exec_access (*out)(void *ctx, uint16_t port, unsigned size, uint32_t value, struct exec_fault *fault);
};

enum exec_status insn_execute(const struct insn *insn, struct exec_cpu *cpu, const struct exec_bus *bus) MUST_CHECK;

/* The memory operand's linear address, without the bit offset that BT and its kind add for a register operand. Needs
 * (insn->flags & INSN_MEM); cpu->rip on the instruction. */
uint64_t insn_linear_address(const struct insn *insn, const struct exec_cpu *cpu);

/* The same with the segment's checks, for an access of `size` bytes by an instruction that the caller carries out:
 * EXEC_DONE, or EXEC_FAULT with cpu->fault. */
enum exec_status insn_operand(const struct insn *insn, struct exec_cpu *cpu, unsigned size, bool write,
                              uint64_t *linear) MUST_CHECK;

#endif
