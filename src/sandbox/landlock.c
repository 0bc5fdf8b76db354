/* SPDX-License-Identifier: GPL-2.0-or-later */
/* landlock.c - what is to go and what stays → a Landlock ruleset, as far as this kernel has it. */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/log.h"

enum {
	VERSION_REFER = 2,
	VERSION_TRUNCATE = 3,
	VERSION_NET = 4,
	VERSION_IOCTL = 5,
	VERSION_SCOPE = 6,
};

/* struct landlock_ruleset_attr as of version 6; older kernels know its beginning. */
struct ruleset {
	uint64_t fs, net, scope;
};

static size_t ruleset_size(int version)
{
	if (version < VERSION_NET)
		return offsetof(struct ruleset, net);
	return version < VERSION_SCOPE ? offsetof(struct ruleset, scope) : sizeof(struct ruleset);
}

static struct ruleset make_ruleset(const struct landlock_policy *policy, int version)
{
	struct ruleset ruleset = { policy->fs, policy->net, policy->scope };

	if (version < VERSION_REFER)
		ruleset.fs &= ~(uint64_t)LANDLOCK_FS_REFER;
	if (version < VERSION_TRUNCATE)
		ruleset.fs &= ~(uint64_t)LANDLOCK_FS_TRUNCATE;
	if (version < VERSION_IOCTL)
		ruleset.fs &= ~(uint64_t)LANDLOCK_FS_IOCTL;
	return ruleset;
}

/* A folder that is missing stays closed. */
static void allow(int fd, const struct ruleset *ruleset, const struct landlock_rule *allowed)
{
	AUTO(mem) char *folder = strdup(allowed->path);
	struct landlock_path_beneath_attr rule = { .allowed_access =
							   allowed->rights & ruleset->fs };
	AUTO(fd) int folder_fd = -1;
	char *slash;

	if (!folder)
		return;
	for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--)
		folder[n - 1] = '\0';
	slash = strrchr(folder, '/');
	if (allowed->parent && slash)
		slash[slash == folder] = '\0';
	folder_fd =
		open(allowed->parent && !slash ? "." : folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	rule.parent_fd = folder_fd;
	if (folder_fd < 0 ||
	    syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		log_warning("Landlock: %s stays %s: %s", folder,
			    allowed->rights & LANDLOCK_FS_CHANGE ? "read-only" : "closed",
			    strerror(errno));
}

/* The version, and a ruleset without rules; -1 for the latter where there is none. */
static int create(const struct landlock_policy *policy, struct ruleset *ret_ruleset, int *ret_fd)
{
	int version =
		(int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	*ret_fd = -1;
	if (version < 1)
		return 0;
	*ret_ruleset = make_ruleset(policy, version);
	*ret_fd = (int)syscall(SYS_landlock_create_ruleset, ret_ruleset, ruleset_size(version), 0);
	if (*ret_fd < 0)
		log_warning("Landlock: %s", strerror(errno));
	return version;
}

unsigned landlock_enter(const struct landlock_policy *policy)
{
	struct ruleset ruleset;
	AUTO(fd) int fd = -1;
	int version = create(policy, &ruleset, &fd);

	if (fd < 0)
		return 0;
	for (size_t i = 0; i < policy->n_rules; i++)
		allow(fd, &ruleset, &policy->rules[i]);
	if (syscall(SYS_landlock_restrict_self, fd, 0) == 0)
		return (unsigned)version;
	log_warning("Landlock: %s", strerror(errno));
	return 0;
}
