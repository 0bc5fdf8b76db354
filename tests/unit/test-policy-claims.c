/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-policy-claims.c - services that go, change their names, or claim what another has: its name
 * or its uids.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "governed.h"

static void test_removed(void **state)
{
	AUTO(scene) struct scene *scene = three_services();

	scene_begin(scene);
	scene_write(scene, "a.json", NULL);
	assert_int_equal(scene_read(scene), 0);
	assert_int_equal(scene->diags.n_errors, 0);
	assert_null(policy_set_find(&scene->set, "a"));
	assert_owner(scene, 5001, NULL);
	(void)state;
}

static void test_renamed(void **state)
{
	AUTO(scene) struct scene *scene = three_services();

	scene_begin(scene);
	scene_write(scene, "a.json", NULL);
	scene_write(scene, "web.json", "{ \"service\": \"a\", \"user\": 5001, \"dns\": 5 }");
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "a", POLICY_LAST_GOOD);
	assert_owner(scene, 5001, "a");

	/* the name of the service changes in a file that is wrong */
	scene_write(scene, "web.json", NULL);
	scene_write(scene, "a.json", "{ \"service\": \"new\", \"user\": 5001, \"dns\": 5 }");
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "a", POLICY_LAST_GOOD);
	assert_null(policy_set_find(&scene->set, "new"));
	(void)state;
}

/* Another file may not end a service, nor inherit what it may do. */
static void test_name_taken(void **state)
{
	AUTO(scene) struct scene *scene = three_services();
	AUTO(mem) char *before = NULL, *after = NULL, *old = NULL, *now = NULL;
	const struct service *owner;

	scene_begin(scene);
	before = scene_plan(&scene->set);
	old = scene_chain(before, "svc-a");
	scene_write(scene, "evil.json", "{ \"service\": \"a\", \"user\": 5009 }");
	assert_int_equal(scene_read(scene), 0);
	assert_true(says(scene, "two policies for service \"a\""));
	after = scene_plan(&scene->set);
	now = scene_chain(after, "svc-a");
	assert_string_equal(old, now);
	owner = policy_set_find_uid(&scene->set, 5009);
	assert_non_null(owner);
	assert_int_equal(owner->state, POLICY_REFUSED);
	assert_owner(scene, 5001, "a");
	(void)state;
}

/* A file that is wrong is named like its service, which another file is, too. */
static void test_named_like_another(void **state)
{
	AUTO(scene) struct scene *scene = scene_new();

	scene_write(scene, "x.json", "{ \"service\": \"web\", \"user\": 5001 }");
	scene_write(scene, "web.json", "{ \"service\": \"shop\", \"user\": 5002");
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "web", POLICY_GOOD);
	assert_owner(scene, 5001, "web");
	assert_owner(scene, 5002, "unnamed_policy_file_1");
	(void)state;
}

/* What falls back bears another name again, which somebody else has taken meanwhile. */
static void test_fall_back_to_taken_name(void **state)
{
	AUTO(scene) struct scene *scene = three_services();
	AUTO(mem) char *before = NULL, *after = NULL;

	scene_begin(scene);
	before = scene_plan(&scene->set);
	scene_write(scene, "b.json", "{ \"service\": \"a\", \"users\": [5002, 5003] }");
	scene_write(scene, "c.json", "{ \"service\": \"b\", \"uids\": \"6000-6999\" }");
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "a", POLICY_LAST_GOOD);
	assert_service(scene, "b", POLICY_LAST_GOOD);
	assert_service(scene, "c", POLICY_LAST_GOOD);
	after = scene_plan(&scene->set);
	assert_string_equal(before, after);
	(void)state;
}

static void test_claims(void **state)
{
	AUTO(scene) struct scene *scene = three_services();

	scene_begin(scene);

	/* a newcomer against what is in force: both are wrong, the old one keeps what it has */
	scene_write(scene, "new.json", "{ \"users\": [5002, 5010] }");
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "b", POLICY_LAST_GOOD);
	assert_service(scene, "new", POLICY_REFUSED);
	assert_owner(scene, 5002, "b");
	assert_owner(scene, 5010, "new");

	/* against the last good policy of one that is wrong: the newcomer is */
	scene_write(scene, "b.json", "{ broken");
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "b", POLICY_LAST_GOOD);
	assert_service(scene, "new", POLICY_REFUSED);
	assert_owner(scene, 5002, "b");
	assert_owner(scene, 5003, "b");
	assert_owner(scene, 5010, "new");
	assert_true(says(scene, "held by the last good policy of service b until"));

	/* against one that is refused everything anyway: it yields */
	scene_write(scene, "b.json", "{ \"users\": [5002, 5003] }");
	scene_write(scene, "new.json", "{ \"users\": [5002, 5010], \"dns\": 5 }");
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "b", POLICY_GOOD);
	assert_service(scene, "new", POLICY_REFUSED);
	assert_owner(scene, 5002, "b");
	assert_owner(scene, 5010, "new");

	/* ranges: the same, in part */
	scene_write(scene, "new.json", "{ \"uids\": \"6500-7500\" }");
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "c", POLICY_LAST_GOOD);
	assert_owner(scene, 6500, "c");
	assert_owner(scene, 6999, "c");
	assert_owner(scene, 7000, "new");
	assert_owner(scene, 7500, "new");
	scene_write(scene, "new.json", "{ \"uids\": \"5900-7500\", \"dns\": 5 }");
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "c", POLICY_GOOD);
	assert_owner(scene, 5999, "new");
	assert_owner(scene, 6000, "c");
	assert_owner(scene, 7000, "new");

	/* a name wins over a range, whoever it is */
	scene_write(scene, "new.json", "{ \"user\": 6100 }");
	assert_int_equal(scene_read(scene), 0);
	assert_int_equal(scene->diags.n_errors, 0);
	assert_owner(scene, 6100, "new");
	assert_owner(scene, 6101, "c");
	(void)state;
}

/* A refused service yields to what is in force in the end, not to what a mistake takes out again.
 */
static void test_yields_to_survivors_only(void **state)
{
	AUTO(scene) struct scene *scene = three_services();
	const struct service *owner;

	scene_begin(scene);
	scene_write(scene, "d.json", "{ \"user\": 5050, \"dns\": 5 }");	   /* refused */
	scene_write(scene, "b.json", "{ \"users\": [5002, 5050, 5001] }"); /* 5001 is a's */
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "b", POLICY_LAST_GOOD);
	owner = policy_set_find_uid(&scene->set, 5050);
	assert_non_null(owner);
	assert_string_equal(owner->policy->service, "d");
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_renamed),
		cmocka_unit_test(test_name_taken),
		cmocka_unit_test(test_named_like_another),
		cmocka_unit_test(test_fall_back_to_taken_name),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_yields_to_survivors_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
