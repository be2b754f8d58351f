; Shows a text on the VGA screen and halts.
%include "lib/real16.inc"

WHITE_ON_BLUE equ 0x1f

start:
    mov ax, 0xb800
    mov es, ax
    mov di, (12 * 80 + 30) * 2
    mov si, text
    mov ah, WHITE_ON_BLUE
.next:
    lodsb
    test al, al
    jz .done
    stosw
    jmp .next
.done:
    say "shown"
    cli
    hlt

text: db "a picture", 0
