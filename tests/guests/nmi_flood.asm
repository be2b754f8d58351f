; NMIs to itself without end, the next one sent while the last is still being served.
%include "lib/long64.inc"

ICR_LOW  equ 0x300
SEND_NMI equ 0x4400             ; NMI, assert; ICR's upper half is 0: to itself

start:
    on 2, nmi
    mov ebx, LAPIC
    mov dword [rbx + LAPIC_SVR], 0x1ff
    say "floods"
.again:
    mov dword [rbx + ICR_LOW], SEND_NMI
    jmp .again
nmi:
    mov dword [rbx + ICR_LOW], SEND_NMI
    iretq
