/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deadline.h - a time of boot_now_ms() → a call. */
#ifndef UIDWALL_RUNTIME_DEADLINE_H
#define UIDWALL_RUNTIME_DEADLINE_H

#include <event2/event.h>

#include "base/util.h"

struct deadline;

int deadline_new(struct event_base *base, void (*passed)(void *data), void *data,
		 struct deadline **ret_deadline);
void deadline_free(struct deadline *deadline); /* NULL is fine */
DEFINE_CLEANUP(deadline, struct deadline *, deadline_free)

/* In place of the one before; one in the past is called at once, 0 never. */
int deadline_set(struct deadline *deadline, int64_t at_ms);

#endif
