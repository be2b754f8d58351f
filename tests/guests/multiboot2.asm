; A Multiboot 2 kernel (ELF64): finds its command line among the tags, speaks through the debug console, ends with 42.
%include "lib/multiboot.inc"

HEADER_MAGIC equ 0xe85250d6
LOADER_MAGIC equ 0x36d76289
TAG_END      equ 0
TAG_CMDLINE  equ 1
TAG_MEMORY   equ 4

align 8
header:
    dd HEADER_MAGIC, 0, header_end - header, -(HEADER_MAGIC + header_end - header)
    dw 0, 0                     ; the end tag
    dd 8
header_end:

start:
    mov esp, stack_end
    cmp eax, LOADER_MAGIC
    check e, "EAX is not the magic"
    xor edi, edi                ; tags of interest found
    lea esi, [ebx + 8]
.tag:
    mov eax, [esi]
    cmp eax, TAG_END
    je .done
    cmp eax, TAG_CMDLINE
    jne .not_cmdline
    inc edi
    push esi
    add esi, 8
    call put_text
    pop esi
.not_cmdline:
    cmp eax, TAG_MEMORY
    jne .next
    inc edi
    cmp dword [esi + 12], 3072
    check e, "upper memory is not 3 MiB"
.next:
    mov eax, [esi + 4]
    add eax, 7
    and eax, ~7
    add esi, eax
    jmp .tag
.done:
    cmp edi, 2
    check e, "not one command line and one memory tag"
    say "multiboot 2 works"
    jmp passed
