; Long mode -> 32-bit protected mode without paging, a row there, and back. SDM vol 3, "Initializing IA-32e Mode".
default rel
global task_enter, task_b, task_entries
extern task_gdt, task_idt, outcome, exits_known, query_by_vmmcall, query_result, row_cr3
%include "guests/lib/preserved.inc"
%include "guests/lab-pg/row.inc"

CR0_PG    equ 1 << 31
IA32_EFER equ 0xc0000080
EFER_LME  equ 1 << 8
HAS_ERROR equ 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21

section .text
bits 64
; void task_enter(code rdi, cs rsi, ss rdx, stack rcx)
task_enter:
    PUSH_PRESERVED
    mov [resume], rsp
    lgdt [gdt_pointer]
    jmp far dword [to_32]

bits 32
in_32:
    mov eax, TASK_DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, ecx
    mov ebp, edx                ; the row's SS
    mov ebx, ecx
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    mov ecx, IA32_EFER
    rdmsr
    and eax, ~EFER_LME
    wrmsr
    lidt [idt_pointer]
    mov eax, TASK_A
    ltr ax
    mov ds, bp
    mov es, bp
    test ebp, 3
    jz .ring_0
    push ebp
    push ebx
    push 2
    push esi
    push edi
    iretd
.ring_0:
    jmp edi

; The target of every switch: task B's first instruction. What the switch left in TR is the result.
task_b:
    mov dword [outcome + FRAME_VECTOR], INT_END
    mov dword [outcome + FRAME_VECTOR + 4], 0
    jmp leave_32

align 16
task_entries:
%assign vector 0
%rep 32
    align 16
  %if ((HAS_ERROR >> vector) & 1) == 0
    push 0
  %endif
    push vector
    jmp fault_32
  %assign vector vector + 1
%endrep

fault_32:
    mov eax, TASK_DATA
    mov ds, ax
    pop dword [outcome + FRAME_VECTOR]
    pop dword [outcome + FRAME_VECTOR + 8]
    pop dword [outcome + FRAME_VECTOR + 16]
    mov dword [outcome + FRAME_VECTOR + 4], 0
    mov dword [outcome + FRAME_VECTOR + 12], 0
    mov dword [outcome + FRAME_VECTOR + 20], 0

leave_32:
    mov eax, TASK_DATA
    mov ss, ax
    mov esp, resume
    cmp byte [exits_known], 0
    je .back
    QUERY_LAST_EXIT edi, esi, ecx, edx ; before anything else exits
.back:
    push 2                      ; a CALL or an interrupt has set NT, and the next IRET would go back
    popfd
    xor eax, eax
    str ax
    mov [outcome + FRAME_RAX], eax
    mov dword [outcome + FRAME_RAX + 4], 0
    clts
    mov eax, [row_cr3]
    mov cr3, eax
    mov ecx, IA32_EFER
    rdmsr
    or eax, EFER_LME
    wrmsr
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    lgdt [gdt_pointer]
    jmp TASK_CODE64:in_64

bits 64
in_64:
    mov rsp, [resume]
    POP_PRESERVED
    ret

section .data
to_32: dd in_32
       dw TASK_CODE
gdt_pointer: dw TASK_GDT_SLOTS * 8 - 1
             dq task_gdt
idt_pointer: dw 0x90 * 8 - 1
             dq task_idt
section .bss
    resb 256
resume: resq 1


