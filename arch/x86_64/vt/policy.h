/* The exit controls: what a partition's guest may be made to exit on beyond what Trapeze needs. Facts and names only; a
 * backend says which of them its CPU can switch (vt_features) and carries them out (vt_ops.set_policy). A policy is a set:
 * bit n is enum vt_control n, bit VT_CONTROL_EXCEPTION + v is exception vector v.
 * Intel SDM vol 3, "VM-Execution Control Fields"; AMD APM vol 2, "Intercept Operation" and appendix "Layout of VMCB". */
#ifndef ARCH_VT_POLICY_H
#define ARCH_VT_POLICY_H

#include "hv/lib/types.h"

/* X(control, name, what exits, VT-x control, AMD-V intercept); "": this extension has none. */
#define VT_CONTROL_LIST(X) \
    X(DESCRIPTOR_TABLES, "descriptor-tables", "SGDT SIDT SLDT STR LGDT LIDT LLDT LTR", "descriptor-table exiting", \
      "GDTR, IDTR, LDTR, TR reads and writes") \
    X(RDTSC, "rdtsc", "RDTSC RDTSCP", "RDTSC exiting", "RDTSC, RDTSCP") \
    X(RDPMC, "rdpmc", "RDPMC", "RDPMC exiting", "RDPMC") \
    X(CR0_WRITE, "cr0", "MOV to CR0, CLTS, LMSW that change a bit (AMD-V: any)", "CR0 guest/host mask, all ones", "CR0 write") \
    X(CR0_READ, "cr0-read", "MOV from CR0, SMSW", "", "CR0 read") \
    X(CR3, "cr3", "MOV to and from CR3", "CR3-load exiting, CR3-store exiting", "CR3 read and write") \
    X(CR4_WRITE, "cr4", "MOV to CR4 that changes a bit (AMD-V: any)", "CR4 guest/host mask, all ones", "CR4 write") \
    X(CR4_READ, "cr4-read", "MOV from CR4", "", "CR4 read") \
    X(CR8, "cr8", "MOV to and from CR8", "CR8-load exiting, CR8-store exiting", "CR8 read and write") \
    X(MOV_DR, "mov-dr", "MOV to and from DR0-DR7", "MOV-DR exiting", "DR0-DR15 read and write") \
    X(INVLPG, "invlpg", "INVLPG INVPCID", "INVLPG exiting", "INVLPG, INVPCID") \
    X(WBINVD, "wbinvd", "WBINVD INVD", "WBINVD exiting", "WBINVD, INVD") \
    X(PAUSE, "pause", "PAUSE", "PAUSE exiting", "PAUSE") \
    X(HLT, "hlt", "HLT", "HLT exiting", "HLT") \
    X(MWAIT, "mwait", "MONITOR MWAIT", "MONITOR exiting, MWAIT exiting", "MONITOR, MWAIT") \
    X(RDRAND, "rdrand", "RDRAND", "RDRAND exiting", "") \
    X(RDSEED, "rdseed", "RDSEED", "RDSEED exiting", "") \
    X(IO, "io", "IN OUT INS OUTS, every port", "I/O bitmaps, all ones", "IOIO_PROT, IOPM all ones") \
    X(MSR, "msr", "RDMSR WRMSR, every MSR", "use MSR bitmaps, off", "MSR_PROT, MSRPM all ones") \
    X(XSAVES, "xsaves", "XSAVES XRSTORS", "XSS-exiting bitmap", "") \
    X(PUSHF, "pushf", "PUSHF", "", "PUSHF") \
    X(POPF, "popf", "POPF", "", "POPF") \
    X(IRET, "iret", "IRET", "", "IRET") \
    X(INT, "int", "INT n", "", "INTn")

enum vt_control {
#define VT_CONTROL_ENUM(control, name, what, vmx, svm) VT_CONTROL_##control,
    VT_CONTROL_LIST(VT_CONTROL_ENUM)
#undef VT_CONTROL_ENUM
    VT_CONTROL_EXCEPTION = 32, /* + vector */
    VT_CONTROLS = 64,
};
#define VT_CONTROL_BIT(control) (UINT64_C(1) << VT_CONTROL_##control)
#define VT_POLICY_EXCEPTIONS(policy) ((uint32_t)((policy) >> VT_CONTROL_EXCEPTION))
#define VT_POLICY_MIN UINT64_C(0)
#define VT_POLICY_MAX UINT64_MAX

struct vt_control_text {
    const char *name, *what, *vmx, *svm;
};

/* NULL: there is no such control. */
const struct vt_control_text *vt_control_text(unsigned control);

/* The controls that a word stands for: a control's name, or one of the groups min, max, all, exceptions. False: none. */
bool vt_policy_word(const char *word, size_t len, uint64_t *controls) MUST_CHECK;

/* The control whose name is nearest to a word that is none; NULL: none is near enough. */
const char *vt_policy_nearest(const char *word, size_t len);

#endif
