/* lab-pg: runs the table of rows.asm and prints one line for each instruction and each ring. README.md: the lines. */
#include "lab-pg/lab.h"
#include "lib/cpu.h"
#include "lib/print.h"

enum { RFLAGS_ONE = 2, LATE = 20 };

struct frame outcome;

static void enter(const struct row *row, unsigned ring, void (*next)(void))
{
    uint64_t rflags = RFLAGS_ONE | (row->flags & WITH_IF ? RFLAGS_IF : 0) | (row->flags & WITH_IOPL3 ? RFLAGS_IOPL : 0);
    row_next = (uint64_t)next;
    if (row->flags & WITH_TASKS)
        task_run(row, ring);
    else
        run_enter(row->code, ring ? USER_CODE : KERNEL_CODE, ring ? USER_DATA : KERNEL_DATA, rflags);
}

/* The timer that a row waits for came too early, before its instruction: once more. */
static bool came_early(const struct row *row)
{
    return outcome.vector == TIMER_VECTOR && outcome.rip <= row->insn;
}

/* Goes on at `next` behind the instruction; the number of exits before it. */
static uint64_t attempt(const struct row *row, unsigned ring, void (*next)(void))
{
    uint64_t exits = 0;
    for (unsigned i = 0; i < LATE; i++) {
        machine_reset(row);
        exits = exits_last().count;
        enter(row, ring, next);
        if (!came_early(row))
            break;
    }
    return exits;
}

/* "end": to the row's end, with this result; else the vector, and how far behind the instruction's first byte. */
static void print_outcome(const struct row *row)
{
    if (outcome.vector == INT_END)
        print(" end %lx", outcome.rax);
    else
        print(" vector %lu error %lx at %ld", outcome.vector, outcome.error, (int64_t)(outcome.rip - row->insn));
}

static void print_exit(const struct row *row, unsigned ring)
{
    uint64_t before = attempt(row, ring, row_query);
    bool asked = outcome.vector == INT_END || row->flags & WITH_TASKS; /* by the code that the row ended in */
    struct exit_note n = asked ? query_result : exits_last();
    if (n.count > before && n.rip == row->insn)
        print(" exit %lu %lx", n.raw, n.qualification);
    else
        print(" exit none");
}

/* Twice, once for the result and once for the exit: what makes the result of an instruction may exit, too. The first time
 * has also touched all memory that the second one needs. */
static void run_row(unsigned number, const struct row *row)
{
    for (unsigned ring = 0; ring <= 3; ring += 3) {
        attempt(row, ring, (void (*)(void))row->after);
        print("pg: run %u %u", number, ring);
        print_outcome(row);
        if (exits_known)
            print_exit(row, ring);
        print("\n");
    }
}

static void run_all(const char *setting)
{
    unsigned count = (unsigned)(rows_end - rows);
    print("pg: setting %s\n", setting);
    for (unsigned i = 0; i < count; i++)
        run_row(i, &rows[i]);
}

static void print_table(void)
{
    for (const struct row *row = rows; row < rows_end; row++)
        print("pg: row %lu|%s|%s|%s|%s\n", (uint64_t)(row - rows), row->name, row->class, row->privileged,
              feature_present(row->feature) ? "present" : "missing");
}

void guest_main(const char *cmdline);
void guest_main(const char *cmdline)
{
    (void)cmdline;
    print_init();
    interrupt_init();
    machine_init();
    print_table();
    if (!exits_init()) {
        run_all("bare");
    } else {
        exits_set_controls(0);
        run_all("min");
        exits_set_controls(~UINT64_C(0));
        run_all("max");
    }
    print("pg: done\n");
}
