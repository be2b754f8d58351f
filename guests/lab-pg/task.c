/* Rows in 32-bit protected mode without paging: long mode knows no task switches. A row starts in task A; task B is what it
 * switches to, and B's first lines are the end. */
#include "lab-pg/lab.h"

enum { ACCESS_TSS = 0x89, ACCESS_TSS_BUSY = 0x8b, GATE_TASK = 0x8500, GATE_TASK_DPL3 = 0xe500, GATE_INTERRUPT = 0x8e00,
       GATE_SIZE = 8, EXCEPTIONS = 32, IDT_SLOTS = 0x90, STACK = 4096, ENTRY_SIZE = 16, FLAGS = 2 };

/* SDM vol 3, "Task-State Segment (TSS)". */
struct tss32 {
    uint32_t link, esp0, ss0, unused[4], cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi, es, cs, ss, ds, fs, gs, ldt,
        trap_and_bitmap;
};
_Static_assert(sizeof(struct tss32) == 104, "TSS");

uint64_t task_gdt[TASK_GDT_SLOTS], task_idt[IDT_SLOTS];
static struct tss32 a, b;
static uint8_t stack_0[STACK], stack_3[STACK], stack_b[STACK];
extern const char task_entries[];
void task_b(void);
void task_enter(uint64_t code, uint64_t cs, uint64_t ss, uint64_t stack);

static uint64_t descriptor(uint64_t base, uint64_t limit, uint64_t access)
{
    return limit | (base & 0xffffff) << 16 | access << 40 | (base >> 24 & 0xff) << 56;
}

static uint64_t gate(uint64_t at, uint64_t selector, uint64_t flags)
{
    return (at & 0xffff) | selector << 16 | flags << 32 | at >> 16 << 48;
}

static void fill_tables(const struct row *row)
{
    bool returns = row->flags & WITH_LINK; /* IRET goes back to the task that the link names, which is busy */
    task_gdt[TASK_CODE / 8] = UINT64_C(0x00cf9b000000ffff);
    task_gdt[TASK_DATA / 8] = UINT64_C(0x00cf93000000ffff);
    task_gdt[TASK_USER_CODE / 8] = UINT64_C(0x00cffb000000ffff);
    task_gdt[TASK_USER_DATA / 8] = UINT64_C(0x00cff3000000ffff);
    task_gdt[TASK_CODE64 / 8] = UINT64_C(0x00af9b000000ffff);
    task_gdt[TASK_A / 8] = descriptor((uint64_t)&a, sizeof a - 1, ACCESS_TSS);
    task_gdt[TASK_B / 8] = descriptor((uint64_t)&b, sizeof b - 1, returns ? ACCESS_TSS_BUSY : ACCESS_TSS);
    for (unsigned v = 0; v < EXCEPTIONS; v++)
        task_idt[v] = gate((uint64_t)task_entries + ENTRY_SIZE * v, TASK_CODE, GATE_INTERRUPT);
    task_idt[INT_OPEN] = gate(0, TASK_B, GATE_TASK_DPL3);
    task_idt[INT_CLOSED] = gate(0, TASK_B, GATE_TASK);
}

static uint32_t top(uint8_t *stack)
{
    return (uint32_t)(uint64_t)stack + STACK;
}

void task_run(const struct row *row, unsigned ring)
{
    fill_tables(row);
    a = (struct tss32){ .link = row->flags & WITH_LINK ? TASK_B : 0, .esp0 = top(stack_0), .ss0 = TASK_DATA,
                        .trap_and_bitmap = sizeof a << 16 };
    b = (struct tss32){ .eip = (uint32_t)(uint64_t)task_b, .eflags = FLAGS, .esp = top(stack_b), .cs = TASK_CODE,
                        .ss = TASK_DATA, .ds = TASK_DATA, .es = TASK_DATA, .trap_and_bitmap = sizeof b << 16 };
    task_enter(row->code, ring ? TASK_USER_CODE : TASK_CODE, ring ? TASK_USER_DATA : TASK_DATA,
               top(ring ? stack_3 : stack_0) - (ring ? 0 : 64));
}
