/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-policy-random.c - whatever the policies and whatever the mistake in one of them: what the
 * others may do stays.
 *
 * UIDWALL_SEED=N tries that one seed alone; UIDWALL_ROUNDS=N tries more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/random_policies.h"
#include "lib/scene.h"
#include "lib/seeds.h"

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
	unsigned only = (unsigned)env_number("UIDWALL_SEED", 0);
	unsigned first = only ? only : 1;
	unsigned last = only ? only : (unsigned)env_number("UIDWALL_ROUNDS", 400);

	for (seed_tried = first; seed_tried <= last; seed_tried++) {
		try_mistake(seed_tried);
		try_new_mistake(seed_tried);
	}
	seed_tried = 0;
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_any_mistake, seed_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
