/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nss_odd.c - a name service module with bad habits, which knows one user: "odd".
 *
 * Before it answers it tries what no module should, and what it got away with is in its answer: the
 * uid is 2300 and a bit for each. Installed as libnss_odd.so.2, it is what "passwd: files odd" in
 * /etc/nsswitch.conf means.
 */
#include <errno.h>
#include <fcntl.h>
#include <nss.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	ODD_UID = 2300,
	WROTE_FILE = 1,
	HAS_CAPABILITY = 2,
	SENT_SIGNAL = 4,
	TRACED = 8,
	MADE_NAMESPACE = 16,
	USED_IO_URING = 32,
};

enum nss_status _nss_odd_getpwnam_r(const char *name, struct passwd *ret_user, char *buffer,
				    size_t size, int *ret_errno);

/* What the file says behind a word, as a number; 0 where it does not. */
static unsigned long long find_number(const char *path, const char *format)
{
	unsigned long long found = 0;
	FILE *f = fopen(path, "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, format, &found) == 1)
			break;
	if (f)
		fclose(f);
	return found;
}

/* Whoever started the process that runs this one's. */
static pid_t find_daemon(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", getppid());
	return (pid_t)find_number(path, "PPid: %llu");
}

static bool can_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static uid_t misbehave(void)
{
	pid_t daemon = find_daemon();
	char parameters[128] = { 0 };
	uid_t done = 0;

	if (can_write("/run/open/file"))
		done |= WROTE_FILE;
	if (find_number("/proc/self/status", "CapPrm: %llx"))
		done |= HAS_CAPABILITY;
	if (daemon > 1 && kill(daemon, 0) == 0)
		done |= SENT_SIGNAL;
	if (daemon > 1 && ptrace(PTRACE_SEIZE, daemon, NULL, NULL) == 0)
		done |= TRACED;
	if (unshare(CLONE_NEWUSER) == 0)
		done |= MADE_NAMESPACE;
	if (syscall(SYS_io_uring_setup, 4, parameters) >= 0)
		done |= USED_IO_URING;
	return done;
}

enum nss_status _nss_odd_getpwnam_r(const char *name, struct passwd *ret_user, char *buffer,
				    size_t size, int *ret_errno)
{
	static const char strings[] = "odd\0x\0/\0/bin/false";
	uid_t uid = ODD_UID + misbehave();

	if (strcmp(name, "odd") != 0) {
		*ret_errno = ENOENT;
		return NSS_STATUS_NOTFOUND;
	}
	if (size < sizeof(strings)) {
		*ret_errno = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	memcpy(buffer, strings, sizeof(strings));
	*ret_user = (struct passwd){ .pw_name = buffer,
				     .pw_passwd = buffer + 4,
				     .pw_uid = uid,
				     .pw_gid = uid,
				     .pw_gecos = buffer + 3,
				     .pw_dir = buffer + 6,
				     .pw_shell = buffer + 8 };
	return NSS_STATUS_SUCCESS;
}
