/* The names of exit controls: that docs/exits.md has them all, and the nearest to a wrong one. */
#include <stdio.h>
#include <string.h>
#include "arch/x86_64/vt/policy.h"
#include "tests/unit/test.h"

/* The paragraph of docs/exits.md that starts with "All names:". */
static const char *names_on_the_page(void)
{
    static char page[1 << 17];
    FILE *f = fopen("docs/exits.md", "r");
    size_t len = f ? fread(page, 1, sizeof page - 1, f) : 0;
    if (f)
        fclose(f);
    page[len] = '\0';
    char *start = strstr(page, "\nAll names: "), *end = start ? strstr(start, "\n\n") : NULL;
    if (end)
        *end = '\0';
    return start;
}

TEST(the_page_about_exits_lists_every_control_that_a_word_names)
{
    const char *names = names_on_the_page();
    unsigned controls = 0, listed = 0;
    CHECK(names);
    for (unsigned n = 0; names && n < VT_CONTROLS; n++) {
        char quoted[64];
        if (!vt_control_text(n))
            continue;
        controls++;
        snprintf(quoted, sizeof quoted, "`%s`", vt_control_text(n)->name);
        if (strstr(names, quoted))
            listed++;
        else
            printf("  missing: %s\n", quoted);
    }
    CHECK(controls > 40);
    CHECK_EQ(listed, controls);
}

TEST(every_word_that_the_page_lists_is_known)
{
    const char *at = names_on_the_page();
    unsigned words = 0;
    CHECK(at);
    while (at && (at = strchr(at, '`'))) {
        const char *end = strchr(++at, '`');
        uint64_t set;
        CHECK(end && vt_policy_word(at, (size_t)(end - at), &set));
        at = end ? end + 1 : NULL;
        words++;
    }
    CHECK(words > 44);
}

TEST(a_word_that_is_nearly_a_name_is_answered_with_that)
{
    const char *near = vt_policy_nearest("rdtscc", 6);
    CHECK(near && !strcmp(near, "rdtsc"));
    CHECK(!vt_policy_nearest("frobnicate", 10));
}
