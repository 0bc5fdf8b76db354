/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aim.h - a ruleset and a seed → shots that come close to its rules, on either side of each edge.
 */
#ifndef UIDWALL_TESTS_PROOF_AIM_H
#define UIDWALL_TESTS_PROOF_AIM_H

#include "forecast.h"
#include "lib/random_policies.h"

enum { AIM_UIDS = 10 };

struct aim {
	const struct ir_ruleset *ruleset;
	struct random random;
	uint32_t uids[AIM_UIDS]; /* who sends in this round */
	const struct flows *flows;
	bool has_next; /* an answer to the shot before */
	struct shot next;
};

/* What a packet should be like. */
struct wish {
	uint32_t uid;
	struct prefix to;
	uint8_t l4proto;
	uint32_t sport, dport;
	bool wants_sport;
	enum box_device way; /* BOX_ANY: where the routes lead */
	uint8_t tcp_flags;
	uint8_t icmp_type;
	bool ip_options, routing_header, mptcp, foreign, reply;
};

void aim_start(struct aim *aim, const struct ir_ruleset *ruleset, const struct flows *flows,
	       struct random random);
void aim_shot(struct aim *aim, struct shot *ret_shot);

/* wish.c: the first is what a wish is without a rule; the last is how it is sent. */
void wish_random(struct aim *aim, struct wish *ret_wish);
void wish_disturb(struct aim *aim, struct wish *wish);
void wish_to_shot(struct aim *aim, const struct wish *wish, struct shot *ret_shot);
void wish_family(struct aim *aim, struct wish *wish, enum addr_family family);

/* An address of this machine's, of that family. */
struct prefix random_own(struct random *random, enum addr_family family);

#endif
