/* Segment selectors, descriptors and system structures: Intel SDM vol 3, "Segment Descriptors",
 * "System Descriptor Types", "Task Management in 64-bit Mode", "64-Bit Mode IDT". Facts only. */
#ifndef ARCH_X86_64_ISA_SEGMENT_H
#define ARCH_X86_64_ISA_SEGMENT_H

#include "hv/lib/types.h"

#define SEL_RPL  UINT16_C(0x3)
#define SEL_TI   UINT16_C(0x4)

/* Bits of an 8-byte code or data descriptor. */
#define DESC_TYPE_SHIFT   40
#define DESC_ACCESSED     (UINT64_C(1) << 40)
#define DESC_CONFORMING   (UINT64_C(1) << 42) /* code */
#define DESC_CODE         (UINT64_C(1) << 43)
#define DESC_S            (UINT64_C(1) << 44) /* code or data; 0: system */
#define DESC_DPL_SHIFT    45
#define DESC_P            (UINT64_C(1) << 47)
#define DESC_L            (UINT64_C(1) << 53)
#define DESC_DB           (UINT64_C(1) << 54)
#define DESC_G            (UINT64_C(1) << 55)

/* Type field, bits 3:0. */
enum segment_type {
    SEG_DATA_RW_ACCESSED = 0x3,
    SEG_CODE_XR_ACCESSED = 0xb,
    SEG_TYPE_ACCESSED    = 0x1,
    SEG_TYPE_WRITABLE    = 0x2, /* data; readable for code */
    SEG_TYPE_EXPAND_DOWN = 0x4, /* data; conforming for code */
    SEG_TYPE_CODE        = 0x8,
    SYS_TSS16_AVAILABLE  = 0x1,
    SYS_LDT              = 0x2,
    SYS_TASK_GATE        = 0x5,
    SYS_INTERRUPT_GATE16 = 0x6,
    SYS_TRAP_GATE16      = 0x7,
    SYS_TSS_AVAILABLE    = 0x9, /* 32-bit, or 64-bit in IA-32e mode */
    SYS_INTERRUPT_GATE   = 0xe,
    SYS_TRAP_GATE        = 0xf,
};

/* A system descriptor of IA-32e mode (LDT, TSS) takes two GDT slots. */
struct segment_descriptor_16 {
    uint64_t low;      /* as the 8-byte descriptor */
    uint64_t high;     /* bits 31:0 are base 63:32 */
};
HW_SIZE(struct segment_descriptor_16, 16);

struct idt_gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;       /* bits 2:0 */
    uint8_t type;      /* type 3:0, 0, DPL, P */
    uint16_t offset_mid;
    uint32_t offset_high;
    uint32_t reserved;
};
HW_SIZE(struct idt_gate, 16);
#define IDT_GATE_P 0x80u

/* The operand of LGDT, LIDT, SGDT, SIDT in 64-bit mode. */
struct PACKED descriptor_table {
    uint16_t limit;    /* bytes - 1 */
    uint64_t base;
};
HW_SIZE(struct descriptor_table, 10);

struct PACKED tss64 {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];   /* IST1 is ist[0] */
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
};
HW_SIZE(struct tss64, 104);
HW_OFFSET(struct tss64, ist, 36);
HW_OFFSET(struct tss64, io_map_base, 102);

#endif
