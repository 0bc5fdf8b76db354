/* SPDX-License-Identifier: GPL-2.0-or-later */
/* landlock.c - the folders that the daemon writes → all others are read-only, by Landlock.
 *
 * Reading is left alone: name services read where they like (/var/lib/sss, /run/systemd/userdb),
 * and the daemon's user reads what everybody may.
 *
 * glibc has no functions for this, and Debian 12's header ends at version 2; the numbers are those
 * of linux/landlock.h, which never change.
 */
#include "runtime/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/log.h"

enum {
	VERSION_REFER = 2,
	VERSION_TRUNCATE = 3,
	VERSION_NET = 4,
	VERSION_IOCTL = 5,
	VERSION_SCOPE = 6,
};

enum {
	FS_CHANGE = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
		    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
		    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
		    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
		    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
		    LANDLOCK_ACCESS_FS_EXECUTE,
	FS_REFER = 1 << 13,
	FS_TRUNCATE = 1 << 14,
	FS_IOCTL = 1 << 15,
	FS_STATE = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
		   LANDLOCK_ACCESS_FS_MAKE_REG | FS_TRUNCATE,
	NET_ALL = 1 << 0 | 1 << 1, /* bind and connect, TCP */
	SCOPE_SIGNAL = 1 << 1,
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

static struct ruleset make_ruleset(int version)
{
	struct ruleset ruleset = { .fs = FS_CHANGE, .net = NET_ALL, .scope = SCOPE_SIGNAL };

	if (version >= VERSION_REFER)
		ruleset.fs |= FS_REFER;
	if (version >= VERSION_TRUNCATE)
		ruleset.fs |= FS_TRUNCATE;
	if (version >= VERSION_IOCTL)
		ruleset.fs |= FS_IOCTL;
	return ruleset;
}

/* Below `path`, or its folder, these are allowed. A folder that is missing stays closed. */
static void allow(int fd, const struct ruleset *ruleset, const char *path, bool parent,
		  uint64_t rights)
{
	AUTO(mem) char *folder = strdup(path);
	struct landlock_path_beneath_attr rule = { .allowed_access = rights & ruleset->fs };
	AUTO(fd) int folder_fd = -1;
	char *slash;

	if (!folder)
		return;
	for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--)
		folder[n - 1] = '\0';
	slash = strrchr(folder, '/');
	if (parent && slash)
		slash[slash == folder] = '\0';
	folder_fd = open(parent && !slash ? "." : folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	rule.parent_fd = folder_fd;
	if (folder_fd < 0 ||
	    syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		log_warning("Landlock: %s stays read-only: %s", folder, strerror(errno));
}

/* The version, and a ruleset without rules; -1 for the latter where there is none. */
static int create(bool with_net, struct ruleset *ret_ruleset, int *ret_fd)
{
	int version =
		(int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	*ret_fd = -1;
	if (version < 1)
		return 0;
	*ret_ruleset = make_ruleset(version);
	if (!with_net)
		ret_ruleset->net = 0;
	*ret_fd = (int)syscall(SYS_landlock_create_ruleset, ret_ruleset, ruleset_size(version), 0);
	if (*ret_fd < 0)
		log_warning("Landlock: %s", strerror(errno));
	return version;
}

static bool restrict_self(int fd)
{
	if (fd < 0)
		return false;
	if (syscall(SYS_landlock_restrict_self, fd, 0) == 0)
		return true;
	log_warning("Landlock: %s", strerror(errno));
	return false;
}

unsigned landlock_enter(const struct sandbox_options *options)
{
	struct ruleset ruleset;
	AUTO(fd) int fd = -1;
	int version = create(true, &ruleset, &fd);

	if (fd < 0)
		return 0;
	/* The rule is the folder's as it is now; a file system that is mounted on it later would
	 * not be covered, so it is the folder above. What else is there is not the user's to write,
	 * but it may be root's.
	 */
	allow(fd, &ruleset, options->state, geteuid() != 0, FS_STATE);
	allow(fd, &ruleset, options->control, true, LANDLOCK_ACCESS_FS_REMOVE_FILE);
	return restrict_self(fd) ? (unsigned)version : 0;
}

void landlock_enter_modules(void)
{
	struct ruleset ruleset;
	AUTO(fd) int fd = -1;

	create(false, &ruleset, &fd);
	restrict_self(fd);
}
