#ifndef GUESTS_BENCH_BENCH_H
#define GUESTS_BENCH_BENCH_H

#include <stdint.h>

#include "lib/interrupt.h"

enum { BENCH_IPI = 0x51, BENCH_INT, BENCH_EOI, BENCH_NO_EOI, BENCH_TIMER, BENCH_SINK = 0x4d };

/* Print the median of the values, less what a run without the thing measured takes. Sorts the values. */
void bench_report(const char *key, uint32_t *values, unsigned count, int32_t less);

/* The two partitions of the vCPU switch: switch.c. */
void bench_watcher(void);
void bench_sleeper(void);

/* handlers.asm. Ticks from before the IPI (or INT) until its handler has returned. */
uint32_t bench_self_ipi(void);
uint32_t bench_self_int(void);
void bench_ipi_handler(void);
void bench_int_handler(void);
void bench_eoi_handler(void);
void bench_no_eoi_handler(void);
void bench_timer_handler(void); /* notes when it was entered, in bench_entry_tsc */
void bench_wait_halted(void);   /* until the timer's handler has run; interrupts are off before and after */
void bench_wait_spinning(void);

void bench_sink(struct frame *frame);

#endif
