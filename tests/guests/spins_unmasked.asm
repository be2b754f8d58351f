; Uses all the CPU time that it gets, with interrupts on: the machine's own ones end its stays (Bochs quirk: with them off,
; they do not).
%include "lib/long64.inc"
start:
    sti
    jmp $
