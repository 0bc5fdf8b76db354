/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-state.c - files of the state folder: what was saved is found again, what was tampered with
 * is not believed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "lib/folder.h"
#include "runtime/state.h"

static struct subject subjects[] = {
	{ .uids = { 1001, 1001 }, .is_named = true },
	{ .uids = { 100000, 165535 } },
	{ .uids = { 300000, UID_LAST }, .is_subuid = true },
};

#define TEXT "{ \"user\": \"blog\",\n \"comment\": \"end 0\\nservice x\" }\n"

static struct last_good entries[] = {
	{ "blog", "blog.json", TEXT, sizeof(TEXT) - 1, subjects, 3, false },
	{ "erp", "the file\n.json", "", 0, NULL, 0, false },
	{ "erp-2", "", "\n\n", 2, subjects + 1, 1, false },
	{ "wiki", "wiki.json", "", 0, subjects, 2, true },
};
static int64_t since[] = { 1700000000, 0, 1, 2 };

static struct memory sample = {
	.set = { .list = entries,
		 .n = ARRAY_SIZE(entries),
		 .config_text = "{\n}",
		 .config_length = 3 },
	.since = since,
	.applied = 1700000001,
};

static int make_folder(void **state)
{
	memory_seal(&sample);
	return folder_make();
}

/* --- whole files */

static void reads_within_bounds(void **state)
{
	AUTO(mem) char *bytes = NULL;
	size_t n;

	folder_put("file", "0123456789", 10, 0600);
	assert_int_equal(file_read(folder_path("file"), 9, &bytes, &n), -EFBIG);
	assert_int_equal(file_read(folder_path("file"), 10, &bytes, &n), 0);
	assert_int_equal(n, 10);
	assert_string_equal(bytes, "0123456789");
	assert_int_equal(file_read("/nonexistent/file", 9, &bytes, &n), -ENOENT);
	assert_int_equal(file_read("/", 9, &bytes, &n), -EINVAL);
	assert_int_equal(file_read("/dev/zero", 9, &bytes, &n), -EINVAL);
}

/* st_size is 0 there. */
static void reads_proc(void **state)
{
	AUTO(mem) char *bytes = NULL;
	size_t n;

	assert_int_equal(file_read("/proc/self/status", 65536, &bytes, &n), 0);
	assert_true(n > 100 && strlen(bytes) == n);
	mem_free(TAKE(bytes));
	assert_int_equal(file_read("/proc/self/status", 100, &bytes, &n), -EFBIG);
}

static void trusts_what_only_we_write(void **state)
{
	AUTO(mem) char *bytes = NULL;
	size_t n;

	folder_put("file", "x", 1, 0644);
	assert_int_equal(file_read_trusted(folder_path("file"), 9, &bytes, &n), 0);
	folder_put("file", "x", 1, 0664);
	mem_free(TAKE(bytes));
	assert_int_equal(file_read_trusted(folder_path("file"), 9, &bytes, &n), -EPERM);
	folder_put("file", "x", 1, 0602);
	assert_int_equal(file_read_trusted(folder_path("file"), 9, &bytes, &n), -EPERM);
}

static void replaces_or_leaves(void **state)
{
	AUTO(file_replace) struct file_replace replace = { 0 };
	AUTO(mem) char *bytes = NULL;
	size_t n;

	folder_put("file", "old", 3, 0600);
	assert_int_equal(file_replace_begin(folder_path("file"), 0640, &replace), 0);
	fputs("new", replace.stream);
	file_replace_abort(&replace);
	assert_int_equal(file_read(folder_path("file"), 9, &bytes, &n), 0);
	assert_string_equal(bytes, "old");
	assert_int_equal(access(folder_path("file.new"), F_OK), -1);

	assert_int_equal(file_replace_begin(folder_path("file"), 0640, &replace), 0);
	fputs("new", replace.stream);
	assert_int_equal(file_replace_commit(&replace), 0);
	mem_free(TAKE(bytes));
	assert_int_equal(file_read(folder_path("file"), 9, &bytes, &n), 0);
	assert_string_equal(bytes, "new");
	assert_int_equal(access(folder_path("file.new"), F_OK), -1);
}

/* As on a full disk: writing fails late, in fflush(). */
static void full_disk(void **state)
{
	AUTO(file_replace) struct file_replace replace = { 0 };
	AUTO(mem) char *bytes = NULL;
	size_t n;

	folder_put("file", "old", 3, 0600);
	assert_int_equal(file_replace_begin(folder_path("file"), 0600, &replace), 0);
	replace.stream = freopen("/dev/full", "w", replace.stream);
	assert_non_null(replace.stream);
	fputs("new", replace.stream);
	assert_int_equal(file_replace_commit(&replace), -ENOSPC);
	assert_int_equal(file_read(folder_path("file"), 9, &bytes, &n), 0);
	assert_string_equal(bytes, "old");
	assert_int_equal(access(folder_path("file.new"), F_OK), -1);
}

/* --- last good policies */

static int load(struct arena *arena, struct memory *memory, uint64_t *checksum)
{
	AUTO(diags) struct diags diags;
	int r;

	diags_init(&diags);
	r = state_load_memory(folder_name, arena, memory, checksum, &diags);
	/* It is either taken, or missing, or complained about. */
	assert_int_equal(diags.n, r == 0 || r == -ENOENT ? 0 : 1);
	return r;
}

static void save(const struct memory *memory, uint64_t *checksum)
{
	AUTO(diags) struct diags diags;

	diags_init(&diags);
	assert_int_equal(state_save_memory(folder_name, memory, checksum, &diags), 0);
	assert_int_equal(diags.n, 0);
}

static void remembers(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct memory memory;
	uint64_t checksum = 0, loaded = 0;
	int64_t found_since;

	assert_int_equal(load(arena, &memory, &loaded), -ENOENT);
	save(&sample, &checksum);
	assert_int_equal(load(arena, &memory, &loaded), 0);
	assert_int_equal(loaded, checksum);
	assert_true(memory.checksum == checksum);
	assert_int_equal(memory.set.n, ARRAY_SIZE(entries));
	assert_int_equal(memory.applied, sample.applied);
	assert_string_equal(memory.set.config_text, "{\n}");
	assert_int_equal(memory.set.config_length, 3);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		const struct last_good *got = &memory.set.list[i], *want = &entries[i];

		assert_string_equal(got->service, want->service);
		assert_string_equal(got->file, want->file);
		assert_string_equal(got->text, want->text);
		assert_int_equal(got->text_length, want->text_length);
		assert_int_equal(got->is_refused, want->is_refused);
		assert_int_equal(memory.since[i], since[i]);
		assert_int_equal(got->n_subjects, want->n_subjects);
		for (size_t j = 0; j < want->n_subjects; j++) {
			assert_int_equal(got->subjects[j].uids.first, want->subjects[j].uids.first);
			assert_int_equal(got->subjects[j].uids.last, want->subjects[j].uids.last);
			assert_int_equal(got->subjects[j].is_named, want->subjects[j].is_named);
			assert_int_equal(got->subjects[j].is_subuid, want->subjects[j].is_subuid);
		}
		assert_ptr_equal(memory_find(&memory, want->service, &found_since), got);
		assert_int_equal(found_since, since[i]);
	}
	assert_null(memory_find(&memory, "erp-", NULL));
	assert_null(memory_find(&memory, "zzz", NULL));
}

static void remembers_nothing(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct memory memory, none = { 0 };
	uint64_t checksum = 0, loaded;

	memory_seal(&none);

	save(&none, &checksum);
	assert_int_equal(load(arena, &memory, &loaded), 0);
	assert_int_equal(memory.set.n, 0);
	assert_null(memory.set.config_text);
	assert_null(memory_find(&memory, "blog", NULL));
}

static void writes_only_what_is_new(void **state)
{
	uint64_t checksum = 0;
	struct stat before, after;

	save(&sample, &checksum);
	assert_int_equal(stat(folder_path("last-good"), &before), 0);
	save(&sample, &checksum);
	assert_int_equal(stat(folder_path("last-good"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	unlink(folder_path("last-good")); /* somebody tidied up */
	save(&sample, &checksum);
	assert_int_equal(stat(folder_path("last-good"), &after), 0);
}

/* Cut anywhere, or with any one bit flipped: not believed. */
static void notices_damage(void **state)
{
	uint64_t checksum = 0, loaded;
	AUTO(mem) char *bytes = NULL;
	struct memory memory;
	size_t n;

	save(&sample, &checksum);
	assert_int_equal(file_read(folder_path("last-good"), 65536, &bytes, &n), 0);
	for (size_t i = 0; i < n; i++) {
		AUTO(arena) struct arena *arena = arena_new();

		folder_put("last-good", bytes, i, 0600);
		assert_int_equal(load(arena, &memory, &loaded), -EBADMSG);
		bytes[i] = (char)(bytes[i] ^ (1 << (i % 8)));
		folder_put("last-good", bytes, n, 0600);
		assert_int_equal(load(arena, &memory, &loaded), -EBADMSG);
		bytes[i] = (char)(bytes[i] ^ (1 << (i % 8)));
	}
	folder_put("last-good", bytes, n, 0620);
	AUTO(arena) struct arena *arena = arena_new();
	assert_int_equal(load(arena, &memory, &loaded), -EPERM);
	folder_put("last-good", bytes, n, 0600);
	assert_int_equal(load(arena, &memory, &loaded), 0);
}

/* With a checksum that fits, as only its author could write it: still no way to run past the end.
 */
static void survives_lies(void **state)
{
	static const char *const bodies[] = {
		"uidwall-last-good 3\napplied 1\n",
		"uidwall-last-good 2\n",
		"uidwall-last-good 2\napplied\n",
		"uidwall-last-good 2\napplied -1\n",
		"uidwall-last-good 2\napplied 1",
		"uidwall-last-good 2\napplied 1\nrefused a 0 0 0 99999\n\n\n",
		"uidwall-last-good 2\napplied 1\nrefused a 0 0 0 0\n\n\nservice a 0 0 0 0\n\n\n",
		"uidwall-last-good 1\nconfig 99999\n{}\n",
		"uidwall-last-good 1\nconfig -1\n{}\n",
		"uidwall-last-good 1\nservice a 0 0 0 99999\n\n\n",
		"uidwall-last-good 1\nservice a 0 1000000 0 0\n\n\n",
		"uidwall-last-good 1\nservice a 0 1 0 0\n5 4 1\n\n\n",
		"uidwall-last-good 1\nservice a 0 1 0 0\n5 4294967295 1\n\n\n",
		"uidwall-last-good 1\nservice a 0 1 0 0\n5\n\n\n",
		"uidwall-last-good 1\nservice a 0 0 0\n\n\n",
		"uidwall-last-good 1\nservice  0 0 0 0\n\n\n",
		"uidwall-last-good 1\nservice b 0 0 0 0\n\n\nservice a 0 0 0 0\n\n\n",
		"uidwall-last-good 1\nservice a 0 0 0 0\n\n\nservice a 0 0 0 0\n\n\n",
		"uidwall-last-good 1\nservice a 0 0 0 0\n\n\ntrailing",
		"uidwall-last-good 1\nservice a 0 0 0 0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		AUTO(arena) struct arena *arena = arena_new();
		uint64_t loaded;
		struct memory memory;
		char text[512];
		int n = snprintf(text, sizeof(text), "%send %016llx\n", bodies[i],
				 (unsigned long long)state_checksum(bodies[i], strlen(bodies[i])));

		folder_put("last-good", text, (size_t)n, 0600);
		if (load(arena, &memory, &loaded) != -EBADMSG)
			fail_msg("case %zu was believed", i);
	}
}

/* What the version before wrote. */
static void reads_version_1(void **state)
{
	static const char body[] = "uidwall-last-good 1\nservice a 7 0 6 2\na.json\n{}\n";
	AUTO(arena) struct arena *arena = arena_new();
	struct memory memory;
	uint64_t loaded;
	char text[256];
	int n = snprintf(text, sizeof(text), "%send %016llx\n", body,
			 (unsigned long long)state_checksum(body, sizeof(body) - 1));

	folder_put("last-good", text, (size_t)n, 0600);
	assert_int_equal(load(arena, &memory, &loaded), 0);
	assert_int_equal(memory.applied, 0);
	assert_int_equal(memory.set.n, 1);
	assert_int_equal(memory.since[0], 7);
	assert_string_equal(memory.set.list[0].text, "{}");
	assert_false(memory.set.list[0].is_refused);
}

static void read_only_folder(void **state)
{
	AUTO(diags) struct diags diags;
	uint64_t checksum = 7;

	diags_init(&diags);
	assert_int_equal(state_save_memory("/nonexistent", &sample, &checksum, &diags), -ENOENT);
	assert_int_equal(diags.n_errors, 1);
	assert_int_equal(checksum, 0);
	assert_int_equal(
		state_save_switches("/proc", &(struct switches){ .all_off = true }, &diags),
		-ENOENT); /* what /proc says to who would make files there */
	assert_int_equal(diags.n_errors, 2);
}

/* --- switches */

static int load_switches(struct switches *switches)
{
	AUTO(diags) struct diags diags;
	int r;

	diags_init(&diags);
	r = state_load_switches(folder_name, switches, &diags);
	assert_int_equal(diags.n, r < 0);
	return r;
}

static void switches_are_kept(void **state)
{
	AUTO(diags) struct diags diags;
	AUTO(switches) struct switches saved = { 0 }, copy = { 0 };
	struct switches got = { 0 };

	diags_init(&diags);
	assert_int_equal(load_switches(&got), 0);
	assert_false(got.all_off);
	assert_int_equal(switches_add(&saved, "erp"), 0);
	assert_int_equal(switches_add(&saved, "blog"), 0);
	assert_int_equal(switches_add(&saved, "erp"), 0);
	assert_int_equal(saved.n_services, 2);
	saved.all_off = true;
	assert_int_equal(state_save_switches(folder_name, &saved, &diags), 0);
	assert_int_equal(load_switches(&got), 0);
	assert_true(got.all_off);
	assert_true(switches_has(&got, "blog") && switches_has(&got, "erp"));
	assert_false(switches_has(&got, "er"));
	assert_int_equal(switches_copy(&got, &copy), 0);
	switches_remove(&got, "blog");
	switches_remove(&got, "nosuch");
	assert_int_equal(got.n_services, 1);
	assert_int_equal(copy.n_services, 2);
	switches_done(&got);
	assert_int_equal(state_save_switches(folder_name, &got, &diags), 0);
	assert_int_equal(access(folder_path("off"), F_OK), -1);
	assert_int_equal(state_save_switches(folder_name, &got, &diags), 0);
	assert_int_equal(diags.n, 0);
}

static void switches_end_with_the_boot(void **state)
{
	static const char other_boot[] =
		"uidwall-off 2 00000000-0000-0000-0000-000000000000\nall\n";
	struct switches got = { 0 };
	char text[128];
	int n = snprintf(text, sizeof(text), "%send %016llx\n", other_boot,
			 (unsigned long long)state_checksum(other_boot, sizeof(other_boot) - 1));

	folder_put("off", text, (size_t)n, 0600);
	assert_int_equal(load_switches(&got), 0);
	assert_false(got.all_off);
}

static void damaged_switches_are_not_off(void **state)
{
	AUTO(diags) struct diags diags;
	AUTO(switches) struct switches saved = { .all_off = true };
	AUTO(mem) char *bytes = NULL;
	size_t n;

	diags_init(&diags);
	assert_int_equal(switches_add(&saved, "blog"), 0);
	assert_int_equal(state_save_switches(folder_name, &saved, &diags), 0);
	assert_int_equal(file_read(folder_path("off"), 4096, &bytes, &n), 0);
	for (size_t i = 0; i < n; i++) {
		struct switches got = { 0 };

		folder_put("off", bytes, i, 0600);
		assert_int_equal(load_switches(&got), -EBADMSG);
		assert_false(got.all_off);
		assert_int_equal(got.n_services, 0);
	}
	folder_put("off", bytes, n, 0666);
	struct switches got = { 0 };
	assert_int_equal(load_switches(&got), -EPERM);
	assert_false(got.all_off);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_within_bounds),
		cmocka_unit_test(reads_proc),
		cmocka_unit_test(trusts_what_only_we_write),
		cmocka_unit_test(replaces_or_leaves),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(remembers),
		cmocka_unit_test(remembers_nothing),
		cmocka_unit_test(writes_only_what_is_new),
		cmocka_unit_test(notices_damage),
		cmocka_unit_test(survives_lies),
		cmocka_unit_test(reads_version_1),
		cmocka_unit_test(read_only_folder),
		cmocka_unit_test(switches_are_kept),
		cmocka_unit_test(switches_end_with_the_boot),
		cmocka_unit_test(damaged_switches_are_not_off),
	};

	return cmocka_run_group_tests_name("state", tests, make_folder, folder_remove);
}
