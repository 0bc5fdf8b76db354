/* SPDX-License-Identifier: GPL-2.0-or-later */
/* harness.h - what the tests of the two back ends have in common. */
#ifndef UIDWALL_TESTS_HARNESS_H
#define UIDWALL_TESTS_HARNESS_H

#include "backend/nl/apply.h"
#include "lib/seeds.h"
#include "nft.h"

char *render(const struct ir_ruleset *ruleset); /* as text; malloc'd */

/* Fails the test with the first line that differs. */
void assert_same_text(const char *ours, const char *theirs, uint64_t seed, const char *what);

/* What nft loads of our text lists as what we have put there. */
void assert_kernel_agrees(struct space *by_nft, struct space *by_us,
			  const struct ir_ruleset *ruleset, uint64_t seed);

/* What nft makes of our text is what we send, rule by rule. */
void assert_same_bytecode(struct space *space, const struct ir_ruleset *ruleset, uint64_t seed);

/* owner false: as on a kernel that knows no table owners. */
struct nl_table *open_table(const struct space *space, bool owner);

/* Fails the test where applying does. */
void apply(struct nl_table *table, const struct ir_ruleset *current, const struct ir_ruleset *next,
	   struct nl_result *ret_result);

/* A commit that has nothing to do with us, so that the generation is another. */
void commit_elsewhere(struct space *space);

#endif
