; A level-triggered interrupt that is never acknowledged: it stays in service, and nothing of its priority comes again.
%include "lib/long64.inc"
%include "lib/level.inc"
start:
    raise_level handler
    sti
    mov ecx, 100000
.wait:
    loop .wait
    cli
    cmp dword [count], 1
    check e, "not one interrupt without an EOI"
    mov dword [rdi], ENTRY4
    test dword [rdi + IOAPIC_DATA], REMOTE_IRR
    check nz, "remote IRR is not left set"
    jmp passed
handler:
    inc dword [count]
    iretq
section .bss
count: resd 1
