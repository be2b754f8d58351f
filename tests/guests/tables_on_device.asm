; Page tables in a device's registers.
%include "lib/long64.inc"
start:
    say "loads CR3"
    mov eax, IOAPIC
    mov cr3, rax
    hlt
