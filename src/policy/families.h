/* SPDX-License-Identifier: GPL-2.0-or-later */
/* families.h - control groups of units → all the groups that lie in them, each with those above it.
 *
 * Of a socket the kernel tells (sock_diag) the group that it was opened in, while rules compare the
 * groups above it.
 */
#ifndef UIDWALL_POLICY_FAMILIES_H
#define UIDWALL_POLICY_FAMILIES_H

#include "policy/policy_set.h"

enum { FAMILIES_MAX = 65536, FAMILIES_DEPTH_MAX = 32 };

struct family_member {
	uint64_t id;
	uint64_t groups[CGROUP_LEVELS]; /* from level 1 down to its own; 0: not known */
	size_t n_groups;
};

struct families {
	struct family_member *list; /* sorted by id */
	size_t n;
	bool is_cut; /* there are more than we look at */
};

/* Those of set->groups, also of the ones that are gone, and all below them that there are now.
 * Lives in the arena.
 */
void families_read(const struct policy_set *set, struct arena *arena,
		   struct families *ret_families);

/* NULL: in no unit's group, or gone. */
const struct family_member *families_find(const struct families *families, uint64_t id);

#endif
