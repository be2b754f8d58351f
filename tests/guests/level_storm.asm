; A level-triggered interrupt whose cause is never taken away: each EOI brings it again.
%include "lib/long64.inc"
%include "lib/level.inc"
start:
    say "never cures the cause"
    raise_level handler
    sti
    jmp $
handler:
    mov ebx, LAPIC
    mov dword [rbx + LAPIC_EOI], 0
    iretq
