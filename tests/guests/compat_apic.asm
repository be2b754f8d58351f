; IA32_APIC_BASE: the local APIC moved, switched off and on, in x2APIC mode and back.
%include "compat_lib.inc"
tests:
 ; ---- the LAPIC: moved, disabled, x2APIC
 WR 0x1b, 0, 0xfeb00900
 mov eax, [0xfeb00030]
 and eax, 0xff
 CHECK "APIC moved: version there", eax, 0x14
 mov eax, [0xfee00030]
 CHECK "APIC moved: nothing at the old place", eax, -1
 WR 0x1b, 0, 0xfee00900
 mov eax, [0xfee00030]
 and eax, 0xff
 CHECK "APIC moved back", eax, 0x14
 mov dword [0xfee000f0], 0x1ff
 mov dword [0xfee00080], 0x20
 mov eax, [0xfee00080]
 CHECK "APIC TPR", eax, 0x20
 mov dword [0xfee00080], 0
 WR 0x1b, 0, 0xfee00100
 mov eax, 1
 cpuid
 and edx, 0x200
 CHECK "APIC off: CPUID", edx, 0
 mov eax, [0xfee00030]
 CHECK "APIC off: no page", eax, -1
 GP "x2APIC from disabled", WR 0x1b, 0, 0xfee00500
 WR 0x1b, 0, 0xfee00900
 mov eax, [0xfee000f0]
 CHECK "APIC on again: SVR reset", eax, 0xff
 mov ecx, 0x802
 GP "x2APIC MSR in xAPIC mode", rdmsr
 WR 0x1b, 0, 0xfee00d00
 mov ecx, 0x803
 rdmsr
 and eax, 0xff
 CHECK "x2APIC version", eax, 0x14
 mov eax, [0xfee00030]
 CHECK "x2APIC: no page", eax, -1
 GP "x2APIC to xAPIC", WR 0x1b, 0, 0xfee00900
 GP "x2APIC EOI not 0", WR 0x80b, 0, 1
 mov ecx, 0x80b
 GP "x2APIC EOI read", rdmsr
 GP "x2APIC ID write", WR 0x802, 0, 0
 mov ecx, 0x80e
 GP "x2APIC DFR", rdmsr
 GP "x2APIC TPR reserved", WR 0x808, 0, 0x100
 ; self IPI
 WR 0x80f, 0, 0x1ff
 mov dword [last_vector], 0
 sti
 WR 0x83f, 0, 0x31
 nop
 cli
 CHECK "x2APIC self IPI", [last_vector], 0x31
 WR 0x80b, 0, 0
 WR 0x1b, 0, 0xfee00100
 WR 0x1b, 0, 0xfee00900
 mov eax, [0xfee00030]
 and eax, 0xff
 CHECK "xAPIC again", eax, 0x14
 ret
%include "compat_end.inc"
