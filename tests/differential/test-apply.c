/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-apply.c - what becomes of the table when the kernel refuses, and when owners change.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "made_ruleset.h"
#include "pair.h"

static void test_refused_rule(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct space *space = space_new();
	struct nl_table *table = open_table(space, true);
	struct ir_ruleset good, loop;
	struct nl_result result;
	AUTO(mem) char *before = NULL;

	made_chains(arena, &good, false);
	made_chains(arena, &loop, true);
	/* The kernel looks from the base chain, whose rule is the last to come to a new table. */
	apply_fails(table, NULL, &loop, -EMLINK, "refused this rule (jump a)", 1);
	assert_lists(space, "\n");
	apply(table, NULL, &good, &result);
	before = sorted_list(space);
	apply_fails(table, &good, &loop, -EMLINK, "refused this rule (jump a)", 3);
	assert_lists(space, before);
	apply_fails(table, NULL, &loop, -EMLINK, "refused this rule (jump a)", 3);
	assert_lists(space, before);
	apply(table, &good, &good, &result);
	assert_lists(space, before);
	nl_table_close(table);
	space_free(space);
}

static void test_refused_element(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct space *space = space_new();
	struct nl_table *table = open_table(space, true);
	struct ir_ruleset good, full;
	struct nl_result result;
	AUTO(mem) char *before = NULL;

	made_set(arena, &good, 2, 4);
	made_set(arena, &full, 9, 4);
	apply(table, NULL, &good, &result);
	before = sorted_list(space);
	apply_fails(table, &good, &full, -ENFILE, "refused a set's element (blog.json:14 connect)",
		    14);
	assert_lists(space, before);
	nl_table_close(table);
	space_free(space);
}

/* More elements than one message holds, a few changed, then most of them gone. */
static void test_many_elements(void **state)
{
	static const uint32_t counts[] = { 3000, 2990, 40, 3000 };
	AUTO(arena) struct arena *arena = arena_new();
	struct space *space = space_new(), *by_nft = space_new();
	struct nl_table *table = open_table(space, true);
	struct ir_ruleset rulesets[ARRAY_SIZE(counts)];
	struct nl_result result;

	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		AUTO(mem) char *text = NULL, *expected = NULL;

		made_set(arena, &rulesets[i], counts[i], i % 2 ? 8192 : 8192 + i);
		text = render(&rulesets[i]);
		assert_int_equal(space_run(by_nft, text), 0);
		expected = sorted_list(by_nft);
		apply(table, i ? &rulesets[i - 1] : NULL, &rulesets[i], &result);
		assert_lists(space, expected);
	}
	nl_table_close(table);
	space_free(space);
	space_free(by_nft);
}

/* --- owners ----------------------------------------------------------------------------------- */

static struct nl_table *open_owned(const struct space *space)
{
	struct nl_table *table = open_table(space, true);

	if (!nl_table_features(table)->owner_persist) {
		print_message("# this kernel has no table owners\n");
		nl_table_close(table);
		skip();
	}
	return table;
}

static void test_owner(void **state)
{
	struct space *space = space_new();
	struct nl_table *first = open_owned(space), *second;
	__attribute__((cleanup(diags_cleanup))) struct diags diags;
	struct nl_result result;
	struct pair pair;

	diags_init(&diags);
	pair_init(&pair, space);
	apply(first, NULL, &pair.rulesets[0], &result);

	/* As long as it is owned, nobody else may change it. */
	second = open_table(space, true);
	assert_int_equal(nl_table_remove(second, &diags), -EPERM);
	assert_int_not_equal(space_run_quietly(space, "delete table inet uidwall"), 0);
	assert_int_equal(space_run(space, "flush ruleset"), 0);
	assert_lists(space, pair.listings[0]);

	/* It outlives its owner, and then has the next one. */
	nl_table_close(first);
	assert_lists(space, pair.listings[0]);
	apply(second, NULL, &pair.rulesets[1], &result);
	assert_true(result.replaced_whole);
	assert_lists(space, pair.listings[1]);
	nl_table_close(second);
	pair_done(&pair);
	space_free(space);
}

static void assert_stands_in(struct nl_table *table, struct space *space, const char *name)
{
	bool standby = strcmp(name, NL_TABLE_STANDBY) == 0;

	assert_string_equal(nl_table_name(table), name);
	assert_int_equal(nl_table_holder(table) != 0, standby);
	assert_int_equal(space_run_quietly(space, "list table inet " NL_TABLE_STANDBY) == 0,
			 standby);
}

/* Somebody else owns the table: ours has another name, until that one has gone. */
static void test_standby(void **state)
{
	struct space *space = space_new();
	struct nl_table *first = open_owned(space), *second = open_table(space, true), *third;
	struct nl_result result;
	struct pair pair;

	pair_init(&pair, space);
	apply(first, NULL, &pair.rulesets[0], &result);
	assert_int_equal(nl_table_find_holder(first), 0);
	assert_int_not_equal(nl_table_find_holder(second), 0);
	apply(second, NULL, &pair.rulesets[1], &result);
	assert_stands_in(second, space, NL_TABLE_STANDBY);
	assert_int_equal(space_run(space, "flush ruleset"), 0);
	apply(second, &pair.rulesets[1], &pair.rulesets[0], &result);
	assert_false(result.replaced_whole);
	assert_stands_in(second, space, NL_TABLE_STANDBY);

	third = open_table(space, true);
	apply_fails(third, NULL, &pair.rulesets[0], -EPERM, "owned by another running process", 0);
	nl_table_close(third);

	nl_table_close(first);
	assert_int_equal(nl_table_find_holder(second), 0);
	apply(second, NULL, &pair.rulesets[1], &result);
	assert_stands_in(second, space, IR_TABLE_NAME);
	assert_lists(space, pair.listings[1]);
	nl_table_close(second);
	pair_done(&pair);
	space_free(space);
}

static void test_table_made_by_nft(void **state)
{
	struct space *space = space_new();
	struct nl_table *table;
	struct nl_result result;
	struct pair pair;
	AUTO(mem) char *text = NULL;

	pair_init(&pair, space);
	text = render(&pair.rulesets[0]);
	assert_int_equal(space_run(space, text), 0);
	table = open_table(space, true);
	assert_lists(space, pair.listings[0]); /* opening changes nothing */
	apply(table, NULL, &pair.rulesets[1], &result);
	assert_lists(space, pair.listings[1]);
	if (nl_table_features(table)->owner_persist)
		assert_int_not_equal(space_run_quietly(space, "delete table inet uidwall"), 0);
	nl_table_close(table);
	pair_done(&pair);
	space_free(space);
}

static void test_remove(void **state)
{
	struct space *space = space_new();
	struct nl_table *table;
	__attribute__((cleanup(diags_cleanup))) struct diags diags;
	struct nl_result result;
	struct pair pair;

	diags_init(&diags);
	pair_init(&pair, space);
	table = open_table(space, true);
	assert_int_equal(nl_table_remove(table, &diags), 0);
	apply(table, NULL, &pair.rulesets[0], &result);
	assert_int_equal(nl_table_remove(table, &diags), 0);
	assert_lists(space, "\n");
	assert_int_equal(nl_table_remove(table, &diags), 0);
	apply(table, &pair.rulesets[0], &pair.rulesets[1], &result);
	assert_true(result.replaced_whole);
	assert_lists(space, pair.listings[1]);
	nl_table_close(table);
	pair_done(&pair);
	space_free(space);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_rule),  cmocka_unit_test(test_refused_element),
		cmocka_unit_test(test_many_elements), cmocka_unit_test(test_owner),
		cmocka_unit_test(test_standby),	      cmocka_unit_test(test_table_made_by_nft),
		cmocka_unit_test(test_remove),
	};
	const char *why = space_unavailable();

	if (why) {
		printf("%s\n", why);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
