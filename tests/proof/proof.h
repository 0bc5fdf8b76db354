/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proof.h - one ruleset in the kernel and in the evaluator, and shots that hold them together. */
#ifndef UIDWALL_TESTS_PROOF_PROOF_H
#define UIDWALL_TESTS_PROOF_PROOF_H

#include "backend/nl/apply.h"
#include "forecast.h"
#include "instrument.h"
#include "send.h"

struct proof {
	struct nl_table *table;
	struct watch *watch;
	enum mistake mistake; /* of the evaluator, on purpose */
	struct arena *arena;  /* of all that follows, made anew for each ruleset */
	struct ir_ruleset plain, instrumented, evaluated;
	struct flows flows;
	bool is_plain;	/* the kernel holds the plain one: only what arrives can be compared */
	bool any_errno; /* rules that no policy makes: what programs see is not compared */
};

struct verdict {
	bool agrees;
	bool not_sent; /* the kernel made no packet of it: nothing to compare */
	struct sent sent;
	struct sight sight;
	struct forecast forecast;
};

/* Aborts where it cannot. */
void proof_open(struct proof *proof);
void proof_close(struct proof *proof);

/* The kernel gets the ruleset, instrumented or as it is; flows are forgotten. The ruleset lives in
 * the arena, which becomes the proof's. False where the kernel does not take it.
 */
bool proof_load(struct proof *proof, const struct ir_ruleset *ruleset, struct arena *arena);
void proof_load_plain(struct proof *proof);

/* Sends the shot and compares. Valid until the next call. */
void proof_try(struct proof *proof, const struct shot *shot, struct verdict *ret_verdict);

/* What was expected and what was seen. */
void proof_print(const struct proof *proof, const struct shot *shot, const struct verdict *verdict,
		 FILE *out);

/* "connect", "no line allows it": what the deciding rule is about; "" where there is none. */
const char *proof_reason(const struct proof *proof, const struct verdict *verdict);

extern const char *const verdict_names[]; /* by enum eval_verdict */

#endif
