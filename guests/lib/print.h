/* Text on COM1, 115200 baud. Formats: %s %c %d %u %x (64-bit arguments: %lu %lx %ld). */
#ifndef GUESTS_LIB_PRINT_H
#define GUESTS_LIB_PRINT_H

#include <stdbool.h>
#include <stdint.h>

void print_init(void);
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Command line: is this word in it; the number after `name=`, or `otherwise`. */
bool cmdline_has(const char *cmdline, const char *word);
uint64_t cmdline_number(const char *cmdline, const char *name, uint64_t otherwise);

#endif
