; What must be measured to the instruction: interrupt handlers and the code that waits for them.
bits 64
default rel
extern bench_flag, bench_eoi_ticks, bench_entry_tsc
global bench_self_ipi, bench_self_int, bench_ipi_handler, bench_int_handler
global bench_eoi_handler, bench_no_eoi_handler, bench_timer_handler, bench_wait_halted, bench_wait_spinning

X2APIC_EOI      equ 0x80b
X2APIC_SELF_IPI equ 0x83f
IPI_VECTOR      equ 0x51
INT_VECTOR      equ 0x52

section .text

; The same code, once with an IPI and EOI, once with INT and NOP: 1 the name, 2 the instruction that interrupts.
%macro ROUND_TRIP 2+
%1:
    mov dword [bench_flag], 0
    rdtsc
    mov r8d, eax
    mov ecx, X2APIC_SELF_IPI
    mov eax, IPI_VECTOR
    xor edx, edx
    %2
.wait:
    cmp dword [bench_flag], 0
    je .wait
    rdtsc
    sub eax, r8d
    ret
%endmacro
ROUND_TRIP bench_self_ipi, wrmsr
ROUND_TRIP bench_self_int, int INT_VECTOR

%macro HANDLER 2+
%1:
    mov ecx, X2APIC_EOI
    xor eax, eax
    xor edx, edx
    %2
    mov dword [bench_flag], 1
    iretq
%endmacro
HANDLER bench_ipi_handler, wrmsr
HANDLER bench_int_handler, nop

; How long the EOI itself takes. They interrupt C code, so they save what they use.
%macro EOI_HANDLER 2+
%1:
    push rax
    push rcx
    push rdx
    push r8
    rdtsc
    mov r8d, eax
    mov ecx, X2APIC_EOI
    xor eax, eax
    xor edx, edx
    %2
    rdtsc
    sub eax, r8d
    mov [bench_eoi_ticks], eax
    mov dword [bench_flag], 1
    pop r8
    pop rdx
    pop rcx
    pop rax
    iretq
%endmacro
EOI_HANDLER bench_eoi_handler, wrmsr
EOI_HANDLER bench_no_eoi_handler, nop

; Its first instruction is RDTSC: who waits for it below gives up RAX, RCX and RDX.
bench_timer_handler:
    rdtsc
    mov [bench_entry_tsc], eax
    mov [bench_entry_tsc + 4], edx
    mov ecx, X2APIC_EOI
    xor eax, eax
    xor edx, edx
    wrmsr
    mov dword [bench_flag], 1
    iretq

bench_wait_halted:
    mov dword [bench_flag], 0
.again:
    sti
    hlt
    cli
    cmp dword [bench_flag], 0
    je .again
    ret

bench_wait_spinning:
    mov dword [bench_flag], 0
    sti
.again:
    cmp dword [bench_flag], 0
    je .again
    cli
    ret
