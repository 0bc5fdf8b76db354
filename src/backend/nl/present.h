/* SPDX-License-Identifier: GPL-2.0-or-later */
/* present.h - what the kernel has under our table's name, whoever put it there. */
#ifndef UIDWALL_BACKEND_NL_PRESENT_H
#define UIDWALL_BACKEND_NL_PRESENT_H

#include "backend/nl/socket.h"
#include "plan/ir.h"

struct nl_present {
	bool exists;
	uint32_t flags;
	bool is_strange; /* it holds what ours never does: only a new table will do */
	/* Names of chains, sets and counters, and the shapes of sets (key_type IR_KEY_TYPE_COUNT:
	 * none of ours); nothing else of it counts.
	 */
	struct ir_ruleset names;
};

/* 0, -EINTR when somebody committed meanwhile (exists and flags count all the same), or -errno.
 * Names live in the arena.
 */
int nl_present_read(struct nl_sock *sock, struct arena *arena, struct nl_present *ret_present);

#endif
