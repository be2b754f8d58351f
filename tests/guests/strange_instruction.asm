; Saves the FPU's state to a device: legal, but nothing that an emulator of device accesses should have to know.
%include "lib/long64.inc"
start:
    say "saves"
    mov edi, IOAPIC
    fxsave [rdi]
    jmp failed
