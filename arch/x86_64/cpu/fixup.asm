; Instructions that may fault, each with the place where its function goes on after an exception. See fixup.h.
bits 64
default rel

global rdmsr_safe, wrmsr_safe, xsetbv_safe, load64_safe, fixup_table, fixup_table_end

section .text
; bool rdmsr_safe(uint32_t msr, uint64_t *value)
rdmsr_safe:
    mov     ecx, edi
.access:
    rdmsr
    shl     rdx, 32
    or      rax, rdx
    mov     [rsi], rax
    mov     eax, 1
    ret

; bool wrmsr_safe(uint32_t msr, uint64_t value)
wrmsr_safe:
    mov     ecx, edi
    mov     eax, esi
    mov     rdx, rsi
    shr     rdx, 32
.access:
    wrmsr
    mov     eax, 1
    ret

; bool xsetbv_safe(uint32_t index, uint64_t value)
xsetbv_safe:
    mov     ecx, edi
    mov     eax, esi
    mov     rdx, rsi
    shr     rdx, 32
.access:
    xsetbv
    mov     eax, 1
    ret

; bool load64_safe(const void *address, uint64_t *value)
load64_safe:
.access:
    mov     rax, [rdi]
    mov     [rsi], rax
    mov     eax, 1
    ret

access_failed:
    xor     eax, eax
    ret

section .rodata
align 8
fixup_table:                        ; pairs: instruction, continuation
    dq rdmsr_safe.access, access_failed
    dq wrmsr_safe.access, access_failed
    dq xsetbv_safe.access, access_failed
    dq load64_safe.access, access_failed
fixup_table_end:
