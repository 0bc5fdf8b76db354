/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.h - the difference between two rulesets, and the batches that turn one into the other. */
#ifndef UIDWALL_BACKEND_NL_CHANGE_H
#define UIDWALL_BACKEND_NL_CHANGE_H

#include "backend/nl/object.h"

/* What happens to a thing of one ruleset; `other` is its index in the other one, or IR_NONE. */
struct nl_fate {
	uint32_t other;
	bool redo; /* chains: refilled */
};

struct nl_change {
	const struct ir_ruleset *from, *to;
	struct nl_exprs *exprs;
	bool only_names;				   /* are known of `from` */
	bool in_steps;					   /* see nl_write_preparation() */
	struct nl_fate *counters[2], *chains[2], *sets[2]; /* [0] of from, [1] of to */
};

/* only_names: of `from` nothing but the names (and the shapes of sets) is known; all of its rules
 * and elements are replaced. Sets of a name that both have keep their shape, and interval sets
 * their elements: see nl_change_detour(). 0, -ENOMEM, or -EOPNOTSUPP where only a new table will do
 * (a chain that gets or loses its hook). Both rulesets must outlive the change.
 */
int nl_change_new(const struct ir_ruleset *from, bool only_names, const struct ir_ruleset *to,
		  struct nl_exprs *exprs, struct nl_change **ret_change);
void nl_change_free(struct nl_change *change);
DEFINE_CLEANUP(nl_change, struct nl_change *, nl_change_free)

/* Some changes go round about: over a ruleset that means the same as `to`, but has other names for
 * the sets that cannot change in place. NULL where there are none. Lives in the arena.
 */
const struct ir_ruleset *nl_change_detour(const struct ir_ruleset *from, bool only_names,
					  const struct ir_ruleset *to, struct arena *arena);

struct nl_change_counts {
	unsigned chains;   /* added, refilled and deleted */
	unsigned elements; /* added, deleted and changed */
};

/* The whole change in one batch. */
void nl_write_change(const struct nl_change *change, struct nl_batch *batch,
		     struct nl_change_counts *ret_counts);

/* The same in three, one after the other, for a change in_steps. The preparation adds what no
 * packet takes notice of, the switch puts it in force, the clean-up removes what no rule refers to
 * any more. undo: takes the preparation back, where the switch is refused.
 */
void nl_write_preparation(const struct nl_change *change, struct nl_batch *batch);
void nl_write_switch(const struct nl_change *change, struct nl_batch *batch,
		     struct nl_change_counts *ret_counts);
void nl_write_clean_up(const struct nl_change *change, struct nl_batch *batch,
		       struct nl_change_counts *counts);
void nl_write_undo(const struct nl_change *change, struct nl_batch *batch);

#endif
