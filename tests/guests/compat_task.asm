; Hardware task switches: CALL, JMP, IRET, task gates, 16-bit and 32-bit TSSs, and their faults.
%include "compat_lib.inc"
tests:
 ; TSS descriptors
 mov eax, tss0
 mov ebx, 0x18
 mov dl, 0x89
 mov ecx, 0x67
 call setdesc
 mov eax, tss1
 mov ebx, 0x20
 call setdesc
 mov eax, tss2
 mov ebx, 0x28
 call setdesc
 mov eax, tss16
 mov ebx, 0x30
 mov dl, 0x81
 mov ecx, 0x2b
 call setdesc
 mov ax, 0x18
 ltr ax
 ; --- CALL to task 1, IRET back
 mov edi, tss1
 mov edx, task1
 call mktss
 mov dword [tss1+0x4], 0
 mov eax, 0x11111111
 mov ebx, 0x22222222
 call 0x20:0
 CHECK "call task: eax kept", eax, 0x11111111
 CHECK "call task: ebx kept", ebx, 0x22222222
 CHECK "call task ran", [ran1], 1
 str eax
 CHECK "TR back", eax, 0x18
 movzx eax, byte [gdt+0x20+5]
 CHECK "task1 not busy", eax, 0x89
 mov eax, cr0
 and eax, 8
 CHECK "CR0.TS set", eax, 8
 clts
 pushfd
 pop eax
 and eax, 0x4000
 CHECK "NT clear", eax, 0
 call 0x20:0   ; again: continues after its iret
 CHECK "call task again", [ran1], 2
 movzx eax, word [tss1]
 CHECK "link", eax, 0x18
 ; JMP to task 2 and JMP back
 mov edi, tss2
 mov edx, task2
 call mktss
 jmp 0x28:0
 CHECK "jmp task ran", [ran2], 1
 movzx eax, byte [gdt+0x28+5]
 CHECK "task2 available after jmp", eax, 0x89
 ; 16-bit TSS
 mov edi, tss16
 mov ecx, 11
 xor eax, eax
 rep stosd
 mov word [tss16+0xe], (task16-code16base)
 mov word [tss16+0x10], 2
 mov word [tss16+0x1a], 0x8000
 mov word [tss16+0x12], 0x1234
 mov word [tss16+0x22], 16
 mov word [tss16+0x24], 0x38
 mov word [tss16+0x26], 16
 mov word [tss16+0x28], 16
 mov eax, code16base
 mov [gdt+0x38+2], ax
 shr eax, 16
 mov [gdt+0x38+4], al
 mov esi, 0xdeadbeef
 call 0x30:0
 CHECK "16-bit task ran", [ran16], 0x1234
 CHECK "16-bit task: esi kept", esi, 0xdeadbeef
 ; task gate through IDT: INT 0x30
 mov dword [idt+0x30*8], 0x00200000
 mov dword [idt+0x30*8+4], 0x8500
 mov edi, tss1
 mov edx, task1
 call mktss
 int 0x30
 CHECK "int through task gate", [ran1], 3
 ; #GP with error code through a task gate: frame on task's stack
 mov dword [idt+13*8], 0x00200000
 mov dword [idt+13*8+4], 0x8500
 mov edi, tss1
 mov edx, task_gp
 call mktss
 mov ax, 0x1230 ; beyond the GDT: #GP(1230)
gp_here:
 mov fs, ax
 nop
 CHECK "#GP task: error code", [gp_code], 0x1230
 CHECK "#GP task: old eip", [gp_eip], gp_here
 CHECK "#GP task: RF in saved eflags", [gp_flags], 0x10000
 ; double fault through a task gate
 mov dword [idt+8*8], 0x00200000
 mov dword [idt+8*8+4], 0x8500
 mov edi, tss1
 mov edx, task_df
 call mktss
 mov word [idt+6*8+4], 0x0e00  ; #UD gate not present -> #NP
 mov word [idt+11*8+4], 0x0e00 ; #NP gate not present -> #DF
df_here:
 ud2
 CHECK "#DF task ran", [dfran], 1
 mov word [idt+6*8+4], 0x8e00
 mov word [idt+11*8+4], 0x8e00
 ; not-present TSS: #NP(selector)
 mov byte [gdt+0x28+5], 0x09
 mov dword [expect_eip], .np
 call 0x28:0
.np: CHECK "absent TSS vector", [last_vector], 11
 CHECK "absent TSS error", [last_error], 0x28
 mov byte [gdt+0x28+5], 0x89
 ; TSS limit too small: #TS
 mov word [gdt+0x28], 0x66
 mov dword [expect_eip], .ts
 call 0x28:0
.ts: CHECK "short TSS vector", [last_vector], 10
 CHECK "short TSS error", [last_error], 0x28
 mov word [gdt+0x28], 0x67
 ; T bit: #DB with BT in new task
 mov edi, tss2
 mov edx, task2
 call mktss
 mov word [tss2+0x64], 1
 mov dword [last_vector], 99
 mov dword [expect_eip], 0
 jmp 0x28:0
 CHECK "T bit vector", [last_vector], 1
 mov eax, dr6
 and eax, 0xe00f
 CHECK "T bit DR6.BT", eax, 0x8000
 xor eax, eax
 mov dr6, eax
 ; bad SS in new task: #TS in new task context
 mov edi, tss2
 mov edx, task2
 call mktss
 mov dword [tss2+0x50], 0x8 ; code as SS
 mov dword [expect_eip], .ss2
 mov dword [save_sp], esp
 mov dword [tss2+0x38], stack3_top
 ; deliver #TS via a task gate so that its stack is good
 mov dword [idt+10*8], 0x00200000
 mov dword [idt+10*8+4], 0x8500
 mov edi, tss1
 mov edx, task_ts
 call mktss
 call 0x28:0
.ss2: CHECK "bad SS: error", [gp_code], 8
 ret

task_ts: pop dword [gp_code]
 ; go back to main task: it is busy and linked from tss2 -- switch: clear NT link
 mov word [tss1], 0x18
 mov byte [gdt+0x28+5], 0x89
 iret

task1: inc dword [ran1]
 mov eax, 0x99
 clts
 iret
 jmp task1
task2: inc dword [ran2]
 jmp 0x18:0
task_gp: pop dword [gp_code]
 mov eax, [tss0+0x20]
 mov [gp_eip], eax
 mov eax, [tss0+0x24]
 and eax, 0x10000
 mov [gp_flags], eax
 add dword [tss0+0x20], 2 ; skip MOV FS,AX
 iret
task_df: pop eax
 inc dword [dfran]
 mov dword [tss0+0x20], df_here+2
 iret
bits 16
code16base:
task16: mov [dword ran16], ax
 iret
bits 32
%include "compat_end.inc"
