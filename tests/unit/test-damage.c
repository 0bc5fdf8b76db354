/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-damage.c - each file of the state folder with each of its bytes wrong, cut off at each
 * place, or with zeros from each place on, as a disk may hold it after a power cut: it is not
 * believed.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "lib/folder.h"
#include "runtime/boot.h"
#include "runtime/state.h"

enum { BYTES_MAX = 4096 };

static struct subject subjects[] = {
	{ .uids = { 2003, 2003 }, .is_named = true },
	{ .uids = { 300000, 365535 } },
};

#define TEXT "{ \"user\": \"blog\", \"connect\": [ { \"to\": \"192.0.2.1\", \"port\": 443 } ] }\n"

static struct last_good entries[] = {
	{ "blog", "blog.json", TEXT, sizeof(TEXT) - 1, subjects, 2, false },
	{ "erp", "erp.json", "{}", 2, subjects, 1, false },
	{ "wiki", "wiki.json", "", 0, subjects, 1, true },
};
static int64_t since[] = { 1700000000, 1700000001, 1700000002 };

static struct memory memory = {
	.set = { .list = entries,
		 .n = ARRAY_SIZE(entries),
		 .config_text = "{ }",
		 .config_length = 3 },
	.since = since,
	.applied = 1700000003,
};

static const struct trial waiting = {
	.state = TRIAL_WAITING, .since = 1700000000, .seconds = 60, .is_of_this_boot = true
};
static const struct trial rolled_back = { .state = TRIAL_ROLLED_BACK,
					  .since = 1700000000,
					  .reason = TRIAL_TIME_OVER };

/* A file as it was written, and whether what stands there now is believed. */
struct subject_file {
	const char *name;
	bool (*is_believed)(struct diags *diags);
	char bytes[BYTES_MAX];
	size_t n;
	unsigned n_tried;
};

static bool memory_is_believed(struct diags *diags)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct memory got;
	uint64_t checksum;
	int r = state_load_memory(folder_name, arena, &got, &checksum, diags);

	assert_true(r == 0 || r == -EBADMSG);
	return r == 0;
}

static bool previous_is_believed(struct diags *diags)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct memory got;

	return state_load_previous(folder_name, arena, &got, diags) == 0;
}

static bool trial_is_believed(struct diags *diags)
{
	struct trial trial;

	return state_load_trial(folder_name, &trial, diags) == 0 || trial.state != TRIAL_NONE;
}

static bool switches_are_believed(struct diags *diags)
{
	struct switches switches = { 0 };
	bool believed = state_load_switches(folder_name, &switches, diags) == 0;

	/* Nothing is off, either way of not believing. */
	assert_true(believed || (!switches.all_off && !switches.n_services));
	switches_done(&switches);
	return believed;
}

static void take(struct subject_file *file)
{
	AUTO(mem) char *bytes = NULL;

	assert_int_equal(file_read(folder_path(file->name), BYTES_MAX, &bytes, &file->n), 0);
	memcpy(file->bytes, bytes, file->n);
}

static bool is_believed(struct subject_file *file, const char *bytes, size_t n)
{
	AUTO(diags) struct diags diags;
	bool believed;

	diags_init(&diags);
	folder_put(file->name, bytes, n, 0600);
	believed = file->is_believed(&diags);
	assert_int_equal(diags.n, !believed); /* it is said, too */
	file->n_tried++;
	return believed;
}

static void refuse(struct subject_file *file, const char *bytes, size_t n)
{
	if (is_believed(file, bytes, n))
		fail_msg("%s: believed: %.*s", file->name, (int)n, bytes);
}

/* Each bit of each byte, and what bytes commonly become. */
static void wrong_bytes(struct subject_file *file)
{
	static const char others[] = { '\0', '\n', ' ', '0', '9', 'x', '\xff' };

	for (size_t i = 0; i < file->n; i++) {
		char was = file->bytes[i];

		for (unsigned bit = 0; bit < 8; bit++) {
			file->bytes[i] = (char)(was ^ (1 << bit));
			refuse(file, file->bytes, file->n);
		}
		for (size_t k = 0; k < ARRAY_SIZE(others); k++) {
			file->bytes[i] = others[k];
			if (others[k] != was)
				refuse(file, file->bytes, file->n);
		}
		file->bytes[i] = was;
	}
}

static void wrong_lengths(struct subject_file *file)
{
	char bytes[BYTES_MAX + 64] = { 0 };

	for (size_t n = 0; n < file->n; n++) {
		refuse(file, file->bytes, n);
		/* as long as it should be, but never written to the end */
		memset(bytes, 0, sizeof(bytes));
		memcpy(bytes, file->bytes, n);
		refuse(file, bytes, file->n);
		/* the beginning is missing */
		refuse(file, file->bytes + file->n - n, n);
		memset(bytes, 0, sizeof(bytes));
		memcpy(bytes + file->n - n, file->bytes + file->n - n, n);
		refuse(file, bytes, file->n);
		/* one byte is missing, or is there twice */
		memcpy(bytes, file->bytes, n);
		memcpy(bytes + n, file->bytes + n + 1, file->n - n - 1);
		refuse(file, bytes, file->n - 1);
		memcpy(bytes, file->bytes, n + 1);
		memcpy(bytes + n + 1, file->bytes + n, file->n - n);
		refuse(file, bytes, file->n + 1);
	}
	memcpy(bytes, file->bytes, file->n);
	for (size_t n = 1; n <= 64; n++) {
		memset(bytes + file->n, n % 2 ? 0 : '\n', n);
		refuse(file, bytes, file->n + n);
	}
}

static void damage(struct subject_file *file)
{
	take(file);
	assert_true(is_believed(file, file->bytes, file->n));
	wrong_bytes(file);
	wrong_lengths(file);
	assert_true(is_believed(file, file->bytes, file->n));
	print_message("# %s: %zu bytes, %u damages\n", file->name, file->n, file->n_tried);
}

static int make_folder(void **state)
{
	memory_seal(&memory);
	return folder_make();
}

static void last_good(void **state)
{
	struct subject_file file = { .name = "last-good", .is_believed = memory_is_believed };
	AUTO(diags) struct diags diags;
	uint64_t checksum = 0;

	diags_init(&diags);
	assert_int_equal(state_save_memory(folder_name, &memory, &checksum, &diags), 0);
	damage(&file);
}

static void previous(void **state)
{
	struct subject_file file = { .name = "previous", .is_believed = previous_is_believed };

	assert_int_equal(state_save_previous(folder_name, &memory, 0), 0);
	damage(&file);
}

static void trial_waiting(void **state)
{
	struct subject_file file = { .name = "trial", .is_believed = trial_is_believed };
	struct trial trial = waiting;

	trial.deadline_ms = boot_now_ms() + 50000;
	trial.checksum = memory.checksum;
	assert_int_equal(state_save_trial(folder_name, &trial), 0);
	damage(&file);
}

static void trial_rolled_back(void **state)
{
	struct subject_file file = { .name = "trial", .is_believed = trial_is_believed };

	assert_int_equal(state_save_trial(folder_name, &rolled_back), 0);
	damage(&file);
}

static void off(void **state)
{
	struct subject_file file = { .name = "off", .is_believed = switches_are_believed };
	AUTO(switches) struct switches saved = { .all_off = true };
	AUTO(diags) struct diags diags;

	diags_init(&diags);
	assert_int_equal(switches_add(&saved, "blog"), 0);
	assert_int_equal(switches_add(&saved, "erp"), 0);
	assert_int_equal(state_save_switches(folder_name, &saved, &diags), 0);
	damage(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_good),	 cmocka_unit_test(previous),
		cmocka_unit_test(trial_waiting), cmocka_unit_test(trial_rolled_back),
		cmocka_unit_test(off),
	};

	return cmocka_run_group_tests(tests, make_folder, folder_remove);
}
