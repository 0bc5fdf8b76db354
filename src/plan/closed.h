/* SPDX-License-Identifier: GPL-2.0-or-later */
/* closed.h - ruleset → one of few rules that lets none of its services out, for the time in which
 * the whole of it is being loaded.
 */
#ifndef UIDWALL_PLAN_CLOSED_H
#define UIDWALL_PLAN_CLOSED_H

#include "plan/ir.h"

/* is_shut: of each chain, whether all that gets there is dropped instead. All others, and who is in
 * the maps, stay. Lives in the arena, and refers to the ruleset.
 */
void plan_closed(const struct ir_ruleset *ruleset, const bool *is_shut, struct arena *arena,
		 struct ir_ruleset *ret_closed);

#endif
