#include "hv/trace/explain.h"

#include "hv/lib/fmt.h"
#include "hv/lib/str.h"
#include "hv/lib/suggest.h"

#define INDENT   13 /* of the text behind the label */
#define MAX_WORD 24

static const char *const names[VT_EXIT_KINDS] = {
#define EXPLAIN_NAME(kind, text) [VT_EXIT_##kind] = #kind,
    VT_EXIT_LIST(EXPLAIN_NAME)
#undef EXPLAIN_NAME
};

static const char *const titles[VT_EXIT_KINDS] = {
#define EXPLAIN_TITLE(kind, text) [VT_EXIT_##kind] = text,
    VT_EXIT_LIST(EXPLAIN_TITLE)
#undef EXPLAIN_TITLE
};

static const struct {
    const char *backend, *label, *code;
} halves_of[EXPLAIN_HALVES] = {
    [EXPLAIN_VT_X] = { "VT-x", "VT-x", "exit reason" },
    [EXPLAIN_AMD_V] = { "AMD-V", "AMD-V", "EXITCODE" },
};

/* ---- words --------------------------------------------------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '_' ? '-' : c;
}

/* The enumerators in small letters, made at the first use. Two CPUs would write the same. */
const char *explain_word(unsigned kind)
{
    static char words[VT_EXIT_KINDS][MAX_WORD];
    if (kind >= VT_EXIT_KINDS)
        return NULL;
    size_t i = 0;
    for (; names[kind][i] && i < MAX_WORD - 1; i++)
        words[kind][i] = lower(names[kind][i]);
    words[kind][i] = '\0';
    return words[kind];
}

unsigned explain_half_of(const char *name)
{
    for (unsigned h = 0; h < EXPLAIN_HALVES; h++)
        if (!strcmp(halves_of[h].backend, name))
            return 1u << h;
    return EXPLAIN_BOTH;
}

static bool starts_with(const char *word, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (word[i] != lower(text[i]))
            return false;
    return true;
}

static unsigned find_words(const char *text, size_t len, uint8_t kinds[VT_EXIT_KINDS])
{
    unsigned count = 0;
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++) {
        const char *word = explain_word(k);
        if (!starts_with(word, text, len))
            continue;
        if (!word[len]) { /* the whole word counts more than longer ones that begin with it */
            kinds[0] = (uint8_t)k;
            return 1;
        }
        kinds[count++] = (uint8_t)k;
    }
    return count;
}

/* ---- numbers ------------------------------------------------------------------------------------------------------- */

static unsigned digit(char c)
{
    c = lower(c);
    return c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 99;
}

/* As the manuals write numbers: "48", or "72h". Returns how many characters it took, 0: no number. */
static size_t parse_manual(const char *text, size_t len, uint64_t *value)
{
    uint64_t decimal = 0, hex = 0;
    bool is_decimal = true;
    size_t i = 0;
    for (; i < len && i < 16 && digit(text[i]) < 16; i++) {
        is_decimal &= digit(text[i]) < 10;
        decimal = decimal * 10 + digit(text[i]);
        hex = hex << 4 | digit(text[i]);
    }
    bool is_hex = i && i < len && lower(text[i]) == 'h';
    *value = is_hex ? hex : decimal;
    return is_hex ? i + 1 : is_decimal ? i : 0;
}

/* Is the number in a list as "19-27, 50"? */
static bool lists(const char *codes, uint64_t number)
{
    size_t len = strlen(codes), n;
    for (const char *end = codes + len; codes < end; ) {
        uint64_t first, last;
        n = parse_manual(codes, (size_t)(end - codes), &first);
        if (!n)
            return false;
        codes += n;
        last = first;
        if (*codes == '-')
            codes += 1 + parse_manual(codes + 1, (size_t)(end - codes - 1), &last);
        if (number >= first && number <= last)
            return true;
        while (*codes == ',' || *codes == ' ')
            codes++;
    }
    return false;
}

static unsigned find_codes(uint64_t number, unsigned halves, uint8_t kinds[VT_EXIT_KINDS])
{
    unsigned count = 0;
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++)
        for (unsigned h = 0; h < EXPLAIN_HALVES; h++)
            if ((halves >> h & 1) && lists(explain_rows[k]->half[h].codes, number)) {
                kinds[count++] = (uint8_t)k;
                break;
            }
    return count;
}

unsigned explain_find(const char *text, size_t len, unsigned prefer, uint8_t kinds[VT_EXIT_KINDS])
{
    uint64_t number;
    unsigned count = find_words(text, len, kinds);
    if (count || (!fmt_parse_u64(text, len, &number) && parse_manual(text, len, &number) != len))
        return count;
    count = find_codes(number, prefer, kinds);
    return count ? count : find_codes(number, EXPLAIN_BOTH & ~prefer, kinds);
}

const char *explain_suggest(const char *text, size_t len)
{
    unsigned best = suggest_limit(len) + 1;
    const char *nearest = NULL;
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++) {
        unsigned distance = suggest_distance(text, len, explain_word(k));
        if (distance < best) {
            best = distance;
            nearest = explain_word(k);
        }
    }
    return nearest;
}

/* ---- printing ------------------------------------------------------------------------------------------------------ */

/* As many whole words as fit in `room`; a word that is longer is cut. */
static size_t fitting(const char *text, size_t room)
{
    size_t end = 0;
    for (size_t i = 0;; i++) {
        if (text[i] && text[i] != ' ')
            continue;
        if (i > room)
            return end ? end : room;
        end = i;
        if (!text[i])
            return end;
    }
}

static void print_wrapped(const char *label, const char *text, explain_line_t line, void *ctx)
{
    char out[EXPLAIN_WIDTH + 1];
    while (*text) {
        size_t n = fitting(text, EXPLAIN_WIDTH - INDENT);
        fmt_print(out, sizeof out, "  %-*s%.*s", INDENT - 2, label, (int)n, text);
        line(ctx, out);
        label = "";
        for (text += n; *text == ' '; text++)
            ;
    }
}

static void print_half(const struct explanation *e, unsigned half, explain_line_t line, void *ctx)
{
    char text[256];
    const char *codes = e->half[half].codes;
    if (strcmp(codes, "none"))
        fmt_print(text, sizeof text, "%s %s: %s", halves_of[half].code, codes, e->half[half].control);
    else
        str_copy(text, sizeof text, e->half[half].control);
    print_wrapped(halves_of[half].label, text, line, ctx);
    print_wrapped("", e->half[half].manual, line, ctx);
}

void explain_briefly(unsigned kind, explain_line_t line, void *ctx)
{
    if (kind >= VT_EXIT_KINDS)
        return;
    print_wrapped("what", explain_rows[kind]->what, line, ctx);
    print_wrapped("Trapeze", explain_rows[kind]->action, line, ctx);
}

void explain_print(unsigned kind, unsigned halves, explain_line_t line, void *ctx)
{
    char title[EXPLAIN_WIDTH + 1];
    if (kind >= VT_EXIT_KINDS)
        return;
    const struct explanation *e = explain_rows[kind];
    fmt_print(title, sizeof title, "%s: %s", explain_word(kind), titles[kind]);
    line(ctx, title);
    print_wrapped("what", e->what, line, ctx);
    print_wrapped("cause", e->cause, line, ctx);
    print_wrapped("class", e->class, line, ctx);
    print_wrapped("privileged", e->privileged, line, ctx);
    print_wrapped("Trapeze", e->action, line, ctx);
    for (unsigned h = 0; h < EXPLAIN_HALVES; h++)
        if (halves >> h & 1)
            print_half(e, h, line, ctx);
}
