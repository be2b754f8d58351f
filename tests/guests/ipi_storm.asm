; Each interrupt to itself sends the next two: one vector is always waiting while another is served.
%include "lib/long64.inc"

ICR_LOW     equ 0x300
TO_SELF     equ 0x44000         ; fixed, assert, shorthand "self"
LOW_VECTOR  equ 0x51
HIGH_VECTOR equ 0xe1

start:
    on LOW_VECTOR, low
    on HIGH_VECTOR, high
    mov ebx, LAPIC
    mov dword [rbx + LAPIC_SVR], 0x1ff
    say "storms"
    sti
    mov dword [rbx + ICR_LOW], TO_SELF | LOW_VECTOR
    jmp $
low:
    mov dword [rbx + ICR_LOW], TO_SELF | HIGH_VECTOR
    sti
    nop
    cli                         ; else each would begin before the last one has left the stack
    mov dword [rbx + ICR_LOW], TO_SELF | LOW_VECTOR
    jmp served
high:
    mov dword [rbx + ICR_LOW], TO_SELF | LOW_VECTOR
served:
    mov dword [rbx + LAPIC_EOI], 0
    iretq
