/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deadline.c - a time of boot_now_ms() → a call.
 *
 * Not a timer of libevent's: those stand still while the machine is suspended, and a promise to be
 * back in a minute does not.
 */
#include "runtime/deadline.h"

#include <errno.h>
#include <sys/timerfd.h>

struct deadline {
	void (*passed)(void *data);
	void *data;
	int fd;
	struct event *readable;
};

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	struct deadline *deadline = data;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) == sizeof(n))
		deadline->passed(deadline->data);
}

int deadline_new(struct event_base *base, void (*passed)(void *data), void *data,
		 struct deadline **ret_deadline)
{
	AUTO(deadline) struct deadline *deadline = calloc(1, sizeof(*deadline));

	if (!deadline)
		return -ENOMEM;
	deadline->passed = passed;
	deadline->data = data;
	deadline->fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (deadline->fd < 0)
		return -errno;
	deadline->readable =
		event_new(base, deadline->fd, EV_READ | EV_PERSIST, on_readable, deadline);
	if (!deadline->readable || event_add(deadline->readable, NULL) < 0)
		return -ENOMEM;
	*ret_deadline = TAKE(deadline);
	return 0;
}

void deadline_free(struct deadline *deadline)
{
	if (!deadline)
		return;
	if (deadline->readable)
		event_free(deadline->readable);
	fd_close(deadline->fd);
	free(deadline);
}

int deadline_set(struct deadline *deadline, int64_t at_ms)
{
	struct itimerspec spec = { .it_value = { (time_t)(at_ms / 1000),
						 (long)(at_ms % 1000) * 1000000 } };

	return timerfd_settime(deadline->fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0 ? -errno : 0;
}
