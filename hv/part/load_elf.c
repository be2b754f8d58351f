/* A 64-bit ELF without a Multiboot header: entered in long mode, the first 4 GiB mapped one to one.
 * RDI holds the address of the ACPI RSDP (0: none), RSI that of a Linux zero page with memory map, command line and
 * initrd, so that a Linux `vmlinux` starts as it is; RSP points to the end of a 4 KiB stack. */
#include "hv/part/elf.h"
#include "hv/part/linux_params.h"
#include "hv/part/load_job.h"

bool load_elf64_matches(const struct load_file *file)
{
    return elf_matches(file, 2);
}

enum load_status load_elf64(struct load_job *job)
{
    struct load_result *result = job->result;
    struct elf elf;
    uint64_t entry;
    LOAD_TRY(elf_open(job, &elf));
    if (elf.high > LOAD_4G)
        return load_fail(job, LOAD_UNSUPPORTED, "its segments reach up to physical address 0x%lx; expected below 4 GiB "
                         "(are physical addresses, \"AT\" in the linker script, set?)", elf.high);
    LOAD_TRY(elf_load(job, &elf, 0, &entry));
    struct linux_params params = { NULL, 0, elf.low, LOAD_4G - 1, UINT32_MAX };
    LOAD_TRY(linux_params_build(job, &params, &result->cpu.rsi));
    result->kind = LOAD_KIND_ELF64;
    result->image_base = elf.low;
    result->image_size = elf.high - elf.low;
    result->cpu.rdi = job->request->rsdp_gpa;
    return load_cpu_long64(job, entry);
}
