/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosts_file.c - /etc/hosts: a name → the addresses written beside it.
 *
 * c-ares would read the whole file for each name. Here its text stays in memory, in lower case and
 * without comments, and is searched as it is: 0.1 ms for a megabyte, and most have ten lines.
 */
#include "proxy/resolve/hosts_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { HOSTS_FILE_MAX = 8 * 1024 * 1024 };

struct hosts_file {
	const char *path;
	char *text;
	struct stat last; /* zeros: none yet */
	bool is_known;
};

static char *read_text(const char *path)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO(mem) char *text = NULL;
	struct stat st;
	size_t n = 0;
	ssize_t got = 1;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > HOSTS_FILE_MAX)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	while (text && got > 0 && n < (size_t)st.st_size) {
		got = read(fd, text + n, (size_t)st.st_size - n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (text)
		text[n] = '\0';
	return TAKE(text);
}

static void tidy_text(char *text)
{
	bool is_comment = false;

	for (; *text; text++) {
		is_comment = *text != '\n' && (is_comment || *text == '#');
		*text = is_comment ? ' ' : (char)tolower((unsigned char)*text);
	}
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool hosts_file_update(struct hosts_file *file)
{
	struct stat now = { 0 };

	if (stat(file->path, &now) < 0)
		now = (struct stat){ 0 };
	if (file->is_known && now.st_ino == file->last.st_ino && now.st_dev == file->last.st_dev &&
	    now.st_size == file->last.st_size && same_time(&now.st_mtim, &file->last.st_mtim) &&
	    same_time(&now.st_ctim, &file->last.st_ctim))
		return false;
	file->is_known = true;
	file->last = now;
	free(file->text);
	file->text = read_text(file->path);
	if (file->text)
		tidy_text(file->text);
	return true;
}

/* The address that the line of a place in the text starts with. */
static bool line_address(const char *text, const char *at, struct prefix *ret_address)
{
	char address[PREFIX_TEXT_MAX];
	size_t n;

	while (at > text && at[-1] != '\n')
		at--;
	at += strspn(at, " \t");
	n = strcspn(at, " \t\r\n");
	if (n >= sizeof(address))
		return false;
	memcpy(address, at, n);
	address[n] = '\0';
	return parse_address(address, ret_address) == 0;
}

size_t hosts_file_find(const struct hosts_file *file, const char *name,
		       struct prefix *ret_addresses, size_t max)
{
	const char *at = file->text;
	size_t length = strlen(name), n = 0;

	while (at && length && n < max && (at = strstr(at, name))) {
		const char *end = at + length;
		bool is_word = at > file->text && strchr(" \t", at[-1]) &&
			       (!*end || strchr(" \t\r\n", *end));

		if (is_word && line_address(file->text, at, &ret_addresses[n]))
			n++;
		at = end;
	}
	return n;
}

int hosts_file_new(const char *path, struct hosts_file **ret_file)
{
	struct hosts_file *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	file->path = path;
	hosts_file_update(file);

	*ret_file = file;
	return 0;
}

void hosts_file_free(struct hosts_file *file)
{
	if (!file)
		return;
	free(file->text);
	free(file);
}
