/* The guest's IDT: C handlers, handlers in assembly, and code that is expected to fault. */
#ifndef GUESTS_LIB_INTERRUPT_H
#define GUESTS_LIB_INTERRUPT_H

#include <stdint.h>

struct frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

enum { EXC_UD = 6, EXC_DF = 8, EXC_GP = 13, EXC_PF = 14, VECTORS = 256, NO_FAULT = -1 };

typedef void (*interrupt_handler_t)(struct frame *frame);

void interrupt_init(void);
void interrupt_set(unsigned vector, interrupt_handler_t handler);
void interrupt_set_direct(unsigned vector, interrupt_handler_t handler); /* interrupt_try() lets it handle its exception */
void interrupt_set_raw(unsigned vector, void (*entry)(void)); /* ends with IRETQ itself */

/* Call attempt(argument): the vector of the exception that ended it, or NO_FAULT. Its result, if it returns, goes to
 * *result, if that is not NULL. */
extern uint64_t interrupt_error; /* the error code of that exception */
int interrupt_try(uint64_t (*attempt)(uint64_t argument), uint64_t argument, uint64_t *result);

/* Both PICs: vectors `base` and `base` + 8, every line masked but those of `open`. */
void pic_init(uint8_t base, uint16_t open);
void pic_eoi(unsigned line);

#endif
