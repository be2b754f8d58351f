/* The boot vCPU's surroundings: descriptors, a stack, and page tables for those that start in long mode. */
#include "arch/x86_64/mmu/pt_entry.h"
#include "hv/part/load_job.h"

#define STACK_SIZE PAGE_SIZE

/* Intel SDM vol 3, "Segment Descriptors": present, DPL 0, accessed, 4 GiB. */
#define GDT_CODE64 UINT64_C(0x00af9b000000ffff)
#define GDT_CODE32 UINT64_C(0x00cf9b000000ffff)
#define GDT_DATA   UINT64_C(0x00cf93000000ffff)
#define SELECTOR_CODE 0x10 /* where the Linux boot protocol wants them; nobody else minds */
#define SELECTOR_DATA 0x18

#define PTE_TABLE    ((uint64_t)PTE_P | PTE_W | PTE_A)
#define PTE_2MIB     (PTE_TABLE | PTE_D | PTE_PS)
#define MAPPED_GIB   4
#define TABLE_PAGES  (2 + MAPPED_GIB)

static enum load_status place_descriptors(struct load_job *job, uint64_t code)
{
    struct load_cpu *cpu = &job->result->cpu;
    const uint64_t gdt[] = { 0, 0, code, GDT_DATA };
    uint64_t stack;
    LOAD_TRY(load_place(job, sizeof gdt, 16, LOAD_LOW_START, LOAD_4G, LOAD_LOWEST, "the GDT", &cpu->gdt_base));
    LOAD_TRY(load_write(job, cpu->gdt_base, gdt, sizeof gdt));
    LOAD_TRY(load_place(job, STACK_SIZE, PAGE_SIZE, LOAD_LOW_START, LOAD_4G, LOAD_LOWEST, "the stack", &stack));
    cpu->gdt_limit = sizeof gdt - 1;
    cpu->cs = SELECTOR_CODE;
    cpu->data = SELECTOR_DATA;
    cpu->rsp = stack + STACK_SIZE;
    return LOAD_OK;
}

static enum load_status write_page_directory(struct load_job *job, uint64_t table, uint64_t first)
{
    uint64_t entries[64];
    for (unsigned done = 0; done < 512; done += ARRAY_SIZE(entries)) {
        for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
            entries[i] = (first + (done + i) * MiB(2)) | PTE_2MIB;
        LOAD_TRY(load_write(job, table + done * sizeof entries[0], entries, sizeof entries));
    }
    return LOAD_OK;
}

/* 2 MiB pages, since 1 GiB pages are not on every CPU: PML4, one page-directory-pointer table, four directories. */
static enum load_status build_page_tables(struct load_job *job)
{
    uint64_t pml4, pdpt, pdpt_entries[MAPPED_GIB];
    LOAD_TRY(load_place(job, TABLE_PAGES * PAGE_SIZE, PAGE_SIZE, LOAD_LOW_START, LOAD_4G, LOAD_LOWEST,
                        "the page tables", &pml4));
    pdpt = pml4 + PAGE_SIZE;
    LOAD_TRY(load_zero(job, pml4, 2 * PAGE_SIZE));
    LOAD_TRY(load_write(job, pml4, &(uint64_t){ pdpt | PTE_TABLE }, 8));
    for (unsigned i = 0; i < MAPPED_GIB; i++) {
        uint64_t directory = pdpt + (1 + i) * PAGE_SIZE;
        pdpt_entries[i] = directory | PTE_TABLE;
        LOAD_TRY(write_page_directory(job, directory, GiB(i)));
    }
    job->result->cpu.cr3 = pml4;
    return load_write(job, pdpt, pdpt_entries, sizeof pdpt_entries);
}

enum load_status load_cpu_protected32(struct load_job *job, uint64_t entry)
{
    job->result->cpu.mode = LOAD_MODE_PROTECTED32;
    job->result->cpu.rip = entry;
    return place_descriptors(job, GDT_CODE32);
}

enum load_status load_cpu_long64(struct load_job *job, uint64_t entry)
{
    job->result->cpu.mode = LOAD_MODE_LONG64;
    job->result->cpu.rip = entry;
    LOAD_TRY(place_descriptors(job, GDT_CODE64));
    return build_page_tables(job);
}
