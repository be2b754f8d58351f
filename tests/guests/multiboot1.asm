; A Multiboot 1 kernel (ELF32): checks what it was handed, speaks through the debug console, ends with status 42.
%include "lib/multiboot.inc"

HEADER_MAGIC  equ 0x1badb002
HEADER_FLAGS  equ 2             ; memory information wanted
LOADER_MAGIC  equ 0x2badb002
INFO_MEMORY   equ 1
INFO_CMDLINE  equ 4
INFO_MODULES  equ 8

align 4
    dd HEADER_MAGIC, HEADER_FLAGS, -(HEADER_MAGIC + HEADER_FLAGS)

start:
    mov esp, stack_end
    cmp eax, LOADER_MAGIC
    check e, "EAX is not the magic"
    mov eax, [ebx]
    and eax, INFO_MEMORY | INFO_CMDLINE | INFO_MODULES
    cmp eax, INFO_MEMORY | INFO_CMDLINE | INFO_MODULES
    check e, "memory, command line or modules are missing"
    cmp dword [ebx + 4], 639
    check e, "lower memory is not 639 KiB"
    cmp dword [ebx + 8], 3072
    check e, "upper memory is not 3 MiB"
    mov esi, [ebx + 16]
    call put_text
    cmp dword [ebx + 20], 1
    check e, "not one module"
    mov esi, [ebx + 24]
    mov esi, [esi + 8]          ; the module's string
    call put_text
    say "multiboot 1 works"
    jmp passed
