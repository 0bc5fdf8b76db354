/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.h - the difference between two rulesets → a batch that turns one into the other. */
#ifndef UIDWALL_BACKEND_NL_CHANGE_H
#define UIDWALL_BACKEND_NL_CHANGE_H

#include "backend/nl/object.h"

struct nl_change_counts {
	unsigned chains;   /* added, refilled and deleted */
	unsigned elements; /* added, deleted and changed */
};

/* 0, -ENOMEM, or -EOPNOTSUPP where only a new table will do (a chain that gets or loses its hook).
 */
int nl_change(struct nl_batch *batch, struct nl_exprs *exprs, const struct ir_ruleset *current,
	      const struct ir_ruleset *next, struct nl_change_counts *ret_counts);

#endif
