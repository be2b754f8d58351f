/* Exception vectors: Intel SDM vol 3, "Exception and Interrupt Vectors". Facts only. */
#ifndef ARCH_X86_64_ISA_EXCEPTION_H
#define ARCH_X86_64_ISA_EXCEPTION_H

#include "hv/lib/types.h"

enum exception {
    EXC_DE  = 0,  /* divide error */
    EXC_DB  = 1,  /* debug */
    EXC_NMI = 2,  /* non-maskable interrupt */
    EXC_BP  = 3,  /* breakpoint */
    EXC_OF  = 4,  /* overflow */
    EXC_BR  = 5,  /* BOUND range exceeded */
    EXC_UD  = 6,  /* invalid opcode */
    EXC_NM  = 7,  /* device not available */
    EXC_DF  = 8,  /* double fault */
    EXC_TS  = 10, /* invalid TSS */
    EXC_NP  = 11, /* segment not present */
    EXC_SS  = 12, /* stack-segment fault */
    EXC_GP  = 13, /* general protection */
    EXC_PF  = 14, /* page fault */
    EXC_MF  = 16, /* x87 floating-point error */
    EXC_AC  = 17, /* alignment check */
    EXC_MC  = 18, /* machine check */
    EXC_XM  = 19, /* SIMD floating-point */
    EXC_VE  = 20, /* virtualization exception */
    EXC_CP  = 21, /* control protection */
    EXC_HV  = 28, /* AMD: hypervisor injection */
    EXC_VC  = 29, /* AMD: VMM communication */
    EXC_SX  = 30, /* AMD: security exception */
};

#define EXC_COUNT        32u  /* vectors reserved to the architecture */
#define VECTOR_COUNT     256u
#define VECTOR_FIRST_IRQ 32u

/* One bit per vector. AMD's #VC and #SX push one, too. */
#define EXC_WITH_ERROR_CODE                                                                                  \
    ((1u << EXC_DF) | (1u << EXC_TS) | (1u << EXC_NP) | (1u << EXC_SS) | (1u << EXC_GP) | (1u << EXC_PF) |   \
     (1u << EXC_AC) | (1u << EXC_CP) | (1u << EXC_VC) | (1u << EXC_SX))

static inline bool exc_has_error_code(unsigned vector)
{
    return vector < EXC_COUNT && (EXC_WITH_ERROR_CODE >> vector & 1u) != 0;
}

/* Intercepted whatever the policy. #AC and #DB: a guest can make the CPU deliver them for ever without an instruction
 * between (the loop never reaches an exit); #MC is the machine's own. */
#define EXC_ALWAYS_EXIT (1u << EXC_AC | 1u << EXC_DB | 1u << EXC_MC)
/* Intercepted by policy: what a guest meets and what may wait for us. NMI is no exception. */
#define EXC_MAY_EXIT                                                                                                 \
    (1u << EXC_DE | 1u << EXC_BP | 1u << EXC_OF | 1u << EXC_BR | 1u << EXC_UD | 1u << EXC_NM | 1u << EXC_DF |        \
     1u << EXC_TS | 1u << EXC_NP | 1u << EXC_SS | 1u << EXC_GP | 1u << EXC_PF | 1u << EXC_MF | 1u << EXC_XM)

/* Classes of SDM vol 3, "Conditions for Generating a Double Fault". */
#define EXC_CONTRIBUTORY ((1u << EXC_DE) | (1u << EXC_TS) | (1u << EXC_NP) | (1u << EXC_SS) | (1u << EXC_GP) | (1u << EXC_CP))

/* `second` is raised while `first` is delivered: the table of SDM vol 3, "Interrupt 8-Double Fault Exception (#DF)". */
static inline bool exc_makes_double_fault(unsigned first, unsigned second)
{
    bool contributory = second < EXC_COUNT && (EXC_CONTRIBUTORY >> second & 1);
    if (first == EXC_PF)
        return contributory || second == EXC_PF;
    return first < EXC_COUNT && (EXC_CONTRIBUTORY >> first & 1) && contributory;
}

#endif
