/* arch/x86_64/emul/README.md says what the emulator supports: here it is compared with the code. With README_WRITE
 * set, the two lists are written into it. Runs from the repository's root. */
#include "arch/x86_64/emul/insn.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#define README "arch/x86_64/emul/README.md"

static char page[16384];

static bool load(void)
{
    FILE *f = fopen(README, "r");
    if (!f)
        return false;
    size_t n = fread(page, 1, sizeof page - 1, f);
    page[n] = '\0';
    fclose(f);
    return n > 0 && n < sizeof page - 1;
}

/* Every name of [first, end) once, in order of the list, wrapped. */
static void list_names(char *out, size_t size, int first, int end)
{
    size_t used = (size_t)snprintf(out, size, "`"), column = 1;
    for (int op = first; op < end; op++) {
        const char *name = insn_op_name((enum insn_op)op);
        bool seen = false;
        for (int before = first; before < op && !seen; before++)
            seen = !strcmp(name, insn_op_name((enum insn_op)before));
        if (seen)
            continue;
        const char *space = op == first ? "" : column + strlen(name) > 105 ? "\n" : " ";
        column = *space == '\n' ? 0 : column;
        column += strlen(name) + 1;
        used += (size_t)snprintf(out + used, size - used, "%s%s", space, name);
    }
    snprintf(out + used, size - used, "`\n");
}

static bool insert(const char *marker, const char *list)
{
    char copy[sizeof page];
    char *at = strstr(page, marker);
    if (!at)
        return false;
    at += strlen(marker);
    char *end = *at == '`' ? strstr(at, "`\n") : NULL;
    strcpy(copy, end ? end + 2 : at);
    strcpy(at, list);
    strcat(page, copy);
    FILE *f = fopen(README, "w");
    return f && fputs(page, f) >= 0 && !fclose(f);
}

static bool lists(const char *marker, int first, int end)
{
    char names[4096];
    list_names(names, sizeof names, first, end);
    if (getenv("README_WRITE") && !insert(marker, names))
        return false;
    const char *at = strstr(page, marker);
    return at && !strncmp(at + strlen(marker), names, strlen(names));
}

TEST(the_readme_lists_what_is_executed_and_what_is_only_decoded)
{
    CHECK(load());
    CHECK(lists("<!-- executed -->\n", 0, INSN_PAUSE));
    CHECK(lists("<!-- decoded -->\n", INSN_PAUSE, INSN_OP_COUNT));
}

/* A row of the table: "| `ff 13` | ...". */
static bool parse_bytes(const char *row, uint8_t bytes[16])
{
    unsigned n = 0;
    memset(bytes, 0, 16);
    for (char *end; *row && *row != '`'; row = *end == ' ' ? end + 1 : end) {
        bytes[n++] = (uint8_t)strtoul(row, &end, 16);
        if (end == row || n == 15)
            return false;
    }
    return n > 0;
}

TEST(what_the_readme_says_is_refused_is_refused)
{
    unsigned rows = 0;
    CHECK(load());
    for (const char *row = page; (row = strstr(row, "\n| `")); row++) {
        uint8_t bytes[16];
        struct insn in;
        if (!parse_bytes(row + 4, bytes))
            continue;                    /* the table of files */
        rows++;
        enum insn_status status = insn_decode(&in, bytes, 15, INSN_MODE_64);
        if (status != INSN_UNSUPPORTED)
            printf("  %.40s is not refused\n", row + 1);
        CHECK_EQ(status, INSN_UNSUPPORTED);
    }
    CHECK(rows >= 10);
}
