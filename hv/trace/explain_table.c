/* The explanations, in the order of VT_EXIT_LIST. Controls and sections have the names of the manuals (docs/references.md has
 * the editions); offsets in the VMCB are those of AMD APM vol 2, appendix "Layout of VMCB". What `action` says has to be
 * what the handler in hv/vm does. */
#include "hv/trace/explain.h"

#define SDM "SDM vol 3, "
#define APM "AMD APM vol 2, "

#define CONDITIONALLY   SDM "\"Instructions That Cause VM Exits Conditionally\""
#define UNCONDITIONALLY SDM "\"Instructions That Cause VM Exits Unconditionally\""
#define OTHER_CAUSES    SDM "\"Other Causes of VM Exits\""
#define INSTRUCTIONS    APM "\"Instruction Intercepts\""
#define INTERRUPTS      APM "\"Interrupt Intercepts\""
#define NO_INSTRUCTION  "does not apply: no instruction of the guest asks for it"
#define AN_EVENT        "an event, not an instruction"
#define NO_AVIC         "does not occur: AVIC is not used, so the access is a nested page fault or an MSR exit"

#define ROW(kind) static const struct explanation explain_##kind

ROW(UNKNOWN) = {
    .what = "The CPU left the guest for a reason that Trapeze did not ask for.",
    .cause = "anything that no row of the backend's exit table names",
    .class = "not known",
    .privileged = "not known",
    .action = "Stops the partition and says the number: going on without knowing what happened could break equivalence "
              "silently.",
    .half[EXPLAIN_VT_X] = { "none", "any basic exit reason without a row", SDM "appendix \"VMX Basic Exit Reasons\"" },
    .half[EXPLAIN_AMD_V] = { "none", "any EXITCODE without a row", APM "appendix \"SVM Intercept Exit Codes\"" },
};

ROW(CPUID) = {
    .what = "The guest asked what its CPU is and can do.",
    .cause = "CPUID, at any CPL",
    .class = "behaviour-sensitive: the answer tells the real machine, not the virtual one",
    .privileged = "no: CPUID never faults at CPL 3, so only an exit can catch it",
    .action = "Answers from the vCPU's own table, an allow-list: what Trapeze does not provide is not there. Then skips the "
              "instruction.",
    .half[EXPLAIN_VT_X] = { "10", "always, no control", UNCONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "72h", "intercept CPUID, VMCB 00Ch bit 18", INSTRUCTIONS },
};

ROW(HYPERCALL) = {
    .what = "The guest called the hypervisor on purpose.",
    .cause = "VMCALL (VT-x), VMMCALL (AMD-V), at any CPL",
    .class = "control-sensitive: it leaves for the VMM; without one it is undefined",
    .privileged = "no: the exit comes before any look at the CPL, so each call has to check it",
    .action = "Carries out the calls that it knows (KVM's numbers), gives the others an error in RAX, and skips the "
              "instruction.",
    .half[EXPLAIN_VT_X] = { "18", "always, no control", UNCONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "81h", "intercept VMMCALL, VMCB 010h bit 1", INSTRUCTIONS },
};

ROW(IO) = {
    .what = "The guest accessed an I/O port.",
    .cause = "IN, OUT, INS, OUTS",
    .class = "control-sensitive: ports reach devices, which belong to all partitions or to none",
    .privileged = "yes, unless IOPL or the TSS's I/O map allow it; the CPU checks them before it exits",
    .action = "Gives the access to the partition's bus, where a device model answers or nobody does (ones, as on a PC). INS, "
              "OUTS and REP go through the instruction executor.",
    .half[EXPLAIN_VT_X] = { "30", "\"use I/O bitmaps\", a bit for each port, all set",
                            CONDITIONALLY ", \"I/O-Bitmap Addresses\"" },
    .half[EXPLAIN_AMD_V] = { "7Bh", "intercept IOIO_PROT, VMCB 00Ch bit 27, and the IOPM, all set", APM "\"IOIO Intercepts\"" },
};

ROW(MMIO) = {
    .what = "The guest accessed a guest-physical address that its nested page tables do not map, or not so.",
    .cause = "any instruction with a memory operand, an instruction fetch, or a walk of the guest's page tables",
    .class = "the instruction is innocuous; the place is not: resource control by mapping",
    .privileged = "no: it is the nested tables that refuse, at any CPL",
    .action = "Decodes the instruction and carries it out against the device model at that address. A fetch or a walk of "
              "page tables where there is no RAM stops the partition: no PC would go on.",
    .half[EXPLAIN_VT_X] = { "48", "\"enable EPT\": an entry that does not allow the access", SDM "\"EPT Violations\"" },
    .half[EXPLAIN_AMD_V] = { "400h", "NP_ENABLE, VMCB 090h bit 0: a nested page fault",
                             APM "\"Nested versus Guest Page Faults, Fault Ordering\"" },
};

ROW(RDMSR) = {
    .what = "The guest read a model-specific register that is not its own.",
    .cause = "RDMSR",
    .class = "behaviour-sensitive: it shows the machine's state",
    .privileged = "yes: #GP at CPL > 0, before the exit",
    .action = "Answers from the MSR table. A register without a row raises #GP, as on a CPU that does not have it, and the "
              "log says so once.",
    .half[EXPLAIN_VT_X] = { "31", "\"use MSR bitmaps\" with the register's read bit set, or a number outside of the bitmaps",
                            CONDITIONALLY ", \"MSR-Bitmap Address\"" },
    .half[EXPLAIN_AMD_V] = { "7Ch", "intercept MSR_PROT, VMCB 00Ch bit 28, and the MSRPM; EXITINFO1 is 0",
                             APM "\"MSR Intercepts\"" },
};

ROW(WRMSR) = {
    .what = "The guest wrote a model-specific register that is not its own.",
    .cause = "WRMSR",
    .class = "control-sensitive: it changes how the machine works",
    .privileged = "yes: #GP at CPL > 0, before the exit",
    .action = "Checks the value by the manual's rules and changes the virtual register (its APIC, its timer, its EFER ...); "
              "a forbidden value or an unknown register raises #GP.",
    .half[EXPLAIN_VT_X] = { "32", "\"use MSR bitmaps\" with the register's write bit set, or a number outside of the bitmaps",
                            CONDITIONALLY ", \"MSR-Bitmap Address\"" },
    .half[EXPLAIN_AMD_V] = { "7Ch", "intercept MSR_PROT, VMCB 00Ch bit 28, and the MSRPM; EXITINFO1 is 1",
                             APM "\"MSR Intercepts\"" },
};

ROW(INTERRUPT) = {
    .what = "An interrupt of the machine came while the guest ran, and was taken from the interrupt controller.",
    .cause = "another CPU's kick, mostly; the timer of the local APIC",
    .class = AN_EVENT ": resource control, for a guest that could mask it would keep the CPU",
    .privileged = NO_INSTRUCTION,
    .action = "Serves it on the host's side. The guest sees nothing but time; if its turn is over, another vCPU runs.",
    .half[EXPLAIN_VT_X] = { "1",
                            "\"external-interrupt exiting\"; with \"acknowledge interrupt on exit\" the vector is known",
                            OTHER_CAUSES },
    .half[EXPLAIN_AMD_V] = { "none", "does not occur: the interrupt stays at its controller, see host-event", INTERRUPTS },
};

ROW(TIMER) = {
    .what = "The time that the guest was given is over, or one of its virtual timers is due.",
    .cause = "a counter that runs while the guest does",
    .class = AN_EVENT ": it is what resource control of the CPU rests on",
    .privileged = NO_INSTRUCTION,
    .action = "Lets virtual timers expire and injects their interrupts; at the end of a turn the scheduler picks the next "
              "vCPU.",
    .half[EXPLAIN_VT_X] = { "52", "\"activate VMX-preemption timer\"", OTHER_CAUSES ", \"VMX-Preemption Timer\"" },
    .half[EXPLAIN_AMD_V] = { "none",
                             "does not occur: there is no such timer, the local APIC's interrupt is a host-event", INTERRUPTS },
};

ROW(HOST_EVENT) = {
    .what = "An interrupt, NMI or SMI of the machine came while the guest ran, and is still to be taken.",
    .cause = "another CPU's kick, the timer of the local APIC, an NMI",
    .class = AN_EVENT ": resource control, for a guest that could mask it would keep the CPU",
    .privileged = NO_INSTRUCTION,
    .action = "Opens interrupts for a moment, so that it arrives on the host's side, and looks if the guest's turn is over.",
    .half[EXPLAIN_VT_X] = { "none", "does not occur: see interrupt and nmi", OTHER_CAUSES },
    .half[EXPLAIN_AMD_V] = { "60h-62h", "intercept INTR, NMI, SMI, VMCB 00Ch bits 0, 1, 2, with V_INTR_MASKING", INTERRUPTS },
};

ROW(INTERRUPT_WINDOW) = {
    .what = "The guest can take an interrupt again: RFLAGS.IF is set, and no shadow of STI or MOV SS is left.",
    .cause = "STI, POPF, IRET, or the end of a shadow, while an interrupt waits",
    .class = AN_EVENT ", for those instructions are control-sensitive and do not exit themselves",
    .privileged = NO_INSTRUCTION,
    .action = "Injects the interrupt that waits, and asks for no further window if it was the last.",
    .half[EXPLAIN_VT_X] = { "7", "\"interrupt-window exiting\", set only while one waits", OTHER_CAUSES },
    .half[EXPLAIN_AMD_V] = { "64h", "intercept VINTR, VMCB 00Ch bit 4, with a virtual interrupt (V_IRQ)",
                             APM "\"Virtual Interrupt Intercept\"" },
};

ROW(NMI_WINDOW) = {
    .what = "The guest can take an NMI again.",
    .cause = "the IRET that ends its NMI handler, or the end of a shadow of MOV SS, while an NMI waits",
    .class = AN_EVENT,
    .privileged = NO_INSTRUCTION,
    .action = "Injects the NMI that waits.",
    .half[EXPLAIN_VT_X] = { "8", "\"NMI-window exiting\" (with \"virtual NMIs\"), set only while one waits", OTHER_CAUSES },
    .half[EXPLAIN_AMD_V] = { "74h", "intercept IRET, VMCB 00Ch bit 20; then a single step over it (#DB)", INSTRUCTIONS },
};

ROW(HLT) = {
    .what = "The guest has nothing to do until an interrupt comes.",
    .cause = "HLT",
    .class = "control-sensitive: it would stop the CPU, which is not the guest's to stop",
    .privileged = "yes: #GP at CPL > 0, before the exit",
    .action = "Skips it. If no interrupt waits, the vCPU blocks and gives its CPU away until one does: this is what makes "
              "consolidation pay.",
    .half[EXPLAIN_VT_X] = { "12", "\"HLT exiting\"", CONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "78h", "intercept HLT, VMCB 00Ch bit 24", INSTRUCTIONS },
};

ROW(PAUSE) = {
    .what = "The guest spins: it waits for another CPU, whose vCPU may not even run.",
    .cause = "PAUSE; or, with a loop filter, many of them in a short time",
    .class = "innocuous but for timing",
    .privileged = "no",
    .action = "Skips it and ends the turn, so that who is waited for can run. Not asked for by default.",
    .half[EXPLAIN_VT_X] = { "40", "\"PAUSE exiting\" or \"PAUSE-loop exiting\"", CONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "77h", "intercept PAUSE, VMCB 00Ch bit 23, with or without a filter",
                             APM "\"Pause Intercept Filtering\"" },
};

ROW(CR_INSN) = {
    .what = "The guest accessed a control register, and the CPU does not say how.",
    .cause = "MOV to or from CR, LMSW, SMSW, CLTS",
    .class = "control-sensitive (writes), behaviour-sensitive (reads)",
    .privileged = "yes: #GP at CPL > 0; not SMSW, unless CR4.UMIP is set",
    .action = "Decodes the instruction at RIP, then does what cr-write or cr-read does.",
    .half[EXPLAIN_VT_X] = { "none", "does not occur: the exit qualification tells the operands", CONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "00h-1Fh, 65h", "intercept CR reads and writes, VMCB 000h, without the decode assists",
                             INSTRUCTIONS },
};

ROW(CR_WRITE) = {
    .what = "The guest writes a control register, and changes a bit that is not its own.",
    .cause = "MOV to CR0, CR3, CR4, CR8; LMSW, CLTS",
    .class = "control-sensitive: mode, paging and protection of the CPU",
    .privileged = "yes: #GP at CPL > 0, before the exit",
    .action = "Checks the value by the manual's rules (#GP if it breaks one), keeps what the guest shall read back, and "
              "loads what the CPU needs: EFER.LMA, PAE's entries, a flush of translations.",
    .half[EXPLAIN_VT_X] = { "28",
                            "a bit of the CR0 or CR4 guest/host mask that differs from the read shadow; \"CR3-load "
                            "exiting\", \"CR8-load exiting\"",
                            SDM "\"Guest/Host Masks and Read Shadows for CR0 and CR4\"" },
    .half[EXPLAIN_AMD_V] = { "10h-1Fh, 65h", "intercept CR writes, VMCB 002h; selective CR0 write, 00Ch bit 5",
                             INSTRUCTIONS ", \"Decode Assists\"" },
};

ROW(CR_READ) = {
    .what = "The guest reads a control register whose value the hardware does not keep for it.",
    .cause = "MOV from CR3, CR8 (from CR0 and CR4 it reads a shadow, without an exit)",
    .class = "behaviour-sensitive: it would show the host's value",
    .privileged = "yes: #GP at CPL > 0, before the exit",
    .action = "Puts what the guest wrote last into the register that it named, and skips the instruction.",
    .half[EXPLAIN_VT_X] = { "28", "\"CR3-store exiting\", \"CR8-store exiting\"", CONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "00h-0Fh", "intercept CR reads, VMCB 000h", INSTRUCTIONS ", \"Decode Assists\"" },
};

ROW(DR_ACCESS) = {
    .what = "The guest accessed a debug register.",
    .cause = "MOV to or from DR0-DR7",
    .class = "control-sensitive (breakpoints), behaviour-sensitive (DR6 and DR7 tell of the host's)",
    .privileged = "yes: #GP at CPL > 0, but the exit comes first",
    .action = "Checks CR4.DE, CPL and DR7.GD in the CPU's order, then does the access to the vCPU's registers. Not asked for "
              "by default: they are switched with the vCPU.",
    .half[EXPLAIN_VT_X] = { "29", "\"MOV-DR exiting\"", CONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "20h-3Fh", "intercept DR reads, VMCB 004h; writes, 006h", INSTRUCTIONS },
};

ROW(XSETBV) = {
    .what = "The guest chose which parts of the extended state XSAVE and the instructions behind them may use.",
    .cause = "XSETBV",
    .class = "control-sensitive: XCR0 is the CPU's, and no field of the VMCS or VMCB switches it",
    .privileged = "yes: #GP at CPL > 0; some emulators exit first, so the handler looks, too",
    .action = "Checks that the CPU's rules and the vCPU's CPUID allow the value, loads it, and switches XCR0 with the vCPU "
              "from then on.",
    .half[EXPLAIN_VT_X] = { "55", "always, no control", UNCONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "8Dh", "intercept XSETBV, VMCB 010h bit 13", INSTRUCTIONS },
};

ROW(EXCEPTION) = {
    .what = "An exception that Trapeze wants to see first was raised in the guest.",
    .cause = "#DB and #AC, whose delivery can be made to fault for ever; #MC, which is the machine's own; the others by policy",
    .class = AN_EVENT ": resource control, for such a loop reaches no instruction boundary",
    .privileged = NO_INSTRUCTION,
    .action = "Injects it into the guest as the CPU would have raised it (CR2, DR6, RF, double faults). #MC is logged and "
              "stops the partition, or the machine.",
    .half[EXPLAIN_VT_X] = { "0", "the vector's bit in the exception bitmap", OTHER_CAUSES ", \"Exception Bitmap\"" },
    .half[EXPLAIN_AMD_V] = { "40h-5Fh", "the vector's bit in VMCB 008h", APM "\"Exception Intercepts\"" },
};

ROW(NMI) = {
    .what = "A non-maskable interrupt of the machine came while the guest ran.",
    .cause = "another CPU, a watchdog, or the machine's hardware",
    .class = AN_EVENT ": resource control",
    .privileged = NO_INSTRUCTION,
    .action = "Serves it on the host's side and opens NMIs again. The guest's own NMIs are virtual.",
    .half[EXPLAIN_VT_X] = { "0", "\"NMI exiting\" (an exit with interruption type 2)", OTHER_CAUSES },
    .half[EXPLAIN_AMD_V] = { "none", "does not occur: it stays pending, see host-event", INTERRUPTS },
};

ROW(TRIPLE_FAULT) = {
    .what = "An exception was raised while the guest's CPU delivered a double fault: there is no way on.",
    .cause = "an IDT, stack or page table that no handler can be reached through; often a deliberate reset",
    .class = AN_EVENT ": a PC would reset, or stop, the whole machine",
    .privileged = NO_INSTRUCTION,
    .action = "Ends the partition alone, restarts it if the configuration says so, and prints the post-mortem: `postmortem "
              "NAME` shows it again.",
    .half[EXPLAIN_VT_X] = { "2", "always, no control", OTHER_CAUSES },
    .half[EXPLAIN_AMD_V] = { "7Fh", "intercept SHUTDOWN, VMCB 00Ch bit 31", APM "\"Shutdown Intercept\"" },
};

ROW(APIC_WRITE) = {
    .what = "The guest wrote a register of its local APIC, which is in its register page already.",
    .cause = "MOV to the APIC page, or WRMSR of x2APIC registers, that has a side effect: ICR, timer, LVT",
    .class = "control-sensitive: it sends interrupts and starts timers",
    .privileged = "only WRMSR; the page is as accessible as the guest's page tables make it",
    .action = "Trap-like: RIP is behind the instruction. Carries out the side effect of the new value.",
    .half[EXPLAIN_VT_X] = { "56", "\"APIC-register virtualization\"", SDM "\"APIC-Write Emulation\"" },
    .half[EXPLAIN_AMD_V] = { "none", NO_AVIC, APM "\"Advanced Virtual Interrupt Controller\"" },
};

ROW(APIC_ACCESS) = {
    .what = "The guest accessed its local APIC in a way that the hardware does not do by itself.",
    .cause = "an access to FEE00000h-FEE00FFFh by an instruction, or by the delivery of an event",
    .class = "the instruction is innocuous; the place is not: resource control by mapping",
    .privileged = "no: it is the address that exits, at any CPL",
    .action = "Decodes the instruction and carries it out against the APIC's model, as for mmio.",
    .half[EXPLAIN_VT_X] = { "44", "\"virtualize APIC accesses\"", SDM "\"Virtualizing Memory-Mapped APIC Accesses\"" },
    .half[EXPLAIN_AMD_V] = { "none", NO_AVIC, APM "\"Advanced Virtual Interrupt Controller\"" },
};

ROW(APIC_EOI) = {
    .what = "The guest finished a level-triggered interrupt, and the IOAPIC has to hear of it.",
    .cause = "a write to the APIC's EOI register for a vector of the EOI-exit bitmap",
    .class = "control-sensitive: the line may raise the next interrupt at once",
    .privileged = "only WRMSR; the page is as accessible as the guest's page tables make it",
    .action = "Tells the IOAPIC's model, which looks at its line again. The EOI itself is done already.",
    .half[EXPLAIN_VT_X] = { "45", "\"virtual-interrupt delivery\", the vector's bit in the EOI-exit bitmap",
                            SDM "\"EOI Virtualization\"" },
    .half[EXPLAIN_AMD_V] = { "none", NO_AVIC, APM "\"Advanced Virtual Interrupt Controller\"" },
};

ROW(TPR_BELOW) = {
    .what = "The guest lowered its task priority, and an interrupt that waited may now be taken.",
    .cause = "MOV to CR8, or a write to the APIC's TPR, below the threshold that Trapeze set",
    .class = "control-sensitive: the TPR decides which interrupts come",
    .privileged = "MOV to CR8: yes, #GP at CPL > 0",
    .action = "Trap-like: the new TPR is in the register page. Looks again which interrupt is the next.",
    .half[EXPLAIN_VT_X] = { "43", "\"use TPR shadow\" and the TPR threshold", SDM "\"TPR Virtualization\"" },
    .half[EXPLAIN_AMD_V] = { "none", "does not occur: while an interrupt waits, MOV to CR8 is intercepted, see cr-write",
                             APM "\"Virtualizing APIC.TPR\"" },
};

ROW(RDTSC) = {
    .what = "The guest read the time-stamp counter.",
    .cause = "RDTSC, RDTSCP",
    .class = "behaviour-sensitive: time goes on while others run, and the counter began with the machine",
    .privileged = "only with CR4.TSD, which is the guest's own",
    .action = "Gives the virtual counter. Not asked for by default: the hardware adds the partition's offset, without an exit.",
    .half[EXPLAIN_VT_X] = { "16, 51", "\"RDTSC exiting\"; else \"use TSC offsetting\"", CONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "6Eh, 87h",
                             "intercept RDTSC, VMCB 00Ch bit 14; RDTSCP, 010h bit 7; else TSC_OFFSET, 050h", INSTRUCTIONS },
};

ROW(RDPMC) = {
    .what = "The guest read a performance counter.",
    .cause = "RDPMC",
    .class = "behaviour-sensitive: it counts what others did",
    .privileged = "only with CR4.PCE clear, as after a reset",
    .action = "Raises #GP: the guest's CPUID says that there are no counters, and on a CPU without them so it is.",
    .half[EXPLAIN_VT_X] = { "15", "\"RDPMC exiting\"", CONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "6Fh", "intercept RDPMC, VMCB 00Ch bit 15", INSTRUCTIONS },
};

ROW(INVLPG) = {
    .what = "The guest dropped cached translations of its own page tables.",
    .cause = "INVLPG",
    .class = "control-sensitive: it changes the mapping that the CPU uses",
    .privileged = "yes: #GP at CPL > 0",
    .action = "Drops all of the guest's linear translations and skips it. Not asked for by default: with nested paging and "
              "tagged TLBs the instruction reaches only the guest's own.",
    .half[EXPLAIN_VT_X] = { "14", "\"INVLPG exiting\"", CONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "79h", "intercept INVLPG, VMCB 00Ch bit 25", INSTRUCTIONS },
};

ROW(INVPCID) = {
    .what = "The guest dropped cached translations of one or all of its address spaces.",
    .cause = "INVPCID",
    .class = "control-sensitive: it changes the mapping that the CPU uses",
    .privileged = "yes: #GP at CPL > 0 (some emulators exit first)",
    .action = "Checks type and descriptor, drops all of the guest's linear translations and skips it. Not asked for by default.",
    .half[EXPLAIN_VT_X] = { "58", "\"INVLPG exiting\" with \"enable INVPCID\"", CONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "A2h", "intercept INVPCID, VMCB 014h bit 2", INSTRUCTIONS },
};

ROW(WBINVD) = {
    .what = "The guest wants the caches emptied.",
    .cause = "INVD, WBINVD, WBNOINVD",
    .class = "control-sensitive: the caches are everyone's, and INVD throws others' data away",
    .privileged = "yes: #GP at CPL > 0, before the exit",
    .action = "Skips it: the guest's memory is cached and coherent, and no device goes round the caches.",
    .half[EXPLAIN_VT_X] = { "13, 54", "INVD always; WBINVD by \"WBINVD exiting\"",
                            UNCONDITIONALLY ", \"Instructions That Cause VM Exits Conditionally\"" },
    .half[EXPLAIN_AMD_V] = { "76h, 89h", "intercept INVD, VMCB 00Ch bit 22; WBINVD, 010h bit 9", INSTRUCTIONS },
};

ROW(DESCRIPTOR) = {
    .what = "The guest loaded or stored the address of a descriptor table or the task register.",
    .cause = "LGDT, LIDT, LLDT, LTR; SGDT, SIDT, SLDT, STR",
    .class = "control-sensitive (loads), behaviour-sensitive (stores)",
    .privileged = "loads yes, #GP at CPL > 0; stores no (but for CR4.UMIP): 4 of the 17 that x86 failed Theorem 1 by",
    .action = "Decodes the instruction and does it with the CPU's checks. Not asked for by default: each guest has its own "
              "registers in the VMCS or VMCB, so the stores tell it the truth.",
    .half[EXPLAIN_VT_X] = { "46, 47", "\"descriptor-table exiting\"", CONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "66h-6Dh", "intercept IDTR, GDTR, LDTR, TR reads and writes, VMCB 00Ch bits 6-13", INSTRUCTIONS },
};

ROW(FLAGS) = {
    .what = "The guest stored or loaded its flags by the stack.",
    .cause = "PUSHF, POPF",
    .class = "behaviour-sensitive (PUSHF shows IF and IOPL), control-sensitive (POPF changes them, or silently does not)",
    .privileged = "no: two of the 17 that x86 failed Theorem 1 by",
    .action = "Pushes, or pops with the rules for CPL and IOPL. Not asked for by default: the guest has RFLAGS to itself.",
    .half[EXPLAIN_VT_X] = { "none", "does not occur: there is no such control", CONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "70h, 71h", "intercept PUSHF, POPF, VMCB 00Ch bits 16 and 17", INSTRUCTIONS },
};

ROW(RDRAND) = {
    .what = "The guest asked for a random number.",
    .cause = "RDRAND, RDSEED",
    .class = "innocuous: nobody can tell whose number it is; it matters for replay only",
    .privileged = "no",
    .action = "Asks the CPU itself and hands its answer on. Not asked for by default.",
    .half[EXPLAIN_VT_X] = { "57, 61", "\"RDRAND exiting\", \"RDSEED exiting\"", CONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "none", "does not occur: there is no such intercept", INSTRUCTIONS },
};

ROW(MWAIT) = {
    .what = "The guest tried to wait for a write to memory.",
    .cause = "MONITOR, MWAIT",
    .class = "control-sensitive: MWAIT stops the CPU, which is not the guest's to stop",
    .privileged = "#UD at CPL > 0, on most CPUs",
    .action = "Raises #UD: the guest's CPUID says that there is no such instruction.",
    .half[EXPLAIN_VT_X] = { "36, 39", "\"MWAIT exiting\", \"MONITOR exiting\"", CONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "8Ah-8Ch", "intercept MONITOR, MWAIT, armed MWAIT, VMCB 010h bits 10, 11, 12", INSTRUCTIONS },
};

ROW(UNDEFINED) = {
    .what = "The guest tried an instruction of a feature that its CPUID does not have.",
    .cause = "the instructions of VMX and SVM, GETSEC, RSM, ENCLS, XSAVES, XRSTORS, VMFUNC, RDPRU ...",
    .class = "control-sensitive, most of them",
    .privileged = "many: but the exit of VMX instructions comes before the CPL is looked at",
    .action = "Raises #UD, as a CPU without the feature does.",
    .half[EXPLAIN_VT_X] = { "11, 17, 19-27, 50, 53, 59, 60, 63, 64", "mostly always; some by a control of their own",
                            UNCONDITIONALLY },
    .half[EXPLAIN_AMD_V] = { "73h, 7Ah, 80h, 82h-86h, 8Eh, A0h, A1h, A3h, A4h",
                             "intercepts of VMCB 00Ch, 010h and 014h; VMRUN's is mandatory", INSTRUCTIONS },
};

ROW(TASK_SWITCH) = {
    .what = "The guest switched to another task by a task-state segment, which VT-x leaves to the VMM.",
    .cause = "CALL, JMP, IRET or a task gate of the IDT; in 32-bit and 16-bit mode only",
    .class = "control-sensitive: it loads nearly all registers, CR3 too",
    .privileged = "by the descriptors' DPL",
    .action = "Does all that the CPU would: checks, saves the old task, loads the new one, and raises the faults that the "
              "manual names.",
    .half[EXPLAIN_VT_X] = { "9", "always, no control", SDM "\"Treatment of Task Switches\"" },
    .half[EXPLAIN_AMD_V] = { "none", "does not occur: the CPU does it, for VMCB 00Ch bit 29 is not set",
                             APM "\"Miscellaneous Intercepts\"" },
};

ROW(INIT) = {
    .what = "A real INIT signal reached the CPU while a guest ran.",
    .cause = "the firmware, an emulator, another CPU's APIC; not a guest, whose INITs are virtual",
    .class = AN_EVENT ": resource control",
    .privileged = NO_INSTRUCTION,
    .action = "Ignores it, and the log says so: no part of Trapeze sends any once all CPUs run.",
    .half[EXPLAIN_VT_X] = { "3", "always, no control", OTHER_CAUSES },
    .half[EXPLAIN_AMD_V] = { "63h", "intercept INIT, VMCB 00Ch bit 3", APM "\"INIT Intercept\"" },
};

ROW(SIPI) = {
    .what = "A real start-up IPI reached the CPU while a guest waited for one.",
    .cause = "the firmware, an emulator, another CPU's APIC; not a guest, whose SIPIs are virtual",
    .class = AN_EVENT ": resource control",
    .privileged = NO_INSTRUCTION,
    .action = "Ignores it, and the log says so. A vCPU that waits for its own SIPI is blocked in Trapeze and does not run.",
    .half[EXPLAIN_VT_X] = { "4", "always, no control, in the activity state wait-for-SIPI", OTHER_CAUSES },
    .half[EXPLAIN_AMD_V] = { "none", "does not occur", INTERRUPTS },
};

ROW(BAD_NESTED_PAGE) = {
    .what = "The CPU found an entry of the nested page tables that breaks the format's rules.",
    .cause = "a fault of the hypervisor, or of its memory: no guest can write these tables",
    .class = AN_EVENT,
    .privileged = NO_INSTRUCTION,
    .action = "Stops the partition and says which guest-physical address it was.",
    .half[EXPLAIN_VT_X] = { "49", "\"enable EPT\": an entry with reserved bits, or a combination that is not allowed",
                            SDM "\"EPT Misconfigurations\"" },
    .half[EXPLAIN_AMD_V] = { "400h", "NP_ENABLE: a nested page fault with the reserved bit in EXITINFO1",
                             APM "\"Nested versus Guest Page Faults, Fault Ordering\"" },
};

ROW(ENTRY_FAILED) = {
    .what = "The CPU refused to enter the guest: the state breaks one of its rules.",
    .cause = "a fault of the hypervisor: a field of the VMCS or VMCB",
    .class = AN_EVENT,
    .privileged = NO_INSTRUCTION,
    .action = "Checks the state in software by the manual's own rules, names each that is broken, and stops the partition.",
    .half[EXPLAIN_VT_X] = { "33, 34, 41", "always, no control; bit 31 of the exit reason is set",
                            SDM "\"VM-Entry Failures During or After Loading Guest State\"" },
    .half[EXPLAIN_AMD_V] = { "none", "EXITCODE -1, VMEXIT_INVALID: always, no control",
                             APM "\"Canonicalization and Consistency Checks\"" },
};

#undef ROW

/* A kind without a row above does not build. */
const struct explanation *const explain_rows[VT_EXIT_KINDS] = {
#define EXPLAIN_ROW(kind, text) [VT_EXIT_##kind] = &explain_##kind,
    VT_EXIT_LIST(EXPLAIN_ROW)
#undef EXPLAIN_ROW
};
