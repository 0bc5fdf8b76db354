/* SPDX-License-Identifier: GPL-2.0-or-later */
/* units.h - control groups of units → a map to their services' chains, and the rules that ask it.
 */
#ifndef UIDWALL_PLAN_UNITS_H
#define UIDWALL_PLAN_UNITS_H

#include "plan/service.h"

struct plan_units {
	uint32_t map;	 /* IR_NONE: no service has a unit */
	unsigned levels; /* bit: groups so far below the root are asked for */
};

void plan_units(struct build *b, const struct policy_set *set, const struct plan_shared *shared,
		struct plan_units *ret_units);

/* An element of the last set: the group leads to the chain. */
void plan_unit_element(struct build *b, const struct policy_set *set,
		       const struct unit_group *group, uint32_t chain);

void plan_unit_rules(struct build *b, const struct plan_units *units);

/* Adds a group that is new to a ruleset that was planned without it, at the end of the map's
 * elements. False, and nothing has changed, where that is not all there is to do. *room: whether
 * the ruleset's elements have room to grow; begins as false.
 */
bool plan_unit_started(struct ir_ruleset *ruleset, const struct policy_set *set,
		       const struct unit_group *group, struct arena *arena, bool *room);

#endif
