/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transparent.h - "transparent": which connections are led to the built-in proxy, and the rules. */
#ifndef UIDWALL_PLAN_TRANSPARENT_H
#define UIDWALL_PLAN_TRANSPARENT_H

#include "plan/service.h"
#include "plan/units.h"

/* Maps that say whose connections are led away; IR_NONE where there is none. */
struct plan_ways {
	uint32_t services, units, ranges;
	bool any; /* service whose connections are led away, though it may govern nobody */
};

/* Finds where connections are led: the built-in proxy's first listener of each family. */
void plan_find_proxy(const struct policy_set *set, struct plan_shared *shared);

/* Whether the policy's connections are led there; no other service pays for those that are. */
bool plan_is_led(const struct policy *policy, const struct plan_shared *shared);

/* In the service's chain: what was led there may go there. */
void plan_led_rules(struct build *b, const struct policy *policy, const struct plan_shared *shared);

/* A chain for each such service, and the maps to them. To be followed by plan_way_chains(), once
 * the units' levels are known.
 */
void plan_ways(struct build *b, const struct policy_set *set, const struct plan_shared *shared,
	       struct plan_ways *ret_ways);

/* The base chains. */
void plan_way_chains(struct build *b, const struct plan_ways *ways, const struct plan_units *units,
		     const struct plan_shared *shared);

#endif
