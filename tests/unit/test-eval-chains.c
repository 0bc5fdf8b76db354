/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-eval-chains.c - how the evaluator walks from chain to chain, what it counts on its way, and
 * which line of a policy it says decided.
 *
 * Chains are written as text, "output: jump a, drop; a: no accept": rules of a base chain (its name
 * begins with "output") or another one. A rule is a verdict, "jump" or "goto" with a chain, the
 * same by a map ("vjump", "vgoto"), and behind "no" it does not match. Each rule counts before its
 * verdict, in a counter with its own name: rule 1 of chain a is "a.1".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "backend/eval.h"
#include "plan/build.h"

enum { TEXT_MAX = 1024, UID = 1001 };

static const struct ir_origin no_origin;

/* --- text → ruleset --------------------------------------------------------------------------- */

/* The next word, without the separator behind it; NULL at the end of what `ends` closes. */
static char *next_word(char **text, const char *separators)
{
	char *word;

	while ((word = strsep(text, separators)) && !*word)
		;
	return word;
}

/* Chains are numbered in the order in which they are written. */
static uint32_t find_chain(const char *chains, const char *name)
{
	AUTO(mem) char *copy = strdup(chains);
	char *rest = copy, *chain;

	for (uint32_t number = 0; (chain = next_word(&rest, ";")); number++) {
		chain += strspn(chain, " ");
		if (strcspn(chain, ":") == strlen(name) && strncmp(chain, name, strlen(name)) == 0)
			return number;
	}
	fail_msg("no chain %s in: %s", name, chains);
	return IR_NONE;
}

static void add_map(struct build *b, enum ir_verdict verdict, uint32_t chain)
{
	static const uint8_t uid[] = { 0, 0, UID >> 8, UID & 0xff };
	uint32_t map = build_set(b, "map", IR_KEY_UID, true, false);
	struct ir_element *e = build_element(b);

	memcpy(e->key, uid, sizeof(uid));
	memcpy(e->last, uid, sizeof(uid));
	e->verdict = (uint8_t)verdict;
	e->chain = chain;
	build_set_finish(b);
	add_vmap(b, IR_SKUID, map);
}

static void add_end(struct build *b, const char *chains, const char *verb, const char *target)
{
	static const struct {
		const char *verb;
		enum ir_stmt_kind kind;
		uint8_t op;
	} verbs[] = {
		{ "accept", IR_STMT_VERDICT, IR_ACCEPT },
		{ "drop", IR_STMT_VERDICT, IR_DROP },
		{ "return", IR_STMT_VERDICT, IR_RETURN },
		{ "jump", IR_STMT_VERDICT, IR_JUMP },
		{ "goto", IR_STMT_VERDICT, IR_GOTO },
		{ "vjump", IR_STMT_VMAP, IR_JUMP },
		{ "vgoto", IR_STMT_VMAP, IR_GOTO },
		{ "reset", IR_STMT_REJECT, IR_REJECT_TCP_RESET },
		{ "prohibit", IR_STMT_REJECT, IR_REJECT_ADMIN_PROHIBITED },
	};
	uint32_t chain = target ? find_chain(chains, target) : IR_NONE;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].verb, verb) != 0)
			continue;
		if (verbs[i].kind == IR_STMT_REJECT)
			add_reject(b, verbs[i].op);
		else if (verbs[i].kind == IR_STMT_VMAP)
			add_map(b, verbs[i].op, chain);
		else
			add_verdict(b, verbs[i].op, chain);
		return;
	}
	fail_msg("no verb %s in: %s", verb, chains);
}

static void add_rule(struct build *b, const char *chains, const char *name, char *rule)
{
	const struct ir_chain *chain = &b->ruleset.chains[b->ruleset.n_chains - 1];
	const char *counter = arena_printf(b->arena, "%s.%u", name, chain->n_rules);
	const char *verb = next_word(&rule, " ");

	build_rule(b, no_origin);
	if (strcmp(verb, "no") == 0) {
		add_match_number(b, IR_SKUID, IR_NE, UID);
		verb = next_word(&rule, " ");
	}
	add_count(b, build_counter(b, counter));
	add_end(b, chains, verb, next_word(&rule, " "));
}

static void add_chains(struct build *b, const char *chains)
{
	AUTO(mem) char *copy = strdup(chains);
	char *rest = copy, *chain;

	while ((chain = next_word(&rest, ";"))) {
		const char *name = arena_strdup(b->arena, next_word(&chain, " :"));
		char *rule;

		build_chain(b, name,
			    strncmp(name, "output", strlen("output")) ? IR_HOOK_NONE :
									IR_HOOK_OUTPUT);
		while ((rule = next_word(&chain, ",")))
			if (strspn(rule, " ") < strlen(rule))
				add_rule(b, chains, name, rule);
	}
}

/* --- the walk --------------------------------------------------------------------------------- */

struct walk {
	struct arena *arena;
	struct build b;
	struct eval_result result;
	char counted[TEXT_MAX], path[TEXT_MAX];
};

static void append(char text[TEXT_MAX], const char *chain, const char *word, uint32_t number)
{
	size_t length = strlen(text);

	snprintf(text + length, TEXT_MAX - length, number == IR_NONE ? "%s%s%s" : "%s%s%s.%u",
		 length ? " " : "", chain, word, number);
}

static void count(uint32_t counter, void *data)
{
	struct walk *walk = data;

	append(walk->counted, "", walk->b.ruleset.counters[counter].name, IR_NONE);
}

static void walk_free(struct walk *walk)
{
	if (walk)
		arena_free(walk->arena);
	free(walk);
}

DEFINE_CLEANUP(walk, struct walk *, walk_free)

/* One packet of UID through the chains. */
static struct walk *walk_new(const char *chains)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	struct eval_packet packet = { 0 };
	const struct ir_ruleset *r;

	assert_non_null(walk);
	walk->arena = walk->b.arena = walk->b.scratch = arena_new();
	add_chains(&walk->b, chains);
	r = &walk->b.ruleset;
	eval_set_number(&packet, IR_SKUID, UID);
	memset(&walk->result, 0xa5, sizeof(walk->result)); /* nothing of what was there stays */
	eval_packet(r, &packet, count, walk, &walk->result);
	for (unsigned i = 0; i < walk->result.n_steps; i++) {
		const struct eval_step *step = &walk->result.steps[i];
		const struct ir_chain *chain = &r->chains[step->chain];

		append(walk->path, chain->name, "", step->rule - chain->first_rule);
	}
	return walk;
}

struct chains_case {
	const char *chains;
	enum eval_verdict verdict;
	const char *counted, *path;
};

static void check_walks(const struct chains_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		AUTO(walk) struct walk *walk = walk_new(cases[i].chains);

		if (walk->result.verdict != cases[i].verdict ||
		    strcmp(walk->counted, cases[i].counted) != 0 ||
		    strcmp(walk->path, cases[i].path) != 0)
			fail_msg("%s\nverdict %u, counted: %s, path: %s", cases[i].chains,
				 walk->result.verdict, walk->counted, walk->path);
		assert_int_equal(eval_is_refused(&walk->result), cases[i].verdict != EVAL_ACCEPT);
	}
}

static void test_verdicts(void **state)
{
	static const struct chains_case cases[] = {
		{ "output:", EVAL_ACCEPT, "", "" },
		{ "output: no drop", EVAL_ACCEPT, "", "" },
		{ "output: accept, drop", EVAL_ACCEPT, "output.0", "output.0" },
		{ "output: drop, accept", EVAL_DROP, "output.0", "output.0" },
		{ "output: no drop, reset, accept", EVAL_RESET, "output.1", "output.1" },
		{ "output: prohibit, accept", EVAL_PROHIBITED, "output.0", "output.0" },
		{ "output: return, drop", EVAL_ACCEPT, "output.0", "" },
		{ "a: drop", EVAL_ACCEPT, "", "" }, /* no hook calls it */
		{ "a: drop; output: no accept", EVAL_ACCEPT, "", "" },
	};

	(void)state;
	check_walks(cases, ARRAY_SIZE(cases));
}

static void test_jumps(void **state)
{
	static const struct chains_case cases[] = {
		{ "output: jump a, drop; a:", EVAL_DROP, "output.0 output.1", "output.1" },
		{ "output: jump a, drop; a: return, accept", EVAL_DROP, "output.0 a.0 output.1",
		  "output.1" },
		{ "output: jump a, drop; a: no accept, accept", EVAL_ACCEPT, "output.0 a.1",
		  "output.0 a.1" },
		{ "output: vjump a, drop; a: return", EVAL_DROP, "output.0 a.0 output.1",
		  "output.1" },
		{ "output: vjump a, drop; a: reset", EVAL_RESET, "output.0 a.0", "output.0 a.0" },
		{ "output: no jump a, drop; a: accept", EVAL_DROP, "output.1", "output.1" },
		{ "output: jump a, jump b; a: jump b, return; b: no drop", EVAL_ACCEPT,
		  "output.0 a.0 a.1 output.1", "" },
		{ "output: jump a, jump b, drop; a: jump b, return, accept; b: return", EVAL_DROP,
		  "output.0 a.0 b.0 a.1 output.1 b.0 output.2", "output.2" },
		{ "output: jump a; a: jump b, drop; b: jump c; c: jump d; d: return", EVAL_DROP,
		  "output.0 a.0 b.0 c.0 d.0 a.1", "output.0 a.1" },
	};

	(void)state;
	check_walks(cases, ARRAY_SIZE(cases));
}

/* What a goto leaves open goes on where the chain that it left was jumped to from. */
static void test_gotos(void **state)
{
	static const struct chains_case cases[] = {
		{ "output: goto a, drop; a:", EVAL_ACCEPT, "output.0", "" },
		{ "output: goto a, drop; a: return", EVAL_ACCEPT, "output.0 a.0", "" },
		{ "output: goto a, accept; a: drop", EVAL_DROP, "output.0 a.0", "output.0 a.0" },
		{ "output: vgoto a, drop; a: return", EVAL_ACCEPT, "output.0 a.0", "" },
		{ "output: vgoto a; a: prohibit", EVAL_PROHIBITED, "output.0 a.0", "output.0 a.0" },
		{ "output: no goto a, drop; a: accept", EVAL_DROP, "output.1", "output.1" },
		{ "output: jump a, drop; a: goto b, accept; b: return", EVAL_DROP,
		  "output.0 a.0 b.0 output.1", "output.1" },
		{ "output: jump a, drop; a: goto b, accept; b:", EVAL_DROP, "output.0 a.0 output.1",
		  "output.1" },
		{ "output: jump a, drop; a: vgoto b, accept; b: goto c, accept; c: return",
		  EVAL_DROP, "output.0 a.0 b.0 c.0 output.1", "output.1" },
		{ "output: goto a, drop; a: jump b, reset; b: return", EVAL_RESET,
		  "output.0 a.0 b.0 a.1", "output.0 a.1" },
		{ "output: jump a, drop; a: jump b, accept; b: goto c; c: return", EVAL_ACCEPT,
		  "output.0 a.0 b.0 c.0 a.1", "output.0 a.1" },
	};

	(void)state;
	check_walks(cases, ARRAY_SIZE(cases));
}

/* All hooks are called until one refuses, the one made last first (tests/proof). */
static void test_base_chains(void **state)
{
	static const struct chains_case cases[] = {
		{ "output2: accept; output1: drop", EVAL_DROP, "output1.0", "output1.0" },
		{ "output2: drop; output1: return", EVAL_DROP, "output1.0 output2.0", "output2.0" },
		{ "output2: jump a, drop; a: return; output1: jump a, return", EVAL_DROP,
		  "output1.0 a.0 output1.1 output2.0 a.0 output2.1", "output2.1" },
		{ "output2: return; output1: accept", EVAL_ACCEPT, "output1.0 output2.0",
		  "output1.0" },
		{ "output4: drop; output3: reset; output2: no drop; output1: no drop", EVAL_RESET,
		  "output3.0", "output3.0" },
	};
	AUTO(walk) struct walk *walk = walk_new("output2: drop; output1: accept");
	const struct eval_step *last = &walk->result.steps[walk->result.n_steps - 1];

	(void)state;
	check_walks(cases, ARRAY_SIZE(cases));
	/* an accept spares no other base chain */
	assert_int_equal(walk->result.verdict, EVAL_DROP);
	assert_string_equal(walk->counted, "output1.0 output2.0");
	assert_string_equal(walk->b.ruleset.chains[last->chain].name, "output2");
}

/* Nobody needs to be told what is counted. */
static void test_no_counting(void **state)
{
	AUTO(walk) struct walk *walk = walk_new("output: jump a, drop; a: return");
	const struct eval_packet packet = { 0 };

	(void)state;
	eval_packet(&walk->b.ruleset, &packet, NULL, NULL, &walk->result);
	assert_int_equal(walk->result.verdict, EVAL_DROP);
	assert_string_equal(walk->counted, "output.0 a.0 output.1");
}

/* 16 jumps are what the kernel follows; gotos have no bound, the path that is kept has one. */
static void test_depth(void **state)
{
	for (unsigned depth = 1; depth <= 60; depth++)
		for (unsigned jumps = 0; jumps < 2; jumps++) {
			struct arena *arena = arena_new();
			AUTO(walk) struct walk *walk = NULL;
			const char *chains = "output: jump c1, accept";

			for (unsigned i = 1; i < depth; i++)
				chains = arena_printf(arena, "%s; c%u: %s c%u", chains, i,
						      jumps && i < 16 ? "jump" : "goto", i + 1);
			walk = walk_new(arena_printf(arena, "%s; c%u: drop", chains, depth));
			assert_int_equal(walk->result.verdict, EVAL_DROP);
			assert_int_equal(walk->result.n_steps,
					 depth < EVAL_STEPS_MAX ? depth + 1 : EVAL_STEPS_MAX);
			arena_free(arena);
		}
	(void)state;
}

static void test_long_chain(void **state)
{
	struct arena *arena = arena_new();
	struct build b = { .arena = arena, .scratch = arena };
	struct eval_packet packet = { 0 };
	struct eval_result result;

	(void)state;
	build_chain(&b, "output", IR_HOOK_OUTPUT);
	for (uint32_t i = 0; i < 100000; i++) {
		build_rule(&b, no_origin);
		add_match_number(&b, IR_SKUID, IR_EQ, i);
		add_verdict(&b, IR_DROP, IR_NONE);
	}
	eval_set_number(&packet, IR_SKUID, 99999);
	eval_packet(&b.ruleset, &packet, NULL, NULL, &result);
	assert_int_equal(result.verdict, EVAL_DROP);
	assert_int_equal(result.steps[0].rule, 99999);
	eval_set_number(&packet, IR_SKUID, 100000);
	eval_packet(&b.ruleset, &packet, NULL, NULL, &result);
	assert_int_equal(result.verdict, EVAL_ACCEPT);
	assert_int_equal(result.n_steps, 0);
	arena_free(arena);
}

/* --- the line that decided -------------------------------------------------------------------- */

#define FROM(line_, what_)                                                                         \
	{                                                                                          \
		.place = { .file = "a.json", .line = (line_) }, .what = (what_)                    \
	}
#define SHARED(what_)                                                                              \
	{                                                                                          \
		.what = (what_)                                                                    \
	}

/* base --element--> chain --> shared, with these origins, and which of them is the answer. */
static void test_origin(void **state)
{
	static const struct {
		struct ir_origin base, element, chain, shared;
		const char *answer; /* as comments have it; NULL: none */
	} cases[] = {
		{ FROM(1, "b"), FROM(2, "e"), FROM(3, "c"), FROM(4, "s"), "a.json:4 s" },
		{ FROM(1, "b"), FROM(2, "e"), FROM(3, "c"), SHARED("s"), "a.json:3 c" },
		{ FROM(1, "b"), FROM(2, "e"), SHARED("c"), SHARED("s"), "a.json:2 e" },
		{ FROM(1, "b"), SHARED("e"), SHARED("c"), SHARED("s"), "a.json:1 b" },
		{ FROM(1, "b"),
		  { .what = NULL },
		  { .what = NULL },
		  { .what = NULL },
		  "a.json:1 b" },
		{ SHARED("b"), FROM(2, "e"), SHARED("c"), SHARED("s"), "a.json:2 e" },
		{ SHARED("b"), SHARED("e"), FROM(0, "c"), SHARED("s"), "a.json c" },
		{ SHARED("b"), SHARED("e"), SHARED("c"), SHARED("s"), NULL },
		{ { .what = NULL }, { .what = NULL }, { .what = NULL }, { .what = NULL }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(walk)
		struct walk *walk =
			walk_new("shared: drop; chain: goto shared; output: vgoto chain");
		struct ir_ruleset *r = &walk->b.ruleset;
		char text[IR_COMMENT_MAX];
		const struct ir_origin *origin;

		assert_string_equal(walk->path, "output.0 chain.0 shared.0");
		assert_int_equal(walk->result.steps[0].element, 0);
		assert_int_equal(walk->result.steps[1].element, IR_NONE);
		r->rules[r->chains[2].first_rule].origin = cases[i].base;
		r->elements[0].origin = cases[i].element;
		r->rules[r->chains[1].first_rule].origin = cases[i].chain;
		r->rules[r->chains[0].first_rule].origin = cases[i].shared;
		origin = eval_origin(r, &walk->result);
		if (!origin || !cases[i].answer) {
			assert_true(!origin && !cases[i].answer);
			continue;
		}
		ir_format_origin(origin, text);
		assert_string_equal(text, cases[i].answer);
	}
}

static void test_no_origin_by_default(void **state)
{
	AUTO(walk) struct walk *walk = walk_new("output: jump a; a: return");

	(void)state;
	walk->b.ruleset.rules[0].origin = (struct ir_origin)FROM(1, "b");
	walk->b.ruleset.rules[1].origin = (struct ir_origin)FROM(2, "a");
	assert_null(eval_origin(&walk->b.ruleset, &walk->result));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_jumps),
		cmocka_unit_test(test_gotos),
		cmocka_unit_test(test_base_chains),
		cmocka_unit_test(test_no_counting),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_long_chain),
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_no_origin_by_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
