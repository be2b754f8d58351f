/* Partitions as the monitor and the boot know them: made from a configuration, started, paused, stopped, restarted.
 * All functions but partition_request() run on the boot pCPU, from the housekeeper, with no vCPU loaded there. */
#ifndef HV_PART_PARTITION_H
#define HV_PART_PARTITION_H

#include "hv/part/config.h"
#include "hv/vm/vm.h"

/* The files of the boot image. */
struct part_files {
    bool (*find)(void *ctx, const char *name, const uint8_t **data, uint64_t *size);
    void *ctx;
};

enum partition_result { PARTITION_OK, PARTITION_NO_MEMORY, PARTITION_BAD_IMAGE };

/* Memory, nested page tables, vCPUs and devices; nothing is loaded or started. A partition that cannot be made leaves
 * nothing behind, and the log says why. The config must outlive it. */
enum partition_result partition_create(struct page_allocator *pages, const struct part_files *files, unsigned index,
                                       const struct partition_config *config, int64_t epoch) MUST_CHECK;
void partition_destroy(struct partition *p);

/* For tests: partitions of certain names (start.c) start with a register that no CPU accepts, so that the refused entry is
 * explained. */
void partition_spoil_entries(void);

/* Reset everything, load the image, let the vCPUs run. */
enum partition_result partition_start(struct partition *p) MUST_CHECK;

/* Let the parked vCPUs of a partition run on. */
void partition_release(struct partition *p);

/* STEP: run until the first exit of one of its vCPUs (partition.stepping is false then), and be paused there.
 * END_STEP: be paused at once, if no exit has come. */
enum partition_action { PARTITION_PAUSE, PARTITION_RESUME, PARTITION_STEP, PARTITION_END_STEP, PARTITION_ACT_STOP, PARTITION_ACT_START,
                        PARTITION_ACT_RESTART };

/* Ask for it; NULL, or why it cannot be. It is carried out by partition_housekeeping(). */
const char *partition_request(struct partition *p, enum partition_action action);

/* Carry out what was asked for and what guests wished, for partitions whose vCPUs are all parked. */
void partition_housekeeping(void);

/* "running", "paused", "stopped: ..." */
void partition_state_text(const struct partition *p, char *out, size_t size);

#endif
