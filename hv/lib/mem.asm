; The memory primitives that the compiler itself calls; long runs go by 8 bytes.
section .text
global memcpy
global memset

memcpy:                         ; rdi destination, rsi source, rdx bytes -> rax destination
    mov rax, rdi
    mov rcx, rdx
    shr rcx, 3
    rep movsq
    mov ecx, edx
    and ecx, 7
    rep movsb
    ret

memset:                         ; rdi destination, esi byte, rdx bytes -> rax destination
    mov r8, rdi
    movzx eax, sil
    mov rcx, 0x0101010101010101
    imul rax, rcx
    mov rcx, rdx
    shr rcx, 3
    rep stosq
    mov ecx, edx
    and ecx, 7
    rep stosb
    mov rax, r8
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
