; Goes on in a device's registers.
%include "lib/long64.inc"
start:
    say "jumps"
    mov eax, IOAPIC
    jmp rax
