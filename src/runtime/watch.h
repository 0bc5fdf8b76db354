/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h - calls back when a file, or what a link of its name points at, has changed. */
#ifndef UIDWALL_RUNTIME_WATCH_H
#define UIDWALL_RUNTIME_WATCH_H

#include <event2/event.h>

#include "base/util.h"

struct watch;

/* changed() is called a moment after the last of several changes, never from within watch_new().
 * The file need not exist. `path` must outlive the watch. -errno.
 */
int watch_new(struct event_base *base, const char *path, void (*changed)(void *data), void *data,
	      struct watch **ret_watch);
void watch_free(struct watch *watch); /* NULL is fine */
DEFINE_CLEANUP(watch, struct watch *, watch_free)

#endif
