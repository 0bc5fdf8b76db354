/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-plan.c - the shapes of the ruleset at their limits. (What each key becomes: tests/golden.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/scene.h"
#include "plan/plan.h"

static size_t count(const char *text, const char *words)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, words)); p += strlen(words))
		n++;
	return n;
}

static void write_policy(struct scene *scene, unsigned number, const char *rest)
{
	AUTO(mem) char *file = NULL, *text = NULL;

	assert_true(asprintf(&file, "s%u.json", number) > 0);
	assert_true(asprintf(&text, "{ \"user\": %u, %s }", 5000 + number, rest) > 0);
	scene_write(scene, file, text);
}

/* The kernel follows 16 jumps; any number of services may share a port. */
static void test_many_guards_on_a_port(void **state)
{
	AUTO(scene) struct scene *scene = scene_new();
	AUTO(mem) char *text = NULL, *all = NULL, *some = NULL;

	for (unsigned i = 0; i < 40; i++)
		write_policy(scene, i,
			     i % 2 ? "\"listen\": [{ \"port\": \"3000-3001\", \"from\": [1] }]" :
				     "\"listen\": [{ \"port\": 3000, \"from\": [1] }]");
	scene_begin(scene);
	text = scene_plan(&scene->set);
	all = scene_chain(text, "tcp-guards.3000");
	some = scene_chain(text, "tcp-guards.3001");
	assert_non_null(all);
	assert_non_null(some);
	assert_int_equal(count(all, "jump from-"), 40);
	assert_int_equal(count(some, "jump from-"), 20);
	assert_int_equal(count(text, "chain tcp-guards"), 2);
	assert_non_null(
		strstr(text, "3000 comment \"declared more than once\" : jump tcp-guards.3000"));
	(void)state;
}

/* A port that two services declare belongs to neither; one service may declare it twice. */
static void test_listeners_map(void **state)
{
	AUTO(scene) struct scene *scene = scene_new();
	AUTO(mem) char *text = NULL;

	write_policy(scene, 1, "\"listen\": [{ \"port\": [1, 2] }, { \"port\": 2 }]");
	write_policy(scene, 2, "\"listen\": [{ \"port\": [1, 3] }]");
	scene_begin(scene);
	text = scene_plan(&scene->set);
	assert_non_null(
		strstr(text, "\t1 comment \"declared by several services\" : goto refuse,"));
	assert_non_null(strstr(text, "\t2 comment \"s1.json:1 listen\" : goto svc-s1,"));
	assert_non_null(strstr(text, "\t3 comment \"s2.json:1 listen\" : goto svc-s2,"));
	(void)state;
}

/* Thousands of ports become intervals. */
static void test_wide_listeners(void **state)
{
	AUTO(scene) struct scene *scene = scene_new();
	AUTO(mem) char *text = NULL;

	write_policy(scene, 1, "\"listen\": [{ \"port\": \"10000-20000\" }]");
	write_policy(scene, 2, "\"listen\": [{ \"port\": 15000, \"from\": [] }]");
	scene_begin(scene);
	text = scene_plan(&scene->set);
	assert_non_null(strstr(text, "10000-14999 comment"));
	assert_non_null(strstr(text, "\t15000 comment \"declared by several services\""));
	assert_non_null(strstr(text, "15001-20000 comment"));
	(void)state;
}

static void test_map_sizes(void **state)
{
	static const struct {
		unsigned users;
		const char *size;
	} cases[] = {
		{ 1, "size 64" }, { 32, "size 64" }, { 33, "size 128" }, { 100, "size 256" }
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(scene) struct scene *scene = scene_new();
		AUTO(mem) char *text = NULL;
		const char *map;

		for (unsigned j = 0; j < cases[i].users; j++)
			write_policy(scene, j, "\"dns\": false");
		scene_begin(scene);
		text = scene_plan(&scene->set);
		map = strstr(text, "\tmap services {");
		assert_non_null(map);
		assert_memory_equal(strstr(map, "size"), cases[i].size, strlen(cases[i].size));
	}
	(void)state;
}

/* A handful is rules, more is a set; sets hold no element twice, nor one within another. */
static void test_sets(void **state)
{
	AUTO(scene) struct scene *scene = scene_new();
	AUTO(mem) char *text = NULL, *few = NULL, *many = NULL;

	write_policy(scene, 1,
		     "\"connect\": [{ \"to\": \"192.0.2.1\", \"port\": [1,3,5,7,9,11,13,15] }]");
	write_policy(
		scene, 2,
		"\"connect\": [{ \"to\": \"192.0.2.1\", \"port\": [1,3,5,7,9,11,13,15,17] },"
		"{ \"to\": \"192.0.2.1\", \"port\": [17, 19] },"
		"{ \"to\": \"192.0.2.2\", \"port\": 1 }, { \"to\": \"192.0.2.3\", \"port\": 1 },"
		"{ \"to\": \"192.0.2.4\", \"port\": 1 }, { \"to\": \"192.0.2.5\", \"port\": 1 },"
		"{ \"to\": \"192.0.2.6\", \"port\": 1 }, { \"to\": \"192.0.2.7\", \"port\": 1 },"
		"{ \"to\": \"192.0.2.8\", \"port\": 1 }]");
	scene_begin(scene);
	text = scene_plan(&scene->set);
	few = scene_chain(text, "svc-s1");
	many = scene_chain(text, "svc-s2");
	assert_int_equal(count(few, " connect\""), 8);
	assert_int_equal(count(few, "@svc-"), 0);
	assert_int_equal(count(many, " connect\""), 1);
	assert_int_equal(count(many, "ip daddr . tcp dport @svc-s2."), 1);
	assert_int_equal(count(text, "192.0.2.1 . 17 "), 1);
	assert_int_equal(count(text, "192.0.2.1 . 19 "), 1);
	(void)state;
}

/* What a service is off for leaves nothing of it but its name. */
static void test_off(void **state)
{
	AUTO(scene) struct scene *scene = scene_new();
	AUTO(mem) char *text = NULL;

	write_policy(scene, 1, "\"listen\": [{ \"port\": 3000, \"from\": [] }]");
	write_policy(scene, 2, "\"dns\": false");
	scene_begin(scene);
	policy_set_find(&scene->set, "s1")->state = POLICY_OFF;
	text = scene_plan(&scene->set);
	assert_null(strstr(text, "s1"));
	assert_null(strstr(text, "5001"));
	assert_null(strstr(text, "3000"));
	assert_non_null(strstr(text, "5002 : goto svc-s2"));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_guards_on_a_port),
		cmocka_unit_test(test_listeners_map),
		cmocka_unit_test(test_wide_listeners),
		cmocka_unit_test(test_map_sizes),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
