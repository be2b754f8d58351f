#include "hv/vm/exits.h"

const exit_handler_t exit_handlers[VT_EXIT_KINDS] = {
#define EXIT_ROW(kind, handler, info) [VT_EXIT_##kind] = exit_##handler,
    EXIT_ROWS(EXIT_ROW)
#undef EXIT_ROW
};

/* Each row makes a name, and each kind uses its own: a kind without a row does not compile, nor does one with two. */
enum {
#define EXIT_HAS_ROW(kind, handler, info) has_row_##kind = 1,
    EXIT_ROWS(EXIT_HAS_ROW)
#undef EXIT_HAS_ROW
};
#define EXIT_NEEDS_ROW(kind, text) _Static_assert(has_row_##kind, "exit_handlers[] has a row for " #kind);
VT_EXIT_LIST(EXIT_NEEDS_ROW)
#undef EXIT_NEEDS_ROW

static const char *const names[VT_EXIT_KINDS] = {
#define EXIT_NAME(kind, text) [VT_EXIT_##kind] = text,
    VT_EXIT_LIST(EXIT_NAME)
#undef EXIT_NAME
};

const char *vt_exit_name(enum vt_exit_kind kind)
{
    return kind < VT_EXIT_KINDS ? names[kind] : "unknown exit";
}
