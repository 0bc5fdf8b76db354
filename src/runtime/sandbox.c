/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.c - user, capabilities, files and system calls, in the order in which they can be given
 * up.
 */
#include "runtime/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "runtime/privileges.h"
#include "sandbox/landlock.h"
#include "sandbox/syscalls.h"

/* --- system calls: names with blanks between them */

static const char *const allowed[] = {
	/* files, as far as Landlock and their modes let it */
	"access close faccessat faccessat2 fcntl fstat fstatfs fsync getcwd getdents64 link linkat",
	"lseek lstat newfstatat open openat pread64 read readlink rename renameat renameat2 stat",
	"statfs statx unlink unlinkat write writev",
	/* waiting */
	"clock_nanosleep epoll_create1 epoll_ctl epoll_pwait epoll_wait eventfd2 inotify_add_watch",
	"inotify_init1 inotify_rm_watch nanosleep pipe2 poll ppoll timerfd_create timerfd_settime",
	/* sockets, of two families; to the service manager it writes unconnected */
	"accept4 bind getsockname getsockopt recvfrom recvmsg sendmsg sendto setsockopt",
};

static const struct syscall_case cases[] = {
	{ "socket", 0, 1, SYSCALL_FAMILY(AF_UNIX) },
	{ "socket", 0, 2, SYSCALL_NETLINK(NETLINK_NETFILTER) },
	{ "socket", 0, 2, SYSCALL_NETLINK(NETLINK_ROUTE) },
	{ "socket", 0, 2, SYSCALL_NETLINK(NETLINK_SOCK_DIAG) },
	{ "socket", EAFNOSUPPORT, 1, SYSCALL_FAMILY(AF_INET) },
	{ "socket", EAFNOSUPPORT, 1, SYSCALL_FAMILY(AF_INET6) },
	{ "socket", EAFNOSUPPORT, 1, SYSCALL_FAMILY(AF_PACKET) },
	{ "socketpair", 0, 1, SYSCALL_FAMILY(AF_UNIX) },
	/* stdio asks whether it writes to a terminal; nothing is pushed into one */
	{ "ioctl", 0, 1, { SCMP_A1(SCMP_CMP_EQ, TCGETS) } },
	{ "ioctl", 0, 1, { SCMP_A1(SCMP_CMP_EQ, FIONREAD) } },
	/* if_indextoname(), for routes, and if_nametoindex(), for fe80::1%eth0 */
	{ "ioctl", 0, 1, { SCMP_A1(SCMP_CMP_EQ, SIOCGIFNAME) } },
	{ "ioctl", 0, 1, { SCMP_A1(SCMP_CMP_EQ, SIOCGIFINDEX) } },
};

static const struct syscall_lists lists = { allowed, ARRAY_SIZE(allowed), "connect", cases,
					    ARRAY_SIZE(cases) };

/* --- files
 *
 * Reading is left alone: name services read where they like (/var/lib/sss, /run/systemd/userdb),
 * and the daemon's user reads what everybody may.
 */

enum {
	FS_STATE = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
		   LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_FS_TRUNCATE,
};

/* The rule is the folder's as it is now; a file system that is mounted on it later would not be
 * covered, so it is the folder above. What else is there is not the user's to write, but it may be
 * root's.
 */
static unsigned close_files(const struct sandbox_options *options)
{
	const struct landlock_rule rules[] = {
		{ options->state, geteuid() != 0, FS_STATE },
		{ options->control, true, LANDLOCK_ACCESS_FS_REMOVE_FILE },
	};
	const struct landlock_policy policy = {
		.fs = LANDLOCK_FS_CHANGE,
		.net = LANDLOCK_TCP_BIND | LANDLOCK_TCP_CONNECT,
		.scope = LANDLOCK_SIGNAL,
		.rules = rules,
		.n_rules = ARRAY_SIZE(rules),
	};

	return landlock_enter(&policy);
}

/* --- all of it */

static void say(const struct sandbox *sandbox)
{
	char calls[64] = "all system calls", files[64] = "no Landlock";

	if (sandbox->n_calls)
		snprintf(calls, sizeof(calls), "%u system calls", sandbox->n_calls);
	if (sandbox->landlock)
		snprintf(files, sizeof(files), "Landlock %u", sandbox->landlock);
	log_info("sandbox: user %s, %s%s, %s, %s", sandbox->rights.user,
		 sandbox->rights.has_capability ? "CAP_NET_ADMIN" : "no CAP_NET_ADMIN",
		 sandbox->rights.n_other_caps ? " AND OTHER CAPABILITIES" : " alone", calls, files);
}

void sandbox_enter(const struct sandbox_options *options, struct sandbox *ret_sandbox)
{
	*ret_sandbox = (struct sandbox){ 0 };
	privileges_drop(options, ret_sandbox);
	ret_sandbox->landlock = close_files(options);
	if (options->no_seccomp)
		log_warning("--no-seccomp: the daemon's own system calls are not filtered");
	else
		ret_sandbox->n_calls = syscalls_enter(&lists);
	say(ret_sandbox);
}

void sandbox_enter_modules(void)
{
	const struct landlock_policy policy = { .fs = LANDLOCK_FS_CHANGE,
						.scope = LANDLOCK_SIGNAL };
	int r;

	landlock_enter(&policy);
	r = syscalls_enter_wide();
	if (r < 0)
		log_warning("the name service's system calls are not filtered: %s", strerror(-r));
}

bool sandbox_is_complete(const struct sandbox *sandbox)
{
	return !sandbox->stays_root && !sandbox->rights.n_other_caps &&
	       sandbox->rights.no_new_privileges && sandbox->n_calls && sandbox->landlock;
}

void sandbox_done(struct sandbox *sandbox)
{
	free(sandbox->stays_root);
	*sandbox = (struct sandbox){ 0 };
}
