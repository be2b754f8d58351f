/* Faults of the hypervisor itself and of its machine, planted so that tests can show what becomes of them, or that who
 * looks for such faults finds them: "plant=memory" on the hypervisor's command line, see the table in plant.c. */
#ifndef HV_PLANT_H
#define HV_PLANT_H

void plant_init(const char *cmdline);
void plant_cpu(void); /* on each CPU but the first */

/* Once a second; from a few seconds after the start on it plants what was asked for, one after the other. */
void plant_fault(void);

/* plant_machine.c */
void plant_nmi(void);
void plant_interrupt(void);
void plant_spurious(void);
void plant_tables(void);
void plant_exit(void);
void plant_entry(void);
void plant_machine_check(void);
void plant_unloaded(void);

/* plant_allocations.c */
void plant_allocations(void);

#endif
