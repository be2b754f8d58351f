; A segment is to be loaded from a table where there is nothing.
%include "lib/long64.inc"
start:
    say "moves its GDT"
    lgdt [outside]
    mov eax, 0x18
    mov ds, eax
    jmp failed
outside: dw 0xfff
         dq OUTSIDE
