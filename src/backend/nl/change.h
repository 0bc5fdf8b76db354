/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.h - the difference between two rulesets → batches that turn one into the other. */
#ifndef UIDWALL_BACKEND_NL_CHANGE_H
#define UIDWALL_BACKEND_NL_CHANGE_H

#include "backend/nl/object.h"

struct nl_change;

/* only_names: of `from` nothing but the names is known; all of its rules and elements are replaced.
 * 0, -ENOMEM, or -EOPNOTSUPP where only a new table will do (a chain that gets or loses its hook).
 * Both rulesets must outlive the change.
 */
int nl_change_new(const struct ir_ruleset *from, bool only_names, const struct ir_ruleset *to,
		  struct nl_exprs *exprs, struct nl_change **ret_change);
void nl_change_free(struct nl_change *change);
DEFINE_CLEANUP(nl_change, struct nl_change *, nl_change_free)

void nl_change_rulesets(const struct nl_change *change, const struct ir_ruleset **ret_from,
			const struct ir_ruleset **ret_to);

/* Whether something has to be in force before the change itself may be, in a batch of its own.
 * Packets take no notice of it. undo: takes it back, where the change is refused afterwards.
 */
bool nl_change_needs_preparation(const struct nl_change *change);
void nl_change_prepare(const struct nl_change *change, struct nl_batch *batch);
void nl_change_undo(const struct nl_change *change, struct nl_batch *batch);

struct nl_change_counts {
	unsigned chains;   /* added, refilled and deleted */
	unsigned elements; /* added, deleted and changed */
};

/* The change, but for what was prepared. */
void nl_change_write(const struct nl_change *change, struct nl_batch *batch,
		     struct nl_change_counts *ret_counts);

/* A change of `from` to `to` can take a way round: over a ruleset that means the same as `to`, but
 * has other names for the interval sets that change. NULL where none does. Lives in the arena.
 */
const struct ir_ruleset *nl_change_detour(const struct ir_ruleset *from, bool only_names,
					  const struct ir_ruleset *to, struct arena *arena);

#endif
