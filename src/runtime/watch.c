/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.c - inotify on the folders of a file → a call when it has changed.
 *
 * Programs replace /etc/resolv.conf by renaming another file over it, or keep it as a link to a
 * file that they replace in the same way. A watch on a file would stay with the old one, so it is
 * the folders that are watched: the one of the name, and the one of what it points at.
 */
#include "runtime/watch.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>

enum { SETTLE_MS = 200 }; /* writers take several steps */

struct watch {
	const char *path;
	void (*changed)(void *data);
	void *data;
	int fd;
	struct event *readable, *settled;
};

static void watch_folder_of(const struct watch *watch, const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	if (n >= sizeof(folder))
		return;
	memcpy(folder, path, n);
	strcpy(folder + n, n ? "" : slash ? "/" : ".");
	/* A folder that is missing is made later, below one that is not watched: then the next
	 * reload finds the file.
	 */
	inotify_add_watch(watch->fd, folder,
			  IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |
				  IN_ONLYDIR);
}

/* Adding a folder again changes nothing, so this is done after each change: the link may be new. */
static void watch_folders(const struct watch *watch)
{
	char target[PATH_MAX];

	watch_folder_of(watch, watch->path);
	if (realpath(watch->path, target))
		watch_folder_of(watch, target);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Whether an event's file has the name of ours, or of what ours points at. */
static bool is_ours(const struct watch *watch, const struct inotify_event *event)
{
	char target[PATH_MAX];

	if (event->mask & (IN_Q_OVERFLOW | IN_IGNORED))
		return true;
	if (!event->len)
		return false;
	return strcmp(event->name, last_part(watch->path)) == 0 ||
	       (realpath(watch->path, target) && strcmp(event->name, last_part(target)) == 0);
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	struct watch *watch = data;
	union {
		struct inotify_event align;
		char bytes[4096];
	} buffer;
	const struct timeval settle = { 0, SETTLE_MS * 1000 };
	ssize_t n = read(fd, &buffer, sizeof(buffer));
	bool ours = false;

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event =
			(const struct inotify_event *)(const void *)(buffer.bytes + at);

		ours = ours || is_ours(watch, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	/* one that is pending already is not put off: a file that is always written to counts too
	 */
	if (ours && !evtimer_pending(watch->settled, NULL))
		evtimer_add(watch->settled, &settle);
}

static void on_settled(evutil_socket_t fd, short what, void *data)
{
	struct watch *watch = data;

	watch_folders(watch);
	watch->changed(watch->data);
}

int watch_new(struct event_base *base, const char *path, void (*changed)(void *data), void *data,
	      struct watch **ret_watch)
{
	AUTO(watch) struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	watch->path = path;
	watch->changed = changed;
	watch->data = data;
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->fd < 0)
		return -errno;
	watch->readable = event_new(base, watch->fd, EV_READ | EV_PERSIST, on_readable, watch);
	watch->settled = evtimer_new(base, on_settled, watch);
	if (!watch->readable || !watch->settled || event_add(watch->readable, NULL) < 0)
		return -ENOMEM;
	watch_folders(watch);
	*ret_watch = TAKE(watch);
	return 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	if (watch->readable)
		event_free(watch->readable);
	if (watch->settled)
		event_free(watch->settled);
	fd_close(watch->fd);
	free(watch);
}
