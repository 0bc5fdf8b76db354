/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-closed.c - the few rules that stand in while many are loaded let nobody out who gets to a
 * shut chain, and mean the same for everybody else.
 *
 * UIDWALL_SEED=N tries the policies of that one seed; UIDWALL_ROUNDS=N tries more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "backend/eval.h"
#include "lib/aim.h"
#include "lib/random_policies.h"
#include "lib/seeds.h"
#include "plan/closed.h"
#include "plan/names.h"
#include "plan/plan.h"

enum { ROUNDS = 60, SERVICES = 6, PACKETS = 200 };

static bool leads_through(const struct eval_result *result, const bool *chains)
{
	for (unsigned i = 0; i < result->n_steps; i++)
		if (chains[result->steps[i].chain])
			return true;
	return false;
}

static void shut(const struct policy_set *set, const struct ir_ruleset *rules, struct arena *arena,
		 bool *ret_is_shut)
{
	for (size_t i = 0; i < set->n_services; i++) {
		uint32_t chain = ir_find_chain(
			rules, name_service_chain(arena, set->services[i].policy->service));

		if (chain != IR_NONE && set->services[i].policy->mode == MODE_ENFORCE)
			ret_is_shut[chain] = true;
	}
}

/* How many of the packets got to a shut chain. */
static unsigned compare(const struct policy_set *set, struct random *random, struct arena *arena)
{
	struct ir_ruleset rules, closed;
	struct aim aim = { 0 };
	unsigned n_shut = 0;
	bool *is_shut;

	plan_build(set, arena, &rules);
	is_shut = arena_alloc(arena, rules.n_chains + 1);
	shut(set, &rules, arena, is_shut);
	plan_closed(&rules, is_shut, arena, &closed);
	aim_at(&aim, set, arena);
	for (unsigned i = 0; i < PACKETS; i++) {
		struct packet packet = aim_packet(&aim, random, time(NULL));
		struct eval_packet fields;
		struct eval_result before, after;

		packet_fields(&packet, &fields);
		eval_packet(&rules, &fields, NULL, NULL, &before);
		eval_packet(&closed, &fields, NULL, NULL, &after);
		if (leads_through(&before, is_shut)) {
			assert_int_equal(after.verdict, EVAL_DROP);
			n_shut++;
		} else {
			assert_int_equal(after.verdict, before.verdict);
		}
	}
	return n_shut;
}

static void means_the_same_but_for_the_shut(void **state)
{
	unsigned first = (unsigned)env_number("UIDWALL_SEED", 0), n_shut = 0;
	unsigned n = first ? 1 : (unsigned)env_number("UIDWALL_ROUNDS", ROUNDS);

	for (unsigned seed = first ? first : 1; n--; seed++) {
		AUTO(arena) struct arena *arena = arena_new();
		struct random random = random_start(seed, 1);
		struct policy_set set;

		seed_tried = seed;
		random_policies_make(seed, SERVICES, arena, &set);
		n_shut += compare(&set, &random, arena);
	}
	seed_tried = 0;
	print_message("# %u packets dropped\n", n_shut);
	assert_true(n_shut > 0);
}

/* What only shut chains need is not loaded: that is what all this is for. */
static void is_small(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct ir_ruleset rules, closed;
	struct policy_set set;
	bool *is_shut;

	random_policies_make(3, 200, arena, &set);
	for (size_t i = 0; i < set.n_services; i++)
		((struct policy *)set.services[i].policy)->mode = MODE_ENFORCE;
	plan_build(&set, arena, &rules);
	is_shut = arena_alloc(arena, rules.n_chains + 1);
	shut(&set, &rules, arena, is_shut);
	plan_closed(&rules, is_shut, arena, &closed);
	assert_true(closed.n_rules * 2 < rules.n_rules);
	assert_true(closed.n_chains * 2 < rules.n_chains);
	assert_true(closed.n_counters < rules.n_counters);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(means_the_same_but_for_the_shut, seed_report),
		cmocka_unit_test(is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
