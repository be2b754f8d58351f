; climb: what a PC operating system does first: 16-bit real mode, 32-bit protected mode, paging, 64-bit long mode.
; Each step prints what it finds, on COM1 and on the VGA text screen. Loaded at 7C00h, as a boot sector is.
; Intel SDM vol 3, "Switching to Protected Mode", "Initializing IA-32e Mode".
org 0x7c00

COM1          equ 0x3f8
LSR           equ COM1 + 5
LSR_CAN_SEND  equ 0x20
PORT_A20      equ 0x92
A20_ON        equ 2
VGA_TEXT      equ 0xb8000
VGA_ROW_BYTES equ 160
VGA_CELLS     equ 80 * 25
ATTRIBUTE     equ 0x1f          ; white on blue

CODE32 equ 0x08
DATA   equ 0x10
CODE64 equ 0x18

CR0_PE    equ 1 << 0
CR0_PG    equ 1 << 31
CR4_PAE   equ 1 << 5
IA32_EFER equ 0xc0000080
EFER_LME  equ 1 << 8

PML4          equ 0x1000        ; three pages below the image
PDPT          equ 0x2000
DIRECTORY     equ 0x3000
TABLES_DWORDS equ 3 * 1024
PRESENT_WRITE equ 3
LARGE         equ 0x80

CPUID_HYPERVISOR equ 0x40000000

; The same source gives the text routines of each mode: suffix, prefix of the registers' names.
%macro TEXT_ROUTINES 2
put_%1:                         ; AL: the character
    push %2dx
    push %2di
    push %2ax
    mov dx, LSR
%%wait:
    in al, dx
    test al, LSR_CAN_SEND
    jz %%wait
    pop %2ax
    mov dx, COM1
    out dx, al
    movzx edi, word [screen_at]
    cmp al, 10
    je %%newline
    cmp al, 13
    je %%end
    mov ah, ATTRIBUTE
    SCREEN_STORE_%1
    add word [screen_at], 2
    jmp %%end
%%newline:
    push %2ax
    mov ax, di
    mov dl, VGA_ROW_BYTES
    div dl
    inc al
    mul dl
    mov [screen_at], ax
    pop %2ax
%%end:
    pop %2di
    pop %2dx
    ret

text_%1:                        ; SI: the text, ended by 0
    lodsb
    test al, al
    jz %%text_end
    call put_%1
    jmp text_%1
%%text_end:
    ret

hex_%1:                         ; EBX: the number
    mov ecx, 8
%%digit:
    rol ebx, 4
    mov al, bl
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe %%put
    add al, 'a' - '0' - 10
%%put:
    call put_%1
    dec ecx
    jnz %%digit
    ret
%endmacro

%macro SCREEN_STORE_16 0
    push word VGA_TEXT >> 4
    pop es
    mov [es:di], ax
%endmacro
%macro SCREEN_STORE_32 0
    mov [VGA_TEXT + edi], ax
%endmacro
%define SCREEN_STORE_64 SCREEN_STORE_32

%macro SAY 2+                   ; mode, text
    mov %1, %%text
    jmp %%over
%%text: db "climb: ", %2, 0
%%over:
%endmacro
%macro SAY16 1+
    SAY si, %1
    call text_16
%endmacro
%macro SAY32 1+
    SAY esi, %1
    call text_32
%endmacro
%macro SAY64 1+
    SAY esi, %1
    call text_64
%endmacro
%define NL 13, 10

; ---- 16 bits -----------------------------------------------------------------------------------------------------
bits 16
    jmp 0:start
start:
    cli
    cld
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, VGA_TEXT >> 4
    mov es, ax
    xor di, di
    mov ax, ATTRIBUTE << 8 | ' '
    mov cx, VGA_CELLS
    rep stosw

    SAY16 "16 bits: real mode at 0000:7c00, CR0 = "
    mov ebx, cr0
    call hex_16
    mov si, newline
    call text_16

    in al, PORT_A20
    or al, A20_ON
    and al, 0xfe                ; bit 0 would reset the machine
    out PORT_A20, al
    mov ax, 0xffff              ; ffff:7e10 is 107e00h, or 007e00h where line A20 is held low
    mov es, ax
    mov word [0x7000], 0x1234
    mov word [es:0x7010], 0x4321
    cmp word [0x7000], 0x1234
    jne a20_off
    SAY16 "line A20 is on: the second MiB is memory of its own", NL
    jmp protect
a20_off:
    SAY16 "line A20 is OFF: addresses wrap at 1 MiB; halted", NL
    jmp stop16
protect:
    SAY16 "GDT loaded, CR0.PE set, far jump", NL
    lgdt [gdt.pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp CODE32:start32
stop16:
    hlt
    jmp stop16

; ---- 32 bits -----------------------------------------------------------------------------------------------------
bits 32
start32:
    mov ax, DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x7c00
    SAY32 "32 bits: protected mode, CR0 = "
    mov ebx, cr0
    call hex_32
    mov esi, newline
    call text_32

    mov eax, 0x80000001
    cpuid
    test edx, 1 << 29
    jnz .long_mode
    SAY32 "CPUID has no long mode; halted", NL
    jmp stop32
.long_mode:
    mov edi, PML4
    xor eax, eax
    mov ecx, TABLES_DWORDS
    rep stosd
    mov dword [PML4], PDPT | PRESENT_WRITE
    mov dword [PDPT], DIRECTORY | PRESENT_WRITE
    mov dword [DIRECTORY], PRESENT_WRITE | LARGE        ; the first 2 MiB

    ; First PAE paging in 32-bit mode, then long mode: two kinds of tables, one after the other.
    mov eax, cr4
    or eax, CR4_PAE
    mov cr4, eax
    mov eax, pae_pointers
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    SAY32 "PAE paging is on, CR0 = "
    mov ebx, cr0
    call hex_32
    mov esi, newline
    call text_32

    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    mov eax, PML4
    mov cr3, eax
    mov ecx, IA32_EFER
    rdmsr
    or eax, EFER_LME
    wrmsr
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    SAY32 "EFER.LME set, four-level paging is on, EFER = "
    mov ecx, IA32_EFER
    rdmsr
    mov ebx, eax
    call hex_32
    mov esi, newline
    call text_32
    jmp CODE64:start64
stop32:
    hlt
    jmp stop32

; ---- 64 bits -----------------------------------------------------------------------------------------------------
bits 64
start64:
    mov esp, 0x7c00
    mov rax, 1 << 32            ; what 32-bit code cannot hold
    shr rax, 32
    dec eax
    jnz stop64
    SAY64 "64 bits: long mode, R15 is there, CPU "
    xor eax, eax
    cpuid
    mov r8d, ecx
    call text_of_ebx
    mov ebx, edx
    call text_of_ebx
    mov ebx, r8d
    call text_of_ebx
    mov esi, newline
    call text_64

    mov eax, 1
    cpuid
    test ecx, ecx
    js .hypervisor
    SAY64 "no hypervisor says that it is there", NL
    jmp .done
.hypervisor:
    SAY64 "a hypervisor is there, and calls itself "
    mov eax, CPUID_HYPERVISOR
    cpuid
    mov r15d, edx
    mov r8d, ecx
    call text_of_ebx
    mov ebx, r8d
    call text_of_ebx
    mov ebx, r15d
    call text_of_ebx
    mov esi, newline
    call text_64
.done:
    SAY64 "done, 16 -> 32 -> 64 bits", NL
stop64:
    cli
    hlt
    jmp stop64

text_of_ebx:                    ; four characters, without zeroes
    mov ecx, 4
.next:
    mov al, bl
    test al, al
    jz .skip
    call put_64
.skip:
    shr ebx, 8
    dec ecx
    jnz .next
    ret

TEXT_ROUTINES 64, r
bits 32
TEXT_ROUTINES 32, e
bits 16
TEXT_ROUTINES 16, e

screen_at: dw 0
newline: db NL, 0
align 8
gdt:
    dq 0
    dq 0x00cf9a000000ffff       ; CODE32
    dq 0x00cf92000000ffff       ; DATA
    dq 0x00209a0000000000       ; CODE64
.pointer:
    dw $ - gdt - 1
    dd gdt
align 32
pae_pointers: dq DIRECTORY | 1, 0, 0, 0
