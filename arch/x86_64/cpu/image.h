/* Bounds of the hypervisor image, from the linker script: page aligned virtual addresses.
 * text: read and execute; rodata: read; data (with bss): read and write. */
#ifndef ARCH_X86_64_CPU_IMAGE_H
#define ARCH_X86_64_CPU_IMAGE_H

extern char image_start[], image_end[];
extern char text_start[], text_end[];
extern char rodata_start[], rodata_end[];
extern char data_start[], data_end[];

/* The page tables of the boot entry, in .bss: CR3 holds their physical address until the real ones are loaded. */
extern char early_tables[];

#endif
