/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-policy-set.c - what a mistake changes: the service it is in keeps its last good policy or is
 * refused everything, and no other service notices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "lib/random_policies.h"
#include "lib/scene.h"
#include "policy/parse.h"

static void assert_service(struct scene *scene, const char *name, enum policy_state state)
{
	const struct service *service = policy_set_find(&scene->set, name);

	if (!service)
		fail_msg("no service %s", name);
	assert_string_equal(policy_state_name(service->state), policy_state_name(state));
	if (state != POLICY_GOOD)
		assert_non_null(service->problem);
}

/* service NULL: nobody's */
static void assert_owner(struct scene *scene, uint32_t uid, const char *service)
{
	const struct service *owner = policy_set_find_uid(&scene->set, uid);

	if (!service && owner)
		fail_msg("uid %u is governed by %s", uid, owner->policy->service);
	if (service && !owner)
		fail_msg("uid %u is governed by nobody", uid);
	if (service)
		assert_string_equal(owner->policy->service, service);
}

static bool says(const struct scene *scene, const char *words)
{
	for (size_t i = 0; i < scene->diags.n; i++)
		if (strstr(scene->diags.list[i].message, words))
			return true;
	return false;
}

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

static struct scene *three_services(void)
{
	struct scene *scene = scene_new();

	scene_write(scene, "a.json",
		    "{ \"user\": 5001,\n  \"connect\": [{ \"to\": \"192.0.2.1\", \"port\": 1 }],\n"
		    "  \"listen\": [{ \"port\": 3000, \"from\": [5002] }] }");
	scene_write(scene, "b.json",
		    "{ \"users\": [5002, 5003], \"connect\": [{ \"to\": \"localhost\", \"port\": "
		    "3000 }] }");
	scene_write(scene, "c.json", "{ \"uids\": \"6000-6999\" }");
	return scene;
}

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

/* --- whatever the policies, whatever the mistake ---------------------------------------------- */

static unsigned trying;

static char *print_policy(unsigned seed, unsigned number, size_t *ret_length)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_length);

	assert_non_null(f);
	random_policy_print(seed, number, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* One mistake, or what may happen to be none. */
static void break_file(struct random *random, struct scene *scene, unsigned seed, unsigned number,
		       unsigned n, const char *file)
{
	size_t length, at;
	AUTO(mem) char *text = print_policy(seed, number, &length), *changed = NULL;
	unsigned other = random_below(random, n);

	at = random_below(random, (uint32_t)length);
	switch (random_below(random, 9)) {
	case 0:
		scene_write_bytes(scene, file, text, at);
		return;
	case 1:
		text[at] = (char)random_below(random, 256);
		break;
	case 2:
		memmove(text + at, text + at + 1, length - at - 1);
		length--;
		break;
	case 3:
		memset(text + at, "{}[]\",:0 "[random_below(random, 9)], 1);
		break;
	case 4: /* a key that does not exist */
		changed = strdup("{ \"user\": 4242, \"no-such-key\": 1 }");
		break;
	case 5: /* somebody else's user */
		assert_true(asprintf(&changed, "{ \"user\": %u }", 10000 + 16 * other) > 0);
		break;
	case 6: /* somebody else's name */
		assert_true(asprintf(&changed, "{ \"service\": \"s%u\", \"user\": 4242 }", other) >
			    0);
		break;
	case 7: /* everybody */
		changed = strdup("{ \"uids\": \"1-4294967294\" }");
		break;
	default:
		scene_write_bytes(scene, file, text, length);
		assert_int_equal(chmod(scene_path(scene, file), 0666), 0);
		return;
	}
	scene_write_bytes(scene, file, changed ? changed : text,
			  changed ? strlen(changed) : length);
}

/* The lines of the maps of owners that lead to a service. */
static char *owner_lines(const char *text, unsigned number)
{
	AUTO(mem) char *target = NULL;
	char *lines = NULL;
	size_t length;
	FILE *f = open_memstream(&lines, &length);
	const char *end = strstr(text, "\tchain refuse");

	assert_true(asprintf(&target, " : goto svc-s%u,\n", number) > 0);
	for (const char *p = text; p < end; p = strchr(p, '\n') + 1) {
		size_t n = (size_t)(strchr(p, '\n') + 1 - p);

		if (n > strlen(target) &&
		    strncmp(p + n - strlen(target), target, strlen(target)) == 0)
			fwrite(p, 1, n, f);
	}
	fclose(f);
	return lines;
}

static void assert_same_for(const char *before, const char *after, unsigned number)
{
	AUTO(mem) char *name = NULL, *old = NULL, *now = NULL, *old_lines = NULL, *new_lines = NULL;

	assert_true(asprintf(&name, "svc-s%u", number) > 0);
	old = scene_chain(before, name);
	now = scene_chain(after, name);
	assert_non_null(old);
	assert_non_null(now);
	assert_string_equal(old, now);
	old_lines = owner_lines(before, number);
	new_lines = owner_lines(after, number);
	assert_string_equal(old_lines, new_lines);
}

static struct scene *random_scene(unsigned seed, unsigned n)
{
	struct scene *scene = scene_new();

	assert_int_equal(random_policies_write(seed, n, scene->folder), 0);
	return scene;
}

static void try_mistake(unsigned seed)
{
	struct random random = random_start(seed, 12345);
	unsigned n = 2 + random_below(&random, 5), wrong = random_below(&random, n);
	AUTO(scene) struct scene *scene = random_scene(seed, n);
	AUTO(mem) char *before = NULL, *after = NULL, *file = NULL, *name = NULL;
	const struct service *service;

	assert_true(asprintf(&file, "s%u.json", wrong) > 0);
	assert_true(asprintf(&name, "s%u", wrong) > 0);
	scene_begin(scene);
	before = scene_plan(&scene->set);
	break_file(&random, scene, seed, wrong, n, file);
	assert_int_equal(scene_read(scene), 0);
	service = policy_set_find(&scene->set, name);
	if (service && service->state == POLICY_GOOD && !scene->diags.n_errors)
		return; /* it was no mistake, and may change what others meet */
	if (!service && !scene->diags.n_errors)
		return; /* the service has another name now */
	assert_true(scene->diags.n_errors > 0);
	after = scene_plan(&scene->set);
	assert_string_equal(before, after);
}

/* The same where the file that is wrong is new. */
static void try_new_mistake(unsigned seed)
{
	struct random random = random_start(seed, 54321);
	unsigned n = 2 + random_below(&random, 5), wrong = n - 1;
	AUTO(scene) struct scene *scene = random_scene(seed, n);
	AUTO(mem) char *before = NULL, *after = NULL, *file = NULL;

	assert_true(asprintf(&file, "s%u.json", wrong) > 0);
	scene_write(scene, file, NULL);
	scene_begin(scene);
	before = scene_plan(&scene->set);
	break_file(&random, scene, seed, wrong, n, file);
	assert_int_equal(scene_read(scene), 0);
	if (!scene->diags.n_errors)
		return;
	after = scene_plan(&scene->set);
	for (unsigned i = 0; i < n - 1; i++)
		assert_same_for(before, after, i);
}

static void test_any_mistake(void **state)
{
	const char *only = getenv("UIDWALL_SEED"), *rounds = getenv("UIDWALL_ROUNDS");
	unsigned first = only ? (unsigned)atoi(only) : 1;
	unsigned last = only ? first : rounds ? (unsigned)atoi(rounds) : 400;

	for (trying = first; trying <= last; trying++) {
		try_mistake(trying);
		try_new_mistake(trying);
	}
	trying = 0;
	(void)state;
}

static int say_seed(void **state)
{
	(void)state;
	if (trying)
		printf("# failed with UIDWALL_SEED=%u\n", trying);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps_last_good),
		cmocka_unit_test(test_never_good),
		cmocka_unit_test(test_first_start),
		cmocka_unit_test(test_user_vanished),
		cmocka_unit_test(test_salvage),
		cmocka_unit_test(test_salvage_by_name),
		cmocka_unit_test(test_unreadable_file),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_renamed),
		cmocka_unit_test(test_name_taken),
		cmocka_unit_test(test_named_like_another),
		cmocka_unit_test(test_fall_back_to_taken_name),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_yields_to_survivors_only),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_only_last_good),
		cmocka_unit_test_teardown(test_any_mistake, say_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
