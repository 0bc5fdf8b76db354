/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-trial.c - what the state folder says of a change that waits, or that went back; and what was
 * in force before it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "runtime/boot.h"
#include "lib/folder.h"
#include "runtime/state.h"

static struct subject subjects[] = { { .uids = { 1001, 1001 }, .is_named = true } };
static struct last_good entries[] = {
	{ "blog", "blog.json", "{}", 2, subjects, 1, false },
	{ "wiki", "wiki.json", "", 0, subjects, 1, true },
};
static int64_t since[] = { 1700000000, 0 };
static struct memory first = { { entries, 2, NULL, 0 }, since, 1700000000, 0 };
static struct memory second = { { entries, 1, NULL, 0 }, since, 1700000001, 0 };

static int make_folder(void **state)
{
	memory_seal(&first);
	memory_seal(&second);
	return folder_make();
}

/* --- FOLDER/trial */

static int load(struct trial *trial)
{
	AUTO(diags) struct diags diags;
	int r;

	memset(trial, 0xff, sizeof(*trial));
	diags_init(&diags);
	r = state_load_trial(folder_name, trial, &diags);
	assert_int_equal(diags.n_errors, r < 0); /* taken or complained about */
	return r;
}

static struct trial waiting(int64_t seconds)
{
	return (struct trial){ .state = TRIAL_WAITING,
			       .since = 1700000000,
			       .seconds = seconds,
			       .deadline_ms = boot_now_ms() + seconds * 1000,
			       .is_of_this_boot = true,
			       .checksum = UINT64_C(0x0123456789abcdef) };
}

static void waits(void **state)
{
	struct trial saved = waiting(60), got;

	assert_int_equal(load(&got), 0);
	assert_int_equal(got.state, TRIAL_NONE);
	assert_int_equal(state_save_trial(folder_name, &saved), 0);
	assert_int_equal(load(&got), 0);
	assert_int_equal(got.state, TRIAL_WAITING);
	assert_int_equal(got.since, saved.since);
	assert_int_equal(got.seconds, 60);
	assert_int_equal(got.deadline_ms, saved.deadline_ms);
	assert_true(got.is_of_this_boot);
	assert_true(got.checksum == saved.checksum);
	assert_in_range(trial_left_ms(&got), 50000, 60000);

	saved.deadline_ms = boot_now_ms() - 1;
	assert_int_equal(state_save_trial(folder_name, &saved), 0);
	assert_int_equal(load(&got), 0);
	assert_true(got.is_of_this_boot && trial_left_ms(&got) < 0);

	assert_int_equal(state_save_trial(folder_name, &(struct trial){ .state = TRIAL_NONE }), 0);
	assert_int_equal(access(folder_path("trial"), F_OK), -1);
	assert_int_equal(state_save_trial(folder_name, &(struct trial){ .state = TRIAL_NONE }), 0);
}

static void is_rolled_back(void **state)
{
	for (int i = TRIAL_ASKED; i <= TRIAL_REBOOTED; i++) {
		struct trial saved = { .state = TRIAL_ROLLED_BACK,
				       .since = 1700000000 + i,
				       .reason = (enum trial_reason)i };
		struct trial got;

		assert_int_equal(state_save_trial(folder_name, &saved), 0);
		assert_int_equal(load(&got), 0);
		assert_int_equal(got.state, TRIAL_ROLLED_BACK);
		assert_int_equal(got.since, saved.since);
		assert_int_equal(got.reason, i);
	}
}

static void put_body(const char *body)
{
	char text[1024];
	int n = snprintf(text, sizeof(text), "%send %016llx\n", body,
			 (unsigned long long)state_checksum(body, strlen(body)));

	folder_put("trial", text, (size_t)n, 0600);
}

/* Of another boot, or of a clock that is not ours: the time is over. */
static void time_is_over(void **state)
{
	char id[BOOT_ID_MAX + 1], body[256];
	struct trial got;

	snprintf(body, sizeof(body), "uidwall-trial 1\nwaiting %s %lld 60 1700000000 0\n",
		 "00000000-0000-0000-0000-000000000000", (long long)boot_now_ms() + 30000);
	put_body(body);
	assert_int_equal(load(&got), 0);
	assert_int_equal(got.state, TRIAL_WAITING);
	assert_false(got.is_of_this_boot);
	assert_true(trial_left_ms(&got) <= 0);

	assert_int_equal(boot_read_id(id), 0);
	snprintf(body, sizeof(body), "uidwall-trial 1\nwaiting %s %lld 60 1700000000 0\n", id,
		 (long long)boot_now_ms() + 90000);
	put_body(body);
	assert_int_equal(load(&got), 0);
	assert_int_equal(got.state, TRIAL_WAITING);
	assert_true(trial_left_ms(&got) <= 0);
}

/* Cut anywhere, with any one bit flipped, or writable for others: not believed. */
static void notices_damage(void **state)
{
	struct trial saved = waiting(60), got;
	AUTO(mem) char *bytes = NULL;
	size_t n;

	assert_int_equal(state_save_trial(folder_name, &saved), 0);
	assert_int_equal(file_read(folder_path("trial"), 4096, &bytes, &n), 0);
	for (size_t i = 0; i < n; i++) {
		folder_put("trial", bytes, i, 0600);
		assert_int_equal(load(&got), -EBADMSG);
		assert_int_equal(got.state, TRIAL_NONE);
		bytes[i] = (char)(bytes[i] ^ (1 << (i % 8)));
		folder_put("trial", bytes, n, 0600);
		assert_int_equal(load(&got), -EBADMSG);
		bytes[i] = (char)(bytes[i] ^ (1 << (i % 8)));
	}
	folder_put("trial", bytes, n, 0622);
	assert_int_equal(load(&got), -EPERM);
	assert_int_equal(got.state, TRIAL_NONE);
}

/* With a checksum that fits, as only its author could write it. */
static void survives_lies(void **state)
{
#define ID "00000000-0000-0000-0000-000000000000"
	static const char *const bodies[] = {
		"",
		"\n",
		"uidwall-trial 1\n",
		"uidwall-trial 1\n\n",
		"uidwall-trial 2\nrolled-back asked 1\n",
		"uidwall-trial 1\nrolled-back\n",
		"uidwall-trial 1\nrolled-back nobody 1\n",
		"uidwall-trial 1\nrolled-back aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1\n",
		"uidwall-trial 1\nrolled-back asked 1 \n",
		"uidwall-trial 1\nrolled-back asked 1\nmore\n",
		"uidwall-trial 1\nwaiting " ID " 1 60 1\n",
		"uidwall-trial 1\nwaiting " ID " 1 60 1 x\n",
		"uidwall-trial 1\nwaiting " ID " 1 60 1 11112222333344445\n",
		"uidwall-trial 1\nwaiting " ID " 1 0 1 0\n",
		"uidwall-trial 1\nwaiting " ID " 1 86401 1 0\n",
		"uidwall-trial 1\nwaiting " ID " -1 60 1 0\n",
		"uidwall-trial 1\nwaiting " ID " 1 60 1 0 1\n",
		"uidwall-trial 1\nwaiting  1 60 1 0\n",
		"uidwall-trial 1\nwaiting " ID ID " 1 60 1 0\n",
	};
	struct trial got;

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		put_body(bodies[i]);
		if (load(&got) != -EBADMSG || got.state != TRIAL_NONE)
			fail_msg("case %zu was believed", i);
	}
}

static void nowhere_to_write(void **state)
{
	struct trial saved = waiting(60);

	assert_int_equal(state_save_trial("/nonexistent", &saved), -ENOENT);
	assert_int_equal(state_save_trial("/nonexistent", &(struct trial){ .state = TRIAL_NONE }),
			 0);
	assert_int_equal(state_save_trial("/proc", &saved), -ENOENT);
}

/* --- FOLDER/previous */

static struct stat stat_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(folder_path(name), &st), 0);
	return st;
}

static void expect_previous(const struct memory *want)
{
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(diags) struct diags diags;
	struct memory got;

	diags_init(&diags);
	assert_int_equal(state_load_previous(folder_name, arena, &got, &diags), 0);
	assert_int_equal(diags.n, 0);
	assert_true(got.checksum == want->checksum);
	assert_int_equal(access(folder_path("previous.new"), F_OK), -1);
}

/* Where the saved file holds it already it costs a name, and what replaces that file leaves it. */
static void keeps_previous(void **state)
{
	AUTO(diags) struct diags diags;
	uint64_t checksum = 0;

	diags_init(&diags);
	assert_int_equal(state_save_memory(folder_name, &first, &checksum, &diags), 0);
	assert_int_equal(state_save_previous(folder_name, &first, checksum), 0);
	assert_int_equal(stat_of("previous").st_ino, stat_of("last-good").st_ino);
	assert_int_equal(state_save_previous(folder_name, &first, checksum), 0);
	expect_previous(&first);
	assert_int_equal(state_save_memory(folder_name, &second, &checksum, &diags), 0);
	expect_previous(&first);

	/* What was saved is not what is in force, as after a full disk. */
	assert_int_equal(state_save_previous(folder_name, &first, checksum), 0);
	assert_int_not_equal(stat_of("previous").st_ino, stat_of("last-good").st_ino);
	expect_previous(&first);
	/* Somebody tidied up. */
	unlink(folder_path("last-good"));
	assert_int_equal(state_save_previous(folder_name, &second, checksum), 0);
	expect_previous(&second);

	assert_int_equal(state_remove_previous(folder_name), 0);
	assert_int_equal(state_remove_previous(folder_name), 0);
	assert_int_equal(access(folder_path("previous"), F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits),	  cmocka_unit_test(is_rolled_back),
		cmocka_unit_test(time_is_over),	  cmocka_unit_test(notices_damage),
		cmocka_unit_test(survives_lies),  cmocka_unit_test(nowhere_to_write),
		cmocka_unit_test(keeps_previous),
	};

	return cmocka_run_group_tests_name("trial", tests, make_folder, folder_remove);
}
