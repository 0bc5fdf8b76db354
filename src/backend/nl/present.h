/* SPDX-License-Identifier: GPL-2.0-or-later */
/* present.h - what the kernel has under our table's name, whoever put it there. */
#ifndef UIDWALL_BACKEND_NL_PRESENT_H
#define UIDWALL_BACKEND_NL_PRESENT_H

#include "backend/nl/socket.h"
#include "plan/ir.h"

struct nl_present {
	bool exists;
	uint32_t flags;
	uint32_t owner;	 /* the port of the socket that alone may change it; 0: none */
	uint64_t handle; /* another one for each table that was ever made */
	bool is_strange; /* it holds what ours never does: only a new table will do */
	/* Names of chains, sets and counters, and the shapes of sets (key_type IR_KEY_TYPE_COUNT:
	 * none of ours); nothing else of it counts.
	 */
	struct ir_ruleset names;
};

/* 0, -EINTR when somebody committed meanwhile (exists and flags count all the same), or -errno.
 * Names live in the arena.
 */
/* The same of the table alone: flags, owner and handle. */
int nl_present_read_table(struct nl_sock *sock, struct nl_present *ret_present);
int nl_present_read(struct nl_sock *sock, struct arena *arena, struct nl_present *ret_present);

#endif
