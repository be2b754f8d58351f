/* exercise: the guest that grades the exercises of docs/lab. The word `lab=NAME` on the command line chooses one; each
 * check is announced, and the first that fails ends the guest with what it saw and what it expected. */
#include "exercise/exercise.h"
#include "lib/interrupt.h"

static const char *current = "start";
static unsigned checks;

void check(const char *name)
{
    current = name;
    checks++;
    print("exercise: check %s\n", name);
}

void wrong_begin(void)
{
    print("exercise: wrong: %s: saw ", current);
}

void wrong_end(void)
{
    print("\n");
    for (;;)
        asm volatile("cli; hlt");
}

void wait_ticks(uint64_t ticks)
{
    for (uint64_t start = rdtsc(); rdtsc() - start < ticks;)
        ;
}

static const struct {
    const char *word;
    void (*run)(const struct setting *s);
} exercises[] = {
    { "lab=cpuid", exercise_cpuid }, { "lab=msr", exercise_msr },     { "lab=memory", exercise_memory },
    { "lab=timer", exercise_timer }, { "lab=share", exercise_share },
};

void guest_main(const char *cmdline, uint64_t upper_kib);
void guest_main(const char *cmdline, uint64_t upper_kib)
{
    const struct setting s = { cmdline, (upper_kib << 10) + (1 << 20) };
    print_init();
    interrupt_init();
    for (unsigned i = 0; i < sizeof exercises / sizeof exercises[0]; i++)
        if (cmdline_has(cmdline, exercises[i].word))
            exercises[i].run(&s);
    print("exercise: all %u checks right\n", checks);
}
