/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-plan-random.c - what holds of the ruleset of any policies, tried on thousands of random
 * ones.
 *
 * UIDWALL_SEED=N tries that one seed alone and prints its ruleset; UIDWALL_ROUNDS=N tries more.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "backend/text.h"
#include "lib/random_policies.h"
#include "lib/seeds.h"
#include "plan/plan.h"

enum { ROUNDS = 2000 };

static char *write_text(const struct ir_ruleset *ruleset)
{
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);

	assert_non_null(f);
	text_write(ruleset, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* --- properties ------------------------------------------------------------------------------- */

static void check_deterministic(const struct policy_set *set, const char *text)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct ir_ruleset again;
	AUTO(mem) char *second = NULL;

	plan_build(set, arena, &again);
	second = write_text(&again);
	assert_string_equal(text, second);
}

/* "{" opens a table, chain, set, counter or a set's elements, and stands at a line's end. */
static void check_no_anonymous_set(const char *text)
{
	for (const char *p = text; (p = strchr(p, '{')); p++)
		assert_int_equal(p[1], '\n');
}

/* Whether a service needs conntrack, for answers over UDP or for being led to the proxy. */
static bool needs_conntrack(const struct policy_set *set)
{
	for (size_t i = 0; i < set->n_services; i++) {
		const struct service *service = &set->services[i];

		if (service->state == POLICY_OFF || service->state == POLICY_REFUSED)
			continue;
		if (service->policy->transparent && service->policy->proxy &&
		    !set->config.proxy_is_external && set->config.n_proxies)
			return true;
		for (size_t j = 0; j < service->policy->n_listen; j++)
			if (service->policy->listen[j].protocol == PROTOCOL_UDP)
				return true;
	}
	return false;
}

static void check_conntrack(const struct policy_set *set, const struct ir_ruleset *ruleset)
{
	bool found = false;

	for (size_t i = 0; i < ruleset->n_stmts; i++)
		found = found || (ruleset->stmts[i].kind == IR_STMT_MATCH &&
				  ir_fields[ruleset->stmts[i].field].load == IR_LOAD_CT);
	assert_int_equal(found, needs_conntrack(set));
	assert_int_equal(ruleset->uses_conntrack, found);
}

/* From base chains, over verdicts and the elements of maps that rules look at. */
static void reach(const struct ir_ruleset *ruleset, uint32_t number, bool *reached, bool *sets)
{
	const struct ir_chain *chain = &ruleset->chains[number];

	if (reached[number])
		return;
	reached[number] = true;
	for (uint32_t i = 0; i < chain->n_rules; i++) {
		const struct ir_rule *rule = &ruleset->rules[chain->first_rule + i];

		for (uint32_t j = 0; j < rule->n_stmts; j++) {
			const struct ir_stmt *s = &ruleset->stmts[rule->first_stmt + j];

			if (s->kind == IR_STMT_VERDICT && (s->op == IR_JUMP || s->op == IR_GOTO))
				reach(ruleset, s->index, reached, sets);
			if (s->kind != IR_STMT_VMAP && s->kind != IR_STMT_LOOKUP)
				continue;
			sets[s->index] = true;
			for (uint32_t k = 0;
			     s->kind == IR_STMT_VMAP && k < ruleset->sets[s->index].n_elements; k++)
				reach(ruleset,
				      ruleset->elements[ruleset->sets[s->index].first_element + k]
					      .chain,
				      reached, sets);
		}
	}
}

/* The chains of services that govern nobody are not reachable; nor what only they use. */
static bool may_be_idle(const struct ir_ruleset *ruleset, const struct ir_chain *chain)
{
	(void)ruleset;
	return strncmp(chain->name, "svc-", 4) == 0 || strncmp(chain->name, "way-", 4) == 0 ||
	       strcmp(chain->name, "direct") == 0 || strcmp(chain->name, "refuse") == 0 ||
	       strcmp(chain->name, "observe") == 0 || strcmp(chain->name, "dns") == 0 ||
	       strcmp(chain->name, "proxy") == 0;
}

static void check_reachable(const struct ir_ruleset *ruleset)
{
	AUTO(mem) bool *chains = calloc(ruleset->n_chains, sizeof(bool));
	AUTO(mem) bool *sets = calloc(ruleset->n_sets, sizeof(bool));

	for (uint32_t i = 0; i < ruleset->n_chains; i++)
		if (ruleset->chains[i].hook)
			reach(ruleset, i, chains, sets);
	for (uint32_t i = 0; i < ruleset->n_chains; i++)
		if (!chains[i] && !may_be_idle(ruleset, &ruleset->chains[i]))
			fail_msg("chain %s is reached by nothing", ruleset->chains[i].name);
	for (uint32_t i = 0; i < ruleset->n_sets; i++)
		if (!sets[i] && strncmp(ruleset->sets[i].name, "svc-", 4) != 0 &&
		    strncmp(ruleset->sets[i].name, "way-", 4) != 0)
			fail_msg("set %s is used by nothing", ruleset->sets[i].name);
}

/* The kernel refuses loops and more than 16 levels (nft_chain_validate(), NFT_JUMP_STACK_SIZE).
 * heights: of the chains done so far, 0 where not.
 */
static unsigned height_of(const struct ir_ruleset *ruleset, uint32_t number, unsigned *heights,
			  unsigned level)
{
	const struct ir_chain *chain = &ruleset->chains[number];
	unsigned height = 1;

	assert_in_range(level, 0, 16);
	if (heights[number])
		return heights[number];
	for (uint32_t i = 0; i < chain->n_rules; i++) {
		const struct ir_rule *rule = &ruleset->rules[chain->first_rule + i];
		const struct ir_stmt *s = &ruleset->stmts[rule->first_stmt + rule->n_stmts - 1];
		unsigned below = 0;

		if (s->kind == IR_STMT_VERDICT && (s->op == IR_JUMP || s->op == IR_GOTO))
			below = height_of(ruleset, s->index, heights, level + 1);
		for (uint32_t j = 0;
		     s->kind == IR_STMT_VMAP && j < ruleset->sets[s->index].n_elements; j++) {
			const struct ir_set *set = &ruleset->sets[s->index];
			unsigned one =
				height_of(ruleset, ruleset->elements[set->first_element + j].chain,
					  heights, level + 1);

			below = one > below ? one : below;
		}
		height = below + 1 > height ? below + 1 : height;
	}
	return heights[number] = height;
}

static void check_depth(const struct ir_ruleset *ruleset)
{
	AUTO(mem) unsigned *heights = calloc(ruleset->n_chains, sizeof(unsigned));

	for (uint32_t i = 0; i < ruleset->n_chains; i++)
		assert_in_range(height_of(ruleset, i, heights, 0), 1, 8);
}

/* Every rule of a service says which file it is from, and the last one lets nothing past it. */
static void check_service_chains(const struct policy_set *set, const struct ir_ruleset *ruleset)
{
	for (size_t i = 0; i < set->n_services; i++) {
		const struct policy *policy = set->services[i].policy;
		AUTO(arena) struct arena *arena = arena_new();
		uint32_t number =
			ir_find_chain(ruleset, arena_printf(arena, "svc-%s", policy->service));
		const struct ir_chain *chain = &ruleset->chains[number];
		const struct ir_rule *last;
		const struct ir_stmt *end;

		if (set->services[i].state == POLICY_OFF) {
			assert_int_equal(number, IR_NONE);
			continue;
		}
		assert_int_not_equal(number, IR_NONE);
		for (uint32_t j = 0; j < chain->n_rules; j++) {
			const struct ir_rule *rule = &ruleset->rules[chain->first_rule + j];

			assert_non_null(rule->origin.what);
			assert_string_equal(rule->origin.place.file, policy->file);
		}
		last = &ruleset->rules[chain->first_rule + chain->n_rules - 1];
		assert_int_equal(last->n_stmts, 2);
		assert_int_equal(ruleset->stmts[last->first_stmt].kind, IR_STMT_COUNTER);
		end = &ruleset->stmts[last->first_stmt + 1];
		assert_int_equal(end->kind, IR_STMT_VERDICT);
		assert_int_equal(end->op, IR_GOTO);
		assert_string_equal(ruleset->chains[end->index].name,
				    policy->mode == MODE_MONITOR &&
						    set->services[i].state != POLICY_REFUSED ?
					    "observe" :
					    "refuse");
	}
}

static void check_names(const struct ir_ruleset *ruleset)
{
	for (size_t i = 0; i < ruleset->n_chains; i++) {
		const char *name = ruleset->chains[i].name;

		assert_in_range(strlen(name), 1, IR_NAME_MAX - 1);
		assert_true(isalpha((unsigned char)name[0]));
		assert_int_equal(ir_find_chain(ruleset, name), i);
	}
	for (size_t i = 0; i < ruleset->n_sets; i++) {
		assert_in_range(strlen(ruleset->sets[i].name), 1, IR_NAME_MAX - 1);
		assert_int_equal(ir_find_set(ruleset, ruleset->sets[i].name), i);
	}
}

/* --- who goes where --------------------------------------------------------------------------- */

static const struct ir_element *look_up(const struct ir_ruleset *ruleset, const char *map,
					uint32_t uid)
{
	uint32_t number = ir_find_set(ruleset, map);
	uint8_t key[4] = { (uint8_t)(uid >> 24), (uint8_t)(uid >> 16), (uint8_t)(uid >> 8),
			   (uint8_t)uid };

	for (uint32_t i = 0; number != IR_NONE && i < ruleset->sets[number].n_elements; i++) {
		const struct ir_element *e =
			&ruleset->elements[ruleset->sets[number].first_element + i];

		if (memcmp(e->key, key, 4) <= 0 && memcmp(e->last, key, 4) >= 0)
			return e;
	}
	return NULL;
}

/* The chain that judges a uid, by the maps as the kernel walks them: names first, then ranges. */
static const char *chain_of(const struct ir_ruleset *ruleset, uint32_t uid)
{
	const struct ir_element *e = look_up(ruleset, "services", uid);

	if (!e)
		e = look_up(ruleset, "ranges", uid);
	return e ? ruleset->chains[e->chain].name : "";
}

static void check_uid(const struct policy_set *set, const struct ir_ruleset *ruleset, uint32_t uid)
{
	AUTO(arena) struct arena *arena = arena_new();
	const struct service *owner = policy_set_find_uid(set, uid);
	const char *chain = chain_of(ruleset, uid);

	if (owner && owner->state != POLICY_OFF)
		assert_string_equal(chain, arena_printf(arena, "svc-%s", owner->policy->service));
	else if (strncmp(chain, "svc-", 4) == 0)
		fail_msg("uid %u is nobody's, yet %s judges it", uid, chain);
}

static void check_owners(const struct policy_set *set, const struct ir_ruleset *ruleset)
{
	for (size_t i = 0; i < set->n_services; i++) {
		const struct policy *policy = set->services[i].policy;

		for (size_t j = 0; j < policy->n_subjects; j++) {
			struct number_range uids = policy->subjects[j].uids;

			check_uid(set, ruleset, uids.first - 1);
			check_uid(set, ruleset, uids.first);
			check_uid(set, ruleset, uids.last);
			check_uid(set, ruleset, uids.last + 1);
		}
	}
	for (size_t i = 0; i < set->n_ranges; i++) {
		check_uid(set, ruleset, set->ranges[i].uids.first);
		check_uid(set, ruleset, set->ranges[i].uids.last);
		if (set->ranges[i].service == NO_SERVICE)
			assert_string_equal(chain_of(ruleset, set->ranges[i].uids.first), "refuse");
	}
	assert_string_equal(chain_of(ruleset, 0), "");
}

static void try_seed(unsigned seed, bool show)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct random random = random_start(seed, UINT32_MAX - 2);
	struct policy_set set;
	struct ir_ruleset ruleset;
	AUTO(mem) char *text = NULL;
	unsigned n;

	/* seldom so many that all meet somewhere */
	n = random_chance(&random, 200) ? 100 : random_below(&random, 9);
	random_policies_make(seed, n, arena, &set);
	plan_build(&set, arena, &ruleset); /* ir_check() is part of it */
	text = write_text(&ruleset);
	if (show)
		fputs(text, stdout);
	check_deterministic(&set, text);
	check_no_anonymous_set(text);
	check_conntrack(&set, &ruleset);
	check_reachable(&ruleset);
	check_depth(&ruleset);
	check_service_chains(&set, &ruleset);
	check_names(&ruleset);
	check_owners(&set, &ruleset);
}

static void test_random(void **state)
{
	unsigned only = (unsigned)env_number("UIDWALL_SEED", 0);
	unsigned rounds = (unsigned)env_number("UIDWALL_ROUNDS", ROUNDS);

	(void)state;
	if (only) {
		try_seed(only, true);
		return;
	}
	for (unsigned seed = 1; seed <= rounds; seed++) {
		seed_tried = seed;
		try_seed(seed, false);
	}
	seed_tried = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_random, seed_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
