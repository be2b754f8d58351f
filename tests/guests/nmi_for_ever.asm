; An NMI to itself whose handler never returns: NMIs stay blocked, interrupts off, nothing exits.
%include "lib/long64.inc"

ICR_LOW  equ 0x300
SEND_NMI equ 0x4400             ; NMI, assert; ICR's upper half is 0: to itself

start:
    on 2, nmi
    mov ebx, LAPIC
    mov dword [rbx + LAPIC_SVR], 0x1ff
    mov dword [rbx + ICR_LOW], SEND_NMI
    mov ecx, 1000
.wait:
    loop .wait
    xor eax, eax
    check nz, "no NMI"
nmi:
    say "stays in the handler"
.stay:
    jmp .stay
