/* The instruction at an address, with what is needed to read it: for people. Nothing of the guest is changed. */
#ifndef HV_VM_LOOK_H
#define HV_VM_LOOK_H

#include "arch/x86_64/mmu/guest_walk.h"
#include "hv/vm/vm.h"

struct look {
    struct guest_paging paging;
    enum insn_mode mode;
    uint16_t cs;
    uint64_t rip, linear;
    unsigned fetched;          /* bytes that could be read, INSN_MAX_LENGTH at the most */
    uint8_t bytes[INSN_MAX_LENGTH];
    enum insn_status status;   /* of insn; nothing was fetched: INSN_NEED_MORE */
    struct insn insn;
};

#define LOOK_TEXT_SIZE 160

/* The bytes at `linear`, as far as an `access` (enum guest_access) may read them: how many. */
unsigned look_bytes(struct gmem *mem, const struct guest_paging *paging, uint64_t linear, unsigned access,
                    uint8_t bytes[INSN_MAX_LENGTH]);

/* With the vCPU loaded on this pCPU. */
void look_at(struct vcpu *v, uint64_t rip, struct look *out);

/* "0010:8000  0f 0b  ud2" */
void look_text(const struct look *l, char out[LOOK_TEXT_SIZE]);

#endif
