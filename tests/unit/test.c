/* Runs every test linked in (or those whose name contains argv[1]) and ends with "N passed, N failed". */
#include "tests/unit/test.h"

#include <string.h>

static struct test *first, **last = &first;
static bool current_failed;

void test_register(struct test *t)
{
    *last = t;
    last = &t->next;
}

void test_failed(const char *file, int line, const char *what)
{
    current_failed = true;
    printf("  %s:%d: %s\n", file, line, what);
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct test *t = first; t; t = t->next) {
        if (argc > 1 && !strstr(t->name, argv[1]))
            continue;
        current_failed = false;
        t->run();
        if (current_failed)
            printf("FAILED %s\n", t->name);
        current_failed ? failed++ : passed++;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed || !passed;
}
