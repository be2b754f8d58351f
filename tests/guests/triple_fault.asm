; An exception with no IDT, then no #DF handler either.
%include "lib/long64.inc"
start:
    say "faults"
    lidt [nothing]
    ud2
nothing: dw 0
         dq 0
