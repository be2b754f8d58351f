/* The last exit of a partition, in words: for the monitor's `why`. */
#ifndef HV_VM_WHY_H
#define HV_VM_WHY_H

#include "hv/trace/record.h"
#include "hv/vm/vm.h"

#define EXIT_DETAIL_SIZE 80

/* What the exit came with: "port 3f8h, 1 byte, write". Empty for kinds that come with nothing. `ecx`: the register at the exit. */
void exit_detail(const struct vt_exit *exit, uint32_t ecx, char out[EXIT_DETAIL_SIZE]);

/* The exit that a record of the trace tells of, as far as it does: its kind, RIP and what came with it. *ecx: for exit_detail(). */
void exit_of_record(const struct trace_record *r, struct vt_exit *out, uint32_t *ecx);

/* Two or three lines on the most recent exit of any of its vCPUs; its kind. VT_EXIT_KINDS: there was none yet. From the
 * housekeeper. */
unsigned why_print(struct partition *p, void (*line)(void *ctx, const char *text), void *ctx);

#endif
