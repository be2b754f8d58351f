; The Multiboot2 door: GRUB (BIOS or UEFI) enters here in 32-bit protected mode, without paging.
; "Multiboot2 Specification", "I386 machine state": EAX = magic, EBX = information structure, no stack.
; From here to long mode, then mb2_main(information) at the high address, through boot_enter_high.
bits 32

extern mb2_main, boot_enter_high
extern mb2_entry_physical, mb2_here_offset, early_tables_offset, early_stack_top_offset
global mb2_entry32, mb2_here

MB2_MAGIC       equ 0x36d76289
COM1            equ 0x3f8

section .mb2_header progbits alloc noexec nowrite align=8
header:
    dd 0xe85250d6, 0, header_end - header, -(0xe85250d6 + (header_end - header))
align 8
.request:           ; optional: GRUB gives what it has
    dw 1, 1
    dd .request_end - .request
    dd 1, 2, 3, 6, 8, 12, 14, 15, 21
.request_end:
align 8
    dw 3, 0         ; entry address: not e_entry, which is the 64-bit door
    dd 12, mb2_entry_physical
align 8
    dw 5, 1         ; framebuffer: optional, any size
    dd 20, 0, 0, 32
align 8
    dw 6, 0         ; modules page aligned
    dd 8
align 8
    dw 10, 0        ; relocatable: from 16 MiB, below 4 GiB, 2 MiB aligned, lowest possible
    dd 24, 0x01000000, 0xffffffff, 0x00200000, 1
align 8
    dw 0, 0
    dd 8
header_end:

section .text.entry progbits alloc exec nowrite align=16
mb2_entry32:
    cli
    cld
    cmp     eax, MB2_MAGIC
    jne     no_multiboot
    lea     esp, [ebx + 8]          ; the structure's reserved word is the only stack until we know where we are
    call    mb2_here
mb2_here:
    pop     ebp
    lea     esi, [ebp + early_tables_offset]
    sub     esi, mb2_here_offset
    lea     esp, [ebp + early_stack_top_offset]
    sub     esp, mb2_here_offset

    mov     eax, 0x80000000
    push    ebx
    cpuid
    cmp     eax, 0x80000001
    jb      no_long_mode
    mov     eax, 0x80000001
    cpuid
    bt      edx, 29
    jnc     no_long_mode
    pop     ebx

    ; Identity map of 4 GiB in the tables that boot_enter_high will fill again with the same.
    lea     edi, [esi + 0x2000]
    mov     eax, 0x083
    mov     ecx, 2048
.page:
    mov     [edi], eax
    mov     dword [edi + 4], 0
    add     eax, 0x200000
    add     edi, 8
    dec     ecx
    jnz     .page
    lea     edi, [esi + 0x1000]
    lea     eax, [esi + 0x2003]
    mov     ecx, 4
.directory:
    mov     [edi], eax
    add     eax, 0x1000
    add     edi, 8
    dec     ecx
    jnz     .directory
    lea     eax, [esi + 0x1003]
    mov     [esi], eax

    mov     eax, 1 << 5             ; CR4.PAE
    mov     cr4, eax
    mov     cr3, esi
    mov     ecx, 0xc0000080         ; EFER
    rdmsr
    or      eax, 1 << 8             ; LME
    wrmsr
    mov     eax, 0x80000011         ; CR0: PG, ET, PE
    mov     cr0, eax

    lea     eax, [ebp + gdt - mb2_here]
    push    eax
    push    word gdt_end - gdt - 1
    lgdt    [esp]
    lea     eax, [ebp + long_mode - mb2_here]
    push    dword 8
    push    eax
    retf

no_multiboot:
    mov     esp, 0x7c00             ; entered by something else: no structure to borrow a stack from
    call    .here
.here:
    pop     esi
    add     esi, not_multiboot_text - .here
    jmp     say
no_long_mode:
    lea     esi, [ebp + no_long_mode_text - mb2_here]

; ESI = text ended by 0, to COM1; then stop.
say:
    mov     edx, COM1 + 5
    in      al, dx
    test    al, 0x20                ; transmitter holding register empty
    jz      say
    lodsb
    test    al, al
    jz      .stop
    mov     edx, COM1
    out     dx, al
    jmp     say
.stop:
    cli
    hlt
    jmp     .stop

not_multiboot_text: db "Trapeze: entered at its Multiboot2 entry by a loader that is not Multiboot2. Use GRUB's multiboot2 command.", 13, 10, 0
no_long_mode_text:  db "Trapeze: this CPU has no 64-bit (long) mode; a 64-bit CPU with VT-x is required.", 13, 10, 0

align 8
gdt:
    dq 0
    dq 0x00af9a000000ffff           ; 64-bit code
gdt_end:

bits 64
long_mode:
    mov     edi, ebx                ; the information structure
    mov     r14, mb2_main
    jmp     boot_enter_high
