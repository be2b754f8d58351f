; The local APIC moved onto memory, and out of the physical address space: SDM vol 3, "Relocating the Local APIC Registers".
%include "lib/long64.inc"

APIC_BASE    equ 0x1b
APIC_ENABLE  equ 1 << 11
APIC_BSP     equ 1 << 8
RAM_PAGE     equ 0x1a0000
PATTERN      equ 0x12345678
LAPIC_TPR    equ 0x80

start:
    on 13, fault
    mov ebx, RAM_PAGE
    mov dword [rbx + LAPIC_TPR], PATTERN
    mov eax, RAM_PAGE | APIC_ENABLE | APIC_BSP
    xor edx, edx
    call write_base
    mov dword [rbx + LAPIC_TPR], 0x20 ; either the APIC's or the memory's, but no one else's
    mov eax, LAPIC | APIC_ENABLE | APIC_BSP
    xor edx, edx
    call write_base
    mov eax, [rbx + LAPIC_TPR]
    cmp eax, PATTERN
    je .kept
    cmp eax, 0x20
    check e, "memory below the APIC is neither old nor new"
.kept:
    say "a local APIC on memory: only its own"
    mov eax, LAPIC | APIC_ENABLE | APIC_BSP
    mov edx, 0x80000000
    call write_base
    cmp dword [faults], 1
    check e, "a base beyond the physical address space is taken"
    say "a local APIC beyond physical memory: #GP"
    jmp passed

write_base:
    mov ecx, APIC_BASE
    wrmsr
    ret
fault:
    inc dword [faults]
    add rsp, 8                  ; the error code
    add qword [rsp], 2          ; behind WRMSR
    iretq
section .bss
faults: resd 1
