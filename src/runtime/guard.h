/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guard.h - the table, held against what others do to it. */
#ifndef UIDWALL_RUNTIME_GUARD_H
#define UIDWALL_RUNTIME_GUARD_H

#include <event2/event.h>

#include "runtime/wall.h"

struct guard;

/* Watches from here on, where others can change the table at all. 0 or -errno. The wall must
 * outlive it.
 */
int guard_new(struct event_base *base, struct wall *wall, struct guard **ret_guard);
void guard_free(struct guard *guard); /* NULL is fine; writes down what is left behind */
DEFINE_CLEANUP(guard, struct guard *, guard_free)

/* To be told of every change of what is in force. */
void guard_update(struct guard *guard);

#endif
