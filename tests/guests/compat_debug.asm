; Debug exceptions around instructions that exit: single steps, shadows of MOV SS and STI, INT1, breakpoints.
%include "compat_lib.inc"
tests:
 ; 1 single-step over exiting instructions
 DBG_RESET hook_db
 SETTF
 nop
s1: xor eax, eax
s2: cpuid
s3: in al, 0x40
s4: mov ecx, 0x1b
s5: rdmsr
s6: mov eax, cr0
s7: mov cr0, eax
s8: out 0x80, al
s9:
 CLRTF
 CHECK "step: count", [dbg_n], 12
 CHECK "step: after nop", [dbg_list], s1
 CHECK "step: after cpuid", [dbg_list+8], s3
 CHECK "step: after in", [dbg_list+12], s4
 CHECK "step: after rdmsr", [dbg_list+20], s6
 CHECK "step: after mov cr0", [dbg_list+28], s8
 CHECK "step: after out", [dbg_list+32], s9
 mov eax, [dbg_dr6]
 and eax, 0xf00f
 CHECK "step: DR6.BS only", eax, 0x4000
 ; 2 MOV SS shadow
 DBG_RESET hook_stop
 mov bx, ss
 SETTF
 mov ss, bx
m1: cpuid
m2: nop
 CHECK "mov ss shadow: one #DB", [dbg_n], 1
 CHECK "mov ss shadow: after next", [dbg_list], m2
 ; 3 STI with TF
 DBG_RESET hook_stop
 SETTF
 sti
i1: cli
 nop
 CHECK "sti+tf: #DB after sti", [dbg_list], i1
 CHECK "sti+tf: one", [dbg_n], 1
 ; 4 ICEBP
 DBG_RESET hook_db
 db 0xf1
b1: nop
 CHECK "int1: once", [dbg_n], 1
 CHECK "int1: behind it", [dbg_list], b1
 mov eax, [dbg_dr6]
 and eax, 0xf00f
 CHECK "int1: DR6", eax, 0
 ; 5 code breakpoint
 DBG_RESET hook_db
 mov eax, bp1
 mov dr0, eax
 mov eax, 0x402
 mov dr7, eax
bp1: cpuid
 nop
 mov eax, [last_eflags]
 and eax, 0x10000
 CHECK "breakpoint: RF in frame", eax, 0x10000
 CHECK "breakpoint: once", [dbg_n], 1
 CHECK "breakpoint: at it", [dbg_list], bp1
 mov eax, [dbg_dr6]
 and eax, 0xf00f
 CHECK "breakpoint: DR6.B0", eax, 1
 mov eax, dr7
 CHECK "DR7 reads back", eax, 0x402
 ; 6 data breakpoint
 DBG_RESET hook_db
 mov eax, tmp
 mov dr1, eax
 mov eax, 0xd00408 ; G1, W, 4 bytes
 mov dr7, eax
 mov dword [tmp], 1
wp1: nop
 CHECK "watchpoint: once", [dbg_n], 1
 CHECK "watchpoint: behind", [dbg_list], wp1
 mov eax, 0x400
 mov dr7, eax
 ; 7 general detect
 DBG_RESET hook_db
 mov eax, 0x2400
 mov dr7, eax
gd1: mov eax, dr0
 CHECK "GD: once", [dbg_n], 1
 CHECK "GD: at it", [dbg_list], gd1
 mov eax, [dbg_dr6]
 and eax, 0xf00f
 CHECK "GD: DR6.BD", eax, 0x2000
 mov eax, dr7
 CHECK "GD clear", eax, 0x400
 ; 8 BTF
 DBG_RESET hook_stop
 WR 0x1d9, 0, 2
 SETTF
 nop
 nop
 jmp t1
t0: nop
t1: nop
 CHECK "BTF: once", [dbg_n], 1
 mov ecx, 0x1d9
 rdmsr
 CHECK "BTF: cleared", eax, 0
 mov dword [hook], 0
 ; 9 REP string I/O with TF: one #DB per iteration
 DBG_RESET hook_db
 mov ecx, 3
 mov edi, tmp
 mov dx, 0x61
 SETTF
 rep insb
r1: CLRTF
 CHECK "rep insb: #DB per iteration", [dbg_n], 6
 CHECK "rep insb: 3rd at next", [dbg_list+8], r1
 mov dword [hook], 0
 ; HLT with TF
 DBG_RESET hook_stop
 SETTF
 hlt
h1: nop
 CHECK "hlt+tf", [dbg_list], h1
 mov dword [hook], 0
 ret
%include "compat_end.inc"
