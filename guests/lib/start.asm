; From a Multiboot 1 loader (32-bit protected mode, paging off) to guest_main(command line, KiB above 1 MiB) in long
; mode, the first 4 GiB mapped one to one with 2 MiB pages.
; Multiboot Specification 0.6.96, "Machine state" and "Boot information format".

MAGIC_HEADER equ 0x1badb002
FLAG_MEMORY  equ 1 << 1
FLAG_CMDLINE equ 1 << 2
INFO_UPPER   equ 8
INFO_CMDLINE equ 16

PAGE_PRESENT_WRITE equ 3
PAGE_LARGE         equ 1 << 7
CR4_PAE_FXSR       equ 1 << 5 | 1 << 9
IA32_EFER          equ 0xc0000080
EFER_LME           equ 1 << 8
CR0_PG             equ 1 << 31
CR0_PE_MP_NE_WP    equ 1 << 0 | 1 << 1 | 1 << 5 | 1 << 16

extern guest_main
global start32

section .multiboot align=4
    dd MAGIC_HEADER, FLAG_MEMORY, -(MAGIC_HEADER + FLAG_MEMORY)

bits 32
section .text
start32:
    mov esp, stack.end
    mov esi, ebx                    ; the Multiboot information
    mov edi, page_tables            ; four page directories cover 4 GiB
    mov eax, PAGE_PRESENT_WRITE | PAGE_LARGE
.map:
    mov [edi], eax
    mov dword [edi + 4], 0
    add edi, 8
    add eax, 2 << 20
    jnc .map
    mov ebx, page_tables + PAGE_PRESENT_WRITE
    mov ecx, 4
.directories:                       ; edi is at the page-directory-pointer table
    mov [edi], ebx
    add edi, 8
    add ebx, 4096
    loop .directories
    mov dword [pml4], page_tables.pointers + PAGE_PRESENT_WRITE

    mov eax, CR4_PAE_FXSR
    mov cr4, eax
    mov eax, pml4
    mov cr3, eax
    mov ecx, IA32_EFER
    rdmsr
    or eax, EFER_LME
    wrmsr
    mov eax, CR0_PG | CR0_PE_MP_NE_WP
    mov cr0, eax
    lgdt [gdt.pointer]
    jmp 0x08:start64

bits 64
start64:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov edi, no_cmdline
    test dword [rsi], FLAG_CMDLINE
    jz .upper
    mov edi, [rsi + INFO_CMDLINE]
.upper:
    mov esi, [rsi + INFO_UPPER]
    call guest_main
.stop:
    cli
    hlt
    jmp .stop

section .rodata
no_cmdline: db 0
align 8
gdt:
    dq 0, 0x00209a0000000000, 0x0000920000000000
.pointer:
    dw $ - gdt - 1
    dd gdt

section .bss align=4096
page_tables: resb 4 * 4096
.pointers:   resb 4096
pml4:        resb 4096
stack:       resb 16384
.end:
