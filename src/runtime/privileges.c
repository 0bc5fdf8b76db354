/* SPDX-License-Identifier: GPL-2.0-or-later */
/* privileges.c - root, or the user of a unit → a user with CAP_NET_ADMIN and nothing else.
 *
 * Root becomes the user "uidwall". Only where that user could not read the files or write the state
 * as they are now, root stays root, with no other capability: files that only root may read are
 * no reason to leave services without their rules. It is a reason to say so. The state folder goes
 * from one of the two to the other, as systemd does with StateDirectory=.
 */
#include "runtime/privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

#define DAEMON_USER "uidwall"

static const struct user root = { 0, 0 };

/* --- the state folder */

/* What it may hold for us to change its owner: nobody's folder is taken for ours by mistake.
 * tests/netns/45-sandbox.sh fails where one of our files is missing here.
 */
static bool is_ours(const char *name)
{
	static const char *const names[] = { ".",     "..",  "last-good", "previous",
					     "trial", "off", "table" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i]);

		if (strncmp(name, names[i], n) == 0 && (!name[n] || strcmp(name + n, ".new") == 0))
			return true;
	}
	return false;
}

static void change_owner(DIR *dir, struct user to)
{
	const struct dirent *entry;

	while ((entry = readdir(dir)))
		if (!is_ours(entry->d_name))
			return;
	rewinddir(dir);
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, "..") != 0 &&
		    fchownat(dirfd(dir), entry->d_name, to.uid, to.gid, AT_SYMLINK_NOFOLLOW) < 0)
			log_warning("%s in the state folder keeps its owner: %s", entry->d_name,
				    strerror(errno));
}

/* Says nothing where it cannot, or where it belongs to somebody else: whoever uses it will. */
static void hand_over_state(const char *path, struct user from, struct user to)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	DIR *dir;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != from.uid)
		return;
	dir = fdopendir(fd);
	if (!dir)
		return;
	fd = -1;
	change_owner(dir, to);
	closedir(dir);
}

/* --- can the user do the work? */

/* Whether the effective user may: NULL, or what it may not. Other errors are for those who use it.
 */
static char *try_access(const char *path, int mode)
{
	char *why = NULL;

	if (faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0 || errno != EACCES)
		return NULL;
	if (asprintf(&why, "the user " DAEMON_USER " may not %s %s", mode & W_OK ? "write" : "read",
		     path) < 0)
		why = strdup("out of memory");
	return why;
}

static char *try_files(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char *why = NULL;

	while (dir && !why && (entry = readdir(dir))) {
		AUTO(mem) char *path = NULL;

		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
			path = NULL;
		else
			why = try_access(path, R_OK);
	}
	if (dir)
		closedir(dir);
	return why;
}

static char *try_all(const struct sandbox_options *options)
{
	char *why = try_access(options->config, R_OK);

	if (!why)
		why = try_access(options->policies, R_OK | X_OK);
	if (!why)
		why = try_files(options->policies);
	if (!why)
		why = try_access(options->state, R_OK | W_OK | X_OK);
	return why;
}

/* Tries as that user, and comes back as root: NULL, or why the user cannot do it. */
static char *try_user(const struct user *user, const struct sandbox_options *options)
{
	char *why = NULL;

	if (setgroups(0, NULL) < 0 || setegid(user->gid) < 0 || seteuid(user->uid) < 0) {
		if (asprintf(&why, "cannot become the user " DAEMON_USER ": %s", strerror(errno)) <
		    0)
			why = strdup("out of memory");
	} else {
		why = try_all(options);
	}
	if (seteuid(0) < 0 || setegid(0) < 0)
		log_error("cannot become root again: %s", strerror(errno));
	return why;
}

/* --- dropping */

static void drop_as_root(const struct sandbox_options *options, struct sandbox *sandbox)
{
	struct user user;

	if (!user_find(DAEMON_USER, &user)) {
		sandbox->stays_root = strdup("there is no user " DAEMON_USER " in /etc/passwd");
	} else {
		hand_over_state(options->state, root, user);
		sandbox->stays_root = try_user(&user, options);
		if (sandbox->stays_root)
			hand_over_state(options->state, user, root);
	}
	user_become(sandbox->stays_root ? NULL : &user, CAP_NET_ADMIN);
	if (sandbox->stays_root)
		log_warning("started by root and stays root, because %s", sandbox->stays_root);
}

void privileges_drop(const struct sandbox_options *options, struct sandbox *ret_sandbox)
{
	if (geteuid() == 0)
		drop_as_root(options, ret_sandbox);
	else
		user_drop(CAP_NET_ADMIN);
	user_forbid_new_privileges();
	user_look(CAP_NET_ADMIN, &ret_sandbox->rights);
}
