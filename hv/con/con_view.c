#include "hv/con/con_view.h"
#include "hv/con/con_emit.h"

bool con_view_exists(const struct con *c, unsigned partition)
{
    return partition < CON_MAX_PARTITIONS && c->partition[partition].name[0];
}

static void leave_view(struct con *c)
{
    if (c->view == CON_ATTACHED)
        con_emit_terminal_reset(c);
    c->guest_input.tail = c->guest_input.head;
}

void con_view_overview(struct con *c)
{
    leave_view(c);
    if (c->unseen_lines)
        con_emit_note(c, "overview: %lu lines of guests came meanwhile; Ctrl-] ? for help",
                      c->unseen_lines);
    else
        con_emit_note(c, "overview: Ctrl-] ? for help");
    c->view = CON_OVERVIEW;
    c->redraw = false;
    c->hinted = false;
    c->unseen_lines = 0;
}

void con_view_monitor(struct con *c)
{
    leave_view(c);
    con_emit_note(c, "monitor: help lists the commands, Ctrl-] o goes back to the overview");
    c->view = CON_MONITOR;
    c->redraw = true;
}

void con_view_attached(struct con *c, unsigned partition)
{
    leave_view(c);
    con_emit_note(c, "%s: Ctrl-] o goes back to the overview, Ctrl-] m to the monitor", c->partition[partition].name);
    c->view = CON_ATTACHED;
    c->attached = partition;
    c->redraw = false;
    con_emit_replay(c, partition);
    const char *still = c->hooks.standstill ? c->hooks.standstill(c->hooks.ctx, partition) : NULL;
    if (still)
        con_emit_note(c, "%s %s", c->partition[partition].name, still);
}

void con_view_help(struct con *c)
{
    con_emit_note(c, "after Ctrl-]: m monitor, o overview, a digit attaches to a guest, Ctrl-] sends one Ctrl-]");
    for (unsigned i = 0; i < CON_MAX_PARTITIONS; i++)
        if (con_view_exists(c, i))
            con_emit_note(c, i < 9 ? "%u  %s" : "%u  %s (by the monitor: console %s)", i + 1, c->partition[i].name,
                          c->partition[i].name);
}
