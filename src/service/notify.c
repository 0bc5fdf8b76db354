/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify.c - one datagram to the service manager's socket.
 *
 * The protocol is stable and documented (sd_notify(3), "Notes"): small enough that a privileged
 * daemon need not link libsystemd for it. A socket name that begins with "@" is abstract.
 */
#include "service/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

static struct {
	struct sockaddr_un address;
	socklen_t length; /* 0: no service manager */
	uint64_t interval_us;
} notify;

static uint64_t environment_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	unsigned long long n;

	if (!text || !*text)
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	return *end || errno ? 0 : n;
}

static void find_socket(const char *path)
{
	size_t n = path ? strlen(path) : 0;

	/* Others ("vsock:") are for virtual machines telling their host. */
	if (n < 2 || n > sizeof(notify.address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	notify.address.sun_family = AF_UNIX;
	memcpy(notify.address.sun_path, path, n);
	notify.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (path[0] == '@')
		notify.address.sun_path[0] = '\0';
}

void notify_init(void)
{
	uint64_t pid = environment_number("WATCHDOG_PID");

	find_socket(getenv("NOTIFY_SOCKET"));
	if (!getenv("WATCHDOG_PID") || pid == (uint64_t)getpid())
		notify.interval_us = environment_number("WATCHDOG_USEC") / 2;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

/* fd -1: none goes along. */
static void send_text(const char *text, size_t n, int with)
{
	struct timeval patience = { .tv_sec = 5 };
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)text, .iov_len = n };
	struct msghdr message = { .msg_name = &notify.address,
				  .msg_namelen = notify.length,
				  .msg_iov = &iov,
				  .msg_iovlen = 1 };

	if (with >= 0) {
		memcpy(CMSG_DATA(&control.header), &with, sizeof(with));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		log_warning("cannot notify the service manager: %s", strerror(errno));
}

void notify_send(const char *format, ...)
{
	AUTO(mem) char *text = NULL;
	va_list args;
	int n;

	if (!notify.length)
		return;
	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		text = NULL;
	else
		send_text(text, (size_t)n, -1);
}

void notify_store(int fd, const char *name)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);

	/* Not watched for errors: messages that were lost are one, and would end the keeping. */
	if (notify.length)
		send_text(text, (size_t)n, fd);
}

void notify_reloading(void)
{
	/* Type=notify-reload wants to see that this is no message from before its signal. */
	notify_send("RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_now_us());
}

void notify_phase(const char *phase)
{
	notify_send("STATUS=%s%s", phase, notify.interval_us ? "\nWATCHDOG=1" : "");
}

uint64_t notify_interval_us(void)
{
	return notify.length ? notify.interval_us : 0;
}

void notify_alive(void)
{
	notify_send("WATCHDOG=1");
}
