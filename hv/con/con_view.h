/* Going from one view to another. Inside of hv/con only; the caller holds con.lock. */
#ifndef HV_CON_CON_VIEW_H
#define HV_CON_CON_VIEW_H

#include "hv/con/con.h"

bool con_view_exists(const struct con *c, unsigned partition);

void con_view_overview(struct con *c);
void con_view_monitor(struct con *c);
void con_view_attached(struct con *c, unsigned partition); /* which exists */

/* The keys after Ctrl-], and the guests' numbers. */
void con_view_help(struct con *c);

#endif
