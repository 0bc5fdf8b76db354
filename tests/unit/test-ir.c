/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-ir.c - rulesets compared, and promises kept: ir_check() lets no broken one through. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/random_policies.h"
#include "lib/scene.h"
#include "plan/plan.h"

static const char policy_text[] =
	"{ \"user\": 5001, \"connect\": [\n"
	"{ \"to\": \"192.0.2.1\", \"port\": [1, 3, 5, 7, 9, 11, 13, 15, 17] },\n"
	"{ \"to\": \"2001:db8::1\", \"port\": 443 }],\n"
	"\"listen\": [{ \"port\": 3000, \"from\": [5002] }] }";

static struct scene *make_scene(void)
{
	struct scene *scene = scene_new();

	scene_write(scene, "a.json", policy_text);
	scene_write(scene, "b.json",
		    "{ \"users\": [5002, 5003, 5004], \"uids\": [\"6000-6999\", 8000] }");
	scene_begin(scene);
	return scene;
}

/* --- broken ones ------------------------------------------------------------------------------ */

static struct ir_stmt *find_stmt(struct ir_ruleset *r, enum ir_stmt_kind kind, int field)
{
	for (size_t i = 0; i < r->n_stmts; i++)
		if (r->stmts[i].kind == kind && (field < 0 || r->stmts[i].field == field))
			return &r->stmts[i];
	fail_msg("no statement of kind %d", kind);
	return NULL;
}

static void break_nothing(struct ir_ruleset *r)
{
	(void)r;
}

static void break_nfproto(struct ir_ruleset *r)
{
	for (size_t i = 0; i < r->n_stmts; i++)
		if (r->stmts[i].kind == IR_STMT_MATCH && r->stmts[i].field == IR_NFPROTO)
			r->stmts[i].op = IR_NE;
}

static void break_l4proto(struct ir_ruleset *r)
{
	size_t i = (size_t)(find_stmt(r, IR_STMT_MATCH, IR_TCP_SPORT) - r->stmts);

	r->stmts[i - 1].op = IR_NE;
}

static void break_field(struct ir_ruleset *r)
{
	find_stmt(r, IR_STMT_MATCH, -1)->field = IR_FIELD_COUNT;
}

static void break_set_index(struct ir_ruleset *r)
{
	find_stmt(r, IR_STMT_LOOKUP, -1)->index = (uint32_t)r->n_sets;
}

static void break_map_for_set(struct ir_ruleset *r)
{
	find_stmt(r, IR_STMT_LOOKUP, -1)->index = find_stmt(r, IR_STMT_VMAP, -1)->index;
}

static void break_counter(struct ir_ruleset *r)
{
	find_stmt(r, IR_STMT_COUNTER, -1)->index = IR_NONE;
}

static void break_reset(struct ir_ruleset *r)
{
	struct ir_stmt *s = find_stmt(r, IR_STMT_REJECT, -1);

	s->op = IR_REJECT_TCP_RESET;
	for (size_t i = 0; i < r->n_stmts; i++)
		if (r->stmts[i].kind == IR_STMT_REJECT)
			r->stmts[i].op = IR_REJECT_TCP_RESET;
}

static void break_chain_index(struct ir_ruleset *r)
{
	for (size_t i = 0; i < r->n_stmts; i++)
		if (r->stmts[i].kind == IR_STMT_VERDICT && r->stmts[i].op == IR_GOTO)
			r->stmts[i].index = (uint32_t)r->n_chains;
}

static void break_goto_base(struct ir_ruleset *r)
{
	for (uint32_t i = 0; i < r->n_chains; i++)
		if (r->chains[i].hook)
			find_stmt(r, IR_STMT_VERDICT, -1)->index = i;
	for (size_t i = 0; i < r->n_stmts; i++)
		if (r->stmts[i].kind == IR_STMT_VERDICT && r->stmts[i].index != IR_NONE)
			r->stmts[i].op = IR_GOTO;
}

static void break_no_verdict(struct ir_ruleset *r)
{
	r->rules[r->n_rules - 1].n_stmts--;
}

static void break_behind_verdict(struct ir_ruleset *r)
{
	struct ir_rule *rule = &r->rules[r->n_rules - 1];

	r->stmts[rule->first_stmt] = (struct ir_stmt){ .kind = IR_STMT_VERDICT, .op = IR_ACCEPT };
}

static void break_comment(struct ir_ruleset *r)
{
	r->rules[0].origin.what = "say \"no\"";
}

static struct ir_set *find_set(struct ir_ruleset *r, const char *name)
{
	uint32_t number = ir_find_set(r, name);

	assert_int_not_equal(number, IR_NONE);
	return &r->sets[number];
}

static void break_order(struct ir_ruleset *r)
{
	struct ir_element *e = &r->elements[find_set(r, "services")->first_element];
	struct ir_element swap = e[0];

	e[0] = e[1];
	e[1] = swap;
}

static void break_twice(struct ir_ruleset *r)
{
	struct ir_element *e = &r->elements[find_set(r, "services")->first_element];

	e[1] = e[0];
}

static void break_overlap(struct ir_ruleset *r)
{
	struct ir_element *e = &r->elements[find_set(r, "ranges")->first_element];

	memcpy(e[0].last, e[1].key, 4);
}

static void break_backwards(struct ir_ruleset *r)
{
	struct ir_element *e = &r->elements[find_set(r, "ranges")->first_element];

	memset(e[0].last, 0, 4);
}

static void break_target(struct ir_ruleset *r)
{
	r->elements[find_set(r, "services")->first_element].chain = IR_NONE;
}

static void break_size(struct ir_ruleset *r)
{
	find_set(r, "services")->size = 1;
}

static int status_of_check(struct scene *scene, void (*damage)(struct ir_ruleset *))
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		AUTO(arena) struct arena *arena = arena_new();
		struct rlimit none = { 0, 0 };
		struct ir_ruleset ruleset;

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		plan_build(&scene->set, arena, &ruleset);
		damage(&ruleset);
		if (!freopen("/dev/null", "w", stderr))
			_exit(2);
		ir_check(&ruleset);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void test_check(void **state)
{
	static const struct {
		const char *name;
		void (*damage)(struct ir_ruleset *);
	} cases[] = {
		{ "no match on the family", break_nfproto },
		{ "no match on the protocol", break_l4proto },
		{ "no such field", break_field },
		{ "no such set", break_set_index },
		{ "a map looked up as a set", break_map_for_set },
		{ "no such counter", break_counter },
		{ "a reset for everything", break_reset },
		{ "no such chain", break_chain_index },
		{ "goto a base chain", break_goto_base },
		{ "no verdict", break_no_verdict },
		{ "something behind the verdict", break_behind_verdict },
		{ "a quote in a comment", break_comment },
		{ "elements out of order", break_order },
		{ "an element twice", break_twice },
		{ "intervals that overlap", break_overlap },
		{ "an interval backwards", break_backwards },
		{ "an element without its chain", break_target },
		{ "more elements than slots", break_size },
	};
	AUTO(scene) struct scene *scene = make_scene();

	assert_int_equal(status_of_check(scene, break_nothing), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int status = status_of_check(scene, cases[i].damage);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
			fail_msg("%s passes: status %d", cases[i].name, status);
	}
	(void)state;
}

/* --- comparisons ------------------------------------------------------------------------------ */

static bool same_chain(const struct ir_ruleset *a, const struct ir_ruleset *b, const char *name)
{
	uint32_t x = ir_find_chain(a, name), y = ir_find_chain(b, name);

	assert_int_not_equal(x, IR_NONE);
	assert_int_not_equal(y, IR_NONE);
	return ir_chain_equal(a, &a->chains[x], b, &b->chains[y]);
}

static void test_chain_equal(void **state)
{
	static const struct {
		const char *was, *is;
	} changes[] = {
		{ "192.0.2.1", "192.0.2.2" },
		{ ": 443", ": 444" },
		{ "5002", "5005" },
		{ "[1, 3", "[2, 3" },
		{ "\"port\": 3000", "\"port\": 3001" },
		{ "{ \"user\"", "{\n \"user\"" }, /* the lines in the comments */
	};
	AUTO(scene) struct scene *scene = make_scene();
	AUTO(arena) struct arena *arena = arena_new();
	struct ir_ruleset before;

	plan_build(&scene->set, arena, &before);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		AUTO(scene) struct scene *other = make_scene();
		const char *at = strstr(policy_text, changes[i].was);
		AUTO(mem) char *text = NULL;
		struct ir_ruleset after;
		bool same_all = true;

		assert_non_null(at);
		assert_true(asprintf(&text, "%.*s%s%s", (int)(at - policy_text), policy_text,
				     changes[i].is, at + strlen(changes[i].was)) > 0);
		scene_write(other, "a.json", text);
		scene_begin(other);
		plan_build(&other->set, other->arena, &after);
		assert_true(same_chain(&before, &after, "svc-b") || strstr(changes[i].was, "port"));
		assert_true(same_chain(&before, &after, "refuse"));
		for (uint32_t j = 0; j < before.n_chains; j++)
			same_all = same_all && same_chain(&before, &after, before.chains[j].name);
		for (uint32_t j = 0; j < before.n_sets && before.n_elements == after.n_elements;
		     j++)
			for (uint32_t k = 0; k < before.sets[j].n_elements; k++)
				same_all =
					same_all &&
					ir_element_equal(
						&before,
						&before.elements[before.sets[j].first_element + k],
						&after,
						&after.elements[after.sets[j].first_element + k]);
		assert_false(same_all);
	}
	(void)state;
}

/* Indices differ when something comes before; what they stand for does not. */
static void test_indices_do_not_count(void **state)
{
	AUTO(scene) struct scene *scene = make_scene();
	AUTO(scene) struct scene *other = make_scene();
	AUTO(arena) struct arena *arena = arena_new();
	struct ir_ruleset before, after;

	plan_build(&scene->set, arena, &before);
	scene_write(other, "0first.json",
		    "{ \"user\": 4000, \"connect\": [{ \"to\": \"192.0.2.9\", "
		    "\"port\": [1,3,5,7,9,11,13,15,17,19] }] }");
	scene_begin(other);
	plan_build(&other->set, arena, &after);
	assert_true(ir_find_chain(&before, "svc-a") != ir_find_chain(&after, "svc-a"));
	for (uint32_t i = 0; i < before.n_chains; i++)
		assert_true(same_chain(&before, &after, before.chains[i].name));
	for (uint32_t i = 0; i < before.n_sets; i++)
		assert_true(ir_set_same_shape(
			&before.sets[i], &after.sets[ir_find_set(&after, before.sets[i].name)]));
	assert_int_equal(ir_find_chain(&after, "svc-none"), IR_NONE);
	assert_int_equal(ir_find_set(&after, "none"), IR_NONE);
	(void)state;
}

static void test_origins(void **state)
{
	static const struct {
		struct ir_origin origin;
		const char *text;
	} cases[] = {
		{ { { NULL, 0, 0 }, NULL }, "" },
		{ { { NULL, 0, 0 }, "resolver" }, "resolver" },
		{ { { "a.json", 0, 0 }, "dns" }, "a.json dns" },
		{ { { "a.json", 12, 3 }, "connect" }, "a.json:12 connect" },
	};
	char text[IR_COMMENT_MAX], name[200];
	struct ir_origin origin = { { name, 1, 1 }, "connect" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ir_format_origin(&cases[i].origin, text);
		assert_string_equal(text, cases[i].text);
	}
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ir_format_origin(&origin, text);
	assert_int_equal(strlen(text), IR_COMMENT_MAX - 1);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_chain_equal),
		cmocka_unit_test(test_indices_do_not_count),
		cmocka_unit_test(test_origins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
