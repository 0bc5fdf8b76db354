/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-policy-set.c - what a mistake changes: the service it is in keeps its last good policy or is
 * refused everything, and no other service notices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "governed.h"

static const char *const broken_texts[] = {
	"",
	"{",
	"not JSON",
	"[]",
	"{}",
	"{ \"user\": 5001, \"dns\": 5 }",
	"{ \"user\": 5001, }",
	"{ \"user\": \"no-such-user-here\" }",
	"{ \"user\": 5001, \"user\": 5002 }",
	"{ \"user\": 5001, \"service\": \"No Name\" }",
	"{ \"user\": 5001, \"listen\": [{ \"port\": 1, \"from\": [\"no-such-user-here\"] }] }",
	"{ \"user\": 0 }",
	"{ \"user\": 5002 }", /* claimed by b */
	"{ \"service\": \"b\", \"user\": 5001 }",
	"{ \"uids\": \"6000-6999\" }", /* claimed by c */
};

static void test_keeps_last_good(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(broken_texts); i++) {
		AUTO(scene) struct scene *scene = three_services();
		AUTO(mem) char *before = NULL, *after = NULL, *later = NULL;

		scene_begin(scene);
		before = scene_plan(&scene->set);
		scene_write(scene, "a.json", broken_texts[i]);
		assert_int_equal(scene_read(scene), 0);
		assert_true(scene->diags.n_errors > 0);
		assert_service(scene, "a", POLICY_LAST_GOOD);
		assert_owner(scene, 5001, "a");
		assert_owner(scene, 5002, "b");
		after = scene_plan(&scene->set);
		assert_string_equal(before, after);

		/* and once more, from what is remembered now */
		scene_remember(scene);
		assert_int_equal(scene_read(scene), 0);
		later = scene_plan(&scene->set);
		assert_string_equal(before, later);
	}
	(void)state;
}

/* The others have been good before, a has not: what they may do is as if a were not there. */
static void test_never_good(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(broken_texts); i++) {
		AUTO(scene) struct scene *scene = three_services();
		AUTO(mem) char *before = NULL, *after = NULL;
		static const char *const others[] = { "svc-b", "svc-c" };

		scene_write(scene, "a.json", NULL);
		scene_begin(scene);
		before = scene_plan(&scene->set);
		scene_write(scene, "a.json", broken_texts[i]);
		assert_int_equal(scene_read(scene), 0);
		assert_int_equal(scene->set.n_services, 3);
		after = scene_plan(&scene->set);
		for (size_t j = 0; j < ARRAY_SIZE(others); j++) {
			AUTO(mem) char *old = scene_chain(before, others[j]);
			AUTO(mem) char *now = scene_chain(after, others[j]);

			assert_non_null(now);
			assert_string_equal(old, now);
		}
		assert_owner(scene, 5002, "b");
		assert_owner(scene, 5003, "b");
		assert_owner(scene, 6500, "c");
		if (strstr(broken_texts[i], "5001")) {
			const struct service *owner = policy_set_find_uid(&scene->set, 5001);

			assert_non_null(owner);
			assert_int_equal(owner->state, POLICY_REFUSED);
			assert_non_null(owner->problem);
		}
	}
	(void)state;
}

/* No state at all: the first start. */
static void test_first_start(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(broken_texts); i++) {
		AUTO(scene) struct scene *scene = three_services();

		scene_write(scene, "a.json", broken_texts[i]);
		assert_int_equal(scene_read(scene), 0);
		for (uint32_t uid = 5001; uid <= 5003; uid++) {
			const struct service *owner = policy_set_find_uid(&scene->set, uid);

			if (uid == 5001 && !strstr(broken_texts[i], "5001"))
				continue;
			assert_non_null(owner);
			if (uid == 5001)
				assert_int_equal(owner->state, POLICY_REFUSED);
		}
	}
	(void)state;
}

static void test_user_vanished(void **state)
{
	static const struct subject was = { .uids = { 7777, 7777 }, .is_named = true };
	struct last_good good = { .service = "old",
				  .file = "old.json",
				  .text = "{ \"user\": \"vanished-user\" }",
				  .text_length = 27,
				  .subjects = &was,
				  .n_subjects = 1 };
	AUTO(scene) struct scene *scene = scene_new();

	scene->last_good = (struct last_good_set){ .list = &good, .n = 1 };
	scene_write(scene, "old.json", good.text);
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "old", POLICY_LAST_GOOD);
	assert_owner(scene, 7777, "old");
	assert_true(says(scene, "unknown user \"vanished-user\""));
	scene->last_good = (struct last_good_set){ 0 };
	(void)state;
}

/* Whose sockets a text meant, however little of it can be read. */
static void test_salvage(void **state)
{
	static const struct {
		const char *text;
		uint32_t uids[4];
	} cases[] = {
		{ "{ \"user\": 5001", { 5001 } },
		{ "{ \"user\": 5001,, \"users\": [5002, 5003] ]", { 5001, 5002, 5003 } },
		{ "{ \"dns\": maybe, \"uids\": \"5001-5002\" }", { 5001, 5002 } },
		{ "{ \"uids\": [5001, \"5003\"], 'dns': 1 }", { 5001, 5003 } },
		{ "\"user\"  :\n 5001 #", { 5001 } },
		{ "{ \"user\": 5001 }}", { 5001 } },
		{ "{ \"user\": \"5001\" \"dns\": true }", { 5001 } },
		{ "{ \"user\": 5001, \"comment\": \"\xff\" }", { 5001 } },
		{ "\xef\xbb\xbf{ \"user\": 5001 }", { 5001 } },
		{ "{ \"user\": 5001, \"user\": 5002, \"users\": [5003] }", { 5001, 5002, 5003 } },
		{ "{ \"users\": [5001, 1.5, \"a b\", 5002] }", { 5001, 5002 } },
		{ "{ \"user\": 5001, \"users\": [5001], \"user\": 5001 }", { 5001 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(scene) struct scene *scene = scene_new();
		AUTO(mem) char *text = NULL;

		scene_write(scene, "broken.json", cases[i].text);
		assert_int_equal(scene_read(scene), 0);
		assert_service(scene, "broken", POLICY_REFUSED);
		for (size_t j = 0; j < ARRAY_SIZE(cases[i].uids) && cases[i].uids[j]; j++)
			assert_owner(scene, cases[i].uids[j], "broken");
		text = scene_plan(&scene->set);
		assert_non_null(strstr(text, "is wrong and never was right"));
	}
	(void)state;
}

/* Not even that can be read: services are named like their user. nobody exists everywhere. */
static void test_salvage_by_name(void **state)
{
	static const char *const texts[] = { "", "{", "\"user\": }", "{ \"usr\": 5 }", "5" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO(scene) struct scene *scene = scene_new();

		scene_write(scene, "nobody.json", texts[i]);
		assert_int_equal(scene_read(scene), 0);
		assert_service(scene, "nobody", POLICY_REFUSED);
		assert_owner(scene, 65534, "nobody");
	}
	(void)state;
}

static void test_unreadable_file(void **state)
{
	AUTO(scene) struct scene *scene = three_services();
	AUTO(mem) char *before = NULL, *after = NULL;

	scene_begin(scene);
	before = scene_plan(&scene->set);
	assert_int_equal(chmod(scene_path(scene, "a.json"), 0666), 0);
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "a", POLICY_LAST_GOOD);
	after = scene_plan(&scene->set);
	assert_string_equal(before, after);

	scene_write(scene, "a.json", NULL);
	assert_int_equal(mkfifo(scene_path(scene, "a.json"), 0644), 0);
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "a", POLICY_LAST_GOOD);

	scene_write(scene, "a.json", NULL);
	assert_int_equal(mkdir(scene_path(scene, "a.json"), 0755), 0);
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "a", POLICY_LAST_GOOD);

	scene_write(scene, "a.json", NULL);
	assert_int_equal(symlink("nowhere", scene_path(scene, "a.json")), 0);
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "a", POLICY_LAST_GOOD);
	(void)state;
}

static void test_config(void **state)
{
	AUTO(scene) struct scene *scene = three_services();

	scene_begin(scene);
	scene_write_config(scene, "{ \"subuids\": maybe }");
	scene_write(scene, "a.json", "{ \"user\": 5001, \"dns\": 5 }");
	assert_true(scene_read(scene) < 0);
	assert_int_equal(scene->diags.n_errors, 2); /* of both files */
	(void)state;
}

static void test_only_last_good(void **state)
{
	AUTO(scene) struct scene *scene = three_services();
	AUTO(mem) char *before = NULL, *after = NULL;
	AUTO(arena) struct arena *arena = arena_new();
	struct policy_set_options options = { .config_path = "uidwall.json" };
	struct policy_set set;
	AUTO(diags) struct diags diags;

	diags_init(&diags);
	scene_begin(scene);
	before = scene_plan(&scene->set);
	scene->last_good.config_text = "{ \"resolvers\": [\"192.0.2.53\"], \"subuids\": false }";
	scene->last_good.config_length = strlen(scene->last_good.config_text);
	options.last_good = &scene->last_good;
	assert_int_equal(policy_set_from_last_good(&options, arena, &set, &diags), 0);
	assert_int_equal(diags.n_errors, 0);
	assert_int_equal(set.n_services, 3);
	assert_int_equal(set.services[0].state, POLICY_LAST_GOOD);
	after = scene_plan(&set);
	assert_string_equal(before, after);
	(void)state;
}

/* What was refused everything comes back so, though by now its text might be right; and it is
 * nothing that a file could fall back to.
 */
static void test_refused_before(void **state)
{
	static const struct subject nobody = { .uids = { 65534, 65534 }, .is_named = true };
	struct last_good refused = { .service = "shop",
				     .file = "shop.json",
				     .text = "{ \"user\": \"nobody\", \"mode\": \"monitor\" }",
				     .subjects = &nobody,
				     .n_subjects = 1,
				     .is_refused = true };
	AUTO(scene) struct scene *scene = scene_new();
	AUTO(arena) struct arena *arena = arena_new();
	struct policy_set_options options = { .config_path = "uidwall.json",
					      .last_good = &scene->last_good };
	struct policy_set set;
	AUTO(diags) struct diags diags;

	diags_init(&diags);
	refused.text_length = strlen(refused.text);
	scene->last_good = (struct last_good_set){ .list = &refused, .n = 1 };
	assert_int_equal(policy_set_from_last_good(&options, arena, &set, &diags), 0);
	assert_int_equal(set.n_services, 1);
	assert_int_equal(set.services[0].state, POLICY_REFUSED);
	assert_ptr_equal(policy_set_find_uid(&set, 65534), &set.services[0]);

	scene_write(scene, "shop.json", "{ \"user\": \"nobody\", \"nonsense\": 1 }");
	assert_int_equal(scene_read(scene), 0);
	assert_service(scene, "shop", POLICY_REFUSED);
	scene->last_good = (struct last_good_set){ 0 };
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps_last_good), cmocka_unit_test(test_never_good),
		cmocka_unit_test(test_first_start),	cmocka_unit_test(test_user_vanished),
		cmocka_unit_test(test_salvage),		cmocka_unit_test(test_salvage_by_name),
		cmocka_unit_test(test_unreadable_file), cmocka_unit_test(test_config),
		cmocka_unit_test(test_only_last_good),	cmocka_unit_test(test_refused_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
