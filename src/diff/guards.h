/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guards.h - a ruleset → which uids may connect to which declared port over loopback: what
 * "listen ... from" comes to, of all services together.
 */
#ifndef UIDWALL_DIFF_GUARDS_H
#define UIDWALL_DIFF_GUARDS_H

#include "diff/ranges.h"
#include "plan/ir.h"

/* The chain of one listener. */
struct guard_chain {
	uint32_t chain;
	struct ranges callers;
};

struct guard {
	struct number_range ports;
	struct ranges callers;		  /* whom all of the chains let pass */
	const struct guard_chain *chains; /* of one listener each */
	size_t n_chains;
};

struct guards {
	const struct ir_ruleset *rules;
	struct guard *list[2]; /* by PROTOCOL_TCP and PROTOCOL_UDP; sorted by port */
	size_t n[2];
};

void guards_read(const struct ir_ruleset *rules, struct arena *arena, struct guards *ret_guards);

/* Who may connect to the port; everybody where it has no guard. */
struct ranges guards_callers(const struct guards *guards, unsigned protocol, uint32_t port);

/* The guard of the port, or NULL. */
const struct guard *guards_find(const struct guards *guards, unsigned protocol, uint32_t port);

/* The line that says who may connect. */
const struct ir_origin *guard_origin(const struct guards *guards, const struct guard_chain *chain);

bool guards_equal(const struct guards *a, const struct guards *b);

#endif
