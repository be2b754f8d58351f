/* hostile: what its files share. */
#ifndef GUESTS_HOSTILE_HOSTILE_H
#define GUESTS_HOSTILE_HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

/* ---- chance.c: everything follows from the seed ---- */
void chance_seed(uint64_t seed);
uint64_t chance(void);                   /* 64 bits */
uint64_t chance_below(uint64_t n);       /* 0 .. n-1 */
bool chance_one_in(unsigned n);
uint64_t chance_value(void);             /* boundary values more often than others */
uint64_t chance_address(void);           /* of memory, registers, holes, or their edges */
void chance_fill(void *to, unsigned bytes);

/* ---- world.c: the two CPUs' tables, and the call that survives ---- */
enum { CODE64 = 0x08, DATA = 0x10, CODE32 = 0x18, CODE16 = 0x20, DATA16 = 0x28, TSS64 = 0x30, TSS32 = 0x40, TASK = 0x48, DF_TASK = 0x50,
       TASK_GATE = 0x58, CALL_GATE = 0x60, USER_CODE64 = 0x6b, USER_DATA = 0x73, USER_CODE32 = 0x7b, GDT_ENTRIES = 16 };
enum { VECTOR_BACK = 0x30, NOT_ENDED = -1, PAGE = 4096 };

struct world {
    uint64_t gdt[GDT_ENTRIES];
    struct { uint64_t low, high; } idt[256];
    uint32_t tss64[26 + 2048];           /* with a permission bitmap */
} __attribute__((aligned(8)));
extern struct world worlds[2];

void world_init(void);
void world_load(unsigned cpu);           /* GDT, IDT, TSS, segments, as new */
void world_restore(void);                /* and control registers, of the first CPU */
int world_run(void (*action)(void));     /* the vector that ended it, or NOT_ENDED */
void world_back(int vector) __attribute__((noreturn));
void world_calm(void);                   /* interrupt controllers, timers, console as a sane guest has them */
uint64_t world_cr3(void);                /* the good page tables */
void world_apic_write(uint32_t offset, uint32_t value); /* in whatever mode this CPU's APIC is */
void world_enter(const void *code, const uint64_t registers[16], uint64_t flags);
void world_enter_user(const void *code, const uint64_t registers[16], uint64_t flags, uint64_t selector);
void world_far_jump(const void *pointer);
extern volatile uint64_t world_faults, world_interrupts, world_actions;
extern volatile bool world_give_up;      /* the watch wants the next NMI to end the action */

/* ---- watch.c: the second CPU, which frees the first from loops without interrupts ---- */
void watch_keep(void);                   /* start it, again if it died */
extern bool watch_hit;                   /* it was sent an INIT, perhaps */
void watch_main(void);

/* ---- low.asm, modes.c: the other modes ---- */
enum { LOW_BASE = 0x8000, LOW_BLOB = 0x9000, LOW_BLOB_SIZE = 0x1000, LOW_VARIABLES = 0x8e00, LOW_SIPI = 0x7000 };
struct low_variables {
    uint16_t gdtr_limit; uint32_t gdtr_base; uint16_t pad0;
    uint16_t idtr_limit; uint32_t idtr_base; uint16_t pad1;
    uint16_t ivtr_limit; uint32_t ivtr_base; uint16_t pad2;
    uint32_t kind, cr3_long, cr3_pse, cr3_pae, flags, registers[6], pad3;
    uint16_t second_gdtr_limit; uint32_t second_gdtr_base; uint16_t pad4;
    uint64_t second_stack;
} __attribute__((packed));
_Static_assert(sizeof(struct low_variables) == 88, "as in low.asm");
void low_prepare(void);

/* ---- memory that the actions may spoil ---- */
enum { SCRATCH_PAGES = 16 };
extern uint8_t scratch[SCRATCH_PAGES][PAGE];
extern uint64_t tables[16][512];

/* ---- the actions ---- */
extern bool no_breakpoints; /* QEMU 7.2 forgets which of its breakpoints are a guest's, and crashes when DR7 is written */
struct action {
    const char *name;
    void (*run)(void);
    unsigned weight;
};
extern const struct action port_actions[], mmio_actions[], register_actions[], interrupt_actions[], code_actions[], table_actions[],
    mode_actions[];

/* Code: a random piece that often names devices; ends with INT 30h. */
void code_random(uint8_t *to, unsigned bytes, bool wide);

#endif
