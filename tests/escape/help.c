/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help.c - what ways share: addresses, waits, and the other side of a connection. */
#include "way.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { POLICY_WAIT_MS = 60000 };

static void say(const char *format, va_list ap)
{
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

int way_cannot(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	return WAY_CANNOT;
}

void way_wrong(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	_exit(2);
}

union way_address way_v4(struct in_addr address, uint16_t port)
{
	return (union way_address){
		.v4 = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = address }
	};
}

union way_address way_v6(struct in6_addr address, uint16_t port)
{
	return (union way_address){
		.v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = address }
	};
}

union way_address way_mapped(struct in_addr address, uint16_t port)
{
	struct in6_addr mapped = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	memcpy(mapped.s6_addr + 12, &address, sizeof(address));
	return way_v6(mapped, port);
}

uint16_t way_own_port(const struct way_aim *aim)
{
	return (uint16_t)(aim->port - 12000); /* from 8000 on: driver.py's start at 20000 */
}

socklen_t way_length(const union way_address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

void way_sleep(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

int way_socket(const union way_address *like, int type, int protocol)
{
	return socket(like->any.sa_family, type | SOCK_CLOEXEC, protocol);
}

void way_bind(int fd, const union way_address *like, uint16_t port)
{
	union way_address any = like->any.sa_family == AF_INET ?
					way_v4((struct in_addr){ INADDR_ANY }, port) :
					way_v6(in6addr_any, port);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &any.any, way_length(&any)) < 0)
		way_wrong("port %u: %s", port, strerror(errno));
}

int way_connect(int fd, const union way_address *to, int ms)
{
	int flags = fcntl(fd, F_GETFL), error = 0;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t length = sizeof(error);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	if (connect(fd, &to->any, way_length(to)) < 0)
		error = errno;
	if (error == EINPROGRESS) {
		if (poll(&p, 1, ms) <= 0)
			error = ETIMEDOUT;
		else
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	}
	fcntl(fd, F_SETFL, flags);
	return -error;
}

bool way_readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

void way_send_marker(int fd, const struct way_aim *aim)
{
	send(fd, aim->marker, strlen(aim->marker), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void way_wait(void)
{
	char go;

	puts("ready");
	fflush(stdout);
	if (!way_readable(STDIN_FILENO, POLICY_WAIT_MS) || read(STDIN_FILENO, &go, 1) != 1)
		way_wrong("the driver does not say that the policy is in force");
}

void way_become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		way_wrong("becoming uid %u: %s", uid, strerror(errno));
	prctl(PR_SET_DUMPABLE, 1); /* as after exec(): its files in /proc are its own */
}

/* --- children that play another part ---------------------------------------------------------- */

static int part(const struct way_aim *aim, void (*play)(const struct way_aim *aim, int talk),
		const char *netns, uid_t uid)
{
	int pair[2], fd;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		way_wrong("socketpair: %s", strerror(errno));
	switch (fork()) {
	case -1:
		way_wrong("fork: %s", strerror(errno));
	case 0:
		break;
	default:
		close(pair[1]);
		return pair[0];
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(pair[0]);
	if (netns) {
		fd = open(netns, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
			way_wrong("%s: %s", netns, strerror(errno));
		close(fd);
	}
	if (uid)
		way_become(uid, uid);
	play(aim, pair[1]);
	_exit(0);
}

int way_outsider(const struct way_aim *aim, void (*play)(const struct way_aim *aim, int talk))
{
	return part(aim, play, aim->sink, 0);
}

int way_other_user(const struct way_aim *aim, uid_t uid,
		   void (*play)(const struct way_aim *aim, int talk))
{
	return part(aim, play, NULL, uid);
}

/* False when it cannot be written. */
static bool setting_write(const char *setting, const char *value)
{
	char path[256];
	int fd, n;

	snprintf(path, sizeof(path), "/proc/sys/%s", setting);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : (int)write(fd, value, strlen(value));
	close(fd);
	return n > 0;
}

/* A child that outlives the way puts the setting back; until then nobody else gets the lock. */
int way_sysctl(const struct way_aim *aim, const char *setting, const char *value, const char *back)
{
	char path[4096];
	int pair[2], lock;

	snprintf(path, sizeof(path), "%s/settings.lock", aim->folder);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		way_wrong("%s: %s", path, strerror(errno));
	if (!setting_write(setting, value))
		return way_cannot("%s = %s: %s", setting, value, strerror(errno));
	switch (fork()) {
	case -1:
		way_wrong("fork: %s", strerror(errno));
	case 0:
		setsid();
		close(STDOUT_FILENO);
		close(pair[1]);
		way_hear(pair[0], POLICY_WAIT_MS); /* until nobody holds the other end */
		setting_write(setting, back);
		_exit(0);
	default:
		close(lock);
		close(pair[0]);
	}
	return WAY_TRIED;
}

void way_say(int talk, char what)
{
	send(talk, &what, 1, MSG_NOSIGNAL);
}

char way_hear(int talk, int ms)
{
	char what = 0;

	if (way_readable(talk, ms) && recv(talk, &what, 1, 0) != 1)
		return 0;
	return what;
}

void way_send_fd(int talk, int fd)
{
	char byte = 'f', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec bytes = { &byte, 1 };
	struct msghdr m = { .msg_iov = &bytes,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	if (sendmsg(talk, &m, MSG_NOSIGNAL) < 0)
		way_wrong("handing a descriptor over: %s", strerror(errno));
}

int way_receive_fd(int talk)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec bytes = { &byte, 1 };
	struct msghdr m = { .msg_iov = &bytes,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int fd = -1;

	if (!way_readable(talk, 2000) || recvmsg(talk, &m, 0) < 0)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}
