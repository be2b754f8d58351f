; Debug traps that have to wait for the shadow of MOV SS or STI, while the instruction in the shadow makes the hypervisor
; act: the CPU refuses to enter a guest whose shadow and pending traps contradict each other (SDM vol 3, "Checks on Guest
; Non-Register State").
%include "lib/long64.inc"

DATA64      equ 0x18            ; the loader's GDT
DR7_SS_WORD equ 0x00070403      ; DR0: on, reads and writes, 2 bytes
TF          equ 1 << 8
TSC         equ 0x10

; shadow "text", INSTRUCTION: one #DB, and it comes behind the instruction that the shadow covers; none, where the CPU has no
; place to keep it while the hypervisor acts.
%macro shadow 2+
    mov dword [count], 0
    mov eax, DR7_SS_WORD
    mov dr7, rax
    xor eax, eax
    mov ecx, TSC
    mov ss, [ss_word]
    %2
%%behind:
    nop
    xor eax, eax
    mov dr7, rax
    cmp dword [count], 0
    je %%none
    cmp dword [count], 1
    check e, %1, ": more than one trap"
    lea rax, [%%behind]
    cmp [first], rax
    check e, %1, ": not behind the shadow"
    say %1, ": one trap"
    jmp %%end
%%none:
    say %1, ": no trap"
%%end:
%endmacro

start:
    on 1, debug
    on 3, breakpoint
    lea rax, [ss_word]
    mov dr0, rax
    shadow "CPUID behind MOV SS", cpuid
    shadow "IN behind MOV SS", in al, 0x61
    shadow "OUT behind MOV SS", out 0x80, al
    shadow "RDMSR behind MOV SS", rdmsr
    call int3_behind_mov_ss
    call single_step_over_sti
    jmp passed

; CVE-2018-8897: the trap is taken on the first instruction of the breakpoint's handler. Bochs takes none at all.
int3_behind_mov_ss:
    mov dword [count], 0
    mov eax, DR7_SS_WORD
    mov dr7, rax
    mov ss, [ss_word]
    int3
    xor eax, eax
    mov dr7, rax
    cmp dword [count], 1
    check be, "INT3 behind MOV SS: more than one trap"
    cmp dword [breakpoints], 1
    check e, "INT3 behind MOV SS: not one breakpoint"
    say "INT3 behind MOV SS: survived"
    ret

single_step_over_sti:
    mov dword [count], 0
    pushfq
    or dword [rsp], TF
    popfq
    sti
    cpuid
    cli
    pushfq
    and dword [rsp], ~TF
    popfq
    cmp dword [count], 3
    check ae, "single steps over STI and CPUID are lost"
    say "single steps over STI and CPUID: all"
    ret

debug:
    push rax
    cmp dword [count], 0
    jne .counted
    mov rax, [rsp + 8]
    mov [first], rax
.counted:
    inc dword [count]
    pop rax
    iretq
breakpoint:
    inc dword [breakpoints]
    iretq

section .data
ss_word: dw DATA64
section .bss
count:       resd 1
breakpoints: resd 1
first:       resq 1
