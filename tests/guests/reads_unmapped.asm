; A page fault without an IDT: the address lies above what the loader's tables map.
%include "lib/long64.inc"
start:
    say "reads"
    mov rbx, 0x8000001230
    mov rax, [rbx]
