; Indirect calls and jumps of the hypervisor's C come through here: compilers call __x86_indirect_thunk_<register> instead. As
; assembled they are retpolines: the CPU's prediction of the RET is the loop behind the CALL, in which speculation is held
; until the RET is executed and goes where the register says. mitigation.c makes a plain jump of each where the CPU has
; something better. Intel, "Retpoline: A Branch Target Injection Mitigation"; AMD, "Software Techniques for Managing Speculation
; on AMD Processors".
bits 64

%define THUNK_SIZE 32                  ; as in mitigation.c

%macro thunk 1
    align THUNK_SIZE, int3
global __x86_indirect_thunk_%1
__x86_indirect_thunk_%1:
    call    %%go
%%hold:
    pause
    lfence
    jmp     %%hold
%%go:
    mov     [rsp], %1
    ret
    int3
%endmacro

section .text.thunks progbits alloc exec nowrite align=THUNK_SIZE
global indirect_thunks
indirect_thunks:
    thunk rax
    thunk rcx
    thunk rdx
    thunk rbx
    align THUNK_SIZE, int3
    times THUNK_SIZE int3           ; RSP: no compiler asks for it
    thunk rbp
    thunk rsi
    thunk rdi
    thunk r8
    thunk r9
    thunk r10
    thunk r11
    thunk r12
    thunk r13
    thunk r14
    thunk r15
    align THUNK_SIZE, int3

section .note.GNU-stack noalloc noexec nowrite progbits
