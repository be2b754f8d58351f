; The guest of probe.c: it runs on the hypervisor's own page tables, and needs neither stack nor data.

section .text
global svm_probe_guest

svm_probe_guest:
    mov ecx, 1000
.count:
    dec ecx
    jnz .count
    hlt

section .note.GNU-stack noalloc noexec nowrite progbits
