/* SPDX-License-Identifier: GPL-2.0-or-later */
/* groups.h - the control groups that units have, and those they had → what is governed. */
#ifndef UIDWALL_RUNTIME_GROUPS_H
#define UIDWALL_RUNTIME_GROUPS_H

#include "backend/nl/apply.h"
#include "policy/units.h"

/* Copies the set, with the groups that its units have now and those of `before` (which may be the
 * same set) that are gone. They live in the arena. visit: see units_find().
 */
void groups_find(const struct policy_set *set, const struct policy_set *before,
		 units_visit_fn visit, void *data, struct arena *arena, struct policy_set *ret_set,
		 struct diags *diags);

/* The same for the first set, which knows its groups: those that are gone are what an earlier
 * daemon left in the kernel.
 */
void groups_inherit(const struct policy_set *set, const struct nl_group *left, size_t n_left,
		    struct arena *arena, struct policy_set *ret_set);

#endif
