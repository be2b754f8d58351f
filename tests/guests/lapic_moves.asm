; The local APIC moved to another address, and switched off: SDM vol 3, "Relocating the Local APIC Registers".
%include "lib/long64.inc"

APIC_BASE    equ 0x1b
APIC_ENABLE  equ 1 << 11
APIC_BSP     equ 1 << 8
NEW_BASE     equ 0xfe000000
LAPIC_VERSION equ 0x30
CPUID_APIC   equ 1 << 9

start:
    mov eax, LAPIC
    mov ebp, [rax + LAPIC_VERSION]
    cmp bpl, 0x10
    check ae, "no LAPIC at its place"
    mov eax, NEW_BASE | APIC_ENABLE | APIC_BSP
    call write_base
    mov eax, NEW_BASE
    cmp [rax + LAPIC_VERSION], ebp
    check e, "no LAPIC at its new place"
    mov eax, LAPIC
    cmp dword [rax + LAPIC_VERSION], -1
    check e, "still a LAPIC at its old place"
    mov eax, LAPIC | APIC_BSP
    call write_base
    mov eax, 1
    cpuid
    test edx, CPUID_APIC
    check z, "CPUID shows a LAPIC that is off"
    mov eax, LAPIC
    cmp dword [rax + LAPIC_VERSION], -1
    check e, "a LAPIC that is off answers"
    mov eax, LAPIC | APIC_ENABLE | APIC_BSP
    call write_base
    mov eax, LAPIC
    cmp [rax + LAPIC_VERSION], ebp
    check e, "no LAPIC after it was switched on"
    jmp passed

write_base:
    mov ecx, APIC_BASE
    xor edx, edx
    wrmsr
    ret
