/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nss_odd.c - a name service module with bad habits, which knows one user: "odd", uid 2300.
 *
 * Before it answers it opens an internet socket, writes a file, loads code and runs a program, as
 * modules in the wild do, and leaves in /run/test/odd what it got away with. Installed as
 * libnss_odd.so.2, it is what "passwd: files odd" in /etc/nsswitch.conf means.
 */
#include <errno.h>
#include <fcntl.h>
#include <nss.h>
#include <pwd.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUCCESSES "/run/test/odd"

enum { ODD_UID = 2300 };

enum nss_status _nss_odd_getpwnam_r(const char *name, struct passwd *ret_user, char *buffer,
				    size_t size, int *ret_errno);

/* A file that is there already: it is its content that may not change. */
static void succeed(const char *what)
{
	int fd = open(SUCCESSES, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, what, strlen(what)) < 0)
		errno = 0;
	close(fd);
}

static void misbehave(void)
{
	static char program[] = "/bin/true";
	char *arguments[] = { program, NULL };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t child;

	succeed("written\n");
	if (fd >= 0)
		succeed("socket\n");
	if (fd >= 0)
		close(fd);
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	    MAP_FAILED)
		succeed("code\n");
	if (posix_spawn(&child, program, NULL, NULL, arguments, NULL) == 0) {
		succeed("program\n");
		waitpid(child, NULL, 0);
	}
}

enum nss_status _nss_odd_getpwnam_r(const char *name, struct passwd *ret_user, char *buffer,
				    size_t size, int *ret_errno)
{
	static const char strings[] = "odd\0x\0/\0/bin/false";

	misbehave();
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
				     .pw_uid = ODD_UID,
				     .pw_gid = ODD_UID,
				     .pw_gecos = buffer + 3,
				     .pw_dir = buffer + 6,
				     .pw_shell = buffer + 8 };
	return NSS_STATUS_SUCCESS;
}
