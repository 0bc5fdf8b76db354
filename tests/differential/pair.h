/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pair.h - two rulesets to change between, and whether the kernel has one of them. */
#ifndef UIDWALL_TESTS_PAIR_H
#define UIDWALL_TESTS_PAIR_H

#include "harness.h"

/* Two rulesets that differ in a few services, and what nft makes of them. */
struct pair {
	struct arena *arena;
	struct ir_ruleset rulesets[2];
	char *listings[2]; /* sorted */
};

void pair_init(struct pair *pair, struct space *space); /* leaves the space without a table */
void pair_done(struct pair *pair);

char *sorted_list(struct space *space); /* the table as nft lists it; malloc'd */

/* Fails the test where the table is another, sorted. */
void assert_lists(struct space *space, const char *expected);

/* Applies what the kernel refuses; one of the messages is about the given line. */
void apply_fails(struct nl_table *table, const struct ir_ruleset *current,
		 const struct ir_ruleset *next, int error, const char *message, uint32_t line);

#endif
