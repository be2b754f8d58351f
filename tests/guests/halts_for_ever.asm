; HLT with interrupts off: nothing wakes it any more.
%include "lib/long64.inc"
start:
    say "halts"
    cli
    hlt
    say "woken"
    jmp failed
