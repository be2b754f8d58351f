; INIT to itself, then silence: a boot CPU would start anew at its reset vector.
%include "lib/long64.inc"
ICR_LOW   equ 0x300
SEND_INIT equ 0x4500
start:
    say "sends INIT"
    mov ebx, LAPIC
    mov dword [rbx + LAPIC_SVR], 0x1ff
    mov dword [rbx + ICR_LOW], SEND_INIT
    jmp $
