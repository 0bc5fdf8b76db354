/* SPDX-License-Identifier: GPL-2.0-or-later */
/* follow.h - control groups of units, followed as these start and stop. */
#ifndef UIDWALL_RUNTIME_FOLLOW_H
#define UIDWALL_RUNTIME_FOLLOW_H

#include <event2/event.h>

#include "runtime/wall.h"

struct follow;

/* 0 or -errno. The wall must outlive it. */
int follow_new(struct event_base *base, struct wall *wall, struct follow **ret_follow);
void follow_free(struct follow *follow); /* NULL is fine */
DEFINE_CLEANUP(follow, struct follow *, follow_free)

/* Brings the groups that there are now into force, and goes on from there: at the start, and
 * whenever the policies in force are others. Logged.
 */
void follow_update(struct follow *follow);

/* Heeds what the kernel has told by now: of whatever started before the call. */
void follow_look(struct follow *follow);

#endif
