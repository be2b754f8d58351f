; Goes on where it has no memory.
%include "lib/long64.inc"
start:
    say "jumps"
    mov eax, OUTSIDE
    jmp rax
