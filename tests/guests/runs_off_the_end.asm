; An instruction that begins in the last byte of memory and ends outside.
%include "lib/long64.inc"
MEMORY_END equ 0x200000         ; memory = 2M
start:
    say "runs to the end"
    mov ebx, MEMORY_END - 1
    mov byte [rbx], 0x0f        ; the first of two bytes
    jmp rbx
