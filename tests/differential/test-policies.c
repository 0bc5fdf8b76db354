/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-policies.c - random policies: what nft loads of the text and what we send list the same, and
 * are the same bytecode.
 *
 * Each set of policies follows the one before it in the kernel, as after a reload of everything;
 * then one of its services changes. UIDWALL_SEED repeats a failure, UIDWALL_ROUNDS asks for more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"
#include "lib/random_policies.h"
#include "plan/plan.h"

enum { ROUNDS = 1500, SERVICES_MAX = 12, BYTECODE_EVERY = 5 };

struct round {
	struct arena *arena;
	struct ir_ruleset ruleset;
};

static void round_build(struct round *round, unsigned seed, unsigned n_services)
{
	struct policy_set set;

	round->arena = arena_new();
	random_policies_make(seed, n_services, round->arena, &set);
	plan_build(&set, round->arena, &round->ruleset);
	ir_check(&round->ruleset);
}

static void test_policies(void **state)
{
	unsigned only = (unsigned)env_number("UIDWALL_SEED", 0);
	unsigned n = only ? 1 : (unsigned)env_number("UIDWALL_ROUNDS", ROUNDS);
	struct space *by_nft = space_new(), *by_us = space_new();
	struct nl_table *table = open_table(by_us, true);
	struct round before = { 0 }, now;
	struct nl_result result;

	for (unsigned i = 0; i < n; i++) {
		unsigned seed = only ? only : 1 + i;

		/* The policy of a service depends on the seed and its number: one more of them. */
		round_build(&now, seed / 2, seed % SERVICES_MAX + seed % 2);
		apply(table, before.arena ? &before.ruleset : NULL, &now.ruleset, &result);
		assert_int_equal(result.replaced_whole, i == 0);
		assert_kernel_agrees(by_nft, by_us, &now.ruleset, seed);
		if (only || seed % BYTECODE_EVERY == 0)
			assert_same_bytecode(by_nft, &now.ruleset, seed);
		arena_free(before.arena);
		before = now;
	}
	arena_free(before.arena);
	nl_table_close(table);
	space_free(by_nft);
	space_free(by_us);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),
	};
	const char *why = space_unavailable();

	if (why) {
		printf("%s\n", why);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
