; Uses all the CPU time that it gets.
%include "lib/long64.inc"
start:
    jmp $
