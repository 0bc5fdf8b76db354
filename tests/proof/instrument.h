/* SPDX-License-Identifier: GPL-2.0-or-later */
/* instrument.h - a ruleset → the same with a counter in each rule, so that the counters tell which
 * rules a packet came to.
 */
#ifndef UIDWALL_TESTS_PROOF_INSTRUMENT_H
#define UIDWALL_TESTS_PROOF_INSTRUMENT_H

#include "plan/ir.h"

/* The counter of rule i is ruleset->n_counters + i. It stands right before the rule's last
 * statement: it counts what all matches let through. Shares all but rules, statements and counters.
 */
void instrument(const struct ir_ruleset *ruleset, struct arena *arena,
		struct ir_ruleset *ret_ruleset);

/* Whether that was all: without these counters every chain is what it was. */
bool instrument_is_faithful(const struct ir_ruleset *ruleset,
			    const struct ir_ruleset *instrumented);

/* Ways to be wrong on purpose, so that the proof can be seen to fail. */
enum mistake {
	MISTAKE_NONE,
	MISTAKE_RANGE_END,    /* ranges of ports end one later */
	MISTAKE_NO_INTERFACE, /* matches on the interface are forgotten */
	MISTAKE_NEGATION,     /* != is = */
	MISTAKE_ELEMENT,      /* sets lack their last element */
	MISTAKE_COUNT
};
extern const char *const mistake_names[MISTAKE_COUNT];

/* The ruleset as somebody would read it who makes that mistake. */
void instrument_mistake(const struct ir_ruleset *ruleset, enum mistake mistake, struct arena *arena,
			struct ir_ruleset *ret_ruleset);

#endif
