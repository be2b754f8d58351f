/* Instructions that only a hypervisor may use, or that exist to disturb. */
#include "intruder/intruder.h"
#include "lib/cpu.h"
#include "lib/interrupt.h"

enum { FLOOD = 10000, FLOOD_VECTOR = 0x60, UNKNOWN_HYPERCALL = 0x7777, KVM_NO_SUCH_CALL = 1000 };

static uint64_t scratch[512] __attribute__((aligned(4096)));

#define INSTRUCTION(name, text)                                                                                        \
    static uint64_t do_##name(uint64_t argument)                                                                       \
    {                                                                                                                  \
        asm volatile(text : : "a"(argument), "c"(0), "d"(0), "m"(scratch) : "memory", "cc");                           \
        return 0;                                                                                                      \
    }
INSTRUCTION(vmxon, "vmxon (%%rax)")
INSTRUCTION(vmclear, "vmclear (%%rax)")
INSTRUCTION(vmptrld, "vmptrld (%%rax)")
INSTRUCTION(vmptrst, "vmptrst (%%rax)")
INSTRUCTION(vmread, "vmread %%rcx, %%rdx")
INSTRUCTION(vmwrite, "vmwrite %%rcx, %%rdx")
INSTRUCTION(vmlaunch, "vmlaunch")
INSTRUCTION(vmresume, "vmresume")
INSTRUCTION(vmxoff, "vmxoff")
INSTRUCTION(vmfunc, "xor %%eax, %%eax; vmfunc")
INSTRUCTION(invept, "invept (%%rax), %%rcx")
INSTRUCTION(invvpid, "invvpid (%%rax), %%rcx")
INSTRUCTION(vmrun, ".byte 0x0f, 0x01, 0xd8")
INSTRUCTION(vmmcall, ".byte 0x0f, 0x01, 0xd9")
INSTRUCTION(vmcall, "vmcall")
INSTRUCTION(getsec, ".byte 0x0f, 0x37")
INSTRUCTION(rsm, "rsm")
INSTRUCTION(monitor, "monitor")
INSTRUCTION(mwait, "mwait")
INSTRUCTION(rdpmc, "rdpmc")
INSTRUCTION(wbinvd, "wbinvd")
INSTRUCTION(encls, ".byte 0x0f, 0x01, 0xcf")

static const struct {
    const char *what;
    uint64_t (*attempt)(uint64_t);
    int vector;
} rows[] = {
    { "VMXON", do_vmxon, EXC_UD },       { "VMCLEAR", do_vmclear, EXC_UD },   { "VMPTRLD", do_vmptrld, EXC_UD },
    { "VMPTRST", do_vmptrst, EXC_UD },   { "VMREAD", do_vmread, EXC_UD },     { "VMWRITE", do_vmwrite, EXC_UD },
    { "VMLAUNCH", do_vmlaunch, EXC_UD }, { "VMRESUME", do_vmresume, EXC_UD }, { "VMXOFF", do_vmxoff, EXC_UD },
    { "VMFUNC", do_vmfunc, EXC_UD },     { "INVEPT", do_invept, EXC_UD },     { "INVVPID", do_invvpid, EXC_UD },
    { "VMRUN", do_vmrun, EXC_UD },       { "GETSEC", do_getsec, EXC_UD },
    { "ENCLS", do_encls, EXC_UD },       { "RSM outside of SMM", do_rsm, EXC_UD }, { "MONITOR", do_monitor, EXC_UD },
    { "MWAIT", do_mwait, EXC_UD },       { "RDPMC", do_rdpmc, EXC_GP },
};

static uint64_t unknown_hypercall(uint64_t number)
{
    int64_t result = (int64_t)number;
    if (cpu_is_amd())
        asm volatile("vmmcall" : "+a"(result) : "b"(0), "c"(0), "d"(0), "S"(0) : "memory");
    else
        asm volatile("vmcall" : "+a"(result) : "b"(0), "c"(0), "d"(0), "S"(0) : "memory");
    return (uint64_t)-result;
}

static volatile uint64_t interrupts_seen;

static void count(struct frame *f)
{
    (void)f;
    interrupts_seen++;
}

static uint64_t flood(uint64_t times)
{
    interrupts_seen = 0;
    for (uint64_t i = 0; i < times; i++)
        asm volatile("int %0" : : "i"(FLOOD_VECTOR) : "memory");
    return interrupts_seen;
}

void intruder_instructions(void)
{
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        intruder_expect_fault(rows[i].what, rows[i].attempt, (uint64_t)scratch, rows[i].vector);
    if (cpu_is_amd())
        intruder_expect_fault("VMCALL", do_vmcall, 0, EXC_UD);
    else
        intruder_expect_fault("VMMCALL", do_vmmcall, 0, EXC_UD);
    intruder_expect_value("hypercall with a number nobody has", unknown_hypercall, UNKNOWN_HYPERCALL, KVM_NO_SUCH_CALL,
                          "returns -%lu, no such call");
    intruder_expect_value("WBINVD", do_wbinvd, 0, 0, "no effect that one could see");
    interrupt_set(FLOOD_VECTOR, count);
    intruder_expect_value("INT, ten thousand times", flood, FLOOD, FLOOD, "%lu delivered, to itself only");
}
