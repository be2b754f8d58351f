; The 64-bit door: from whatever page tables a loader left to early ones of our own, then to C at the high address.
;
; In:  long mode, interrupts off, RDI = physical address of struct boot_info, below 4 GiB and identity mapped like
;      the image itself. The image may be at any 2 MiB-aligned physical address; bss is zero already.
; Out: hv_main(direct-map pointer to boot_info) on the boot stack, with the early map:
;      identity and 0xffff800000000000: the first 4 GiB; 0xffffffff80000000: the image. All of it writable and
;      executable: the real, W^X tables come from C.
bits 64
default rel

extern hv_main, image_start, image_end
global boot_entry64, boot_enter_high, early_tables, early_stack_top

DIRECT_MAP      equ 0xffff800000000000
TABLE           equ 0x003           ; present, writable
LARGE           equ 0x083           ; present, writable, 2 MiB page
PAGES_4GIB      equ 2048
CR0_BOOT        equ 0x80010033      ; PG, WP, NE, ET, MP, PE
CR4_PAE         equ 1 << 5
CR4_PGE         equ 1 << 7
MSR_EFER        equ 0xc0000080
EFER_NXE        equ 1 << 11

; Offsets in early_tables; the Multiboot2 door fills the first six tables with the same contents.
PML4            equ 0x0000
PDPT_LOW        equ 0x1000
PD_LOW          equ 0x2000          ; four directories
PDPT_HIGH       equ 0x6000
PD_HIGH         equ 0x7000
TABLES_SIZE     equ 0x8000

section .text.entry progbits alloc exec nowrite align=16
boot_entry64:
    mov     r14, hv_main
; R14 = the function to call, RDI = the physical address that becomes its direct-map argument.
boot_enter_high:
    cli
    cld
    mov     r15, rdi
    lea     rbx, [image_start]      ; RIP-relative, so: the physical base
    lea     rsi, [early_tables]
    ; the first 4 GiB, in 2 MiB pages
    lea     rdi, [rsi + PD_LOW]
    mov     eax, LARGE
    mov     ecx, PAGES_4GIB
.low:
    mov     [rdi], rax
    add     rax, 0x200000
    add     rdi, 8
    dec     ecx
    jnz     .low
    ; the image: as many 2 MiB pages as it has
    lea     rdi, [rsi + PD_HIGH]
    lea     rax, [rbx + LARGE]
    lea     rcx, [image_end + 0x1fffff]
    sub     rcx, rbx
    shr     rcx, 21
.image:
    mov     [rdi], rax
    add     rax, 0x200000
    add     rdi, 8
    dec     ecx
    jnz     .image
    ; the upper levels
    lea     rax, [rsi + PD_LOW + TABLE]
    lea     rdi, [rsi + PDPT_LOW]
    mov     ecx, 4
.directories:
    mov     [rdi], rax
    add     rax, 0x1000
    add     rdi, 8
    dec     ecx
    jnz     .directories
    lea     rax, [rsi + PD_HIGH + TABLE]
    mov     [rsi + PDPT_HIGH + 510 * 8], rax
    lea     rax, [rsi + PDPT_LOW + TABLE]
    mov     [rsi + PML4], rax
    mov     [rsi + PML4 + 256 * 8], rax
    lea     rax, [rsi + PDPT_HIGH + TABLE]
    mov     [rsi + PML4 + 511 * 8], rax

    ; Known control registers. Global pages stay off until the new CR3 is there, which flushes the firmware's.
    mov     eax, CR4_PAE
    mov     cr4, rax
    mov     cr3, rsi
    mov     eax, CR4_PAE | CR4_PGE
    mov     cr4, rax
    mov     eax, CR0_BOOT
    mov     cr0, rax
    mov     eax, 0x80000001
    cpuid
    bt      edx, 20                 ; NX, without which setting EFER.NXE would fault; preflight reports its absence
    jnc     .high
    mov     ecx, MSR_EFER
    rdmsr
    or      eax, EFER_NXE
    wrmsr
.high:
    mov     rax, .at_high_address
    jmp     rax
.at_high_address:
    xor     eax, eax                ; null selectors: the loader's descriptor table is in memory that will be reused
    mov     ds, eax
    mov     es, eax
    mov     fs, eax
    mov     gs, eax
    mov     ss, eax
    mov     rsp, early_stack_top
    xor     ebp, ebp                ; the end of every backtrace
    mov     rdi, DIRECT_MAP
    add     rdi, r15
    call    r14
    ud2                             ; neither door's C function returns

section .bss align=4096
early_tables:
    resb TABLES_SIZE
early_stack:
    resb 16384
early_stack_top:
