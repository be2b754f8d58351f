; Loops in which all general registers hold a pattern.
bits 64
default rel
global leak_spin, leak_spin_ax_dx
%include "guests/lib/preserved.inc"

; 1: `load` or `store`; RAX: the words
%macro MOVE 2
  %ifidn %1, load
    mov %2, [rax + 8 * word_index]
  %else
    mov [rax + 8 * word_index], %2
  %endif
  %assign word_index word_index + 1
%endmacro
%macro PATTERN 1
  %assign word_index 0
    MOVE %1, rbx
    MOVE %1, rcx
    MOVE %1, rsi
    MOVE %1, rdi
    MOVE %1, rbp
    MOVE %1, r8
    MOVE %1, r9
    MOVE %1, r10
    MOVE %1, r11
    MOVE %1, r12
    MOVE %1, r13
    MOVE %1, r14
    MOVE %1, r15
%endmacro

section .text
leak_spin:
    PUSH_PRESERVED
    mov [words], rdi
    mov [gap], rsi
    rdtsc
    shl rdx, 32
    or rax, rdx
    mov [last], rax
    mov rax, rdi
    PATTERN load
.again:
    rdtsc
    shl rdx, 32
    or rax, rdx
    mov rdx, [last]
    mov [last], rax
    sub rax, rdx
    cmp rax, [gap]
    jb .again
    mov rax, [words]
    PATTERN store
    POP_PRESERVED
    ret

leak_spin_ax_dx:
    mov [count], rsi
    mov rax, [rdi]
    mov rdx, [rdi + 8]
.again:
    dec qword [count]
    jnz .again
    mov [rdi], rax
    mov [rdi + 8], rdx
    ret

section .bss
words: resq 1
gap:   resq 1
last:  resq 1
count: resq 1
