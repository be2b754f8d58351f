; The first and the last byte of everything, and what lies beside: each edge is one line.
%include "lib/long64.inc"

MEMORY_END equ 0x200000         ; memory = 2M
LOW_END    equ 0xa0000
HIGH_START equ 0x100000
ROM_START  equ 0xe0000
ABOVE_4G   equ 0x100000000
BIG_PAGE   equ 0x83             ; present, writable, large

; is_memory "text", ADDRESS: a byte that keeps what is written.
%macro is_memory 2
    mov ebx, %2
    mov al, [rbx]
    mov byte [rbx], 0x5a
    cmp byte [rbx], 0x5a
    check e, %1, ": does not keep a byte"
    mov [rbx], al
    say %1, ": memory"
%endmacro

; is_nothing "text", ADDRESS (RBX if it is given already): reads all ones, whatever is written.
%macro is_nothing 2
    mov rbx, %2
    cmp byte [rbx], 0xff
    check e, %1, ": is not all ones"
    mov byte [rbx], 0x5a
    cmp byte [rbx], 0xff
    check e, %1, ": keeps a byte"
    say %1, ": all ones"
%endmacro

; is_constant "text", ADDRESS: is read, is not changed.
%macro is_constant 2
    mov ebx, %2
    mov rax, [rbx]
    mov rcx, rax
    not rcx
    mov [rbx], rcx
    cmp [rbx], rax
    check e, %1, ": was changed"
    lock xor [rbx], rcx
    cmp [rbx], rax
    check e, %1, ": was changed by a locked instruction"
    say %1, ": unchanged"
%endmacro

start:
    is_memory "first byte of memory", 0
    is_memory "last byte below the hole at 640 KiB", LOW_END - 1
    is_nothing "first byte of the hole at 640 KiB", LOW_END
    is_nothing "last byte of the hole below the ROM", ROM_START - 1
    is_constant "first bytes of the ROM", ROM_START
    is_constant "last bytes of the ROM", HIGH_START - 8
    is_memory "last byte of memory", MEMORY_END - 1
    is_nothing "first byte above memory", MEMORY_END
    is_nothing "last byte below the IOAPIC", IOAPIC - 1
    is_nothing "first byte behind the local APIC", LAPIC + 0x1000
    is_nothing "last byte below 4 GiB", 0xffffffff
    call map_above_4g
    is_nothing "first byte above 4 GiB", r12
    is_nothing "last byte of physical memory", r13
    call across_4g
    jmp passed

; Three large pages where the loader's tables have none: at 4 GiB (R12), and the last of the physical address space, whose
; last byte is R13. RIP's tables are the loader's: PML4, and one page directory pointer table.
map_above_4g:
    mov rdx, cr3
    mov rdx, [rdx]
    and rdx, -4096
    lea rax, [directory]
    or eax, 3
    mov [rdx + 4 * 8], rax
    mov rax, ABOVE_4G | BIG_PAGE
    mov [directory], rax
    mov eax, 0x80000008
    cpuid
    movzx ecx, al
    mov eax, 1
    shl rax, cl
    sub rax, 0x200000
    or rax, BIG_PAGE
    mov [directory + 8], rax
    mov r12, ABOVE_4G
    mov r13, ABOVE_4G + 0x3fffff
    mov rax, cr3
    mov cr3, rax
    ret

across_4g:
    mov rbx, ABOVE_4G - 4
    cmp qword [rbx], -1
    check e, "across 4 GiB: is not all ones"
    mov qword [rbx], 0
    cmp qword [rbx], -1
    check e, "across 4 GiB: keeps what was written"
    say "across 4 GiB: all ones"
    ret

section .bss
align 4096
directory: resb 4096
