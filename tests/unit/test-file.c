/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-file.c - whole files: read within a bound, replaced at once or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"

static char folder[] = "/tmp/test-file.XXXXXX";
static char path[64], other[64];

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	snprintf(other, sizeof(other), "%s/file.new", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	return rmdir(folder);
}

static void put(const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static void test_read(void **state)
{
	AUTO(mem) char *bytes = NULL;
	size_t length;

	put("hello");
	assert_int_equal(file_read(path, 5, &bytes, &length), 0);
	assert_int_equal(length, 5);
	assert_string_equal(bytes, "hello");
	mem_free(TAKE(bytes));
	assert_int_equal(file_read(path, 4, &bytes, &length), -EFBIG);
	assert_int_equal(file_read("/nowhere/at/all", 4, &bytes, &length), -ENOENT);
	assert_int_equal(file_read("/tmp", 100, &bytes, &length), -EINVAL);
	put("");
	assert_int_equal(file_read(path, 0, &bytes, &length), 0);
	assert_int_equal(length, 0);
	mem_free(TAKE(bytes));
	/* says it has no bytes, and has some */
	assert_int_equal(file_read("/proc/self/status", 100000, &bytes, &length), 0);
	assert_true(length > 100);
	(void)state;
}

static void test_read_special(void **state)
{
	char *bytes;
	size_t length;

	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(file_read(path, 10, &bytes, &length), -EINVAL); /* and does not block */
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(file_read(path, 100000, &bytes, &length), -ELOOP);
	unlink(path);
	(void)state;
}

/* How reading ends: 0, or why it broke off. */
static int read_lines(const char *name, unsigned *ret_n)
{
	AUTO(file) FILE *f = NULL;
	AUTO(mem) char *line = NULL;
	size_t size = 0;
	int r = file_open_lines(name, &f);

	*ret_n = 0;
	while (f && getline(&line, &size, f) >= 0)
		++*ret_n;
	return r < 0 ? r : file_lines_end(f);
}

static void test_lines(void **state)
{
	unsigned n;

	put("one\ntwo");
	assert_int_equal(read_lines(path, &n), 0);
	assert_int_equal(n, 2);
	unlink(path);
	assert_int_equal(read_lines(path, &n), 0); /* none, which is no mistake */
	assert_int_equal(n, 0);
	assert_int_equal(read_lines("/", &n), -EISDIR); /* breaks off, as on a bad disk */
	assert_int_equal(symlink(path, path), 0);
	assert_int_equal(read_lines(path, &n), -ELOOP);
	unlink(path);
	(void)state;
}

static void test_trusted(void **state)
{
	AUTO(mem) char *bytes = NULL;
	size_t length;

	put("x");
	assert_int_equal(file_read_trusted(path, 10, &bytes, &length), 0);
	mem_free(TAKE(bytes));
	assert_int_equal(chmod(path, 0620), 0);
	assert_int_equal(file_read_trusted(path, 10, &bytes, &length), -EPERM);
	assert_int_equal(chmod(path, 0602), 0);
	assert_int_equal(file_read_trusted(path, 10, &bytes, &length), -EPERM);
	assert_int_equal(chmod(path, 0600), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, 0), 0);
		assert_int_equal(file_read_trusted(path, 10, &bytes, &length), -EPERM);
	}
	unlink(path);
	(void)state;
}

static void assert_holds(const char *text)
{
	AUTO(mem) char *bytes = NULL;
	size_t length;

	assert_int_equal(file_read(path, 100, &bytes, &length), 0);
	assert_string_equal(bytes, text);
}

static void test_replace(void **state)
{
	AUTO(file_replace) struct file_replace replace = { 0 };
	struct stat st;

	put("old");
	assert_int_equal(file_replace_begin(path, 0640, &replace), 0);
	fputs("new", replace.stream);
	assert_holds("old");
	assert_int_equal(file_replace_commit(&replace), 0);
	assert_holds("new");
	assert_int_equal(access(other, F_OK), -1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0137, 0); /* whatever the umask */

	assert_int_equal(file_replace_begin(path, 0600, &replace), 0);
	fputs("never", replace.stream);
	file_replace_abort(&replace);
	file_replace_abort(&replace);
	assert_holds("new");
	assert_int_equal(access(other, F_OK), -1);

	assert_int_equal(file_replace_begin("/nowhere/at/all", 0600, &replace), -ENOENT);

	/* a link in the way of the temporary file is not followed */
	assert_int_equal(symlink("/tmp/should-not-exist", other), 0);
	assert_int_equal(file_replace_begin(path, 0600, &replace), 0);
	assert_int_equal(file_replace_commit(&replace), 0);
	assert_int_equal(access("/tmp/should-not-exist", F_OK), -1);
	assert_holds("");
	(void)state;
}

static void test_full_disk(void **state)
{
	AUTO(file_replace) struct file_replace replace = { 0 };

	put("old");
	assert_int_equal(file_replace_begin(path, 0600, &replace), 0);
	file_close(replace.stream);
	replace.stream = fopen("/dev/full", "we");
	assert_non_null(replace.stream);
	fputs("does not fit", replace.stream);
	assert_int_equal(file_replace_commit(&replace), -ENOSPC);
	assert_holds("old");
	assert_int_equal(access(other, F_OK), -1);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),	  cmocka_unit_test(test_read_special),
		cmocka_unit_test(test_trusted),	  cmocka_unit_test(test_replace),
		cmocka_unit_test(test_full_disk), cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
