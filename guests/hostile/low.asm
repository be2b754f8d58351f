; Copied to LOW_BASE: out of long mode into another mode, a piece of code there, and back; and where the second CPU
; starts. The addresses are those of the copy. low.h has the same numbers.
extern world_back, watch_main
global low_code, low_code_end, low_trip, low_entry_of_second

LOW_BASE   equ 0x8000
VARIABLES  equ 0x8e00
GDTR       equ VARIABLES
IDTR32     equ VARIABLES + 8
IVTR       equ VARIABLES + 16
KIND       equ VARIABLES + 24
CR3_LONG   equ VARIABLES + 28
CR3_PSE    equ VARIABLES + 32
CR3_PAE    equ VARIABLES + 36
FLAGS      equ VARIABLES + 40
REGISTERS  equ VARIABLES + 44 ; EAX ECX EDX EBX ESI EDI
SECOND_GDTR  equ VARIABLES + 72
SECOND_STACK equ VARIABLES + 80
BLOB       equ 0x9000
LOW_STACK  equ 0xbff0
SIPI_BASE  equ 0x7000

CODE64 equ 0x08
DATA   equ 0x10
CODE32 equ 0x18
CODE16 equ 0x20
DATA16 equ 0x28
TSS32  equ 0x40
TASK   equ 0x48
GATE   equ 0x58

CR0_PE equ 1
CR0_PG equ 1 << 31
CR0_LONG equ 0x80010033
CR4_PSE  equ 1 << 4
CR4_LONG equ 1 << 5 | 1 << 9
IA32_EFER equ 0xc0000080
EFER_LME  equ 1 << 8
FLAG_VM   equ 1 << 17

%define LOW(x) (LOW_BASE + (x) - low_code)

%macro FLAT_SEGMENTS 0
    mov eax, DATA
    mov ds, eax
    mov es, eax
    mov ss, eax
%endmacro
; From real mode: a pointer to the GDT, and where to go on.
%macro TO_PROTECTED_MODE 2
    cli
    xor ax, ax
    mov ds, ax
    o32 lgdt [%1]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp dword CODE32:LOW(%2)
%endmacro
; From protected mode without paging, to the page tables of CR3_LONG: where to go on.
%macro TO_LONG_MODE 1
    mov eax, CR4_LONG
    mov cr4, eax
    mov eax, [CR3_LONG]
    mov cr3, eax
    mov ecx, IA32_EFER
    rdmsr
    or eax, EFER_LME
    wrmsr
    mov eax, CR0_LONG
    mov cr0, eax
    jmp CODE64:LOW(%1)
%endmacro

section .text
bits 64
; low_trip(): the variables say where to. Does not return; it goes to world_back.
low_trip:
    jmp far [rel .to]
.to:
    dd LOW(from_long)
    dw CODE32

align 16
low_code:
bits 32
from_long:
    FLAT_SEGMENTS
    mov esp, LOW_STACK
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    mov ecx, IA32_EFER
    rdmsr
    and eax, ~EFER_LME
    wrmsr
    lidt [IDTR32]
    mov eax, TSS32
    ltr ax
    mov eax, [KIND]
    cmp eax, 1
    je .pse
    cmp eax, 2
    je .pae
    cmp eax, 3
    je .sixteen
    cmp eax, 4
    je .sixteen
    cmp eax, 5
    je .virtual
    cmp eax, 6
    je .task
    cmp eax, 7
    je .gate
    jmp run32
.pse:
    mov eax, CR4_PSE
    mov cr4, eax
    mov eax, [CR3_PSE]
    jmp .paging
.pae:
    mov eax, [CR3_PAE]
.paging:
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    jmp run32
.virtual:
    xor eax, eax
    push eax                ; GS FS DS ES
    push eax
    push eax
    push eax
    push eax                ; SS
    push dword LOW_STACK
    mov eax, [FLAGS]
    or eax, FLAG_VM
    push eax
    push dword 0
    push dword BLOB
    call load
    iretd
.task:
    call TASK:0
    jmp back32
.gate:
    call GATE:0
    jmp back32
.sixteen:
    jmp CODE16:LOW(sixteen)

run32:
    call load
    push dword [FLAGS]
    popfd
    call BLOB
    jmp back32

load:
    mov eax, [REGISTERS]
    mov ecx, [REGISTERS + 4]
    mov edx, [REGISTERS + 8]
    mov ebx, [REGISTERS + 12]
    mov esi, [REGISTERS + 16]
    mov edi, [REGISTERS + 20]
    ret

bits 16
sixteen:
    mov ax, DATA16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, LOW_STACK
    cmp byte [KIND], 3
    je .run
    mov eax, cr0
    and al, ~CR0_PE
    mov cr0, eax
    jmp 0:LOW(.real)
.real:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    lidt [IVTR]
.run:
    mov ecx, [REGISTERS + 4]
    mov edx, [REGISTERS + 8]
    mov ebx, [REGISTERS + 12]
    mov esi, [REGISTERS + 16]
    mov edi, [REGISTERS + 20]
    push dword [FLAGS]
    popfd
    call BLOB
    int 0x30

align 8
low_real_back:              ; all interrupt vectors of real mode
    TO_PROTECTED_MODE GDTR, back32

bits 32
align 8
back32:                     ; all gates of protected mode, and the task of #DF
    cli
    FLAT_SEGMENTS
    mov esp, LOW_STACK
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    lgdt [GDTR]
    TO_LONG_MODE back64
bits 64
back64:
    mov eax, DATA
    mov ss, eax
    mov edi, 0x30
    mov rax, world_back
    jmp rax

; The second CPU comes in real mode to SIPI_BASE, where a jump leads here.
bits 16
second16:
    TO_PROTECTED_MODE SECOND_GDTR, second32
bits 32
second32:
    FLAT_SEGMENTS
    TO_LONG_MODE second64
bits 64
second64:
    mov rsp, [abs SECOND_STACK]
    mov rax, watch_main
    call rax
    hlt
low_code_end:

section .rodata
global low_back32, low_back_real, low_second
low_back32:    dd LOW(back32)
low_back_real: dd LOW(low_real_back)
low_second:    dd LOW(second16)
