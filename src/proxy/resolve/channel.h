/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.h - a channel of c-ares in libevent's loop: packets to name servers, and their answers.
 */
#ifndef UIDWALL_PROXY_CHANNEL_H
#define UIDWALL_PROXY_CHANNEL_H

#include <ares.h>

#include "proxy/resolve/resolve.h"

enum {
	CHANNEL_UDP_BYTES =
		1232, /* told by EDNS; what is longer comes by TCP (DNS flag day 2020) */
};

struct channel;

int channel_new(const struct resolve_options *options, struct channel **ret_channel);
void channel_free(struct channel *channel); /* ends what is open: ARES_EDESTRUCTION; NULL is fine */

/* Others from here on, n_servers of them. -EBUSY while anything is open. */
int channel_set_servers(struct channel *channel, const struct resolve_options *options);

/* Packets as ares_create_query() makes them. fn is called once, maybe before this returns. */
void channel_send(struct channel *channel, const unsigned char *packet, int n, ares_callback fn,
		  void *data);

/* -errno: why the latest packet had no socket, which c-ares does not tell; 0: it had one. */
int channel_trouble(const struct channel *channel);

char *channel_servers(const struct channel *channel); /* "192.0.2.53, 2001:db8::53"; malloc'd */

#endif
