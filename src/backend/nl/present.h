/* SPDX-License-Identifier: GPL-2.0-or-later */
/* present.h - what the kernel has under our table's name, whoever put it there. */
#ifndef UIDWALL_BACKEND_NL_PRESENT_H
#define UIDWALL_BACKEND_NL_PRESENT_H

#include "backend/nl/socket.h"
#include "plan/ir.h"

struct nl_present {
	bool exists;
	uint32_t flags;
	bool is_strange;	 /* it holds what ours never does: only a new table will do */
	struct ir_ruleset names; /* of chains, sets and counters; nothing else of it counts */
};

/* 0, -EINTR when somebody committed meanwhile (exists and flags count all the same), or -errno.
 * Names live in the arena.
 */
int nl_present_read(struct nl_sock *sock, struct arena *arena, struct nl_present *ret_present);

#endif
