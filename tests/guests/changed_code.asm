; An instruction that accesses a device is overwritten by another between two rounds: the new one has to be executed.
%include "lib/long64.inc"
start:
    mov edi, IOAPIC
    mov dword [rdi], 1          ; the version register
    mov ebp, 100
.round:
    xor eax, eax
    xor ecx, ecx
    mov byte [instruction + 1], 0x47    ; MOV EAX, [RDI + 10h]
    call instruction
    mov byte [instruction + 1], 0x4f    ; MOV ECX, [RDI + 10h]
    call instruction
    cmp al, cl
    check e, "the old instruction was executed"
    test ecx, ecx
    check nz, "nothing was read"
    dec ebp
    jnz .round
    jmp passed
instruction:
    mov eax, [rdi + IOAPIC_DATA]
    ret
