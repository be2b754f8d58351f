; The table of all instructions: struct row of lab.h. One file for each group.
bits 64
default rel
global rows, rows_end
extern gdt, idt, other_gdt, other_idt
extern row_next, row_end, row_target, row_cr0, row_cr3, row_cr4, other_gdt_pointer, other_idt_pointer
%include "guests/lab-pg/row.inc"

section .data align=8
rows:
%include "guests/lab-pg/rows_identity.inc"
%include "guests/lab-pg/rows_flags.inc"
%include "guests/lab-pg/rows_tables.inc"
%include "guests/lab-pg/rows_control.inc"
%include "guests/lab-pg/rows_memory.inc"
%include "guests/lab-pg/rows_io.inc"
%include "guests/lab-pg/rows_segments.inc"
%include "guests/lab-pg/rows_transfer.inc"
%include "guests/lab-pg/rows_task.inc"
%include "guests/lab-pg/rows_vm.inc"
section .data
rows_end:
