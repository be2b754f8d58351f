/* What each kind of exit means, in words: what happened, why the CPU gave it to the hypervisor, in which of Popek and
 * Goldberg's senses the instruction is sensitive, and what Trapeze does so that the guest notices nothing.
 * Pure data and formatting. The monitor's `explain` and `why` print it, docs/explain.md is made from it. */
#ifndef HV_TRACE_EXPLAIN_H
#define HV_TRACE_EXPLAIN_H

#include "arch/x86_64/vt/vt.h"

/* The columns in which the manuals differ. A backend's is the one that has its name: explain_half_of(). */
enum explain_half { EXPLAIN_VT_X, EXPLAIN_AMD_V, EXPLAIN_HALVES };
#define EXPLAIN_BOTH ((1u << EXPLAIN_HALVES) - 1)

struct explanation {
    const char *what;       /* happened */
    const char *cause;      /* the instructions, or the event */
    const char *class;      /* control-sensitive, behaviour-sensitive, innocuous, or an event */
    const char *privileged; /* does it trap at CPL 3? */
    const char *action;     /* of the VMM, for equivalence */
    struct {
        const char *codes;   /* "10" or "72h, 80h-86h": exit reasons, EXITCODEs; "none" */
        const char *control; /* what makes it exit, by the manual's name */
        const char *manual;  /* sections, by title */
    } half[EXPLAIN_HALVES];
};

/* explain_table.c */
extern const struct explanation *const explain_rows[VT_EXIT_KINDS];

/* "cr-write": how a person names a kind. NULL if there is no such kind. */
const char *explain_word(unsigned kind);

/* The half of the backend called `name`; EXPLAIN_BOTH if it is none of the two. A mask. */
unsigned explain_half_of(const char *name);

/* The kinds meant by a word: a kind's word, else a prefix of one or several, else a number (decimal, 72h, 0x72): a raw
 * reason of the half `prefer` (a mask), or if it is none there, of the other. Returns how many are in `kinds`. */
unsigned explain_find(const char *text, size_t len, unsigned prefer, uint8_t kinds[VT_EXIT_KINDS]);

/* The kind whose word is nearest to a misspelt one, or NULL. */
const char *explain_suggest(const char *text, size_t len);

typedef void (*explain_line_t)(void *ctx, const char *text);
#define EXPLAIN_WIDTH 79

/* Only what happened and what is done, in lines of the same width. */
void explain_briefly(unsigned kind, explain_line_t line, void *ctx);

/* The explanation, in lines of at most EXPLAIN_WIDTH characters, with the halves of the mask. */
void explain_print(unsigned kind, unsigned halves, explain_line_t line, void *ctx);

#endif
