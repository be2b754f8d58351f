/* One-instruction wrappers: the only C in the tree with inline assembly, VMX and SVM apart. No policy here: what
 * faults, faults (fixup.h has the forms that survive a #GP). */
#ifndef ARCH_X86_64_CPU_INSN_H
#define ARCH_X86_64_CPU_INSN_H

#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/segment.h"
#include "hv/lib/types.h"

/* ---- model-specific registers, CPUID, time ---- */

static inline uint64_t rdmsr(uint32_t msr)
{
    uint64_t lo, hi; /* the upper halves of RAX and RDX are cleared */
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
    return hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* With the microcode that reports MD_CLEAR: also clears the CPU's buffers. Only the form with a memory operand does. */
static inline void verw(uint16_t selector)
{
    __asm__ volatile("verw %[selector]" : : [selector] "m"(selector) : "cc", "memory");
}

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint64_t rdtsc(void)
{
    uint64_t lo, hi; /* the upper halves of RAX and RDX are cleared */
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return hi << 32 | lo;
}

/* Not before every earlier load: SDM vol 2, "RDTSC". */
static inline uint64_t rdtsc_ordered(void)
{
    uint32_t lo, hi;
    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return (uint64_t)hi << 32 | lo;
}

/* ---- arithmetic ---- */

/* (a * b) >> 32, without what is above 64 bits. Where compilers keep stacks aligned to 8 bytes only (HOT_C in the
 * Makefile), a product of 128 bits in C has the whole function align its frame first: 5 instructions of each exit. */
static inline uint64_t mul_shift_32(uint64_t a, uint64_t b)
{
    uint64_t lo, hi;
    __asm__("mulq %3; shrdq $32, %1, %0" : "=&a"(lo), "=&d"(hi) : "0"(a), "rm"(b) : "cc");
    return lo;
}

/* ---- ports ---- */

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* ---- memory-mapped registers: one access of exactly this width ---- */

static inline uint32_t mmio_read32(const volatile void *p)
{
    uint32_t v;
    __asm__ volatile("movl %1, %0" : "=r"(v) : "m"(*(const volatile uint32_t *)p) : "memory");
    return v;
}

static inline void mmio_write32(volatile void *p, uint32_t value)
{
    __asm__ volatile("movl %1, %0" : "=m"(*(volatile uint32_t *)p) : "r"(value) : "memory");
}

/* ---- control and debug registers ---- */

#define INSN_REGISTER(name)                                                                  \
    static inline uint64_t read_##name(void)                                                 \
    {                                                                                        \
        uint64_t v;                                                                          \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(v) : : "memory");                      \
        return v;                                                                            \
    }                                                                                        \
    static inline void write_##name(uint64_t value)                                          \
    {                                                                                        \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");                      \
    }

INSN_REGISTER(cr0)
INSN_REGISTER(cr2)
INSN_REGISTER(cr3)
INSN_REGISTER(cr4)
INSN_REGISTER(cr8)
INSN_REGISTER(dr0)
INSN_REGISTER(dr1)
INSN_REGISTER(dr2)
INSN_REGISTER(dr3)
INSN_REGISTER(dr6)
INSN_REGISTER(dr7)
#undef INSN_REGISTER

static inline uint64_t read_rsp(void)
{
    uint64_t v;
    __asm__ volatile("movq %%rsp, %0" : "=r"(v));
    return v;
}

/* ---- extended state; `area` is 64-byte aligned ---- */

static inline uint64_t xgetbv(uint32_t index)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(index) : "memory");
    return (uint64_t)hi << 32 | lo;
}

static inline void xsetbv(uint32_t index, uint64_t value)
{
    __asm__ volatile("xsetbv" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

#define INSN_XSTATE(name, area_type)                                                                        \
    static inline void name(area_type *area, uint64_t mask)                                                 \
    {                                                                                                       \
        __asm__ volatile(#name " (%0)" : : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory"); \
    }

INSN_XSTATE(xsave64, void)
INSN_XSTATE(xrstor64, const void)
#undef INSN_XSTATE

/* 512 bytes, 16-byte aligned. */
static inline void fxsave64(void *area) { __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory"); }
static inline void fxrstor64(const void *area) { __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory"); }

static inline uint32_t rdpkru(void)
{
    uint32_t v;
    __asm__ volatile("rdpkru" : "=a"(v) : "c"(0) : "edx");
    return v;
}

/* ---- interrupts, waiting, ordering ---- */

static inline void cli(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void sti(void) { __asm__ volatile("sti" : : : "memory"); }
static inline void hlt(void) { __asm__ volatile("hlt" : : : "memory"); }
static inline void cpu_pause(void) { __asm__ volatile("pause" : : : "memory"); }

/* STI delays interrupts by one instruction: what is pending is taken at the NOP. */
static inline void sti_nop_cli(void) { __asm__ volatile("sti; nop; cli" : : : "memory"); }

static inline void mfence(void) { __asm__ volatile("mfence" : : : "memory"); }
static inline void lfence(void) { __asm__ volatile("lfence" : : : "memory"); }
static inline void ud2(void) { __asm__ volatile("ud2" : : : "memory"); }
static inline void int3(void) { __asm__ volatile("int3" : : : "memory"); }

/* ---- translation caches ---- */

static inline void invlpg(uint64_t address) { __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory"); }

enum invpcid_type { INVPCID_ADDRESS = 0, INVPCID_CONTEXT = 1, INVPCID_ALL_GLOBAL = 2, INVPCID_ALL = 3 };

static inline void invpcid(enum invpcid_type type, uint64_t pcid, uint64_t address)
{
    const struct { uint64_t pcid, address; } d = { pcid, address };
    __asm__ volatile("invpcid %1, %0" : : "r"((uint64_t)type), "m"(d) : "memory");
}

/* ---- descriptor tables and segments ---- */

static inline void lgdt(const struct descriptor_table *t) { __asm__ volatile("lgdt %0" : : "m"(*t) : "memory"); }
static inline void lidt(const struct descriptor_table *t) { __asm__ volatile("lidt %0" : : "m"(*t) : "memory"); }
static inline void ltr(uint16_t selector) { __asm__ volatile("ltr %0" : : "r"(selector) : "memory"); }
static inline void lldt(uint16_t selector) { __asm__ volatile("lldt %0" : : "r"(selector) : "memory"); }

#define INSN_SEGMENT(name)                                                                   \
    static inline uint16_t read_##name(void)                                                 \
    {                                                                                        \
        uint16_t v;                                                                          \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(v));                                   \
        return v;                                                                            \
    }

INSN_SEGMENT(cs)
INSN_SEGMENT(ds)
INSN_SEGMENT(es)
INSN_SEGMENT(fs)
INSN_SEGMENT(gs)
INSN_SEGMENT(ss)
#undef INSN_SEGMENT

/* DS, ES, SS, FS and GS at once; FS and GS lose their bases. */
static inline void load_data_segments(uint16_t selector)
{
    __asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss; mov %0, %%fs; mov %0, %%gs"
                     : : "r"((uint32_t)selector) : "memory");
}

static inline void load_cs(uint16_t selector)
{
    __asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
                     : : "r"((uint64_t)selector) : "rax", "memory");
}

/* False: the CPU has no number at the moment. */
#define INSN_RANDOM(name)                                                                    \
    static inline bool cpu_##name(uint64_t *value)                                           \
    {                                                                                        \
        bool got;                                                                            \
        __asm__ volatile(#name " %0" : "=r"(*value), "=@ccc"(got));                          \
        return got;                                                                          \
    }
INSN_RANDOM(rdrand)
INSN_RANDOM(rdseed)
#undef INSN_RANDOM

/* The 8 bytes at gs:0. */
static inline void *read_gs0(void)
{
    void *p;
    __asm__("movq %%gs:0, %0" : "=r"(p));
    return p;
}

#endif
