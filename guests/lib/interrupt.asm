; Entry points of all 256 vectors, and the call that survives an exception.
bits 64
default rel
extern interrupt_c
global interrupt_entries, interrupt_try_asm, interrupt_try_leave
%include "guests/lib/preserved.inc"

section .text
%macro PUSH_ALL 0
    push rax
    push rbx
    push rcx
    push rdx
    push rsi
    push rdi
    push rbp
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
%endmacro
%macro POP_ALL 0
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rbp
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rbx
    pop rax
%endmacro

; Exceptions that push an error code by themselves: #DF #TS #NP #SS #GP #PF #AC #CP.
HAS_ERROR equ 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21

align 16
interrupt_entries:
%assign vector 0
%rep 256
    align 16
  %if vector >= 32
    push 0
  %elif ((HAS_ERROR >> vector) & 1) == 0
    push 0
  %endif
    push vector
    jmp interrupt_common
  %assign vector vector + 1
%endrep

interrupt_common:
    PUSH_ALL
    cld
    mov rdi, rsp
    mov rbx, rsp
    and rsp, -16
    call interrupt_c
    mov rsp, rbx
    POP_ALL
    add rsp, 16
    iretq

; int interrupt_try_asm(attempt rdi, argument rsi, uint64_t *result rdx): what the C ABI preserves is put where
; interrupt_try_leave() finds it.
interrupt_try_asm:
    PUSH_PRESERVED
    push rdx
    mov [resume_rsp], rsp
    mov rax, rdi
    mov rdi, rsi
    call rax
    pop rdx
    test rdx, rdx
    jz .no_result
    mov [rdx], rax
.no_result:
    mov eax, -1
    jmp interrupt_try_leave.pop

; interrupt_try_leave(vector edi): back to interrupt_try_asm's caller.
interrupt_try_leave:
    mov rsp, [resume_rsp]
    pop rdx
    mov eax, edi
    cld
.pop:
    POP_PRESERVED
    ret

section .bss
resume_rsp: resq 1
