; Goes on in its local APIC's registers.
%include "lib/long64.inc"
start:
    say "jumps"
    mov eax, LAPIC
    jmp rax
