/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/route.h"
#include <errno.h>
int routes_open(struct routes **ret_routes) { return -ENOSYS; }
void routes_close(struct routes *routes) { }
int routes_find(struct routes *routes, const struct prefix *to, unsigned ifindex,
		struct route *ret_route) { return -ENOSYS; }
