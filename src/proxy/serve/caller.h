/* SPDX-License-Identifier: GPL-2.0-or-later */
/* caller.h - an accepted connection → whose it is, and where it was going.
 */
#ifndef UIDWALL_PROXY_CALLER_H
#define UIDWALL_PROXY_CALLER_H

#include <sys/socket.h>

#include "kernel/owner.h"

struct caller {
	struct prefix from; /* the client's own address */
	uint16_t from_port;
	struct prefix to; /* where it was going: the proxy, or, redirected, somebody else */
	uint16_t to_port;
	bool is_redirected;
	bool is_known; /* else no program holds the other end (any more) */
	struct owner owner;
};

/* peer: as accept(2) gave it; own: the listener's address, or the connection's, where that listens
 * on all. may_be_redirected: whether to ask for the original destination at all. Nobody is mistaken
 * for somebody else: that the connection still stood when its owner was looked up is seen to
 * afterwards.
 */
void caller_find(struct owners *owners, int fd, const struct sockaddr_storage *peer,
		 const struct sockaddr_storage *own, bool may_be_redirected,
		 struct caller *ret_caller);

#endif
