/* SPDX-License-Identifier: GPL-2.0-or-later */
/* become.c - root → a user, for good.
 *
 * The user may be in an intruder's hands, and the intruder would like this test to find nothing. A
 * process that changed its uid is not dumpable, so that user's others can neither trace it nor open
 * its descriptors (ptrace(2), proc(5)); they can still kill it, which is then seen.
 */
#include "selftest/become.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* setresuid() takes them only where no secure bit says otherwise. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capset, &header, none) < 0)
		return -errno;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ? -errno : 0;
}

static bool has_become(uid_t uid, gid_t gid)
{
	uid_t u[3];
	gid_t g[3];

	return getresuid(&u[0], &u[1], &u[2]) == 0 && getresgid(&g[0], &g[1], &g[2]) == 0 &&
	       u[0] == uid && u[1] == uid && u[2] == uid && g[0] == gid && g[1] == gid &&
	       g[2] == gid && getgroups(0, NULL) == 0;
}

int become_user(uid_t uid, gid_t gid)
{
	int r;

	if (uid == 0 || uid == (uid_t)-1)
		return -EINVAL;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	/* fs.suid_dumpable may say otherwise */
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* a change of uid takes this back: prctl(2) */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	r = drop_capabilities();
	if (r < 0)
		return r;
	return has_become(uid, gid) ? 0 : -EPERM;
}
