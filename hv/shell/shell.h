/* The monitor: a command line over shell_ops. Typed bytes go in, text comes out; it keeps no hidden state, never
 * waits, and touches nothing but what it was handed. */
#ifndef HV_SHELL_SHELL_H
#define HV_SHELL_SHELL_H

#include "hv/con/con.h"
#include "hv/shell/line_edit.h"
#include "hv/shell/shell_ops.h"

struct shell {
    struct con *con;
    const struct shell_ops *ops;
    struct line_edit edit;
};

/* `ops` and `con` are kept by reference. */
void shell_init(struct shell *s, struct con *con, const struct shell_ops *ops);

/* The console's hooks: to_monitor and redraw_monitor, with the struct shell as context. */
void shell_input(void *shell, uint8_t byte);
void shell_redraw(void *shell);

/* Run one command line, as if it had been typed (for a script or a test). */
void shell_run(struct shell *s, const char *line);

#endif
