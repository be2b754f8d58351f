/* A line editor for a terminal that understands backspace and ESC [ K: cursor keys, Home, End, Delete, Ctrl-A/E/U/K/W/C/L,
 * a history, and completion by a function handed in. */
#ifndef HV_SHELL_LINE_EDIT_H
#define HV_SHELL_LINE_EDIT_H

#include "hv/lib/ansi.h"

#define LINE_EDIT_SIZE    128
#define LINE_EDIT_HISTORY 16

struct line_edit_hooks {
    void (*write)(void *ctx, const char *text, size_t len);
    /* A finished line, terminated, without its end. The prompt is drawn again after it. */
    void (*line)(void *ctx, const char *text);
    /* Complete the word that ends at text[cursor]: append to `more` (of `size` bytes, terminated) what is certain. If
     * nothing is and there are several possibilities, print them (as whole lines) and return true: the line is then drawn again. */
    bool (*complete)(void *ctx, const char *text, size_t cursor, char *more, size_t size);
    void *ctx;
};

struct line_edit {
    struct line_edit_hooks hooks;
    const char *prompt;
    struct ansi ansi;
    bool after_cr;             /* an LF directly after a CR is the same key */
    unsigned length, cursor;
    unsigned history_count;    /* lines ever entered */
    unsigned history_back;     /* 0: the line being written; n: the n-th line before it */
    char text[LINE_EDIT_SIZE];
    char draft[LINE_EDIT_SIZE];/* the line being written, while an older one is shown */
    char history[LINE_EDIT_HISTORY][LINE_EDIT_SIZE];
};

void line_edit_init(struct line_edit *e, const char *prompt, const struct line_edit_hooks *hooks);
void line_edit_feed(struct line_edit *e, uint8_t byte);

/* Draw prompt and line again, on the terminal's current line. */
void line_edit_redraw(struct line_edit *e);

#endif
