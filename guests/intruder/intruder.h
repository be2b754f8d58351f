#ifndef GUESTS_INTRUDER_INTRUDER_H
#define GUESTS_INTRUDER_INTRUDER_H

#include <stdbool.h>
#include <stdint.h>

/* One file each. */
void intruder_memory(uint64_t end_of_ram);
void intruder_ports(void);
void intruder_registers(void);
void intruder_instructions(void);
void intruder_apic(void);

/* `how` is a format for at most one number. */
void intruder_report(const char *what, bool was_refused, const char *how, uint64_t number);
void intruder_expect_fault(const char *what, uint64_t (*attempt)(uint64_t), uint64_t argument, int vector);
void intruder_expect_value(const char *what, uint64_t (*attempt)(uint64_t), uint64_t argument, uint64_t value,
                           const char *how);

#endif
