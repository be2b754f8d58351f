; Page tables where it has no memory.
%include "lib/long64.inc"
start:
    say "loads CR3"
    mov eax, OUTSIDE
    mov cr3, rax
    hlt
