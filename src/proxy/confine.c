/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine.c - a user without any right, hardly a file, and few system calls.
 *
 * To connect to a path (the control socket) needs no right of Landlock's, nor does writing to what
 * is open already. /etc as a whole can be read, because /etc/hosts is: most editors put a new file
 * in its place, which a rule for the old one would not be for.
 */
#include "proxy/confine.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "config.h"

#include "base/log.h"
#include "sandbox/landlock.h"
#include "sandbox/syscalls.h"
#include "sandbox/user.h"

/* --- the user */

static int become(void)
{
	struct user user;

	if (!user_find(PROXY_USER, &user)) {
		log_error("there is no user " PROXY_USER " in /etc/passwd to become, and the proxy "
			  "does not run as root: make it with \"systemd-sysusers\", or \"useradd "
			  "--system --no-create-home --shell /usr/sbin/nologin " PROXY_USER "\"");
		return -EPERM;
	}
	return user_become(&user, USER_NO_CAPABILITY);
}

int confine_user(void)
{
	struct user_rights rights;

	if (geteuid() == 0) {
		if (become() < 0)
			return -EPERM;
	} else {
		user_drop(USER_NO_CAPABILITY);
	}
	user_forbid_new_privileges();
	/* No core with passwords in it, and no other process of this user may look inside. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		log_warning("core dumps stay possible: %s", strerror(errno));
	user_look(USER_NO_CAPABILITY, &rights);
	if (strcmp(rights.user, PROXY_USER) != 0) {
		log_error("runs as the user %s: start it as root, which it gives up, or as the "
			  "user " PROXY_USER ", whom alone uidwalld tells who may go where",
			  rights.user);
		return -EPERM;
	}
	if (rights.n_other_caps || !rights.no_new_privileges) {
		log_error("%s", rights.n_other_caps ?
					"capabilities are left that cannot be dropped" :
					"new privileges cannot be forbidden");
		return -EPERM;
	}
	return 0;
}

/* --- system calls: names with blanks between them */

static const char *const allowed[] = {
	/* /etc/hosts, and what is written to the journal */
	"close fcntl fstat newfstatat open openat read stat statx write writev",
	/* waiting */
	"epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd2 poll ppoll",
	/* sockets: none listens that did not before */
	"accept accept4 connect getpeername getsockname getsockopt recvfrom recvmsg sendmsg sendto",
	"setsockopt shutdown pipe2 splice",
};

/* TCP and UDP: no raw sockets, no ping, no MPTCP. The type's flags count for nothing. */
#define IP_SOCKET(family, type, protocol)                                                          \
	{                                                                                          \
		"socket", 0, 3,                                                                    \
		{                                                                                  \
			SCMP_A0(SCMP_CMP_EQ, family), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, type),      \
				SCMP_A2(SCMP_CMP_EQ, protocol)                                     \
		}                                                                                  \
	}

static const struct syscall_case cases[] = {
	{ "socket", 0, 1, SYSCALL_FAMILY(AF_UNIX) },
	{ "socket", 0, 2, SYSCALL_NETLINK(NETLINK_SOCK_DIAG) },
	IP_SOCKET(AF_INET, SOCK_STREAM, 0),
	IP_SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
	IP_SOCKET(AF_INET, SOCK_DGRAM, 0),
	IP_SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
	IP_SOCKET(AF_INET6, SOCK_STREAM, 0),
	IP_SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	IP_SOCKET(AF_INET6, SOCK_DGRAM, 0),
	IP_SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
	{ "socket", EAFNOSUPPORT, 1, SYSCALL_FAMILY(AF_PACKET) },
	{ "ioctl", 0, 1, { SCMP_A1(SCMP_CMP_EQ, TCGETS) } },
	{ "ioctl", 0, 1, { SCMP_A1(SCMP_CMP_EQ, FIONREAD) } },
	{ "ioctl", 0, 1, { SCMP_A1(SCMP_CMP_EQ, FIONBIO) } },
	/* if_nametoindex(), for a resolver such as fe80::1%eth0 */
	{ "ioctl", 0, 1, { SCMP_A1(SCMP_CMP_EQ, SIOCGIFINDEX) } },
};

static const struct syscall_lists lists = {
	allowed, ARRAY_SIZE(allowed), "bind link linkat rename renameat renameat2 unlink unlinkat",
	cases, ARRAY_SIZE(cases)
};

/* --- all of it */

static unsigned close_files(void)
{
	static const struct landlock_rule rules[] = {
		{ "/etc", false, LANDLOCK_ACCESS_FS_READ_FILE },
#ifdef UIDWALL_SANITIZERS
		{ "/proc", false, LANDLOCK_FS_READ }, /* the leak checker at the end */
#endif
	};
	const struct landlock_policy policy = {
		.fs = LANDLOCK_FS_CHANGE | LANDLOCK_FS_READ,
		.net = LANDLOCK_TCP_BIND,
		.scope = LANDLOCK_ABSTRACT | LANDLOCK_SIGNAL,
		.rules = rules,
		.n_rules = ARRAY_SIZE(rules),
	};

	return landlock_enter(&policy);
}

void confine_rest(bool with_seccomp)
{
	static atomic_flag is_told = ATOMIC_FLAG_INIT;
	char calls[64] = "all system calls", files[64] = "no Landlock";
	unsigned landlock = close_files(), n_calls = 0;

	if (with_seccomp)
		n_calls = syscalls_enter(&lists);
	if (atomic_flag_test_and_set(&is_told))
		return;
	if (!with_seccomp)
		log_warning("--no-seccomp: the proxy's own system calls are not filtered");
	if (n_calls)
		snprintf(calls, sizeof(calls), "%u system calls", n_calls);
	if (landlock)
		snprintf(files, sizeof(files), "Landlock %u", landlock);
	log_info("sandbox: user " PROXY_USER ", no capability, %s, %s", calls, files);
}
