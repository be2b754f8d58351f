/* The instructions that the decoder knows: one row each, the enum name and the mnemonic. CMPXCHG8B is also 16B,
 * told by its operand size. */
#ifndef ARCH_X86_64_EMUL_INSN_OPS_H
#define ARCH_X86_64_EMUL_INSN_OPS_H

/* What insn_execute() can carry out. */
#define INSN_OPS_EXECUTED(X)                                                                                      \
    X(ADD, "add") X(OR, "or") X(ADC, "adc") X(SBB, "sbb") X(AND, "and") X(SUB, "sub") X(XOR, "xor") X(CMP, "cmp") \
    X(ROL, "rol") X(ROR, "ror") X(RCL, "rcl") X(RCR, "rcr") X(SHL, "shl") X(SHR, "shr") X(SAR, "sar") \
    X(BT, "bt") X(BTS, "bts") X(BTR, "btr") X(BTC, "btc")                                                         \
    X(MOV, "mov") X(MOVZX, "movzx") X(MOVSX, "movsx") X(MOVSXD, "movsxd") X(MOVBE, "movbe") X(MOVNTI, "movnti")   \
    X(MOV_FROM_SREG, "mov") X(CMOVCC, "cmov") X(SETCC, "set")                                                     \
    X(TEST, "test") X(INC, "inc") X(DEC, "dec") X(NOT, "not") X(NEG, "neg")                                       \
    X(MUL, "mul") X(IMUL, "imul") X(DIV, "div") X(IDIV, "idiv") X(IMUL_REG, "imul")                               \
    X(SHLD, "shld") X(SHRD, "shrd") X(BSF, "bsf") X(BSR, "bsr")                                                   \
    X(XCHG, "xchg") X(XADD, "xadd") X(CMPXCHG, "cmpxchg") X(CMPXCHG8B, "cmpxchg8b") \
    X(PUSH, "push") X(POP, "pop") X(NOP, "nop")                                                                   \
    X(MOVS, "movs") X(CMPS, "cmps") X(STOS, "stos") X(LODS, "lods") X(SCAS, "scas") X(INS, "ins") X(OUTS, "outs") \
    X(IN, "in") X(OUT, "out")

/* What is only decoded: the hypervisor handles these itself (or refuses to) and needs length and operands. */
#define INSN_OPS_DECODED(X)                                                                                       \
    X(PAUSE, "pause") X(HLT, "hlt") X(INT3, "int3") X(INT, "int") X(UD2, "ud2") X(CPUID, "cpuid") X(RSM, "rsm")   \
    X(RDMSR, "rdmsr") X(WRMSR, "wrmsr") X(RDTSC, "rdtsc") X(RDTSCP, "rdtscp") X(RDPMC, "rdpmc")                   \
    X(RDRAND, "rdrand") X(RDSEED, "rdseed") X(PUSHF, "pushf") X(POPF, "popf")                                         \
    X(MOV_FROM_CR, "mov") X(MOV_TO_CR, "mov") X(MOV_FROM_DR, "mov") X(MOV_TO_DR, "mov")                           \
    X(CLTS, "clts") X(INVD, "invd") X(WBINVD, "wbinvd") X(WBNOINVD, "wbnoinvd") X(INVLPG, "invlpg")               \
    X(SLDT, "sldt") X(STR, "str") X(LLDT, "lldt") X(LTR, "ltr") X(VERR, "verr") X(VERW, "verw")                   \
    X(SGDT, "sgdt") X(SIDT, "sidt") X(LGDT, "lgdt") X(LIDT, "lidt") X(SMSW, "smsw") X(LMSW, "lmsw")               \
    X(XGETBV, "xgetbv") X(XSETBV, "xsetbv") X(MONITOR, "monitor") X(MWAIT, "mwait")                               \
    X(MONITORX, "monitorx") X(MWAITX, "mwaitx") X(SWAPGS, "swapgs") X(CLAC, "clac") X(STAC, "stac")               \
    X(VMCALL, "vmcall") X(VMLAUNCH, "vmlaunch") X(VMRESUME, "vmresume") X(VMXOFF, "vmxoff") X(VMFUNC, "vmfunc")   \
    X(VMREAD, "vmread") X(VMWRITE, "vmwrite") X(VMPTRLD, "vmptrld") X(VMPTRST, "vmptrst") X(VMCLEAR, "vmclear")   \
    X(VMXON, "vmxon") X(INVEPT, "invept") X(INVVPID, "invvpid") X(INVPCID, "invpcid")                             \
    X(VMRUN, "vmrun") X(VMMCALL, "vmmcall") X(VMLOAD, "vmload") X(VMSAVE, "vmsave") X(STGI, "stgi")               \
    X(CLGI, "clgi") X(SKINIT, "skinit") X(INVLPGA, "invlpga")                                                     \
    X(MOVUPS, "movups") X(MOVUPD, "movupd") X(MOVSS, "movss") X(MOVSD, "movsd")                                   \
    X(MOVAPS, "movaps") X(MOVAPD, "movapd") X(MOVNTPS, "movntps") X(MOVNTPD, "movntpd")                           \
    X(MOVDQA, "movdqa") X(MOVDQU, "movdqu") X(MOVNTDQ, "movntdq") X(MOVD, "movd") X(MOVQ, "movq")

#endif
