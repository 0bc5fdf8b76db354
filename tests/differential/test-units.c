/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-units.c - random policies with units of real control groups, and kernels that cannot strip
 * TCP options: text and netlink list the same, and are the same bytecode.
 *
 * nft takes groups by their path, so there have to be some: below the cgroup2 mount, in a folder
 * that a child of the test removes when the test is gone, however it ended.
 */
#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness.h"
#include "lib/random_policies.h"
#include "plan/plan.h"
#include "policy/units.h"

enum { ROUNDS = 300, SERVICES_MAX = 12, BYTECODE_EVERY = 5 };

static char top[PATH_MAX], slice[64], name[64];

/* In the order in which they are made; %s: a name that nobody else has. */
static const char *const folders[] = {
	"",
	"/%s.service",
	"/%s@1.service",
	"/%s@two.service",
	"/%s-n.slice",
	"/%s-n.slice/c",
	"/%s-n.slice/%s@3.service",
	"/a",
	"/a/b",
	"/a/b/c",
	"/a/b/c/d",
	"/a/b/c/d/e",
	"/a/b/c/d/e/f",
};

/* As policies have them; the last two there is nothing of. */
static const char *const units[] = {
	"%s.service", "%s@.service",	 "%s@1.service", "%s-n.slice", "/%t/%s-n.slice/c",
	"/%t/a/b",    "/%t/a/b/c/d/e/f", "/%t/a",	 "/%t/none",   "%s-none.service",
};

/* %s: name, %t: slice. */
static void expand(const char *format, char *ret, size_t size)
{
	size_t n = 0;

	for (; *format && n + 1 < size; format++) {
		const char *insert = *format != '%' ? NULL : format[1] == 's' ? name : slice;

		if (!insert) {
			ret[n++] = *format;
			continue;
		}
		format++;
		n += (size_t)snprintf(ret + n, size - n, "%s", insert);
	}
	ret[n] = '\0';
}

static void folder_path(size_t i, char ret[PATH_MAX])
{
	size_t n = strlen(strcpy(ret, top));

	expand(folders[i], ret + n, PATH_MAX - n);
}

static const char *make_folders(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	const struct mntent *entry;

	while (mounts && (entry = getmntent(mounts)) && strcmp(entry->mnt_type, "cgroup2") != 0)
		;
	if (!mounts || !entry)
		return "no cgroup2 is mounted";
	snprintf(name, sizeof(name), "uwdiff%d", getpid());
	snprintf(slice, sizeof(slice), "uwdiff%d.slice", getpid());
	snprintf(top, sizeof(top), "%s/%s", entry->mnt_dir, slice);
	endmntent(mounts);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		char path[PATH_MAX];

		folder_path(i, path);
		if (mkdir(path, 0755) < 0)
			return "no control groups can be made";
	}
	return NULL;
}

static void remove_folders(void)
{
	for (size_t i = ARRAY_SIZE(folders); i-- > 0;) {
		char path[PATH_MAX];

		folder_path(i, path);
		rmdir(path);
	}
}

/* Reads until nobody can write any more. */
static void leave_guardian(void)
{
	int ends[2];
	char c;

	if (pipe(ends) < 0)
		abort();
	if (fork() > 0) {
		close(ends[0]);
		return;
	}
	setsid();
	signal(SIGTERM, SIG_IGN);
	close(ends[1]);
	while (read(ends[0], &c, 1) < 0 && errno == EINTR)
		;
	remove_folders();
	_exit(0);
}

static void build(unsigned seed, struct arena *arena, struct ir_ruleset *ret_ruleset)
{
	struct random random = random_start(seed, UINT32_MAX - 7);
	__attribute__((cleanup(diags_cleanup))) struct diags diags;
	struct policy_set set;

	diags_init(&diags);
	random_policies_make(seed / 2, seed % SERVICES_MAX + seed % 2, arena, &set);
	for (size_t i = 0; i < set.n_services; i++) {
		char unit[PATH_MAX];

		expand(units[random_below(&random, ARRAY_SIZE(units))], unit, sizeof(unit));
		set.services[i].policy->unit =
			random_chance(&random, 2) ? arena_strdup(arena, unit) : NULL;
	}
	units_find(&set, arena, NULL, NULL, &diags);
	set.keeps_options = random_chance(&random, 3);
	plan_build(&set, arena, ret_ruleset);
}

static void test_units(void **state)
{
	unsigned only = (unsigned)env_number("UIDWALL_SEED", 0);
	unsigned n = only ? 1 : (unsigned)env_number("UIDWALL_ROUNDS", ROUNDS);
	struct space *by_nft = space_new(), *by_us = space_new();
	struct nl_table *table = open_table(by_us, true);
	struct arena *arena = NULL, *next;
	struct ir_ruleset before, now;
	struct nl_result result;
	size_t n_elements = 0;

	(void)state;
	assert_true(nl_table_features(table)->strips_options);
	assert_true(nl_table_features(table)->has_nat);
	for (unsigned i = 0; i < n; i++) {
		unsigned seed = only ? only : 1 + i;
		uint32_t map;

		next = arena_new();
		build(seed, next, &now);
		map = ir_find_set(&now, "units");
		n_elements += map == IR_NONE ? 0 : now.sets[map].n_elements;
		apply(table, arena ? &before : NULL, &now, &result);
		assert_kernel_agrees(by_nft, by_us, &now, seed);
		if (only || seed % BYTECODE_EVERY == 0)
			assert_same_bytecode(by_nft, &now, seed);
		arena_free(arena);
		arena = next;
		before = now;
	}
	assert_true(only || n_elements > n);
	arena_free(arena);
	nl_table_close(table);
	space_free(by_nft);
	space_free(by_us);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units),
	};
	const char *why = space_unavailable();

	if (!why && (why = make_folders()))
		remove_folders();
	if (why) {
		printf("%s\n", why);
		return 77;
	}
	leave_guardian();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
