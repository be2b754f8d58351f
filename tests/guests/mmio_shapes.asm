; Accesses to device memory of every size, unaligned and across pages: they are answered, and RAM beside is not harmed.
%include "lib/long64.inc"


start:
    mov edi, IOAPIC
    mov dword [rdi], 1          ; the version register
    mov eax, [rdi + IOAPIC_DATA]
    cmp al, 0x11
    check ae, "IOAPIC version below 11h"
    movzx ecx, byte [rdi + IOAPIC_DATA]
    mov rdx, [rdi + IOAPIC_DATA]
    mov ax, [rdi + IOAPIC_DATA]
    movsx rbx, word [rdi + IOAPIC_DATA + 1]
    mov [rdi + 3], ax
    mov [rdi + 5], rdx
    lock add [rdi + 7], ecx
    xchg [rdi + 9], ecx
    mov eax, OUTSIDE
    mov rdx, [rax]
    cmp rdx, -1
    check e, "nothing is not all ones"
    mov rdx, [rax + 0xffd]      ; across a page
    cmp rdx, -1
    check e, "nothing across a page is not all ones"
    mov [rax + 0xfff], rdx
    mov ecx, 3000               ; a string across a page of nothing
    lea rdi, [rax + 0x800]
    rep stosb
    cmp edi, OUTSIDE + 0x800 + 3000
    check e, "STOS stopped early"
    mov ecx, 16                 ; from nothing to RAM
    mov esi, OUTSIDE
    lea rdi, [buffer]
    rep movsb
    cmp qword [buffer + 8], -1
    check e, "MOVS did not copy"
    cmp dword [buffer + 16], 0
    check e, "MOVS copied too much"
    call last_page_of_ram
    call system_instructions
    jmp passed

; The last four bytes of memory and the first four after it, in one access.
last_page_of_ram:
    mov eax, MEMORY_END - 4
    mov dword [rax], 0x12345678
    mov rdx, [rax]
    mov rcx, 0xffffffff12345678
    cmp rdx, rcx
    check e, "reading across the end of RAM"
    mov qword [rax], 0
    cmp dword [rax], 0
    check e, "writing across the end of RAM"
    ret

; What exits by policy only, if at all: here because of its operand.
system_instructions:
    mov edi, IOAPIC
    smsw [rdi]                  ; selects a register
    smsw eax
    and eax, 0xff
    mov ecx, [rdi]
    cmp ecx, eax
    check e, "SMSW to a device"
    mov eax, OUTSIDE
    sgdt [rax]
    sidt [rax + 0x100]
    sldt [rax]
    str [rax]
    sidt [buffer]
    lidt [rax]
    sidt [buffer + 16]
    lidt [buffer]
    cmp word [buffer + 16], 0xffff
    check e, "LIDT from nothing: its limit"
    cmp qword [buffer + 18], -1
    check e, "LIDT from nothing: its base"
    ret

MEMORY_END equ 0x200000         ; memory = 2M
section .bss
buffer: resb 64
