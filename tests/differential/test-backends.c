/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-backends.c - random rulesets: text by nft and messages by us come to the same thing.
 *
 * UIDWALL_SEED repeats a failure, UIDWALL_ROUNDS asks for more or fewer than the usual number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness.h"
#include "random_ruleset.h"

enum { ROUNDS = 200, STEPS = 5 };

static void test_bytecode(void **state)
{
	uint64_t base = env_number("UIDWALL_SEED", 0);
	unsigned long n = base ? 1 : env_number("UIDWALL_ROUNDS", ROUNDS);
	struct space *space = space_new();

	for (unsigned long i = 0; i < n; i++) {
		uint64_t seed = base ? base : 1 + i, random = seed * 0x9e3779b97f4a7c15;
		AUTO(arena) struct arena *arena = arena_new();
		struct random_spec spec;
		struct ir_ruleset ruleset;

		random_spec(&random, &spec);
		random_ruleset(&spec, arena, &ruleset);
		assert_same_bytecode(space, &ruleset, seed);
	}
	space_free(space);
}

/* One ruleset, in place of none or of the walk's before, then others that differ a little, each
 * compared with what nft loads.
 */
static void walk(uint64_t seed, bool owner, struct space *by_nft, struct space *by_us,
		 struct nl_table *table)
{
	struct arena *arena = arena_new(), *before = NULL;
	struct ir_ruleset ruleset, previous = { 0 };
	uint64_t random = seed * 0x9e3779b97f4a7c15;
	struct random_spec spec;
	struct nl_result result;
	struct diags diags;
	bool fresh = seed % 2;

	if (fresh) {
		diags_init(&diags);
		assert_int_equal(nl_table_remove(table, &diags), 0);
		diags_done(&diags);
	}
	random_spec(&random, &spec);
	for (unsigned step = 0; step < STEPS; step++) {
		AUTO(mem) char *text = NULL, *theirs = NULL, *ours = NULL;

		random_ruleset(&spec, arena, &ruleset);
		text = render(&ruleset);
		assert_int_equal(space_run(by_nft, text), 0);
		theirs = space_list(by_nft);
		if (!owner && rng_below(&random, 2))
			commit_elsewhere(by_us);
		apply(table, step ? &previous : NULL, &ruleset, &result);
		assert_int_equal(result.replaced_whole, step == 0);
		ours = space_list(by_us);
		if (step > 0 || !fresh) { /* the order is that of coming */
			char *x = listing_sorted(ours), *y = listing_sorted(theirs);

			assert_same_text(x, y, seed, "listing after a change");
			free(x);
			free(y);
		} else {
			assert_same_text(ours, theirs, seed, "listing");
		}
		arena_free(before);
		before = arena;
		previous = ruleset;
		arena = arena_new();
		random_mutate(&random, &spec);
	}
	arena_free(before);
	arena_free(arena);
}

static void test_walks(bool owner)
{
	uint64_t base = env_number("UIDWALL_SEED", 0);
	unsigned long n = base ? 1 : env_number("UIDWALL_ROUNDS", ROUNDS);
	struct space *by_nft = space_new(), *by_us = space_new();
	struct nl_table *table = open_table(by_us, owner);

	if (owner && !nl_table_features(table)->owner_persist) {
		nl_table_close(table);
		print_message("# this kernel has no table owners\n");
		skip();
	}
	for (unsigned long i = 0; i < n; i++)
		walk(base ? base : 1 + i, owner, by_nft, by_us, table);
	nl_table_close(table);
	space_free(by_nft);
	space_free(by_us);
}

static void test_listings_owned(void **state)
{
	test_walks(true);
}

static void test_listings_not_owned(void **state)
{
	test_walks(false);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytecode),
		cmocka_unit_test(test_listings_owned),
		cmocka_unit_test(test_listings_not_owned),
	};
	const char *why = space_unavailable();

	if (why) {
		printf("%s\n", why);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
