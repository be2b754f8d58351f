/* What a partition's life came to, for who compares runs: on an emulator without chance (Bochs), the same image has the
 * same digests. */
#ifndef HV_PART_LIFE_H
#define HV_PART_LIFE_H

#include "hv/vm/vm.h"

/* "log-exits" on the hypervisor's command line: without it life_log() says nothing. */
void life_enable(void);

/* When no vCPU of `p` runs any more: its exits by kind, and a digest of their numbers and of their time. */
void life_log(const struct partition *p);

#endif
