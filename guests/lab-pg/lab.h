/* The Popek-Goldberg lab: every sensitive instruction, at ring 0 and ring 3, on the bare machine and as a guest. */
#ifndef GUESTS_LAB_PG_LAB_H
#define GUESTS_LAB_PG_LAB_H

#include "lib/interrupt.h"

#include <stdbool.h>
#include <stdint.h>

enum {
#define CONSTANT(name, value) name = (int)(value),
#include "lab-pg/constants.def"
#undef CONSTANT
};

/* As row.inc lays it out. */
struct row {
    const char *name, *class, *privileged;
    uint64_t code, insn, after;
    uint32_t feature, cr4, flags, reserved;
};
_Static_assert(sizeof(struct row) == 64, "row.inc");
extern const struct row rows[], rows_end[];

/* How a row ended: the registers that the interrupt or exception found. */
extern struct frame outcome;

/* machine.c */
void machine_init(void);
void machine_reset(const struct row *row); /* all state that a row may have changed */
extern uint64_t row_cr0, row_cr3, row_cr4;

/* features.c */
bool feature_present(uint32_t feature); /* as row.inc packs it */
uint64_t feature_cr4(uint64_t wanted);  /* those of the CR4 bits that the CPU has */

/* exits.c: the last exit that an instruction caused, as Trapeze tells it; nothing on the bare machine. */
struct exit_note {
    uint64_t count; /* of such exits so far */
    uint64_t rip, raw, qualification;
};
extern bool exits_known;
bool exits_init(void); /* does this machine tell? */
struct exit_note exits_last(void);
void exits_set_controls(uint64_t controls); /* 0: as few as possible, all ones: all */

/* task.c: the same for rows that run in 32-bit protected mode, where task switches exist. */
void task_run(const struct row *row, unsigned ring);

/* run.asm */
void run_enter(uint64_t code, uint64_t cs, uint64_t ss, uint64_t rflags);
void run_leave(void) __attribute__((noreturn));
extern void row_end(void), row_query(void), row_target(void);
extern struct exit_note query_result; /* what row_query was told */
extern uint64_t row_next;
extern uint8_t scratch[4096], run_stack_top[];

#endif
