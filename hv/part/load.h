/* Puts a guest's image into its memory and says with which CPU state it starts. The kind of image is recognised
 * from its content: Linux bzImage, Multiboot 2, Multiboot 1, 64-bit ELF, in this order; a flat image is asked for.
 *
 * Pure: guest memory is reached through callbacks only. File contents are never trusted; a malformed one gives a
 * sentence that names the file, the offset and what was expected there. */
#ifndef HV_PART_LOAD_H
#define HV_PART_LOAD_H

#include "hv/part/guest_memory.h"
#include "hv/part/layout.h"
#include "hv/part/acpi_format.h"

struct load_file {
    const char *name;    /* as in trapeze.cfg */
    const uint8_t *data; /* NULL: there is no such file */
    uint64_t size;       /* bytes */
    const char *args;    /* of a module; NULL or "": none */
};

struct load_request {
    struct load_file kernel;
    bool flat;                       /* a flat 16-bit image at flat_address, entered in real mode */
    uint64_t flat_address;
    struct load_file initrd;         /* Linux: the initrd; Multiboot: the first module */
    const struct load_file *modules; /* Multiboot only */
    unsigned module_count;           /* at most LOAD_MAX_MODULES */
    const char *cmdline;             /* NULL or "": none */
    const struct layout *layout;
    uint64_t rsdp_gpa;               /* 0: no ACPI tables */
    const struct acpi_rsdp *rsdp;    /* a copy for Multiboot 2's tags; may be NULL if rsdp_gpa is 0 */
};
#define LOAD_MAX_MODULES 16

enum load_status {
    LOAD_OK,
    LOAD_BAD_IMAGE,   /* malformed, truncated, or of no known kind */
    LOAD_UNSUPPORTED, /* well-formed, but asks for something a partition does not have */
    LOAD_NO_ROOM,     /* does not fit into the partition's memory */
    LOAD_MEMORY,      /* a guest_memory_ops callback failed */
};

enum load_kind {
    LOAD_KIND_FLAT16, LOAD_KIND_LINUX64, LOAD_KIND_LINUX32, LOAD_KIND_MULTIBOOT1, LOAD_KIND_MULTIBOOT2, LOAD_KIND_ELF64,
    LOAD_KIND_COUNT
};

enum load_mode {
    LOAD_MODE_REAL16,      /* CR0.PE=0; every segment: base = selector * 16, limit 0xffff; IVT at 0; A20 on */
    LOAD_MODE_PROTECTED32, /* CR0.PE=1, PG=0; flat 4 GiB segments; A20 on; IF=0 */
    LOAD_MODE_LONG64,      /* CR0.PE=PG=1, CR4.PAE=1, EFER.LME=LMA=1; 64-bit CS, flat data segments; IF=0 */
};

/* The boot vCPU at its first instruction. Registers not named are 0; RFLAGS is 2. */
struct load_cpu {
    enum load_mode mode;
    uint64_t rip;  /* REAL16: the offset in CS */
    uint64_t rsp;
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp;
    uint64_t cr3;  /* LONG64: tables in guest memory that map the first 4 GiB one to one, writable */
    uint16_t cs;   /* selectors; the GDT below holds matching descriptors */
    uint16_t data; /* DS, ES, SS; FS and GS too */
    uint64_t gdt_base; /* 0 in REAL16 */
    uint16_t gdt_limit;
};

struct load_result {
    enum load_kind kind;
    struct load_cpu cpu;
    uint64_t image_base, image_size; /* where the kernel lies, for the monitor */
};

/* For the boot log: "Linux bzImage, 64-bit entry" and so on. */
const char *load_kind_name(enum load_kind kind);

/* Load it. On anything but LOAD_OK, `error` (terminated, if size > 0) says why, and guest memory may be half
 * written. Guest memory is expected to be zero beforehand. */
enum load_status load_image(const struct load_request *request, const struct guest_memory_ops *memory,
                            struct load_result *result, char *error, size_t error_size) MUST_CHECK;

#endif
