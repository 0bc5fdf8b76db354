/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.h - users and groups that nobody knew when the daemon started. */
#ifndef UIDWALL_RUNTIME_NAMES_H
#define UIDWALL_RUNTIME_NAMES_H

#include <event2/event.h>

#include "runtime/wall.h"

struct names;

/* Asks for them again and again, for some minutes; once one of them is known the files are read
 * again, and `reloaded` is called. To be called once, after the start. 0, also where nothing is to
 * be asked.
 */
int names_new(struct event_base *base, struct wall *wall, void (*reloaded)(void *data), void *data,
	      struct names **ret_names);
void names_free(struct names *names); /* NULL is fine */
DEFINE_CLEANUP(names, struct names *, names_free)

#endif
