/* Faults of the hypervisor itself, planted so that the tests which look for such faults can be shown to find them:
 * "plant=memory", "code", "pages" or "delay" on the hypervisor's command line. */
#ifndef HV_PLANT_H
#define HV_PLANT_H

void plant_init(const char *cmdline);

/* Once a second; a few seconds after the start it does what was asked for. */
void plant_fault(void);

#endif
