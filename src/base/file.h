/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.h - whole files: read within a bound, replaced so that readers see the old or the new one.
 */
#ifndef UIDWALL_BASE_FILE_H
#define UIDWALL_BASE_FILE_H

#include <sys/types.h>

#include "base/util.h"

/* Reads a regular file of at most max bytes; malloc'd, with a NUL behind. Never follows a symbolic
 * link in the last component and never blocks. -EFBIG when it is larger, -EINVAL when it is
 * something else.
 */
int file_read(const char *path, size_t max, char **ret_bytes, size_t *ret_length);

/* The same for a file that is to be trusted: -EPERM unless it belongs to root or to the caller and
 * nobody else may write it.
 */
int file_read_trusted(const char *path, size_t max, char **ret_bytes, size_t *ret_length);

/* Opens a file that is read line by line. NULL in *ret_file, and 0, where there is none. */
int file_open_lines(const char *path, FILE **ret_file);
/* Once a line could not be had: 0 at the end of the file, else why; `f` may be NULL. A file that is
 * cut off where reading failed looks just like a shorter one.
 */
int file_lines_end(FILE *f);

/* Makes the last folder of a path, or of_file: the one that a file is to stand in, where it is
 * missing. Says nothing where that fails: whoever needs the folder will.
 */
void file_make_folder(const char *path, bool of_file, mode_t mode);

/* A file being written that takes the place of `path` once file_replace_commit() succeeded. */
struct file_replace {
	FILE *stream;
	char *path;
	char *temporary; /* beside it, with a fixed name: a crash leaves no more than one behind */
};

int file_replace_begin(const char *path, mode_t mode, struct file_replace *ret_replace);
/* Writes to disk, renames, writes the folder to disk. On failure path is as it was, or just not
 * lasting yet. Frees all.
 */
int file_replace_commit(struct file_replace *replace);
void file_replace_abort(struct file_replace *replace); /* fine after a commit */
__attribute__((unused)) static inline void file_replace_cleanup(struct file_replace *replace)
{
	file_replace_abort(replace);
}

/* Makes `path` another name of the file `from`, in one step and lasting; it must be one that is
 * only ever replaced, never written to.
 */
int file_replace_by_link(const char *from, const char *path);

/* Lasting too. 0 also where there is none. */
int file_remove(const char *path);

#endif
