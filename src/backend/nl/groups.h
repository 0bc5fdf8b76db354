/* SPDX-License-Identifier: GPL-2.0-or-later */
/* groups.h - which control groups the kernel has a chain for. */
#ifndef UIDWALL_BACKEND_NL_GROUPS_H
#define UIDWALL_BACKEND_NL_GROUPS_H

#include "backend/nl/apply.h"
#include "backend/nl/socket.h"

/* Elements of the map of that name, in any order; they live in the arena. None where there is no
 * such map. 0 or -errno, then with none.
 */
int nl_read_groups(struct nl_sock *sock, const char *map, struct arena *arena,
		   struct nl_group **ret_groups, size_t *ret_n);

#endif
