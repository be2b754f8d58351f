; Control registers and MSRs refuse what the manual forbids; 16-bit protected mode, virtual-8086 mode, PAE and 4 MiB pages.
%include "compat_lib.inc"
tests:
 ; ---- MSRs and control registers
 GP "unknown MSR", WR 0x12345, 0, 0
 mov ecx, 0x12345
 GP "unknown MSR read", rdmsr
 GP "EFER reserved", WR 0xc0000080, 0, 0x2
 GP "PAT type 2", WR 0x277, 0, 2
 NOFAULT "PAT good", WR 0x277, 0x00070406, 0x00070406
 GP "MTRR type 2", WR 0x2ff, 0, 2
 GP "APIC base reserved bit 0", WR 0x1b, 0, 0xfee00901
 GP "APIC base above physical", WR 0x1b, 0x00ff0000, 0xfee00900
 GP "feature control locked", WR 0x3a, 0, 5
 mov eax, cr4
 or eax, 0x80000000
 GP "CR4 reserved", mov cr4, eax
 mov eax, cr4
 or eax, 0x2000
 GP "CR4.VMXE", mov cr4, eax
 mov eax, cr0
 and eax, ~1
 or eax, 0x80000000
 GP "CR0 PG without PE", mov cr0, eax
 mov eax, cr0
 or eax, 0x20000000
 GP "CR0 NW without CD", mov cr0, eax
 mov eax, cr4
 or eax, 0x20000
 GP "CR4.PCIDE outside long mode", mov cr4, eax
 mov eax, cr0
 or eax, 0x60000000
 mov cr0, eax
 mov eax, cr0
 and eax, 0x60000000
 CHECK "CR0.CD NW read back", eax, 0x60000000
 mov eax, cr0
 and eax, ~0x60000000
 mov cr0, eax
 ; LMSW/SMSW
 smsw eax
 or eax, 8
 lmsw ax
 mov eax, cr0
 and eax, 8
 CHECK "lmsw TS", eax, 8
 clts
 xor eax, eax
 lmsw ax
 mov eax, cr0
 and eax, 1
 CHECK "lmsw cannot clear PE", eax, 1
 mov dword [msw], 0xdeadbeef
 smsw [msw]
 smsw ebx
 and ebx, 0xffff
 or ebx, 0xdead0000
 CHECK "smsw to memory: 16 bits", [msw], ebx
 or bl, 8
 mov [msw], bx
 lmsw [msw]
 mov eax, cr0
 and eax, 8
 CHECK "lmsw from memory: TS", eax, 8
 mov word [msw], 0xfff0
 lmsw [msw]
 mov eax, cr0
 and eax, 0xb
 CHECK "lmsw from memory: four bits, PE stays", eax, 1
 ; TSC and TSC_ADJUST
 WR 0x3b, 0, 0
 WR 0x10, 0x100, 0
 rdtsc
 CHECK "TSC written", edx, 0x100
 mov ecx, 0x3b
 rdmsr
 cmp edx, 0xff
 jae .adj
 mov edx, 0
 jmp .adj2
.adj: mov edx, 1
.adj2: CHECK "TSC write moves TSC_ADJUST", edx, 1
 WR 0x3b, 0, 0
 rdtsc
 CHECK "TSC_ADJUST 0 gives the old back", edx, 0
 ; SYSENTER (CPL 0 to CPL 0)
 WR 0x174, 0, 8
 WR 0x176, 0, .se
 WR 0x175, 0, stack2_top
 mov [save_sp], esp
 mov ebx, 0
 sysenter
 mov ebx, 1
.se: mov edx, esp
 mov esp, [save_sp]
 CHECK "sysenter EIP", ebx, 0
 CHECK "sysenter ESP", edx, stack2_top
 WR 0x174, 0, 0
 GP "sysenter with CS 0", sysenter
 ; 16-bit protected mode: exits from there
 mov esi, 0x100000
 mov eax, .pm16
 push word 0
 mov eax, .pm16
 sub eax, 0x100000
 ; 40: 16-bit code segment with base 0x100000
 mov word [gdt+0x42], 0
 mov byte [gdt+0x44], 0x10
 push dword 0x40
 push eax
 retf
bits 16
.pm16: xor eax, eax
 cpuid
 in al, 0x40
 out 0x80, al
 mov ecx, 0x1b
 rdmsr
 a32 mov edx, [dword 0xfee00030]
 mov ebx, 0x77
 jmp dword 8:.back
bits 32
.back: add esp, 2
 CHECK "16-bit PM: back", ebx, 0x77
 and edx, 0xff
 CHECK "16-bit PM: LAPIC version", edx, 0x14
 ; ---- VM86
 mov dword [tss0+4], stack0_top
 mov dword [tss0+8], 16
 mov word [tss0+0x66], 104
 mov edi, tss0+104
 mov ecx, 2049
 mov eax, -1
 cld
 rep stosd
 and byte [tss0+104+8], 0xfe ; port 40h allowed
 mov eax, tss0
 mov ebx, 0x18
 mov dl, 0x89
 mov ecx, 104+8192
 call setdesc
 mov ax, 0x18
 ltr ax
 mov esi, .v86
 mov edi, 0x8000
 mov ecx, .v86end-.v86
 rep movsb
 mov dword [hook], .v86trap
 mov byte [idt+3*8+5], 0xee
 mov dword [dbg_n], 0
 mov [save_sp], esp
 push dword 0x800
 push dword 0x800
 push dword 0x800
 push dword 0x800
 push dword 0x800
 push dword 0x7ff0
 push dword 0x20002
 push dword 0x800
 push dword 0
 iretd
bits 16
.v86: mov ax, 0x1234
 mov [0x100], ax
 xor eax, eax
 cpuid
 in al, 0x40      ; allowed by the bitmap
 mov [0x102], al
 in al, 0x41      ; refused: #GP
 nop
 int 0x21         ; IOPL 0: #GP
 cli              ; #GP
 hlt              ; #GP
 int3             ; to CPL 0
 jmp short $
.v86end:
bits 32
.v86trap: ; stack: vector, error, eip, cs, eflags, esp, ss, es...
 push eax
 push ebx
 mov ebx, [dbg_n]
 mov eax, [esp+8]
 mov [dbg_list+ebx*4], eax
 mov eax, [esp+8+8]
 mov [dbg_list+ebx*4+4], eax
 add dword [dbg_n], 2
 mov ebx, [esp+16]
 mov al, [0x8000+ebx] ; opcode
 cmp dword [esp+8], 3
 je .v86done
 inc dword [esp+16]
 cmp al, 0xcd
 je .two
 cmp al, 0xe4
 jne .one
.two: inc dword [esp+16]
.one: pop ebx
 pop eax
 add esp, 8
 iretd
.v86done: mov ax, 16
 mov ds, ax
 mov es, ax
 mov fs, ax
 mov gs, ax
 mov eax, [last_eflags]
 mov esp, [save_sp]
 mov dword [hook], 0
 and eax, 0x20000
 CHECK "VM86: VM set in frame", eax, 0x20000
 movzx eax, word [0x8100]
 CHECK "VM86: wrote", eax, 0x1234
 CHECK "VM86: traps", [dbg_n], 10
 CHECK "VM86: in refused", [dbg_list], 13
 CHECK "VM86: int refused", [dbg_list+8], 13
 CHECK "VM86: int3", [dbg_list+32], 3
 ; ---- PAE: bad PDPTE at MOV CR3 and at CR0.PG
 mov edi, pdpt
 mov ecx, 1024
 xor eax, eax
 rep stosd
 mov edi, pd0
 mov ecx, 0
.pd: mov eax, ecx
 shl eax, 21
 or eax, 0xe3
 mov [edi+ecx*8], eax
 mov dword [edi+ecx*8+4], 0
 inc ecx
 cmp ecx, 512
 jb .pd
 mov dword [pdpt], pd0+1
 mov dword [pdpt+24], pd0+1 ; 3-4 GiB too
 mov eax, cr4
 or eax, 0x20
 mov cr4, eax
 mov eax, pdpt
 mov cr3, eax
 mov dword [pdpt+8], 0x67 ; reserved bits set
 mov eax, cr0
 or eax, 0x80000000
 GP "PAE: CR0.PG with a bad PDPTE", mov cr0, eax
 mov dword [pdpt+8], 0
 mov eax, cr0
 or eax, 0x80010000
 NOFAULT "PAE on", mov cr0, eax
 mov dword [pdpt+8], 0x67
 mov eax, pdpt
 GP "PAE: CR3 with a bad PDPTE", mov cr3, eax
 mov dword [pdpt+8], 0
 mov eax, cr3
 CHECK "PAE: CR3 kept", eax, pdpt
 ; PDPTEs are registers: a change in memory counts only after MOV CR3
 mov dword [pdpt+24], 0
 mov eax, [0xc0100000]
 CHECK "PAE: PDPTE register still valid", eax, [0x100000]
 ; the LAPIC at 16 MiB
 mov dword [pdpt+24], pd0+1
 mov dword [pd0+8*8], 0xfee000f3 & 0xffe00083 | 0x18
 mov eax, cr3
 mov cr3, eax
 mov eax, [8*0x200000 + 0x30]
 and eax, 0xff
 CHECK "PAE: LAPIC through a 2 MiB page", eax, 0x14
 mov eax, [pd0+8*8]
 and eax, 0x20
 CHECK "PAE: accessed bit", eax, 0x20
 ; back to no paging, then 32-bit paging with 4 MiB pages
 mov eax, cr0
 and eax, 0x7fffffff
 mov cr0, eax
 mov eax, cr4
 and eax, ~0x20
 or eax, 0x10
 mov cr4, eax
 xor ecx, ecx
.pd4: mov eax, ecx
 shl eax, 22
 or eax, 0x83
 mov [pagedir+ecx*4], eax
 inc ecx
 cmp ecx, 1024
 jb .pd4
 mov eax, pagedir
 mov cr3, eax
 mov eax, cr0
 or eax, 0x80000000
 mov cr0, eax
 mov eax, [0xfee00030]
 and eax, 0xff
 CHECK "PSE: LAPIC", eax, 0x14
 mov dword [0xfec00000], 1
 mov eax, [0xfec00010]
 shr eax, 16
 CHECK "PSE: IOAPIC 24 pins", eax, 23
 mov eax, cr0
 and eax, 0x7fffffff
 mov cr0, eax
 ret
align 4
msw: dd 0
%include "compat_end.inc"
