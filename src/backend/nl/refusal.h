/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refusal.h - what the kernel did not like → messages that name the policy lines. */
#ifndef UIDWALL_BACKEND_NL_REFUSAL_H
#define UIDWALL_BACKEND_NL_REFUSAL_H

#include "backend/nl/batch.h"
#include "base/diag.h"
#include "plan/ir.h"

/* error: what nl_batch_commit() returned. current may be NULL. Returns error. */
int nl_report(const struct nl_outcome *outcome, int error, const struct ir_ruleset *current,
	      const struct ir_ruleset *next, struct diags *diags);

#endif
