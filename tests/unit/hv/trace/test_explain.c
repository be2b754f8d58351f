/* The table of explanations is whole, agrees with the backends' exit tables, and fits the screen; docs/explain.md is what it
 * says. With EXPLAIN_WRITE set the page is written. Runs from the repository's root. */
#include "hv/trace/explain.h"
#include "arch/x86_64/isa/vmcb.h"
#include "arch/x86_64/isa/vmx_exits.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#define PAGE "docs/explain.md"

static char text[1 << 17];

static void add(void *ctx, const char *line)
{
    size_t *longest = ctx;
    if (longest && strlen(line) > *longest)
        *longest = strlen(line);
    strcat(text, line);
    strcat(text, "\n");
}

TEST(every_kind_has_every_field)
{
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++) {
        const struct explanation *e = explain_rows[k];
        CHECK(e && e->what && e->cause && e->class && e->privileged && e->action);
        for (unsigned h = 0; h < EXPLAIN_HALVES; h++)
            CHECK(e->half[h].codes && e->half[h].control && strchr(e->half[h].manual, '"'));
        CHECK(strlen(e->what) > 10 && strlen(e->action) > 10);
    }
}

TEST(what_is_printed_fits_in_eighty_columns)
{
    size_t longest = 0;
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++) {
        text[0] = '\0';
        explain_print(k, EXPLAIN_BOTH, add, &longest);
        CHECK(strstr(text, "\n  VT-x       ") && strstr(text, "\n  AMD-V      "));
    }
    CHECK(longest > 60 && longest < 80);
}

TEST(nothing_is_lost_when_lines_are_broken)
{
    char words[4096];
    text[0] = '\0';
    explain_print(VT_EXIT_CR_WRITE, EXPLAIN_BOTH, add, NULL);
    words[0] = '\0';
    for (char *w = strtok(text, " \n"); w; w = strtok(NULL, " \n")) {
        strcat(words, w);
        strcat(words, " ");
    }
    CHECK(strstr(words, explain_rows[VT_EXIT_CR_WRITE]->action));
    CHECK(strstr(words, explain_rows[VT_EXIT_CR_WRITE]->half[EXPLAIN_VT_X].control));
}

TEST(one_half_can_be_left_out)
{
    text[0] = '\0';
    explain_print(VT_EXIT_CPUID, explain_half_of("AMD-V"), add, NULL);
    CHECK(!strstr(text, "VT-x") && strstr(text, "EXITCODE 72h"));
    CHECK_EQ(explain_half_of("something else"), EXPLAIN_BOTH);
}

/* ---- finding ------------------------------------------------------------------------------------------------------- */

static unsigned find(const char *word, unsigned half, uint8_t kinds[VT_EXIT_KINDS])
{
    return explain_find(word, strlen(word), 1u << half, kinds);
}

TEST(a_kind_is_found_by_its_word_a_prefix_or_a_number)
{
    uint8_t k[VT_EXIT_KINDS];
    CHECK(find("cr-write", EXPLAIN_VT_X, k) == 1 && k[0] == VT_EXIT_CR_WRITE);
    CHECK(find("CR_WRITE", EXPLAIN_VT_X, k) == 1 && k[0] == VT_EXIT_CR_WRITE);
    CHECK(find("xset", EXPLAIN_VT_X, k) == 1 && k[0] == VT_EXIT_XSETBV);
    CHECK(find("cr-", EXPLAIN_VT_X, k) == 3);
    CHECK(find("nmi", EXPLAIN_VT_X, k) == 1 && k[0] == VT_EXIT_NMI); /* though nmi-window begins so, too */
    CHECK(find("28", EXPLAIN_VT_X, k) == 2 && k[0] == VT_EXIT_CR_WRITE && k[1] == VT_EXIT_CR_READ);
    CHECK(find("72h", EXPLAIN_AMD_V, k) == 1 && k[0] == VT_EXIT_CPUID);
    CHECK(find("0x400", EXPLAIN_AMD_V, k) == 2 && k[0] == VT_EXIT_MMIO);
    CHECK(find("72h", EXPLAIN_VT_X, k) == 1 && k[0] == VT_EXIT_CPUID); /* no such reason here: the other's */
}

TEST(what_is_no_kind_is_not_found)
{
    uint8_t k[VT_EXIT_KINDS];
    CHECK_EQ(find("cpuidd", EXPLAIN_VT_X, k), 0);
    CHECK_EQ(find("99999999999999999999", EXPLAIN_VT_X, k), 0);
    CHECK_EQ(find("2000", EXPLAIN_VT_X, k), 0);
    CHECK(!strcmp(explain_suggest("cpudi", 5), "cpuid"));
    CHECK(!explain_suggest("elephant", 8));
}

/* ---- the backends' tables, read from their sources ------------------------------------------------------------------ */

static bool load(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    return n > 0 && n < sizeof text - 1;
}

static unsigned kind_called(const char *name)
{
    static const char *const names[] = {
#define NAME(kind, words) #kind,
        VT_EXIT_LIST(NAME)
    };
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++)
        if (!strcmp(names[k], name))
            return k;
    return VT_EXIT_KINDS;
}

static bool explains(unsigned number, unsigned half, unsigned kind)
{
    uint8_t k[VT_EXIT_KINDS];
    char word[16];
    snprintf(word, sizeof word, "%u", number);
    unsigned count = find(word, half, k);
    for (unsigned i = 0; i < count; i++)
        if (k[i] == kind)
            return true;
    printf("  %s of half %u is not a code of kind %u\n", word, half, kind);
    return false;
}

static unsigned reason_called(const char *name)
{
    static const struct { const char *name; unsigned number; } all[] = {
#define REASON(reason, number, words) { #reason, number },
        VMX_EXIT_REASONS(REASON)
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(all[i].name + strlen("EXIT_REASON_"), name))
            return all[i].number;
    return EXIT_REASONS;
}

TEST(the_reasons_of_vt_x_are_those_of_its_exit_table)
{
    unsigned rows = 0;
    CHECK(load("arch/x86_64/vmx/exit.c"));
    for (char *at = text; (at = strstr(at, "\n    ROW(")); at++, rows++) {
        char reason[48], kind[48];
        CHECK_EQ(sscanf(at, " ROW(%47[A-Z_0-9], %47[A-Z_0-9],", reason, kind), 2);
        CHECK(reason_called(reason) < EXIT_REASONS && kind_called(kind) < VT_EXIT_KINDS);
        CHECK(explains(reason_called(reason), EXPLAIN_VT_X, kind_called(kind)));
    }
    CHECK(rows > 50);
}

static unsigned long code_called(const char *vmcb_h, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\n    VMEXIT_%s ", name);
    const char *at = strstr(vmcb_h, wanted);
    const char *equals = at ? strchr(at, '=') : NULL;
    return equals ? strtoul(equals + 1, NULL, 0) : 0xffff;
}

TEST(the_codes_of_amd_v_are_those_of_its_exit_table)
{
    static char vmcb_h[1 << 16];
    unsigned rows = 0;
    CHECK(load("arch/x86_64/isa/vmcb.h") && strlen(text) < sizeof vmcb_h);
    strcpy(vmcb_h, text);
    CHECK(load("arch/x86_64/svm/exit.c"));
    for (char *at = text; (at = strstr(at, "\n    ROW(")); at++, rows++) {
        char code[48], kind[48];
        CHECK_EQ(sscanf(at, " ROW(%47[A-Z_0-9], %47[A-Z_0-9],", code, kind), 2);
        CHECK(code_called(vmcb_h, code) < 0xffff && kind_called(kind) < VT_EXIT_KINDS);
        CHECK(explains((unsigned)code_called(vmcb_h, code), EXPLAIN_AMD_V, kind_called(kind)));
    }
    CHECK(rows > 30);
    CHECK(explains(VMEXIT_CR0_READ + 15, EXPLAIN_AMD_V, VT_EXIT_CR_READ));
    CHECK(explains(VMEXIT_CR0_WRITE + 4, EXPLAIN_AMD_V, VT_EXIT_CR_WRITE));
    CHECK(explains(VMEXIT_EXCP0 + 31, EXPLAIN_AMD_V, VT_EXIT_EXCEPTION));
    CHECK(explains(VMEXIT_NPF, EXPLAIN_AMD_V, VT_EXIT_MMIO));
}

/* ---- the page ------------------------------------------------------------------------------------------------------ */

static void write_page(char *page, size_t size)
{
    size_t used = (size_t)snprintf(page, size,
        "# Every exit explained\n\n"
        "What the monitor's `explain KIND` prints, for all kinds. Made from `hv/trace/explain_table.c` by `make explain-page`;\n"
        "`make check` compares. [exits.md](exits.md) tells how exits are handled, [references.md](references.md) which editions of\n"
        "the manuals are meant.\n");
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++) {
        text[0] = '\0';
        explain_print(k, EXPLAIN_BOTH, add, NULL);
        used += (size_t)snprintf(page + used, size - used, "\n## %s\n```\n%s```\n", explain_word(k), text);
    }
}

TEST(the_page_says_what_explain_prints)
{
    static char page[1 << 17];
    write_page(page, sizeof page);
    CHECK(strlen(page) < sizeof page - 1);
    if (getenv("EXPLAIN_WRITE")) {
        FILE *f = fopen(PAGE, "w");
        CHECK(f && fputs(page, f) >= 0 && !fclose(f));
    }
    CHECK(load(PAGE));
    if (strcmp(text, page))
        printf("  " PAGE " is out of date: make explain-page\n");
    CHECK(!strcmp(text, page));
}
