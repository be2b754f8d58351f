; Into a row, at either ring, and out of it: every way out is an interrupt or exception, whose C handler ends in run_leave.
bits 64
default rel
global run_enter, run_leave, row_end, row_target, row_next, run_stack_top, scratch, row_query, query_result
extern query_by_vmmcall
%include "guests/lib/preserved.inc"
%include "guests/lab-pg/row.inc"

section .text
; void run_enter(code rdi, cs rsi, ss rdx, rflags rcx): comes back by run_leave.
run_enter:
    PUSH_PRESERVED
    mov [resume_rsp], rsp
    lea rax, [run_stack_top]
    push rdx
    push rax
    push rcx
    push rsi
    push rdi
    mov r8d, edx
    mov edi, esi
    mov ebx, esi
    and ebx, 3                  ; the selector's RPL is the ring
    lea rsi, [scratch]
    xor eax, eax
    xor ecx, ecx
    xor edx, edx
    xor ebp, ebp
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    iretq

run_leave:
    mov rsp, [resume_rsp]
    POP_PRESERVED
    cld
    ret

row_target:
    jmp [row_next]
; Nothing that could exit may come between the instruction and this: as exits.c asks, but at the row's own ring.
row_query:
    QUERY_LAST_EXIT rdi, rsi, rcx, rdx
row_end:
    int INT_END

section .bss align=4096
scratch: resb 4096
    resb 4096
run_stack_top:
query_result: resq 4
resume_rsp: resq 1
row_next:   resq 1              ; where a row goes on after its instruction
