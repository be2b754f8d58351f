; An exception is to be delivered on a stack where there is nothing.
%include "lib/long64.inc"
start:
    on 6, handler
    say "moves its stack"
    mov esp, OUTSIDE
    ud2
handler:
    jmp failed
