/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inside.c - a system call of ours, made by a process that runs: what an intruder in it could do.
 *
 *     inside PID CALL [ARGUMENT]...      prints the result, or the error's name, or "killed"
 *
 * A number as CALL is taken as it is. Arguments are numbers, or texts behind "="; those are written
 * below the process's stack. The process is stopped in a system call of its own, runs that
 * instruction once more with our registers, and goes on with its own as if nothing had been.
 */
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "base/util.h"

#ifdef __x86_64__

enum {
	EXIT_BROKEN = 99,
	ARGUMENTS_MAX = 6,
	STOP_TRIES = 100,
	PAUSE_US = 20000,
	RED_ZONE = 4096,
	TEXT_ROOM = 4096,
	INSTRUCTION = 0x050f, /* syscall, as a little-endian number */
	ERRNO_MAX = 4095,
};

__attribute__((noreturn)) static void die(const char *what)
{
	perror(what);
	exit(EXIT_BROKEN);
}

/* Stops it right behind a syscall instruction. */
static void stop_in_call(pid_t pid, struct user_regs_struct *ret_regs)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		die("PTRACE_SEIZE");
	for (int i = 0; i < STOP_TRIES; i++) {
		long word;
		int status;

		if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 ||
		    waitpid(pid, &status, __WALL) < 0 ||
		    ptrace(PTRACE_GETREGS, pid, NULL, ret_regs) < 0)
			die("cannot stop it");
		errno = 0;
		word = ptrace(PTRACE_PEEKTEXT, pid, (void *)(ret_regs->rip - 2), NULL);
		if (errno == 0 && (word & 0xffff) == INSTRUCTION)
			return;
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		usleep(PAUSE_US);
	}
	fprintf(stderr, "it makes no system call that it could be stopped in\n");
	exit(EXIT_BROKEN);
}

static unsigned long long read_argument(pid_t pid, const char *text, unsigned long long *room)
{
	struct iovec from = { (void *)(uintptr_t)(text + 1), strlen(text) }, to;

	if (text[0] != '=')
		return strtoull(text, NULL, 0);
	to = (struct iovec){ (void *)(uintptr_t)*room, from.iov_len };
	if (process_vm_writev(pid, &from, 1, &to, 1, 0) < 0)
		die("process_vm_writev");
	*room += from.iov_len;
	return (uintptr_t)to.iov_base;
}

static struct user_regs_struct make_regs(pid_t pid, const struct user_regs_struct *before,
					 long number, char **arguments)
{
	unsigned long long values[ARGUMENTS_MAX] = { 0 };
	unsigned long long room = (before->rsp - RED_ZONE - TEXT_ROOM) & ~15ULL;
	struct user_regs_struct regs = *before;

	for (int i = 0; i < ARGUMENTS_MAX && arguments[i]; i++)
		values[i] = read_argument(pid, arguments[i], &room);
	regs.rip -= 2;
	regs.rax = (unsigned long long)number;
	regs.orig_rax = ~0ULL; /* not in a call: nothing is restarted */
	regs.rdi = values[0];
	regs.rsi = values[1];
	regs.rdx = values[2];
	regs.r10 = values[3];
	regs.r8 = values[4];
	regs.r9 = values[5];
	return regs;
}

/* Whether it lived to tell; its result. */
static bool step(pid_t pid, struct user_regs_struct *regs, long *ret_result)
{
	int status;

	if (ptrace(PTRACE_SETREGS, pid, NULL, regs) < 0 ||
	    ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) < 0)
		die("cannot step");
	if (!WIFSTOPPED(status))
		return false;
	if (ptrace(PTRACE_GETREGS, pid, NULL, regs) < 0)
		return false;
	*ret_result = (long)regs->rax;
	return true;
}

static void print_result(long result)
{
	if (result < 0 && result >= -ERRNO_MAX)
		puts(strerrorname_np((int)-result));
	else
		printf("%ld\n", result);
}

int main(int argc, char **argv)
{
	struct user_regs_struct before, regs;
	long number, result;
	pid_t pid;

	if (argc < 3) {
		fputs("usage: inside PID CALL [ARGUMENT]...\n", stderr);
		return 2;
	}
	pid = (pid_t)strtol(argv[1], NULL, 10);
	number = seccomp_syscall_resolve_name(argv[2]);
	if (number < 0)
		number = strtol(argv[2], NULL, 0);
	stop_in_call(pid, &before);
	regs = make_regs(pid, &before, number, argv + 3);
	if (!step(pid, &regs, &result)) {
		puts("killed");
		return 0;
	}
	print_result(result);
	if (ptrace(PTRACE_SETREGS, pid, NULL, &before) < 0 ||
	    ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0)
		die("cannot let it go");
	return 0;
}

#else

int main(void)
{
	puts("knows the registers of x86-64 only");
	return 77;
}

#endif
