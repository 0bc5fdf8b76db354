/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroup_mount.c - /proc/self → where cgroup2 is, and where in it this process is.
 *
 * What the kernel shows there counts from the root of our own cgroup namespace, and so does the
 * level of "socket cgroupv2" (net/netfilter/nft_socket.c, nft_socket_cgroup_subtree_level();
 * kernels before that, of 2024, count from the true root).
 */
#include "policy/cgroup_mount.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static unsigned n_folders(const char *path)
{
	unsigned n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* Spaces and the like are written as \040 (proc_pid_mountinfo(5)). */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		unsigned c;

		if (from[0] == '\\' && sscanf(from + 1, "%3o", &c) == 1) {
			*to++ = (char)c;
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

/* Of another namespace's tree: nothing there is below the root that the kernel counts from. */
static bool is_outside(const char *root)
{
	return strcmp(root, "/..") == 0 || strncmp(root, "/../", 4) == 0;
}

/* The first that shows the whole tree, else the first. */
struct cgroup_mount cgroup_mount_find(struct arena *arena)
{
	struct cgroup_mount found = { 0 };
	char line[8192], root[4096], path[4096];
	FILE *in = fopen("/proc/self/mountinfo", "re");

	while (in && fgets(line, sizeof(line), in)) {
		const char *type = strstr(line, " - ");
		unsigned levels;

		if (!type || strncmp(type + 3, "cgroup2 ", 8) != 0 ||
		    sscanf(line, "%*d %*d %*s %4095s %4095s", root, path) != 2 || is_outside(root))
			continue;
		levels = strcmp(root, "/") == 0 ? 0 : n_folders(root);
		if (found.path && (levels || !found.levels))
			continue;
		unescape(path);
		found = (struct cgroup_mount){ arena_strdup(arena, path), levels };
	}
	if (in)
		fclose(in);
	return found;
}

/* "0::/system.slice/blog.service"; cgroups(7). */
static bool read_own_path(char *path, int size)
{
	char line[4096 + 4];
	FILE *in = fopen("/proc/self/cgroup", "re");
	bool found = false;

	while (in && !found && fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		found = strncmp(line, "0::/", 4) == 0 &&
			snprintf(path, (size_t)size, "%s", line + 3) < size;
	}
	if (in)
		fclose(in);
	return found;
}

size_t cgroup_find_own(uint64_t ret_ids[CGROUP_OWN_MAX])
{
	AUTO(arena) struct arena *arena = arena_new();
	struct cgroup_mount mount = cgroup_mount_find(arena);
	char own[4096], *path, *slash;
	struct stat st;
	size_t n = 0;

	if (!mount.path || mount.levels || !read_own_path(own, sizeof(own)))
		return 0;
	path = arena_printf(arena, "%s%s", mount.path, own);
	while (n < CGROUP_OWN_MAX && (slash = strrchr(path + strlen(mount.path), '/'))) {
		if (slash[1] && stat(path, &st) == 0)
			ret_ids[n++] = st.st_ino;
		*slash = '\0';
	}
	return n;
}
