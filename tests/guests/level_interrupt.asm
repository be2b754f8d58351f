; The UART's line as a level-triggered interrupt through the IOAPIC: as long as the cause is there, EOI brings it again.
; SDM vol 3, "Interrupt Acceptance for Fixed Interrupts"; 82093AA, "Redirection Table": remote IRR.
%include "lib/long64.inc"

VECTOR       equ 0x51
UART_IER     equ COM1 + 1
UART_IIR     equ COM1 + 2
UART_MCR     equ COM1 + 4
IER_THRE     equ 2
MCR_OUT2     equ 8
ENTRY4       equ 0x10 + 2 * 4
LEVEL        equ 1 << 15
REMOTE_IRR   equ 1 << 14
ROUNDS       equ 5

start:
    on VECTOR, handler
    mov eax, LAPIC
    mov dword [rax + LAPIC_SVR], 0x1ff
    mov edi, IOAPIC
    mov dword [rdi], ENTRY4 + 1
    mov dword [rdi + IOAPIC_DATA], 0
    mov dword [rdi], ENTRY4
    mov dword [rdi + IOAPIC_DATA], LEVEL | VECTOR
    mov dx, UART_MCR
    mov al, MCR_OUT2
    out dx, al
    mov dx, UART_IER
    mov al, IER_THRE            ; the transmitter is empty: the line rises at once
    out dx, al
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
