/* SPDX-License-Identifier: GPL-2.0-or-later */
/* syscalls.h - which system calls a program may make.
 *
 * What is on no list looks like a call that this kernel does not have (ENOSYS), so that a C library
 * that tries something new does without, as it does on an older kernel. What an intruder would try
 * gets EPERM. Nothing is killed for it: who fixes what a library's update has broken needs a
 * program that can say what is wrong. Each refusal is a line in the kernel's log (audit type 1326).
 */
#ifndef UIDWALL_SANDBOX_SYSCALLS_H
#define UIDWALL_SANDBOX_SYSCALLS_H

#include <linux/netlink.h>
#include <seccomp.h>
#include <sys/socket.h>

#include "base/util.h"

/* Allowed, or refused with an error, for some arguments; for all others there is "no such call". */
struct syscall_case {
	const char *call;
	int error; /* 0: allowed */
	unsigned n;
	struct scmp_arg_cmp args[3];
};

/* Beside what every program of ours may do. Names have blanks between them. */
struct syscall_lists {
	const char *const *allowed;
	size_t n_allowed;
	const char *forbidden;		  /* a clear no, as for what nobody of ours may do */
	const struct syscall_case *cases; /* those of one call stand together */
	size_t n_cases;
};

#define SYSCALL_FAMILY(family)                                                                     \
	{                                                                                          \
		SCMP_A0(SCMP_CMP_EQ, family)                                                       \
	}
#define SYSCALL_NETLINK(protocol)                                                                  \
	{                                                                                          \
		SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_EQ, protocol)                   \
	}

/* From here on the kernel knows no others. Returns how many are allowed; 0, with a line in the log:
 * it cannot filter them.
 */
unsigned syscalls_enter(const struct syscall_lists *lists);

/* For a process that runs code of others: all but what none of it has any business with. 0 or
 * -errno.
 */
int syscalls_enter_wide(void);

#endif
