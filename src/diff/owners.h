/* SPDX-License-Identifier: GPL-2.0-or-later */
/* owners.h - a ruleset's base chain → which service's chain judges which uid; and of two of them,
 * which uids change hands.
 */
#ifndef UIDWALL_DIFF_OWNERS_H
#define UIDWALL_DIFF_OWNERS_H

#include "diff/ranges.h"
#include "plan/ir.h"
#include "policy/policy_set.h"

enum {
	OWNER_NOBODY = UINT32_MAX,     /* not governed */
	OWNER_REFUSED = UINT32_MAX - 1 /* two services share them: refused everything */
};

struct owner {
	struct number_range uids;
	uint32_t service; /* index in the set, or OWNER_REFUSED */
};

struct owners {
	struct owner *list; /* sorted by uid, disjoint; who is not in it is governed by nobody */
	size_t n;
	uint32_t *chains;    /* of each service; IR_NONE: it has none, for it is off */
	uint32_t *ways;	     /* the same, of those that lead connections to the proxy */
	struct ranges *uids; /* of each service */
};

void owners_read(const struct policy_set *set, const struct ir_ruleset *rules, struct arena *arena,
		 struct owners *ret_owners);

struct owner_change {
	struct number_range uids;
	uint32_t from, to; /* services of either set, or OWNER_... */
};

/* Those whose owner has another name afterwards. */
struct owner_change *owners_compare(const struct owners *from, const struct policy_set *from_set,
				    const struct owners *to, const struct policy_set *to_set,
				    struct arena *arena, size_t *ret_n);

#endif
