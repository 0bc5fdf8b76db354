/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen.h - the sockets that clients connect to: handed over by the service manager, or made here.
 */
#ifndef UIDWALL_PROXY_LISTEN_H
#define UIDWALL_PROXY_LISTEN_H

#include "base/addr.h"
#include "base/diag.h"

enum { LISTENERS_MAX = 160 };

struct listen_address {
	struct prefix address;
	uint16_t port;
	struct place place; /* where that is said */
	bool is_led;	    /* for redirected connections alone: never handed over */
};

struct listeners {
	int fds[LISTENERS_MAX];
	size_t n;
	bool are_handed;
	char words[256]; /* "127.0.0.1:3128, [::1]:3128", without those for redirected ones */
};

/* Handed ones win; those at other addresses than these are warned of. One of several that this
 * machine cannot have, for lack of IPv6, is a warning. 0 or -errno, with diags.
 */
int listeners_open(const struct listen_address *addresses, size_t n, struct listeners *ret,
		   struct diags *diags);
void listeners_close(struct listeners *listeners);

#endif
