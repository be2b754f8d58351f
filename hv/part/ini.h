/* INI syntax, and only syntax: one item per call, with its line. Knows no section or key by name. */
#ifndef HV_PART_INI_H
#define HV_PART_INI_H

#include "hv/lib/types.h"

/* A piece of the configuration text; not terminated. */
struct ini_text {
    const char *s;
    size_t len;
};

enum ini_kind { INI_END, INI_SECTION, INI_PAIR, INI_ERROR };

struct ini_item {
    enum ini_kind kind;
    unsigned line;
    struct ini_text name;  /* of a section: its first word; of a pair: the key */
    struct ini_text value; /* of a section: the rest inside the brackets; of a pair: the value without quotes */
    const char *error;     /* INI_ERROR: what is wrong with the line */
};

struct ini {
    const char *text;
    size_t len, pos;
    unsigned line; /* of the last item */
};

/* Start reading text[0, len); a UTF-8 byte order mark is skipped. */
void ini_init(struct ini *ini, const char *text, size_t len);

/* The next item. Lines that are empty or start with # or ; are skipped. A # after a blank starts a comment, unless
 * the value is in double quotes; within quotes everything is literal. */
enum ini_kind ini_next(struct ini *ini, struct ini_item *item);

/* True if the piece is exactly this word; case matters. */
bool ini_equals(struct ini_text text, const char *word);

/* Cut the first word (up to a blank) off *text and return it; empty at the end. */
struct ini_text ini_take_word(struct ini_text *text);

/* As a C string; false if it does not fit. */
bool ini_copy(char *to, size_t size, struct ini_text from) MUST_CHECK;

#endif
