/* A partition made, run and unmade again and again: "cycles=1000" on the hypervisor's command line, and a partition
 * "cycle" that ends by itself. After each cycle every page must be where it was before. */
#ifndef HV_CYCLES_H
#define HV_CYCLES_H

/* Once all partitions are made. */
void cycles_begin(const char *cmdline);

/* From the housekeeper: the next cycle, if the last one is over. */
void cycles_step(void);

#endif
