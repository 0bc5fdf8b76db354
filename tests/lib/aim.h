/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aim.h - policies → packets at the edges of what they say: the last address of a prefix and the
 * one behind it, the port before a range, a user who is named and one who is not.
 */
#ifndef UIDWALL_TESTS_LIB_AIM_H
#define UIDWALL_TESTS_LIB_AIM_H

#include "backend/packet.h"
#include "lib/random_policies.h"

struct aim {
	struct arena *arena;
	struct prefix *addresses;
	size_t n_addresses;
	uint32_t *ports;
	size_t n_ports;
	uint32_t *uids;
	size_t n_uids;
	const char **interfaces;
	size_t n_interfaces;
	const struct policy **policies;
	size_t n_policies;
};

/* Adds what the set says. Everything lives in the arena. */
void aim_at(struct aim *aim, const struct policy_set *set, struct arena *arena);

/* A packet of any of the uids, and whether it would open a connection. No IP options, routing
 * header or foreign source address.
 */
struct packet aim_packet(const struct aim *aim, struct random *random, int64_t now);
bool aim_opens(const struct packet *packet);

/* What decides: NULL where nobody governs the uid, else "svc-NAME" or "refuse". */
const char *aim_chain(const struct ir_ruleset *rules, uint32_t uid);

/* Whether a line of a policy lets the packet pass: what monitor mode lets pass does not count. */
bool aim_is_allowed(const struct ir_ruleset *rules, const struct packet *packet);

#endif
