; The UART's line as a level-triggered interrupt through the IOAPIC: as long as the cause is there, EOI brings it again.
; SDM vol 3, "Interrupt Acceptance for Fixed Interrupts"; 82093AA, "Redirection Table": remote IRR.
%include "lib/long64.inc"
%include "lib/level.inc"

ROUNDS       equ 5

start:
    raise_level handler
    sti
    mov ecx, 100000
.wait:
    loop .wait
    cli
    cmp dword [count], ROUNDS
    check e, "not as many interrupts as EOIs without a cure"
    mov dword [rdi], ENTRY4
    test dword [rdi + IOAPIC_DATA], REMOTE_IRR
    check z, "remote IRR is left set"
    cmp dword [seen_irr], ROUNDS
    check e, "remote IRR was not set during service"
    jmp passed

handler:
    push rax
    push rdx
    inc dword [count]
    mov eax, IOAPIC
    mov dword [rax], ENTRY4
    test dword [rax + IOAPIC_DATA], REMOTE_IRR
    jz .no_irr
    inc dword [seen_irr]
.no_irr:
    cmp dword [count], ROUNDS
    jb .eoi
    mov dx, UART_IIR            ; reading it takes the cause away
    in al, dx
.eoi:
    mov eax, LAPIC
    mov dword [rax + LAPIC_EOI], 0
    pop rdx
    pop rax
    iretq
section .bss
count:    resd 1
seen_irr: resd 1
