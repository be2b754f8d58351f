/* What the loaders share: the request under way, which guest memory is already used, and how to fail. Private. */
#ifndef HV_PART_LOAD_JOB_H
#define HV_PART_LOAD_JOB_H

#include "hv/part/load.h"

#define LOAD_MAX_CLAIMS 96
#define LOAD_LOW_START  UINT64_C(0x10000) /* small structures go from here on: above vectors, BIOS data, 0x7c00 */
#define LOAD_4G         GiB(4)

struct load_claim {
    uint64_t base, size;
    const char *what; /* for the message about an overlap */
};

struct load_job {
    const struct load_request *request;
    const struct guest_memory_ops *memory;
    struct load_result *result;
    char *error;
    size_t error_size;
    unsigned claim_count;
    struct load_claim claims[LOAD_MAX_CLAIMS];
};

enum load_direction { LOAD_LOWEST, LOAD_HIGHEST };

/* Say why, after the kernel's file name; returns `status`. */
enum load_status load_fail(struct load_job *job, enum load_status status, const char *format, ...) PRINTF(3, 4);

/* Take [base, base + size) for `what`: it must be RAM and free. */
enum load_status load_claim(struct load_job *job, uint64_t base, uint64_t size, const char *what) MUST_CHECK;

/* Find and take room for `size` bytes within [min, max), aligned to `align` (a power of two, at least 1). */
enum load_status load_place(struct load_job *job, uint64_t size, uint64_t align, uint64_t min, uint64_t max,
                            enum load_direction direction, const char *what, uint64_t *base) MUST_CHECK;

/* The same, without a message: false if there is no room. Nothing is taken. */
bool load_find_room(const struct load_job *job, uint64_t size, uint64_t align, uint64_t min, uint64_t max,
                    enum load_direction direction, uint64_t *base) MUST_CHECK;

/* Write to guest memory that was claimed. */
enum load_status load_write(struct load_job *job, uint64_t gpa, const void *data, uint64_t size) MUST_CHECK;
enum load_status load_zero(struct load_job *job, uint64_t gpa, uint64_t size) MUST_CHECK;

/* Copy a whole file to a page-aligned place; for initrds and modules. */
enum load_status load_file_at(struct load_job *job, const struct load_file *file, uint64_t min, uint64_t max,
                              enum load_direction direction, uint64_t *base) MUST_CHECK;

/* Little-endian numbers of the kernel file; the caller has checked that off + width lies in it. */
uint16_t load_u16(const struct load_file *file, uint64_t off);
uint32_t load_u32(const struct load_file *file, uint64_t off);
uint64_t load_u64(const struct load_file *file, uint64_t off);

/* Finish the CPU state: place GDT (0x10 code, 0x18 data), a small stack and, for 64 bits, page tables. */
enum load_status load_cpu_protected32(struct load_job *job, uint64_t entry) MUST_CHECK;
enum load_status load_cpu_long64(struct load_job *job, uint64_t entry) MUST_CHECK;

/* The loaders. Each is called when its `..._matches` said that the file claims to be of this kind. */
bool load_bzimage_matches(const struct load_file *file);
enum load_status load_bzimage(struct load_job *job) MUST_CHECK;
bool load_multiboot2_matches(const struct load_file *file);
enum load_status load_multiboot2(struct load_job *job) MUST_CHECK;
bool load_multiboot1_matches(const struct load_file *file);
enum load_status load_multiboot1(struct load_job *job) MUST_CHECK;
bool load_elf64_matches(const struct load_file *file);
enum load_status load_elf64(struct load_job *job) MUST_CHECK;
enum load_status load_flat(struct load_job *job) MUST_CHECK;

#define LOAD_TRY(expression)                    \
    do {                                        \
        enum load_status status_ = (expression); \
        if (status_ != LOAD_OK)                 \
            return status_;                     \
    } while (0)

#endif
