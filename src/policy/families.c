/* SPDX-License-Identifier: GPL-2.0-or-later */
/* families.c - folders of cgroup2 below a unit's → which group lies in which.
 *
 * A unit may have been handed its part of the tree (Delegate=) and have made any number of groups
 * there: all of this is bounded.
 */
#include "policy/families.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Names of groups count from there for nft: unit_group.nft_path. */
#define NFT_CGROUPS "/sys/fs/cgroup"

struct walk {
	struct arena *arena;
	struct families *families;
};

static void add_member(struct walk *walk, const struct family_member *member)
{
	*ARENA_APPEND(walk->arena, walk->families->list, walk->families->n) = *member;
}

/* A folder's name is all that is asked for: kernfs_fop_readdir() gives the inode's number with it.
 */
static struct family_member child_of(const struct family_member *parent, uint64_t id)
{
	struct family_member child = *parent;

	child.id = id;
	if (child.n_groups < CGROUP_LEVELS)
		child.groups[child.n_groups++] = id;
	return child;
}

/* Takes the descriptor. */
static void walk_below(struct walk *walk, const struct family_member *member, int fd,
		       unsigned depth)
{
	const struct dirent *entry;
	DIR *folder = fdopendir(fd);

	if (!folder) {
		fd_close(fd);
		return;
	}
	while ((entry = readdir(folder))) {
		struct family_member child = child_of(member, entry->d_ino);
		int below;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (depth == FAMILIES_DEPTH_MAX || walk->families->n >= FAMILIES_MAX) {
			walk->families->is_cut = true;
			break;
		}
		add_member(walk, &child);
		below = openat(dirfd(folder), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (below >= 0)
			walk_below(walk, &child, below, depth + 1);
	}
	closedir(folder);
}

/* Where its folder is: nft_path says so from NFT_CGROUPS on, wherever cgroup2 is mounted. */
static bool find_folder(const struct unit_group *group, char ret_path[PATH_MAX])
{
	int n = snprintf(ret_path, PATH_MAX, NFT_CGROUPS "/%s", group->nft_path);

	return n > 0 && n < PATH_MAX;
}

/* The groups that the folders above it are. Where only a part of the tree is mounted, those above
 * the mount are not to be seen.
 */
static void find_above(const struct unit_group *group, struct family_member *member)
{
	size_t level = group->level - 1u;
	char path[PATH_MAX];
	struct stat st;

	if (!find_folder(group, path))
		return;
	for (const char *rest = group->path; level > 0 && strchr(rest, '/'); level--) {
		rest = strchr(rest, '/') + 1;
		*strrchr(path, '/') = '\0';
		if (stat(path, &st) == 0)
			member->groups[level - 1] = st.st_ino;
	}
}

static void add_group(struct walk *walk, const struct unit_group *group)
{
	struct family_member member = { .id = group->id, .n_groups = group->level };
	char path[PATH_MAX];
	struct stat st;
	int fd;

	find_above(group, &member);
	member.groups[group->level - 1] = group->id;
	add_member(walk, &member);
	if (group->is_gone || !find_folder(group, path))
		return;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* The unit may be another start of itself by now. */
	if (fstat(fd, &st) == 0 && st.st_ino == group->id)
		walk_below(walk, &member, fd, 0);
	else
		fd_close(fd);
}

static int compare_members(const void *a, const void *b)
{
	const struct family_member *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

void families_read(const struct policy_set *set, struct arena *arena, struct families *ret_families)
{
	struct families families = { NULL };
	struct walk walk = { arena, &families };
	size_t kept = 0;

	for (size_t i = 0; i < set->n_groups; i++)
		add_group(&walk, &set->groups[i]);
	if (families.n)
		qsort(families.list, families.n, sizeof(*families.list), compare_members);
	/* one unit may lie in another: that of a slice */
	for (size_t i = 0; i < families.n; i++)
		if (!kept || families.list[kept - 1].id != families.list[i].id)
			families.list[kept++] = families.list[i];
	families.n = kept;
	*ret_families = families;
}

const struct family_member *families_find(const struct families *families, uint64_t id)
{
	size_t low = 0, high = families->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (families->list[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < families->n && families->list[low].id == id ? &families->list[low] : NULL;
}
