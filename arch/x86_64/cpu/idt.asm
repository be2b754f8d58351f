; Entry stubs of all 256 vectors, the NMI's way off its IST stack, and the two places that depend on an exact
; instruction sequence: waiting for an interrupt, and ending the blocking of NMIs.
bits 64
default rel

extern trap_dispatch
extern no_stack_start, no_stack_end
extern no_gs_start, no_gs_end
global idt_stubs, idt_nmi_stub, cpu_idle_wait, cpu_idle_window, cpu_idle_end, nmi_unblock

STUB_SIZE       equ 16
VECTOR_DB       equ 1
VECTOR_NMI      equ 2
ERROR_VECTORS   equ 0x60227d00      ; EXC_WITH_ERROR_CODE of isa/exception.h; idt.c asserts that they are equal

section .text
align STUB_SIZE
idt_stubs:
%assign vector 0
%rep 256
    align STUB_SIZE
%if vector >= 32 || ((ERROR_VECTORS >> vector) & 1) == 0
    push    0
%endif
    push    strict dword vector
%if vector == VECTOR_DB
    jmp     strict near debug_exception
%else
    jmp     strict near trap_common
%endif
%assign vector vector + 1
%endrep
    align STUB_SIZE

; Bochs quirk: a guest's single step that waits behind MOV SS or STI for an instruction that exits comes to the host, just
; after VMRUN, where GS is the guest's (section .text.no_gs). It is nobody's then.
debug_exception:
    push    rax
    push    rcx
    mov     rax, [rsp + 32]         ; the interrupted RIP
    lea     rcx, [no_gs_start]
    cmp     rax, rcx
    jb      .ours
    lea     rcx, [no_gs_end]
    cmp     rax, rcx
    jae     .ours
    pop     rcx
    pop     rax
    add     rsp, 16                 ; vector, error code
    iretq
.ours:
    pop     rcx
    pop     rax

trap_common:
    push    rax
    push    rcx
    push    rdx
    push    rbx
    push    rbp
    push    rsi
    push    rdi
    push    r8
    push    r9
    push    r10
    push    r11
    push    r12
    push    r13
    push    r14
    push    r15
    cld
    mov     rdi, rsp
    call    trap_dispatch
    pop     r15
    pop     r14
    pop     r13
    pop     r12
    pop     r11
    pop     r10
    pop     r9
    pop     r8
    pop     rdi
    pop     rsi
    pop     rbp
    pop     rbx
    pop     rdx
    pop     rcx
    pop     rax
    add     rsp, 16                 ; vector, error code
    iretq

; On IST1, NMIs blocked, nothing here faults unless the interrupted stack is bad (then: panic). In section
; .text.no_stack (just after a VM exit) RSP is no stack, and what lies below it is not ours: such an NMI is served on
; IST1. nmi_dispatch() returns without an IRET, so no other NMI can come on top of this frame.
idt_nmi_stub:
    push    rax
    push    rcx
    mov     rax, [rsp + 16]         ; the interrupted RIP
    lea     rcx, [no_stack_start]
    cmp     rax, rcx
    jb      .move
    lea     rcx, [no_stack_end]
    cmp     rax, rcx
    jae     .move
    pop     rcx
    pop     rax
    push    0                       ; error code
    push    VECTOR_NMI
    jmp     trap_common
.move:
    mov     rax, [rsp + 16 + 24]    ; the interrupted RSP; there is no red zone
    and     rax, -16                ; as the CPU aligns it
%assign slot 0
%rep 5                              ; SS, RSP, RFLAGS, CS, RIP
    mov     rcx, [rsp + 16 + 32 - slot * 8]
    mov     [rax - 8 - slot * 8], rcx
%assign slot slot + 1
%endrep
    mov     rcx, [rsp + 8]
    mov     [rax - 56], rcx         ; RAX travels where the vector will stand
    pop     rcx
    lea     rsp, [rax - 56]
    pop     rax
    mov     qword [rsp], 0          ; error code
    push    VECTOR_NMI
    jmp     trap_common

; void cpu_idle_wait(const uint32_t *woken): sleep until an interrupt was served, unless *woken.
; An NMI between the test and the HLT would be lost: trap_dispatch sends it from the window to the end.
cpu_idle_wait:
cpu_idle_window:
    cmp     dword [rdi], 0
    jne     cpu_idle_end
    sti                             ; holds interrupts off until HLT has begun
    hlt
cpu_idle_end:
    cli
    ret

; void nmi_unblock(void): IRETQ to the caller. After an NMI exit NMIs stay blocked until an IRET.
nmi_unblock:
    mov     rax, rsp
    mov     ecx, ss
    push    rcx
    push    rax
    pushfq
    mov     ecx, cs
    push    rcx
    lea     rcx, [.end]
    push    rcx
    iretq
.end:
    ret
