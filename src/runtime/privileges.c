/* SPDX-License-Identifier: GPL-2.0-or-later */
/* privileges.c - root, or the user of a unit → a user with CAP_NET_ADMIN and nothing else.
 *
 * Root becomes the user "uidwall". Only where that user could not read the files or write the state
 * as they are now, root stays root, with no other capability: files that only root may read are
 * no reason to leave services without their rules. It is a reason to say so. The state folder goes
 * from one of the two to the other, as systemd does with StateDirectory=.
 *
 * The user is looked for in /etc/passwd alone: at boot a name service may hang.
 */
#include "runtime/privileges.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/log.h"

#define DAEMON_USER "uidwall"

struct user {
	uid_t uid;
	gid_t gid;
};

static const struct user root = { 0, 0 };

static bool find_user(struct user *ret_user)
{
	AUTO(file) FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *line;

	while (f && (line = fgetpwent(f)))
		if (strcmp(line->pw_name, DAEMON_USER) == 0 && line->pw_uid != 0) {
			*ret_user = (struct user){ line->pw_uid, line->pw_gid };
			return true;
		}
	return false;
}

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

static bool has(capng_type_t type, unsigned capability)
{
	return capng_have_capability(type, capability) > 0;
}

static void keep_net_admin(void)
{
	bool permitted;

	capng_get_caps_process();
	permitted = has(CAPNG_PERMITTED, CAP_NET_ADMIN);
	capng_clear(CAPNG_SELECT_ALL);
	if (permitted)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
}

/* Root's uid then means nothing to execve() and setuid(); not with SECBIT_KEEP_CAPS_LOCKED, which
 * would keep capng_change_id() from keeping what it is to keep.
 */
static void lock_root_out(void)
{
	enum {
		BITS = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
		       SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
		       SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED
	};

	if (prctl(PR_SET_SECUREBITS, BITS, 0, 0, 0) < 0)
		log_warning("cannot lock the securebits: %s", strerror(errno));
}

/* user NULL: stays root. */
static void drop_from_root(const struct user *user)
{
	int uid = user ? (int)user->uid : -1, gid = user ? (int)user->gid : -1, r;

	lock_root_out();
	keep_net_admin();
	r = capng_change_id(uid, gid,
			    CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT);
	if (r < 0)
		log_error("cannot drop privileges (step %d of capng_change_id)", -r);
}

/* A unit has done most of it; what is left may lack CAP_SETPCAP, so the bounding set stays. */
static void drop_from_user(void)
{
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	capng_get_caps_process();
	if (capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE)
		return;
	keep_net_admin();
	capng_apply(CAPNG_SELECT_CAPS);
}

/* --- what is left */

static void put_user(struct sandbox *sandbox)
{
	AUTO(file) FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *line;
	uid_t uid = geteuid();

	snprintf(sandbox->user, sizeof(sandbox->user), "%u", uid);
	while (f && (line = fgetpwent(f)))
		if (line->pw_uid == uid && strlen(line->pw_name) < sizeof(sandbox->user)) {
			strcpy(sandbox->user, line->pw_name);
			return;
		}
}

static void look(struct sandbox *sandbox)
{
	capng_get_caps_process();
	sandbox->has_net_admin = has(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
	sandbox->is_bound = true;
	sandbox->n_other_caps = 0;
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
		if (i == CAP_NET_ADMIN)
			continue;
		sandbox->n_other_caps += has(CAPNG_PERMITTED, i) || has(CAPNG_INHERITABLE, i);
		if (has(CAPNG_BOUNDING_SET, i))
			sandbox->is_bound = false;
	}
	sandbox->no_new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	put_user(sandbox);
}

static void drop_as_root(const struct sandbox_options *options, struct sandbox *sandbox)
{
	struct user user;

	if (!find_user(&user)) {
		sandbox->stays_root = strdup("there is no user " DAEMON_USER " in /etc/passwd");
	} else {
		hand_over_state(options->state, root, user);
		sandbox->stays_root = try_user(&user, options);
		if (sandbox->stays_root)
			hand_over_state(options->state, user, root);
	}
	drop_from_root(sandbox->stays_root ? NULL : &user);
	if (sandbox->stays_root)
		log_warning("started by root and stays root, because %s", sandbox->stays_root);
}

void privileges_drop(const struct sandbox_options *options, struct sandbox *ret_sandbox)
{
	if (geteuid() == 0)
		drop_as_root(options, ret_sandbox);
	else
		drop_from_user();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_warning("cannot forbid new privileges: %s", strerror(errno));
	look(ret_sandbox);
}
