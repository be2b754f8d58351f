; An exception is to be delivered on a stack that is a device's registers.
%include "lib/long64.inc"
start:
    on 6, handler
    say "moves its stack"
    mov esp, IOAPIC + 0x800
    ud2
handler:
    jmp failed
