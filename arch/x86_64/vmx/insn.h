/* One-instruction wrappers of the VMX instructions. VMREAD and VMWRITE of a field that the CPU does not have are our
 * bug: they end in vmx_insn_failed(), which panics with the field and the VM-instruction error. */
#ifndef ARCH_VMX_INSN_H
#define ARCH_VMX_INSN_H

#include "arch/x86_64/isa/vmcs.h"
#include "arch/x86_64/isa/vmx_controls.h"
#include "hv/lib/types.h"

NORETURN __attribute__((cold)) void vmx_insn_failed(const char *insn, uint64_t operand);

static inline uint64_t vmread(uint32_t field)
{
    uint64_t value; /* every CPU has the fields that are read this way: for others there is vmread_try() */
    __asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)field) : "cc");
    return value;
}

static inline void vmwrite(uint32_t field, uint64_t value)
{
    __asm__ goto volatile("vmwrite %1, %0; jna %l2" : : "r"((uint64_t)field), "r"(value) : "cc" : failed);
    return;
failed:
    vmx_insn_failed("VMWRITE", field);
}

/* For fields whose absence is no bug: false if the CPU has no such field. */
static inline bool vmread_try(uint32_t field, uint64_t *value)
{
    bool failed;
    __asm__ volatile("vmread %2, %0; setna %1" : "=r"(*value), "=q"(failed) : "r"((uint64_t)field) : "cc");
    return !failed;
}

static inline void vmclear(hpa_t vmcs)
{
    __asm__ goto volatile("vmclear %0; jna %l1" : : "m"(vmcs.raw) : "cc", "memory" : failed);
    return;
failed:
    vmx_insn_failed("VMCLEAR", vmcs.raw);
}

static inline void vmptrld(hpa_t vmcs)
{
    __asm__ goto volatile("vmptrld %0; jna %l1" : : "m"(vmcs.raw) : "cc", "memory" : failed);
    return;
failed:
    vmx_insn_failed("VMPTRLD", vmcs.raw);
}

static inline bool vmxon(hpa_t region)
{
    bool failed;
    __asm__ volatile("vmxon %1; setna %0" : "=q"(failed) : "m"(region.raw) : "cc", "memory");
    return !failed;
}

static inline void vmxoff(void)
{
    __asm__ volatile("vmxoff" : : : "cc", "memory");
}

/* `type` is enum vmx_invept_type, enum vmx_invvpid_type. */

static inline void invept(uint64_t type, uint64_t eptp)
{
    const struct { uint64_t eptp, zero; } d = { eptp, 0 };
    __asm__ goto volatile("invept %0, %1; jna %l2" : : "m"(d), "r"(type) : "cc", "memory" : failed);
    return;
failed:
    vmx_insn_failed("INVEPT", eptp);
}

static inline void invvpid(uint64_t type, uint16_t vpid)
{
    const struct { uint64_t vpid, linear; } d = { vpid, 0 };
    __asm__ goto volatile("invvpid %0, %1; jna %l2" : : "m"(d), "r"(type) : "cc", "memory" : failed);
    return;
failed:
    vmx_insn_failed("INVVPID", vpid);
}

#endif
