/* SPDX-License-Identifier: GPL-2.0-or-later */
/* straight.h - one address, nothing to race: connect(2), and whether it came to something in time.
 */
#ifndef UIDWALL_PROXY_STRAIGHT_H
#define UIDWALL_PROXY_STRAIGHT_H

#include <event2/event_struct.h>

#include "base/addr.h"

struct straight {
	struct event event;
	int fd; /* connecting; -1: not */
	/* Once, with a connected socket that is the receiver's, or -errno. */
	void (*fn)(void *data, int fd_or_error);
	void *data;
};

/* The connected socket, where that is at once; -EINPROGRESS: fn will say; another -errno. fn and
 * data are set by the caller.
 */
int straight_start(struct straight *straight, struct event_base *base, const struct prefix *address,
		   uint16_t port, unsigned timeout_ms);
void straight_cancel(struct straight *straight); /* fine if it is not connecting */

#endif
