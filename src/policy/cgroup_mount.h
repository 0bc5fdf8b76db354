/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroup_mount.h - where cgroup2 is mounted, and where in it this process is. */
#ifndef UIDWALL_POLICY_CGROUP_MOUNT_H
#define UIDWALL_POLICY_CGROUP_MOUNT_H

#include "base/arena.h"

struct cgroup_mount {
	const char *path; /* of the folder that stands for the root; NULL: not mounted */
	unsigned levels;  /* between the root and that folder, where only a part is mounted */
};

/* One that shows the whole tree, else one that shows a part. Lives in the arena. */
struct cgroup_mount cgroup_mount_find(struct arena *arena);

enum { CGROUP_OWN_MAX = 32 };

/* The numbers of this process's group and of those above it; how many. */
size_t cgroup_find_own(uint64_t ret_ids[CGROUP_OWN_MAX]);

#endif
