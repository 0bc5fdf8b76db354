/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route.h - asks the kernel which way a packet would leave (rtnetlink(7), needs no privilege). */
#ifndef UIDWALL_KERNEL_ROUTE_H
#define UIDWALL_KERNEL_ROUTE_H

#include <net/if.h>

#include "base/addr.h"

struct routes;

/* Answers are remembered until it is closed: open one for each piece of work. 0 or -errno. */
int routes_open(struct routes **ret_routes);
void routes_close(struct routes *routes); /* NULL is fine */
DEFINE_CLEANUP(routes, struct routes *, routes_close)

struct route {
	char oifname[IFNAMSIZ];
	bool is_local; /* the address is one of this machine's own */
};

/* to: one address. ifindex: the device that the socket is bound to, or 0. 0, -ENETUNREACH and the
 * like (there is no way), or another -errno.
 */
int routes_find(struct routes *routes, const struct prefix *to, unsigned ifindex,
		struct route *ret_route);

enum { ROUTE_ANY_UID = -1 };

/* The same for a socket of that user, with that source address (NULL: not chosen yet): an `ip rule`
 * may look at both.
 */
int routes_find_for(struct routes *routes, int64_t uid, const struct prefix *from,
		    const struct prefix *to, unsigned ifindex, struct route *ret_route);

/* Whether the error means that the kernel has no way to the address, rather than no answer. */
bool routes_is_unreachable(int r);

#endif
