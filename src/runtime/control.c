/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c - a path, or what was handed over → a listening socket that learns who is calling.
 *
 * Credentials are attached when a message is sent, not when it is read: SO_PASSCRED has to be set
 * before the first client connects, which for a socket of systemd's means PassCredentials= in its
 * unit.
 */
#include "runtime/control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { BACKLOG = 1024 };

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16, asm-generic/socket.h */
#endif

static int fail(struct diags *diags, const char *path, int r, const char *what)
{
	diag_add(diags, DIAG_ERROR, (struct place){ path, 0, 0 }, "%s: %s", what, strerror(-r));
	return r;
}

static bool option_is(int fd, int option, int wanted)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 && value == wanted;
}

static int prepare(int fd)
{
	const int on = 1, off = 0;

	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	/* Where the kernel knows this option, descriptors sent to us fail at the sender. Else they
	 * are dropped here, and whoever sent a socket that lingers (SO_LINGER) makes our close()
	 * wait: the watchdog's business then.
	 */
	setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
	return 0;
}

static int take_handed(const struct handed *handed, struct diags *diags)
{
	if (handed->n_control != 1) {
		diag_add(diags, DIAG_ERROR, (struct place){ 0 },
			 "expected one control socket from the service manager, got %u",
			 handed->n_control);
		return -EINVAL;
	}
	if (!option_is(handed->control, SO_DOMAIN, AF_UNIX) ||
	    !option_is(handed->control, SO_TYPE, SOCK_STREAM) ||
	    !option_is(handed->control, SO_ACCEPTCONN, 1)) {
		diag_add(diags, DIAG_ERROR, (struct place){ 0 },
			 "what the service manager handed over is not a listening unix stream "
			 "socket (ListenStream=/path)");
		return -EINVAL;
	}
	return 0;
}

/* A socket that nobody listens on is left over from a crash and goes away. */
static int clear_stale(const struct sockaddr_un *address, struct diags *diags)
{
	const char *path = address->sun_path;
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return fail(diags, path, -errno, "cannot make a socket");
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : fail(diags, path, -errno, "cannot look at it");
	if (!S_ISSOCK(st.st_mode)) {
		diag_add(diags, DIAG_ERROR, (struct place){ path, 0, 0 },
			 "is in the way of the control socket; expected nothing or a socket");
		return -EEXIST;
	}
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno == EAGAIN) {
		diag_add(diags, DIAG_ERROR, (struct place){ path, 0, 0 },
			 "another uidwalld is running and answers there");
		return -EADDRINUSE;
	}
	if (errno != ECONNREFUSED)
		return fail(diags, path, -errno, "cannot tell whether another uidwalld is running");
	if (unlink(path) < 0)
		return fail(diags, path, -errno, "cannot remove a stale socket");
	return 0;
}

static int make_socket(const char *path, struct control *ret_control, struct diags *diags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO(fd) int fd = -1;
	struct stat st;
	mode_t umask_before;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return fail(diags, path, -ENAMETOOLONG, "cannot be a socket's path");
	strcpy(address.sun_path, path);
	r = clear_stale(&address, diags);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(diags, path, -errno, "cannot make a socket");
	umask_before = umask(0111); /* 0666: who may ask what is decided call by call */
	r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(umask_before);
	if (r < 0)
		return fail(diags, path, r, "cannot make the control socket");
	r = prepare(fd);
	if (r < 0 || lstat(path, &st) < 0 || listen(fd, BACKLOG) < 0)
		return fail(diags, path, r < 0 ? r : -errno, "cannot listen");
	*ret_control = (struct control){ fd, strdup(path), st.st_dev, st.st_ino };
	fd = -1;
	return 0;
}

int control_open(const char *path, const struct handed *handed, struct control *ret_control,
		 struct diags *diags)
{
	int r;

	if (!handed->n_control)
		return make_socket(path, ret_control, diags);
	r = take_handed(handed, diags);
	if (r < 0)
		return r;
	r = prepare(handed->control);
	if (r < 0)
		return fail(diags, NULL, r, "cannot use the socket of the service manager");
	*ret_control = (struct control){ .fd = handed->control };
	return 0;
}

void control_close(struct control *control)
{
	struct stat st;

	fd_close(control->fd);
	if (control->path && lstat(control->path, &st) == 0 && st.st_dev == control->device &&
	    st.st_ino == control->inode)
		unlink(control->path);
	free(control->path);
	*control = (struct control){ .fd = -1 };
}
