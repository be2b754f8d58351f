; Where every exception and interrupt in long mode ends, the call that survives whatever it calls, and jumps into code
; with all registers chosen. world.c has the other half.
bits 64
default rel
extern world_interrupt
global world_entries, world_run_asm, world_back, world_enter, world_enter_user, world_far_jump
%include "guests/lib/preserved.inc"

CODE64    equ 0x08
DATA      equ 0x10
USER_DATA equ 0x73
ENTRY     equ 16

section .text
align ENTRY
world_entries:
%assign vector 0
%rep 256
    align ENTRY
    push vector
    jmp entered
  %assign vector vector + 1
%endrep

; An error code lies below the vector for some; who has one is never returned from.
entered:
    push rax
    push rcx
    push rdx
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    cld
    mov edi, [rsp + 72]
    call world_interrupt
    mov edi, [rsp + 72]
    test eax, eax
    jnz world_back
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rax
    add rsp, 8
    iretq

; int world_run_asm(void (*action)(void), uint64_t *resume): -1, or the vector that ended it.
world_run_asm:
    PUSH_PRESERVED
    mov [rsi], rsp
    mov [resume_at], rsi
    call rdi
    mov edi, -1

; world_back(vector edi): to world_run_asm's caller, from anywhere in long mode. By IRETQ, which unblocks NMIs.
world_back:
    cld
    mov rsi, [resume_at]
    mov rsi, [rsi]
    push DATA
    push rsi
    push 2
    push CODE64
    lea rax, [.landed]
    push rax
    iretq
.landed:
    mov eax, DATA
    mov ds, eax
    mov es, eax
    mov eax, edi
    POP_PRESERVED
    ret

%macro LOAD_REGISTERS 0
    mov rax, rsi
    mov rcx, [rax + 8]
    mov rdx, [rax + 16]
    mov rbx, [rax + 24]
    mov rbp, [rax + 40]
    mov rsi, [rax + 48]
    mov rdi, [rax + 56]
    mov r8, [rax + 64]
    mov r9, [rax + 72]
    mov r10, [rax + 80]
    mov r11, [rax + 88]
    mov r12, [rax + 96]
    mov r13, [rax + 104]
    mov r14, [rax + 112]
    mov r15, [rax + 120]
    mov rax, [rax]
%endmacro

; world_enter(code rdi, registers rsi, flags rdx): on the caller's stack, or on registers[4] if that is not 0.
world_enter:
    mov [enter_at], rdi
    mov rax, [rsi + 32]
    test rax, rax
    cmovz rax, rsp
    mov [enter_rsp], rax
    push rdx
    LOAD_REGISTERS
    popfq
    mov rsp, [enter_rsp]
    jmp [enter_at]

; world_enter_user(code rdi, registers rsi, flags rdx, code selector rcx)
world_enter_user:
    push USER_DATA
    push qword [rsi + 32]
    push rdx
    push rcx
    push rdi
    mov eax, USER_DATA
    mov ds, eax
    mov es, eax
    LOAD_REGISTERS
    iretq

; world_far_jump(struct { uint32_t offset; uint16_t selector; } *rdi)
world_far_jump:
    jmp far [rdi]

section .bss
resume_at: resq 1
enter_at:  resq 1
enter_rsp: resq 1
