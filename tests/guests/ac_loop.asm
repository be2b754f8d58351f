; #AC, delivered at CPL 3 on a misaligned stack, raises #AC, for ever (CVE-2015-5307). 32-bit code, for in 64-bit mode
; delivery aligns the stack. A handler in a conforming segment runs at its caller's privilege, on its stack.
%include "lib/long64.inc"

USER_CODE   equ 0x08 | 3
USER_DATA   equ 0x10 | 3
CONFORMING  equ 0x18
EFER        equ 0xc0000080
CR0_AM      equ 1 << 18
CR0_PG      equ 1 << 31
EFLAGS_AC   equ 0x40002

start:
    say "loops in #AC"
    lgdt [gdt_pointer]
    mov rax, cr0
    or eax, CR0_AM
    mov cr0, rax
    push CONFORMING
    lea rax, [leave_long_mode]
    push rax
    retfq
bits 32
leave_long_mode:
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    mov ecx, EFER
    xor eax, eax
    xor edx, edx
    wrmsr
    mov word [idt + 17 * 8], misaligned - text_base
    mov word [idt + 17 * 8 + 2], CONFORMING
    mov word [idt + 17 * 8 + 4], 0xee00
    mov word [idt + 17 * 8 + 6], 0x10
    lidt [idt32_pointer]
    push USER_DATA
    push stack_end - 2
    push EFLAGS_AC
    push USER_CODE
    push user
    iretd
user:
    push eax
    jmp user
misaligned:
    jmp misaligned

align 8
gdt:           dq 0, 0x00cffb000000ffff, 0x00cff3000000ffff, 0x00cf9f000000ffff
gdt_pointer:   dw 4 * 8 - 1
               dq gdt
idt32_pointer: dw 256 * 8 - 1
               dd idt
section .bss
stack: resb 512
stack_end:
