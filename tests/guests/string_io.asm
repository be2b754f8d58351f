; INS and OUTS, repeated, in both directions, to RAM and to a page that is not there.
%include "lib/long64.inc"

UNCLAIMED equ 0x5658

start:
    lea rsi, [text]
    mov ecx, text_end - text
    mov dx, COM1
    rep outsb
    lea rax, [text_end]
    cmp rsi, rax
    check e, "OUTSB stopped early"
    lea rdi, [buffer]
    mov ecx, 200
    mov dx, UNCLAIMED
    rep insw
    test ecx, ecx
    check z, "INSW left a count"
    lea rax, [buffer + 400]
    cmp rdi, rax
    check e, "INSW stopped early"
    cmp qword [buffer + 392], -1
    check e, "an unclaimed port is not all ones"
    cmp dword [buffer + 400], 0
    check e, "INSW wrote too much"
    std
    lea rdi, [buffer + 8]
    mov ecx, 3
    mov dword [buffer], 0
    rep insd
    cld
    lea rax, [buffer - 4]
    cmp rdi, rax
    check e, "INSD backwards stopped early"
    cmp dword [buffer], -1
    check e, "INSD backwards did not store"
    on 14, page_fault
    mov rsi, 0x0000700000000000 ; not mapped
    mov ecx, 5
    mov dx, COM1
fault_here:
    rep outsb
    jmp failed
page_fault:
    pop rax                     ; the error code
    mov rax, cr2
    cmp rax, rsi
    check e, "CR2 is not the address"
    cmp ecx, 5
    check e, "the faulting OUTSB counted"
    lea rax, [fault_here]
    cmp [rsp], rax
    check e, "the fault's RIP is not OUTSB's"
    jmp passed

text:     db "from a string", 10
text_end:
section .bss
buffer: resb 512
