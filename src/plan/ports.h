/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ports.h - declared ports: maps from port to chain, and matches on lists of ports. */
#ifndef UIDWALL_PLAN_PORTS_H
#define UIDWALL_PLAN_PORTS_H

#include "plan/service.h"

/* Names the sets of one chain. */
struct service_sets {
	struct arena *names;
	const char *chain;
	uint32_t *used; /* digests */
	size_t n_used;
};

/* A name that stands for what the rule around the set says. A packet that is on its way while rules
 * are exchanged meets the old rule and the set's new elements: it must not be the rule of another
 * line.
 */
const char *service_set_name(struct service_sets *sets, const char *meaning, ...) PRINTF(2, 3);

uint32_t ports_digest(const struct number_range *ports, size_t n);

/* How a list of port ranges is matched: by `n` rules, one for each, or by one with a named set. */
struct port_match {
	const struct number_range *ports;
	size_t n;
	uint32_t set; /* IR_NONE: rules */
};

/* meaning: what else the rule says. */
struct port_match port_match_make(struct build *b, struct service_sets *sets, const char *meaning,
				  const struct number_range *ports, size_t n);
/* The match of rule i. */
void add_port_match(struct build *b, const struct port_match *match, size_t i, enum ir_field field);

/* For each listener with "from" a chain that refuses everybody else, and the maps from port to
 * chain in shared->guards.
 */
void plan_guards(struct build *b, const struct policy_set *set, struct plan_shared *shared);

/* The rules that look ports on loopback up in shared->guards. */
void plan_guard_rules(struct build *b, const struct plan_shared *shared, struct ir_origin origin);

/* Maps from declared port to the service's chain, by protocol; IR_NONE where nobody listens. */
void plan_listener_maps(struct build *b, const struct policy_set *set,
			const struct plan_shared *shared, uint32_t ret_maps[2]);

/* A service's ports by whether others guard them, too; sorted, merged, in scratch memory. */
struct own_ports {
	struct number_range *alone, *shared;
	size_t n_alone, n_shared;
};

void ports_split(struct build *b, const struct number_range *ports, size_t n, uint32_t map,
		 const char *service, struct own_ports *ret_ports);

/* Whether connecting to one of the ports is up to a guard in the map (IR_NONE: there is none),
 * other than those of one service alone (NULL: of any).
 */
bool ports_meet_guards(const struct build *b, const struct number_range *ports, size_t n,
		       uint32_t map, const char *but_of);

#endif
