/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user.c - root, or the user of a unit → a user with one capability or none. */
#include "sandbox/user.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"

bool user_find(const char *name, struct user *ret_user)
{
	AUTO(file) FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *line;

	while (f && (line = fgetpwent(f)))
		if (strcmp(line->pw_name, name) == 0 && line->pw_uid != 0) {
			*ret_user = (struct user){ line->pw_uid, line->pw_gid };
			return true;
		}
	return false;
}

/* --- dropping */

static bool has(capng_type_t type, unsigned capability)
{
	return capng_have_capability(type, capability) > 0;
}

static void keep_only(int capability)
{
	bool permitted;

	capng_get_caps_process();
	permitted = capability >= 0 && has(CAPNG_PERMITTED, (unsigned)capability);
	capng_clear(CAPNG_SELECT_ALL);
	if (permitted)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, (unsigned)capability);
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

int user_become(const struct user *user, int capability)
{
	int uid = user ? (int)user->uid : -1, gid = user ? (int)user->gid : -1, r;

	lock_root_out();
	keep_only(capability);
	r = capng_change_id(uid, gid,
			    CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT);
	if (r < 0)
		log_error("cannot drop privileges (step %d of capng_change_id)", -r);
	return r < 0 ? -EPERM : 0;
}

/* A unit has done most of it; what is left may lack CAP_SETPCAP, so the bounding set stays. */
void user_drop(int capability)
{
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	capng_get_caps_process();
	if (capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE)
		return;
	keep_only(capability);
	capng_apply(CAPNG_SELECT_CAPS);
}

void user_forbid_new_privileges(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_warning("cannot forbid new privileges: %s", strerror(errno));
}

/* --- what is left */

static void put_name(char ret_name[USER_NAME_MAX])
{
	AUTO(file) FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *line;
	uid_t uid = geteuid();

	snprintf(ret_name, USER_NAME_MAX, "%u", uid);
	while (f && (line = fgetpwent(f)))
		if (line->pw_uid == uid && strlen(line->pw_name) < USER_NAME_MAX) {
			strcpy(ret_name, line->pw_name);
			return;
		}
}

void user_look(int capability, struct user_rights *ret_rights)
{
	struct user_rights rights = { .is_bound = true };

	capng_get_caps_process();
	for (int i = 0; i <= CAP_LAST_CAP; i++) {
		unsigned c = (unsigned)i;

		if (i == capability) {
			rights.has_capability = has(CAPNG_EFFECTIVE, c);
			continue;
		}
		rights.n_other_caps += has(CAPNG_PERMITTED, c) || has(CAPNG_INHERITABLE, c);
		if (has(CAPNG_BOUNDING_SET, c))
			rights.is_bound = false;
	}
	rights.no_new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	put_name(rights.user);
	*ret_rights = rights;
}
