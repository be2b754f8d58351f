; VM entry and exit. Offsets come from the C structs (vmx_offsets.c).
;
; uint64_t vmx_enter(struct vmx_vcpu *v /* rdi */, uint64_t launched /* rsi */)
; Returns 0 after a VM exit, 1 on VMfailInvalid, 2 on VMfailValid. Interrupts stay off throughout.

%include "arch/x86_64/vmx/vmx_offsets.inc"


section .text
global vmx_enter
global vmx_exit_entry

%macro pop_callee_saved 0
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
%endmacro

vmx_enter:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    push rdi
    cmp rsp, [rdi + OFF_VCPU_HOST_RSP]
    je .rsp_known
    mov [rdi + OFF_VCPU_HOST_RSP], rsp
    mov eax, OFF_VMCS_HOST_RSP
    vmwrite rax, rsp
.rsp_known:
    test esi, esi               ; MOV leaves the flags for the branch below
    mov rax, [rdi + OFF_GPR_RAX]
    mov rcx, [rdi + OFF_GPR_RCX]
    mov rdx, [rdi + OFF_GPR_RDX]
    mov rbx, [rdi + OFF_GPR_RBX]
    mov rbp, [rdi + OFF_GPR_RBP]
    mov rsi, [rdi + OFF_GPR_RSI]
    mov r8,  [rdi + OFF_GPR_R8]
    mov r9,  [rdi + OFF_GPR_R9]
    mov r10, [rdi + OFF_GPR_R10]
    mov r11, [rdi + OFF_GPR_R11]
    mov r12, [rdi + OFF_GPR_R12]
    mov r13, [rdi + OFF_GPR_R13]
    mov r14, [rdi + OFF_GPR_R14]
    mov r15, [rdi + OFF_GPR_R15]
    mov rdi, [rdi + OFF_GPR_RDI]
    jz .launch
    vmresume
    jmp .failed
.launch:
    vmlaunch
.failed:                        ; CF: VMfailInvalid, ZF: VMfailValid
    setz al
    movzx eax, al
    inc eax
    pop rdi
    pop_callee_saved
    ret

vmx_exit_entry:                 ; RSP = HOST_RSP: the pushed vCPU pointer is on top
    push rdi
    mov rdi, [rsp + 8]
    mov [rdi + OFF_GPR_RAX], rax
    mov [rdi + OFF_GPR_RCX], rcx
    mov [rdi + OFF_GPR_RDX], rdx
    mov [rdi + OFF_GPR_RBX], rbx
    mov [rdi + OFF_GPR_RBP], rbp
    mov [rdi + OFF_GPR_RSI], rsi
    mov [rdi + OFF_GPR_R8],  r8
    mov [rdi + OFF_GPR_R9],  r9
    mov [rdi + OFF_GPR_R10], r10
    mov [rdi + OFF_GPR_R11], r11
    mov [rdi + OFF_GPR_R12], r12
    mov [rdi + OFF_GPR_R13], r13
    mov [rdi + OFF_GPR_R14], r14
    mov [rdi + OFF_GPR_R15], r15
    pop qword [rdi + OFF_GPR_RDI]
    add rsp, 8
    pop_callee_saved
    xor eax, eax
    ret
