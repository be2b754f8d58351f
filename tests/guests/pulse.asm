; The neighbour that must live on: prints how many seconds have passed, counted by PIT interrupts through the PIC, and
; complains if one of them was longer or shorter than the first by the TSC, which the same pauses must stop.
%include "lib/real16.inc"

HZ        equ 50

start:
    pit_interrupts HZ, on_tick
    xor esi, esi                ; ticks
    xor edi, edi                ; seconds
    xor ebp, ebp                ; TSC ticks of the first second
    sti
.sleep:
    hlt
    cmp esi, HZ
    jb .sleep
    sub esi, HZ
    inc edi
    push si
    mov si, text
    call put_text
    mov eax, edi
    call put_number
    mov al, 10
    call put_char
    call check_length
    pop si
    jmp .sleep

check_length:
    rdtsc                       ; a second has less than 2^32 ticks
    mov ebx, eax
    xchg ebx, [last]
    cmp edi, 1
    je .end                     ; began when the machine did, not at a tick
    sub eax, ebx
    test ebp, ebp
    jnz .compare
    mov ebp, eax
.compare:
    mov ecx, eax
    sub eax, ebp
    jns .positive
    neg eax
.positive:
    mov ebx, ebp
    shr ebx, 2                  ; a quarter: what a planted fault may hold the only CPU for
    cmp eax, ebx
    jb .end
    mov si, jumped
    call put_text
    mov eax, ecx
    call put_number
    mov si, instead
    call put_text
    mov eax, ebp
    call put_number
    mov al, 10
    call put_char
.end:
    ret

on_tick:
    inc esi
    push ax
    mov al, PIC_EOI
    out PIC1, al
    pop ax
    iret

text:   db "pulse ", 0
jumped: db "time jumped: a second had ", 0
instead: db " TSC ticks, the first ", 0
last:   dd 0
