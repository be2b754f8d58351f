/* Control, debug and flags registers: bit names as in Intel SDM vol 3, "Control Registers", "EFLAGS Register",
 * "Debug Registers" and "Extended Control Registers (Including XCR0)". Facts only. EFER stands in msr.h. */
#ifndef ARCH_X86_64_ISA_CR_H
#define ARCH_X86_64_ISA_CR_H

#include "hv/lib/types.h"

#define CR0_PE (UINT64_C(1) << 0)  /* protection enable */
#define CR0_MP (UINT64_C(1) << 1)  /* monitor coprocessor */
#define CR0_EM (UINT64_C(1) << 2)  /* emulation */
#define CR0_TS (UINT64_C(1) << 3)  /* task switched */
#define CR0_ET (UINT64_C(1) << 4)  /* extension type: always 1 */
#define CR0_NE (UINT64_C(1) << 5)  /* numeric error */
#define CR0_WP (UINT64_C(1) << 16) /* write protect */
#define CR0_AM (UINT64_C(1) << 18) /* alignment mask */
#define CR0_NW (UINT64_C(1) << 29) /* not write-through */
#define CR0_CD (UINT64_C(1) << 30) /* cache disable */
#define CR0_PG (UINT64_C(1) << 31) /* paging */
#define CR0_DEFINED (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

#define CR3_PCID     UINT64_C(0xfff)      /* with CR4.PCIDE */
#define CR3_LAM_U57  (UINT64_C(1) << 61)
#define CR3_LAM_U48  (UINT64_C(1) << 62)
#define CR3_NO_FLUSH (UINT64_C(1) << 63)  /* in the source operand of MOV to CR3, with CR4.PCIDE */

#define CR4_VME        (UINT64_C(1) << 0)
#define CR4_PVI        (UINT64_C(1) << 1)
#define CR4_TSD        (UINT64_C(1) << 2)
#define CR4_DE         (UINT64_C(1) << 3)
#define CR4_PSE        (UINT64_C(1) << 4)
#define CR4_PAE        (UINT64_C(1) << 5)
#define CR4_MCE        (UINT64_C(1) << 6)
#define CR4_PGE        (UINT64_C(1) << 7)
#define CR4_PCE        (UINT64_C(1) << 8)
#define CR4_OSFXSR     (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_UMIP       (UINT64_C(1) << 11)
#define CR4_LA57       (UINT64_C(1) << 12)
#define CR4_LINEAR_BITS(cr4) ((cr4) & CR4_LA57 ? 57 : 48) /* of an address in canonical form */
#define CR4_VMXE       (UINT64_C(1) << 13)
#define CR4_SMXE       (UINT64_C(1) << 14)
#define CR4_FSGSBASE   (UINT64_C(1) << 16)
#define CR4_PCIDE      (UINT64_C(1) << 17)
#define CR4_OSXSAVE    (UINT64_C(1) << 18)
#define CR4_SMEP       (UINT64_C(1) << 20)
#define CR4_SMAP       (UINT64_C(1) << 21)
#define CR4_PKE        (UINT64_C(1) << 22)
#define CR4_CET        (UINT64_C(1) << 23)
#define CR4_PKS        (UINT64_C(1) << 24)

#define CR8_TPR UINT64_C(0xf)

#define XCR0_X87       (UINT64_C(1) << 0)
#define XCR0_SSE       (UINT64_C(1) << 1)
#define XCR0_AVX       (UINT64_C(1) << 2)
#define XCR0_BNDREG    (UINT64_C(1) << 3)
#define XCR0_BNDCSR    (UINT64_C(1) << 4)
#define XCR0_OPMASK    (UINT64_C(1) << 5)
#define XCR0_ZMM_HI256 (UINT64_C(1) << 6)
#define XCR0_HI16_ZMM  (UINT64_C(1) << 7)
#define XCR0_PKRU      (UINT64_C(1) << 9)
#define XCR0_AVX512    (XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM)

#define RFLAGS_CF   (UINT64_C(1) << 0)
#define RFLAGS_ONE  (UINT64_C(1) << 1)  /* reserved, always 1 */
#define RFLAGS_PF   (UINT64_C(1) << 2)
#define RFLAGS_AF   (UINT64_C(1) << 4)
#define RFLAGS_ZF   (UINT64_C(1) << 6)
#define RFLAGS_SF   (UINT64_C(1) << 7)
#define RFLAGS_TF   (UINT64_C(1) << 8)
#define RFLAGS_IF   (UINT64_C(1) << 9)
#define RFLAGS_DF   (UINT64_C(1) << 10)
#define RFLAGS_OF   (UINT64_C(1) << 11)
#define RFLAGS_IOPL (UINT64_C(3) << 12)
#define RFLAGS_NT   (UINT64_C(1) << 14)
#define RFLAGS_RF   (UINT64_C(1) << 16)
#define RFLAGS_VM   (UINT64_C(1) << 17)
#define RFLAGS_AC   (UINT64_C(1) << 18)
#define RFLAGS_VIF  (UINT64_C(1) << 19)
#define RFLAGS_VIP  (UINT64_C(1) << 20)
#define RFLAGS_ID   (UINT64_C(1) << 21)
#define RFLAGS_DEFINED UINT64_C(0x3f7fd7)   /* every bit above */
#define RFLAGS_IOPL_SHIFT 12

/* Reset values and fixed bits of the debug registers. */
#define DR6_RESET    UINT64_C(0xffff0ff0)
#define DR7_RESET    UINT64_C(0x400)
#define DR6_WRITABLE UINT64_C(0xe00f)     /* the others read as after RESET */
#define DR7_WRITABLE UINT64_C(0xffff23ff)
#define DR6_B0       (UINT64_C(1) << 0)
#define DR6_B1       (UINT64_C(1) << 1)
#define DR6_B2       (UINT64_C(1) << 2)
#define DR6_B3       (UINT64_C(1) << 3)
#define DR6_BD       (UINT64_C(1) << 13)
#define DR6_BS       (UINT64_C(1) << 14)
#define DR6_BT       (UINT64_C(1) << 15)
#define DR7_GD       (UINT64_C(1) << 13)
#define DR7_RW_SHIFT 16                 /* R/W0; the others every 4 bits; 0: execution */

/* Page-fault error code: SDM vol 3, "Interrupt 14-Page-Fault Exception". */
#define PF_P    (1u << 0)
#define PF_W    (1u << 1)
#define PF_U    (1u << 2)
#define PF_RSVD (1u << 3)
#define PF_I    (1u << 4)
#define PF_PK   (1u << 5)

#endif
