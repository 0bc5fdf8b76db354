/* SPDX-License-Identifier: GPL-2.0-or-later */
/* folder.h - folders and files that somebody named → the files of policies. */
#ifndef UIDWALL_POLICY_FOLDER_H
#define UIDWALL_POLICY_FOLDER_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/diag.h"

/* A file by its name, and which file that was when it was listed; inode 0: it could not be told. */
struct listed_file {
	const char *path;
	dev_t device;
	ino_t inode;
};

struct path_list {
	struct listed_file *files; /* sorted, each once */
	size_t n;
};

/* All *.json of each folder and each file, in the arena. -errno, with diags, where a path cannot be
 * read or others than root and the owner may write in the folder.
 */
int folder_list(const char *const *paths, size_t n_paths, uid_t owner, struct arena *arena,
		struct path_list *ret_list, struct diags *diags);

/* Whether they are the same names of the same files; what is in a file is its own business. */
bool path_list_same(const struct path_list *a, const struct path_list *b);

#endif
