/* SPDX-License-Identifier: GPL-2.0-or-later */
/* syscalls.c - lists of system calls → a seccomp filter. */
#include "sandbox/syscalls.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"

#include "base/log.h"

enum { API_WITH_LOG = 3 /* seccomp_api_get(3): Linux 4.14 */ };

/* --- what each program of ours needs */

static const char *const common[] = {
	/* memory; none that holds new code: see common_cases[] */
	"brk madvise mremap munmap",
	/* itself */
	"exit exit_group futex getegid geteuid getgid getpid getppid getrandom gettid getuid",
	"membarrier restart_syscall rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_yield "
	"sysinfo",
	"uname",
	/* clocks: only where the vdso has none */
	"clock_getres clock_gettime gettimeofday time",
#ifdef UIDWALL_SANITIZERS
	/* the leak checker at the end: another thread stops this one and looks at it */
	"clone getdents prctl ptrace sigaltstack wait4",
#endif
};

#define NO_CODE                                                                                    \
	{                                                                                          \
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)                                          \
	}
#define CODE                                                                                       \
	{                                                                                          \
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)                                  \
	}

static const struct syscall_case common_cases[] = {
	/* no memory that can be run, so no code but what is there already */
	{ "mmap", 0, 1, NO_CODE },
	{ "mmap", EPERM, 1, CODE },
	{ "mprotect", 0, 1, NO_CODE },
	{ "mprotect", EPERM, 1, CODE },
	/* limits are read, not set */
	{ "prlimit64", 0, 1, { SCMP_A2(SCMP_CMP_EQ, 0) } },
	{ "prlimit64", EPERM, 1, { SCMP_A2(SCMP_CMP_NE, 0) } },
};

/* --- what whoever got in would try: not "no such call" but a clear no */

static const char *const forbidden[] = {
	/* other programs and processes */
	"execve execveat fork vfork clone3 kill tkill pidfd_open shmget shmat remap_file_pages",
	"chmod fchmod fchmodat chown fchown fchownat lchown mkdir mkdirat mknod mknodat symlink",
	"symlinkat listen memfd_create add_key keyctl request_key",
#ifndef UIDWALL_SANITIZERS
	"clone prctl ptrace",
#endif
};

/* The same, and no business of anybody's code in our processes either. */
static const char *const forbidden_to_all[] = {
	/* other users, processes and places */
	"pidfd_getfd pidfd_send_signal process_vm_readv process_vm_writev personality "
	"pkey_mprotect",
	"setuid setgid setresuid setresgid setreuid setregid setgroups setfsuid setfsgid capset",
	"chroot fsopen mount mount_setattr move_mount open_tree pivot_root setns umount2 unshare",
	"open_by_handle_at",
	/* parts of the kernel that are known for their mistakes, or are root's */
	"bpf io_uring_enter io_uring_register io_uring_setup ioperm iopl modify_ldt",
	"perf_event_open seccomp userfaultfd",
	"adjtimex clock_settime delete_module finit_module init_module kexec_file_load kexec_load",
	"reboot setdomainname sethostname settimeofday swapoff swapon",
};

/* --- the filter */

/* A name that this machine has no call for is none to worry about. */
static int add(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned n,
	       const struct scmp_arg_cmp *args)
{
	int number = seccomp_syscall_resolve_name(name);

	return number < 0 ? 0 : seccomp_rule_add_array(filter, action, number, n, args);
}

static int add_words(scmp_filter_ctx filter, uint32_t action, const char *words,
		     unsigned *ret_count)
{
	char name[32];
	int r = 0, length;

	for (; r == 0 && sscanf(words, "%31s%n", name, &length) == 1; words += length) {
		r = add(filter, action, name, 0, NULL);
		*ret_count += seccomp_syscall_resolve_name(name) >= 0;
	}
	return r;
}

static int allow_words(scmp_filter_ctx filter, const char *const words[], size_t n,
		       unsigned *ret_count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_words(filter, SCMP_ACT_ALLOW, words[i], ret_count);
	return r;
}

static int forbid_words(scmp_filter_ctx filter, const char *const words[], size_t n)
{
	unsigned unused = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_words(filter, SCMP_ACT_ERRNO(EPERM), words[i], &unused);
	return r;
}

static int add_cases(scmp_filter_ctx filter, const struct syscall_case *cases, size_t n,
		     unsigned *ret_count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct syscall_case *row = &cases[i];

		r = add(filter, row->error ? SCMP_ACT_ERRNO(row->error) : SCMP_ACT_ALLOW, row->call,
			row->n, row->args);
		*ret_count += !i || strcmp(row->call, cases[i - 1].call) != 0;
	}
	return r;
}

static int add_all(scmp_filter_ctx filter, const struct syscall_lists *lists, unsigned *ret_allowed)
{
	/* abort() sends a signal to itself */
	const struct scmp_arg_cmp itself = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());
	int r = add(filter, SCMP_ACT_ALLOW, "tgkill", 1, &itself);

	*ret_allowed = 1;
	if (r == 0)
		r = allow_words(filter, common, ARRAY_SIZE(common), ret_allowed);
	if (r == 0)
		r = add_cases(filter, common_cases, ARRAY_SIZE(common_cases), ret_allowed);
	if (r == 0)
		r = allow_words(filter, lists->allowed, lists->n_allowed, ret_allowed);
	if (r == 0)
		r = add_cases(filter, lists->cases, lists->n_cases, ret_allowed);
	if (r == 0)
		r = forbid_words(filter, forbidden, ARRAY_SIZE(forbidden));
	return r == 0 ? forbid_words(filter, &lists->forbidden, 1) : r;
}

/* What both filters have, and loads it. */
static int load(scmp_filter_ctx filter)
{
	int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (r == 0 && seccomp_api_get() >= API_WITH_LOG)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	if (r == 0)
		r = forbid_words(filter, forbidden_to_all, ARRAY_SIZE(forbidden_to_all));
	return r == 0 ? seccomp_load(filter) : r;
}

unsigned syscalls_enter(const struct syscall_lists *lists)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	unsigned n_allowed = 0;
	int r = filter ? add_all(filter, lists, &n_allowed) : -ENOMEM;

	if (r == 0)
		r = load(filter);
	seccomp_release(filter);
	if (r < 0)
		log_warning("system calls are not filtered: %s", strerror(-r));
	return r < 0 ? 0 : n_allowed;
}

int syscalls_enter_wide(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? load(filter) : -ENOMEM;

	seccomp_release(filter);
	return r;
}
