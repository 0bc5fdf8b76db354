/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracked.h - what connection tracking knows of one TCP connection (ctnetlink). */
#ifndef UIDWALL_KERNEL_TRACKED_H
#define UIDWALL_KERNEL_TRACKED_H

#include "base/addr.h"

struct tracked;

/* Needs CAP_NET_ADMIN. 0 or -errno. */
int tracked_open(struct tracked **ret_tracked);
void tracked_close(struct tracked *tracked); /* NULL is fine */
DEFINE_CLEANUP(tracked, struct tracked *, tracked_close)

/* Whether the connection, as its client sees it, goes elsewhere than it says (DNAT). 1, 0 (nothing
 * is known of it, as well), or -errno: it cannot be asked.
 */
int tracked_is_led(struct tracked *tracked, const struct prefix *from, uint16_t sport,
		   const struct prefix *to, uint16_t dport);

#endif
