; All memory that nobody wrote for this guest must be zero, whoever had it before; then it writes to all of it, and ends.
%include "lib/real16.inc"

FIRST equ 0x1000                ; segments: 64 KiB, above the image and its stack
LAST  equ 0x9000                ; the last whole 64 KiB below the EBDA
STEP  equ 0x1000
DIRT  equ 0xd1d1d1d1

start:
    cld
    mov bx, FIRST
.segment:
    mov es, bx
    xor edi, edi
    xor eax, eax
    mov ecx, 0x4000
    repe scasd
    jne dirty
    xor edi, edi
    mov eax, DIRT
    mov ecx, 0x4000
    rep stosd
    add bx, STEP
    cmp bx, LAST
    jb .segment
    xor eax, eax
leave:
    mov dx, DEBUG_EXIT
    out dx, eax
    cli
    hlt
dirty:
    say "dirty"
    mov eax, 1
    jmp leave
