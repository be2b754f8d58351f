; VM entry and exit: the hot path. Every instruction here is paid at every exit.
;
; uint32_t svm_run(struct svm_vcpu *v /* rdi */): its result is svm_decode(v)'s; svm_run_refill() is the same for CPUs with
; RETURNS_REFILL (cpu/speculation.h). Of the caller's registers only RSP is kept: vt_enter() tells the compiler so. RAX and
; RSP of the guest travel in the VMCB. GIF is set and interrupts are off before and after. With V_INTR_MASKING the host's
; RFLAGS.IF decides whether an interrupt of the machine ends the stay in the guest, so it is on during VMRUN; GIF = 0 keeps
; everything off until the host's own state is back (AMD APM vol 2, "Global Interrupt Flag").

%include "arch/x86_64/svm/svm_offsets.inc"
%include "arch/x86_64/vt/gpr.inc"
%include "arch/x86_64/vt/returns.inc"

section .text.no_gs progbits alloc exec nowrite align=16
global svm_run
global svm_run_refill
global svm_run_vmrun
global svm_run_refill_vmrun
extern svm_decode
extern svm_new_asid

%macro run_guest 2                  ; its name; what to do after the exit, a macro
%%new_asid:
    push rdi
    call svm_new_asid
    pop rdi
%1:
    mov rax, [rdi + OFF_VCPU_CPU]
    mov rcx, [rdi + OFF_VCPU_GENERATION]
    cmp rcx, [rax + OFF_CPU_GENERATION]
    jne %%new_asid
    mov rcx, [rdi + OFF_VCPU_VMCB]
    mov rax, [rdi + OFF_GPR_RAX]
    mov [rcx + OFF_VMCB_RAX], rax
    push rdi
    mov rax, [rdi + OFF_VCPU_VMCB_HPA]
    load_guest_registers
    clgi
    sti
    vmload
%1_vmrun:
    vmrun
    vmsave                          ; VMRUN gave RAX and RSP back
    mov rax, rdi
    pop rdi
    mov [rdi + OFF_GPR_RDI], rax
    mov rax, [rdi + OFF_VCPU_HOST_VMCB]
    vmload                          ; GS and TR: before anything may interrupt
    cli
    stgi                            ; an NMI that ended the stay arrives here
    save_guest_registers rdi
    %2
    jmp svm_decode
%endmacro

%macro nothing_more 0
%endmacro

    run_guest svm_run, nothing_more
    run_guest svm_run_refill, returns_refill

section .note.GNU-stack noalloc noexec nowrite progbits
