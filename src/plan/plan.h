/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.h - policies → ruleset. A pure function: the same policies always give the same bytes. */
#ifndef UIDWALL_PLAN_PLAN_H
#define UIDWALL_PLAN_PLAN_H

#include "plan/ir.h"
#include "policy/policy_set.h"

/* Everything lives in the arena; the ruleset refers to file names of the policies. */
void plan_build(const struct policy_set *set, struct arena *arena, struct ir_ruleset *ret_ruleset);

#endif
