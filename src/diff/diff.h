/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff.h - two sets of policies with their rulesets → what changes in meaning, as JSON. */
#ifndef UIDWALL_DIFF_DIFF_H
#define UIDWALL_DIFF_DIFF_H

#include "plan/ir.h"
#include "policy/policy_set.h"
#include "wire/writer.h"

struct diff_side {
	const struct policy_set *set;
	const struct ir_ruleset *rules;
};

/* Writes members of an object that the caller has begun: "differs" (a bool), "services" (an array
 * of those that change), "shared" (what the configuration changes for all), "uids" (those that pass
 * between nobody and being refused everything) and "summary" (how many services do what). Lines
 * that have ended by `now` (seconds since 1970) count for nothing. Returns whether the sides differ
 * in meaning.
 */
bool diff_write(const struct diff_side *from, const struct diff_side *to, int64_t now,
		struct writer *w);

/* The same without what is for programs: "gains", "losses" and "callers". */
bool diff_write_words(const struct diff_side *from, const struct diff_side *to, int64_t now,
		      struct writer *w);

#endif
