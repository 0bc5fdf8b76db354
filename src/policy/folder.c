/* SPDX-License-Identifier: GPL-2.0-or-later */
/* folder.c - folders and files that somebody named → the files of policies. */
#include "policy/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int compare_files(const void *a, const void *b)
{
	const struct listed_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int check_folder(const char *path, const struct stat *st, uid_t owner, struct diags *diags)
{
	struct place place = { .file = path };

	if (st->st_uid != 0 && st->st_uid != owner)
		return diag_add(diags, DIAG_ERROR, place,
				"the folder belongs to uid %u, which could change any policy in "
				"it; expected root (chown root)",
				st->st_uid);
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return diag_add(diags, DIAG_ERROR, place,
				"others may write in the folder (mode %04o) and remove any policy; "
				"expected only its owner (chmod go-w)",
				st->st_mode & 07777);
	return 0;
}

/* name: within the folder, or as somebody named it (AT_FDCWD). */
static void add_file(struct arena *arena, struct path_list *list, int folder, const char *name,
		     const char *path)
{
	struct listed_file *file = ARENA_APPEND(arena, list->files, list->n);
	struct stat st;

	file->path = path;
	if (fstatat(folder, name, &st, 0) < 0)
		return;
	file->device = st.st_dev;
	file->inode = st.st_ino;
}

/* All *.json of a folder, but hidden ones: editors keep their copies as .name.swp or name~. */
static int list_folder(const char *path, uid_t owner, struct arena *arena, struct path_list *list,
		       struct diags *diags)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	struct stat st;
	int r = 0;

	if (!dir || fstat(dirfd(dir), &st) < 0)
		r = -errno;
	else
		r = check_folder(path, &st, owner, diags);
	while (r == 0) {
		size_t n;

		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			r = -errno;
			break;
		}
		n = strlen(entry->d_name);
		if (entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0)
			add_file(arena, list, dirfd(dir), entry->d_name,
				 arena_printf(arena, "%s%s%s", path,
					      path[strlen(path) - 1] == '/' ? "" : "/",
					      entry->d_name));
	}
	if (dir)
		closedir(dir);
	if (r < 0 && r != -EINVAL)
		diag_add(diags, DIAG_ERROR, (struct place){ .file = path },
			 "cannot read the folder of policies: %s", strerror(-r));
	return r;
}

/* Each once, though it may be named itself and in its folder. */
static void sort_files(struct path_list *list)
{
	size_t kept = 0;

	if (list->n)
		qsort(list->files, list->n, sizeof(*list->files), compare_files);
	for (size_t i = 0; i < list->n; i++)
		if (!kept || compare_files(&list->files[kept - 1], &list->files[i]) != 0)
			list->files[kept++] = list->files[i];
	list->n = kept;
}

int folder_list(const char *const *paths, size_t n_paths, uid_t owner, struct arena *arena,
		struct path_list *ret_list, struct diags *diags)
{
	struct path_list list = { 0 };
	int r = 0;

	for (size_t i = 0; i < n_paths; i++) {
		const char *path = arena_strdup(arena, paths[i]);
		struct stat st;
		int one = 0;

		if (stat(path, &st) < 0) {
			one = -errno;
			diag_add(diags, DIAG_ERROR, (struct place){ .file = path },
				 "cannot read: %s", strerror(-one));
		} else if (S_ISDIR(st.st_mode)) {
			one = list_folder(path, owner, arena, &list, diags);
		} else {
			add_file(arena, &list, AT_FDCWD, path, path);
		}
		if (one < 0)
			r = one;
	}
	sort_files(&list);
	*ret_list = list;
	return r;
}

bool path_list_same(const struct path_list *a, const struct path_list *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = compare_files(&a->files[i], &b->files[i]) == 0 &&
		       a->files[i].device == b->files[i].device &&
		       a->files[i].inode == b->files[i].inode;
	return same;
}
