; An NMI sent to itself by the interrupt command register; a second one is held until IRET.
%include "lib/long64.inc"

ICR_LOW  equ 0x300
ICR_HIGH equ 0x310
SEND_NMI equ 0x4400             ; NMI, assert; destination: the APIC with the ID in ICR_HIGH

start:
    on 2, nmi
    mov eax, LAPIC
    mov dword [rax + LAPIC_SVR], 0x1ff
    mov dword [rax + ICR_HIGH], 0
    mov dword [rax + ICR_LOW], SEND_NMI
    mov ecx, 1000
.wait:
    loop .wait
    cmp dword [count], 2
    check e, "not two NMIs"
    cmp dword [nested], 0
    check e, "an NMI within an NMI"
    jmp passed
nmi:
    push rax
    push rcx
    inc dword [depth]
    cmp dword [depth], 1
    je .outer
    inc dword [nested]
.outer:
    inc dword [count]
    cmp dword [count], 1
    jne .end
    mov eax, LAPIC
    mov dword [rax + ICR_LOW], SEND_NMI
    mov ecx, 1000
.wait:
    loop .wait
.end:
    dec dword [depth]
    pop rcx
    pop rax
    iretq
section .bss
count:  resd 1
depth:  resd 1
nested: resd 1
