; Where a started CPU begins: real mode, CS = page >> 4, IP = 0. Copied to a page below 1 MiB; position independent
; but for what smp.c writes into the parameter block at its end. Goes to long mode in one step (PE and PG together;
; SDM vol 3, "Initializing IA-32e Mode", allows any mode without paging as the start).
global trampoline_start, trampoline_params, trampoline_end

CR4_PAE         equ 1 << 5
CR0_LONG        equ 0x80010033      ; PG, WP, NE, ET, MP, PE
MSR_EFER        equ 0xc0000080

section .rodata
align 16
bits 16
trampoline_start:
    cli
    cld
    mov     ax, cs
    mov     ds, ax
    mov     eax, CR4_PAE
    mov     cr4, eax
    mov     eax, [params.root - trampoline_start]
    mov     cr3, eax
    mov     ecx, MSR_EFER
    mov     eax, [params.efer - trampoline_start]
    xor     edx, edx
    wrmsr
    o32 lgdt [params.gdt - trampoline_start]
    mov     eax, CR0_LONG
    mov     cr0, eax
    jmp     far dword [params.far - trampoline_start]

bits 64
default rel
align 8
long_mode:
    xor     eax, eax
    mov     ds, eax
    mov     es, eax
    mov     ss, eax
    mov     rsp, [params.stack]
    xor     ebp, ebp                ; the end of every backtrace
    mov     rdi, [params.pcpu]
    mov     rax, [params.entry]
    call    rax
    ud2

align 16
trampoline_params:
params:
.root:  dq 0                        ; struct trampoline_params of smp.c
.efer:  dq 0
.stack: dq 0
.pcpu:  dq 0
.entry: dq 0
.far:   dd 0                        ; page + long_mode
        dd 8
.gdt:   dw 15
.gdt_base: dd 0                     ; page + .descriptors
        dw 0
.long_mode_offset: dq long_mode - trampoline_start
.descriptors_offset: dq .descriptors - trampoline_start
.descriptors:
        dq 0
        dq 0x00209b0000000000       ; code, 64-bit, accessed
trampoline_end:
