/* A flat 16-bit image: entered as a BIOS enters a boot sector, with the first hard disk's number in DL. */
#include "hv/part/load_job.h"

#define BOOT_DRIVE 0x80
#define STACK_BELOW UINT64_C(0x7c00) /* boot sectors expect a usable stack; its usual place is below themselves */

enum load_status load_flat(struct load_job *job)
{
    const struct load_file *file = &job->request->kernel;
    struct load_cpu *cpu = &job->result->cpu;
    uint64_t address = job->request->flat_address;
    if (address >= LAYOUT_LOW_RAM_END || file->size > LAYOUT_LOW_RAM_END - address)
        return load_fail(job, LOAD_NO_ROOM, "a flat image of 0x%lx bytes at 0x%lx does not end below 0x%lx", file->size,
                         address, LAYOUT_LOW_RAM_END);
    LOAD_TRY(load_claim(job, address, file->size, "the image"));
    LOAD_TRY(load_write(job, address, file->data, file->size));
    *job->result = (struct load_result){ .kind = LOAD_KIND_FLAT16, .image_base = address, .image_size = file->size };
    cpu->mode = LOAD_MODE_REAL16;
    if (address >= 0x10000) { /* out of reach of an offset to segment 0 */
        cpu->cs = (uint16_t)(address >> 4);
        cpu->rip = address & 0xf;
    } else {
        cpu->rip = address;
    }
    cpu->rdx = BOOT_DRIVE;
    cpu->rsp = address <= STACK_BELOW && address + file->size > STACK_BELOW - KiB(1) ? address : STACK_BELOW;
    return LOAD_OK;
}
