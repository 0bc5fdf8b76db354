/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.c - whole files in and out.
 *
 * rename() alone makes a replacement atomic for readers, not for power cuts: the bytes must be on
 * disk before the name is, and the name is on disk only once its folder is.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Reads until the end, not st_size bytes: files in /proc say they have none. */
static int read_all(int fd, size_t max, char **ret_bytes, size_t *ret_length)
{
	size_t n = 0, capacity = 4096;
	AUTO(mem) char *bytes = NULL;
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_size > 0)
		capacity = (size_t)st.st_size < max ? (size_t)st.st_size + 2 : max + 2;
	for (;;) {
		char *grown = realloc(bytes, capacity);
		ssize_t got;

		if (!grown)
			return -ENOMEM;
		bytes = grown;
		while (n < capacity - 1) {
			got = read(fd, bytes + n, capacity - 1 - n);
			if (got < 0 && errno == EINTR)
				continue;
			if (got < 0)
				return -errno;
			if (got == 0) {
				bytes[n] = '\0';
				*ret_bytes = TAKE(bytes);
				*ret_length = n;
				return 0;
			}
			n += (size_t)got;
			if (n > max)
				return -EFBIG;
		}
		capacity = capacity <= max / 2 ? capacity * 2 : max + 2;
	}
}

static int read_checked(const char *path, bool trusted, size_t max, char **ret_bytes,
			size_t *ret_length)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (trusted && ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022)))
		return -EPERM;
	return read_all(fd, max, ret_bytes, ret_length);
}

int file_read(const char *path, size_t max, char **ret_bytes, size_t *ret_length)
{
	return read_checked(path, false, max, ret_bytes, ret_length);
}

int file_read_trusted(const char *path, size_t max, char **ret_bytes, size_t *ret_length)
{
	return read_checked(path, true, max, ret_bytes, ret_length);
}

int file_replace_begin(const char *path, mode_t mode, struct file_replace *ret_replace)
{
	AUTO(file_replace) struct file_replace replace = { .path = strdup(path) };
	int fd;

	if (!replace.path || asprintf(&replace.temporary, "%s.new", path) < 0) {
		replace.temporary = NULL;
		return -ENOMEM;
	}
	if (unlink(replace.temporary) < 0 && errno != ENOENT)
		return -errno;
	fd = open(replace.temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	replace.stream = fdopen(fd, "w");
	if (!replace.stream) {
		close(fd);
		return -ENOMEM;
	}
	*ret_replace = replace;
	replace = (struct file_replace){ 0 };
	return 0;
}

int file_open_lines(const char *path, FILE **ret_file)
{
	FILE *f = fopen(path, "re");

	if (!f && errno != ENOENT)
		return -errno;
	*ret_file = f;
	return 0;
}

int file_lines_end(FILE *f)
{
	if (!f || (feof(f) && !ferror(f)))
		return 0;
	return errno ? -errno : -EIO;
}

static int sync_folder_of(const char *path)
{
	AUTO(mem) char *folder = strdup(path);
	AUTO(fd) int fd = -1;
	char *slash;

	if (!folder)
		return -ENOMEM;
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

void file_make_folder(const char *path, bool of_file, mode_t mode)
{
	AUTO(mem) char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!folder || (of_file && (!slash || slash == folder)))
		return;
	if (of_file)
		*slash = '\0';
	/* A folder whose name is lost in a power cut takes its files with it. */
	if (mkdir(folder, mode) < 0 || sync_folder_of(folder) < 0)
		return;
}

int file_replace_commit(struct file_replace *replace)
{
	int r = 0;

	if (fflush(replace->stream) != 0 || ferror(replace->stream) ||
	    fsync(fileno(replace->stream)) < 0)
		r = errno ? -errno : -EIO;
	if (fclose(TAKE(replace->stream)) != 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(replace->temporary, replace->path) < 0)
		r = -errno;
	if (r == 0) {
		mem_free(TAKE(replace->temporary));
		r = sync_folder_of(replace->path);
	}
	file_replace_abort(replace);
	return r;
}

void file_replace_abort(struct file_replace *replace)
{
	file_close(replace->stream);
	if (replace->temporary)
		unlink(replace->temporary);
	free(replace->temporary);
	free(replace->path);
	*replace = (struct file_replace){ 0 };
}

int file_replace_by_link(const char *from, const char *path)
{
	AUTO(mem) char *temporary = NULL;
	int r = 0;

	if (asprintf(&temporary, "%s.new", path) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	if ((unlink(temporary) < 0 && errno != ENOENT) || link(from, temporary) < 0)
		return -errno;
	if (rename(temporary, path) < 0)
		r = -errno;
	/* rename(2) leaves both names where they are the same file already */
	if (unlink(temporary) < 0 && errno != ENOENT && r == 0)
		r = -errno;
	return r == 0 ? sync_folder_of(path) : r;
}

int file_remove(const char *path)
{
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : -errno;
	return sync_folder_of(path);
}
