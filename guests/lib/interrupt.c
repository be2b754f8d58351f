#include "lib/interrupt.h"
#include "lib/cpu.h"
#include "lib/print.h"

enum { GATE_INTERRUPT = 0x8e00, CODE_SELECTOR = 0x08, ENTRY_SIZE = 16, EXCEPTIONS = 32, NMI = 2 };
enum { PIC_MASTER = 0x20, PIC_SLAVE = 0xa0, ICW1_INIT_ICW4 = 0x11, ICW4_8086 = 1, OCW2_EOI = 0x20, CASCADE = 2 };

struct gate {
    uint16_t offset_low, selector, flags, offset_middle;
    uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "long mode gate");

extern const char interrupt_entries[];
int interrupt_try_asm(uint64_t (*attempt)(uint64_t), uint64_t argument, uint64_t *result);
void interrupt_try_leave(int vector) __attribute__((noreturn));
void interrupt_c(struct frame *frame);

static struct gate idt[VECTORS];
static interrupt_handler_t handlers[VECTORS];
static bool trying, direct[VECTORS];
uint64_t interrupt_error;

static void set_gate(unsigned vector, uint64_t entry)
{
    idt[vector] = (struct gate){ (uint16_t)entry, CODE_SELECTOR, GATE_INTERRUPT, (uint16_t)(entry >> 16),
                                 (uint32_t)(entry >> 32), 0 };
}

void interrupt_init(void)
{
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) pointer = { sizeof idt - 1, (uint64_t)idt };
    for (unsigned i = 0; i < VECTORS; i++)
        set_gate(i, (uint64_t)interrupt_entries + ENTRY_SIZE * i);
    asm volatile("lidt %0" : : "m"(pointer));
}

void interrupt_set(unsigned vector, interrupt_handler_t handler)
{
    handlers[vector] = handler;
}

void interrupt_set_direct(unsigned vector, interrupt_handler_t handler)
{
    handlers[vector] = handler;
    direct[vector] = handler;
}

void interrupt_set_raw(unsigned vector, void (*entry)(void))
{
    set_gate(vector, (uint64_t)entry);
}

void interrupt_c(struct frame *f)
{
    if (f->vector < EXCEPTIONS && f->vector != NMI && trying && !direct[f->vector]) {
        trying = false;
        interrupt_error = f->error;
        interrupt_try_leave((int)f->vector);
    }
    if (handlers[f->vector]) {
        handlers[f->vector](f);
        return;
    }
    print("guest: vector %lu, error 0x%lx at 0x%lx, CR2 0x%lx: nobody expects it; halted\n", f->vector, f->error, f->rip,
          read_cr2());
    for (;;)
        asm volatile("cli; hlt");
}

int interrupt_try(uint64_t (*attempt)(uint64_t), uint64_t argument, uint64_t *result)
{
    trying = true;
    int vector = interrupt_try_asm(attempt, argument, result);
    trying = false;
    return vector;
}

void pic_init(uint8_t base, uint16_t open)
{
    const uint8_t words[2][4] = { { ICW1_INIT_ICW4, base, 1 << CASCADE, ICW4_8086 },
                                  { ICW1_INIT_ICW4, (uint8_t)(base + 8), CASCADE, ICW4_8086 } };
    const uint16_t ports[2] = { PIC_MASTER, PIC_SLAVE };
    if (open >> 8)
        open |= 1 << CASCADE;
    for (unsigned chip = 0; chip < 2; chip++) {
        out8(ports[chip], words[chip][0]);
        for (unsigned i = 1; i < 4; i++)
            out8((uint16_t)(ports[chip] + 1), words[chip][i]);
        out8((uint16_t)(ports[chip] + 1), (uint8_t)~(open >> 8 * chip));
    }
}

void pic_eoi(unsigned line)
{
    if (line >= 8)
        out8(PIC_SLAVE, OCW2_EOI);
    out8(PIC_MASTER, OCW2_EOI);
}
