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

void plan_unit_rules(struct build *b, const struct plan_units *units);

#endif
