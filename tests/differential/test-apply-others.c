/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-apply-others.c - what becomes of the table when others commit in between, or meddle with it.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "made_ruleset.h"
#include "pair.h"

/* A process that commits to another table of the namespace all the time; killed with the test. */
static pid_t start_committer(const struct space *space)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct space *mine;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		space_enter(space);
		mine = space_here();
		for (;;)
			space_run(mine,
				  "add table ip busy; add chain ip busy x; delete table ip busy");
	}
	return pid;
}

static void stop_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void commits_in_between(bool owner)
{
	enum { ROUNDS = 300 };
	struct space *space = space_new();
	struct nl_table *table;
	struct nl_result result;
	struct pair pair;
	unsigned retries = 0, whole = 0;
	pid_t committer;

	pair_init(&pair, space);
	table = open_table(space, owner);
	committer = start_committer(space);
	apply(table, NULL, &pair.rulesets[0], &result);
	for (unsigned i = 1; i < ROUNDS || (!retries && i < 20 * ROUNDS); i++) {
		apply(table, &pair.rulesets[(i + 1) % 2], &pair.rulesets[i % 2], &result);
		retries += result.retries;
		whole += result.replaced_whole;
		if (i % 50 < 2)
			assert_lists(space, pair.listings[i % 2]);
	}
	stop_process(committer);
	print_message("# %u retries, %u times the whole table\n", retries, whole);
	assert_true(retries > 0);
	nl_table_close(table);
	pair_done(&pair);
	space_free(space);
}

static void test_commits_in_between(void **state)
{
	commits_in_between(true);
}

static void test_commits_in_between_not_owned(void **state)
{
	commits_in_between(false);
}

static void test_whole_among_commits(void **state)
{
	struct space *space = space_new();
	struct nl_table *table;
	struct nl_result result;
	struct pair pair;
	pid_t committer;

	pair_init(&pair, space);
	table = open_table(space, true);
	committer = start_committer(space);
	for (unsigned i = 0; i < 100; i++)
		apply(table, NULL, &pair.rulesets[i % 2], &result);
	assert_lists(space, pair.listings[1]);
	stop_process(committer);
	nl_table_close(table);
	pair_done(&pair);
	space_free(space);
}

/* --- somebody else changes our table ---------------------------------------------------------- */

static void test_meddling(void **state)
{
	/* Of chains a and b and set "to" of made_set(). */
	static const char *const acts[] = {
		"add rule inet uidwall b drop",
		"insert rule inet uidwall b drop",
		"flush chain inet uidwall a",
		"flush chain inet uidwall b; add rule inet uidwall b drop comment \"blog.json:4 "
		"connect\"",
		"flush chain inet uidwall b; add rule inet uidwall b accept comment \"other\"",
		"add chain inet uidwall c",
		"add element inet uidwall to { 192.0.2.1 . 80 }",
		"delete element inet uidwall to { 10.0.1.7 . 80 }",
		"delete element inet uidwall to { 10.0.1.7 . 80 };"
		"add element inet uidwall to { 10.0.1.7 . 80 comment \"other\" }",
		"add set inet uidwall x { type uid; }",
		"delete set inet uidwall to; add set inet uidwall to { type ipv4_addr . "
		"inet_service; }",
		"add counter inet uidwall x",
		"delete table inet uidwall",
		"delete table inet uidwall; add table inet uidwall",
	};
	AUTO(arena) struct arena *arena = arena_new();
	struct space *space = space_new();
	struct nl_table *table = open_table(space, false);
	struct ir_ruleset ruleset;
	struct nl_result result;
	AUTO(mem) char *listing = NULL;

	made_set(arena, &ruleset, 5, 0);
	apply(table, NULL, &ruleset, &result);
	listing = sorted_list(space);
	apply(table, &ruleset, &ruleset, &result);
	assert_int_equal(result.bytes_sent, 0);
	commit_elsewhere(space);
	apply(table, &ruleset, &ruleset, &result);
	assert_int_equal(result.bytes_sent, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(acts); i++) {
		print_message("# %s\n", acts[i]);
		assert_int_equal(space_run(space, acts[i]), 0);
		apply(table, &ruleset, &ruleset, &result);
		assert_true(result.replaced_whole);
		assert_lists(space, listing);
	}
	nl_table_close(table);
	space_free(space);
}

/* A caller that is wrong about what is there still gets what it wants. */
static void test_wrong_picture(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct space *space = space_new();
	struct nl_table *table;
	struct ir_ruleset other;
	struct nl_result result;
	struct pair pair;

	pair_init(&pair, space);
	table = open_table(space, true);
	made_set(arena, &other, 5, 0);
	apply(table, NULL, &other, &result);
	apply(table, &pair.rulesets[0], &pair.rulesets[1], &result);
	assert_true(result.replaced_whole);
	assert_lists(space, pair.listings[1]);
	nl_table_close(table);
	pair_done(&pair);
	space_free(space);
}

static void test_counters(void **state)
{
	struct space *space = space_new();
	struct nl_table *table;
	__attribute__((cleanup(diags_cleanup))) struct diags diags;
	struct nl_counter_value *values = NULL, value;
	struct nl_result result;
	struct pair pair;

	diags_init(&diags);
	pair_init(&pair, space);
	assert_int_equal(
		space_run(space,
			  "table inet uidwall { counter refused-s0 { packets 5 bytes 300; }; }"),
		0);
	table = open_table(space, true);
	for (unsigned i = 0; i < 4; i++) { /* made anew, then changed, then made anew */
		apply(table,
		      i == 3 ? NULL :
		      i	     ? &pair.rulesets[(i + 1) % 2] :
			       NULL,
		      &pair.rulesets[i % 2], &result);
		assert_int_equal(result.replaced_whole, i == 0 || i == 3);
		assert_int_equal(nl_table_read_counter(table, "refused-s0", &value, &diags), 0);
		assert_string_equal(value.name, "refused-s0");
		assert_int_equal(value.packets, 5);
		assert_int_equal(value.bytes, 300);
	}
	assert_int_equal(nl_table_read_counter(table, "none", &value, &diags), -ENOENT);
	assert_int_equal(nl_table_read_counters(table, &pair.rulesets[0], &values, &diags), 0);
	assert_string_equal(values[0].name, "refused-s0");
	assert_int_equal(values[0].packets, 5);
	assert_int_equal(values[1].packets, 0);
	free(values);
	nl_table_close(table);
	pair_done(&pair);
	space_free(space);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commits_in_between),
		cmocka_unit_test(test_commits_in_between_not_owned),
		cmocka_unit_test(test_whole_among_commits),
		cmocka_unit_test(test_meddling),
		cmocka_unit_test(test_wrong_picture),
		cmocka_unit_test(test_counters),
	};
	const char *why = space_unavailable();

	if (why) {
		printf("%s\n", why);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
