/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dial.h - addresses that were judged → a connected socket, by libcurl's connect-only mode: one
 * address after the other, both families side by side (RFC 8305), or through the site's own proxy.
 *
 * Where there is one address and no site's proxy, libcurl would add nothing to connect(), and is
 * not asked (docs/decisions/proxy.md has what that saves).
 *
 * libcurl resolves nothing: it gets addresses only, and a socket to any other is never opened. Once
 * connected the socket is the caller's, and libcurl has forgotten it.
 */
#ifndef UIDWALL_PROXY_DIAL_H
#define UIDWALL_PROXY_DIAL_H

#include "base/addr.h"

struct event_base;

struct dialer_options {
	struct event_base *base;
	unsigned timeout_ms;	 /* of one connection, all its addresses together */
	uint16_t upstream_port;	 /* of the site's own proxy; 0: there is none */
	const char *credentials; /* "user:password" for it, or NULL */
};

struct dialer;
struct dial;

int dialer_new(const struct dialer_options *options, struct dialer **ret_dialer);
void dialer_free(struct dialer *dialer); /* NULL is fine */

struct dial_result {
	int fd;		       /* connected, non-blocking, the receiver's; or -1 */
	int error;	       /* -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH, -EPERM, ... */
	const char *words;     /* of the error, for people */
	struct prefix address; /* that it is connected to; of an error: the last that was tried */
};

typedef void (*dial_fn)(void *data, const struct dial_result *result);

/* With a site's proxy the addresses are its, and it is asked for host and port; without one host
 * counts for nothing. to_proxy: no further than to the site's proxy, for requests in absolute form.
 * fn is called once, perhaps before this returns; not after dial_cancel(). 0 or -errno (then fn is
 * not called).
 */
struct dial_target {
	const struct prefix *addresses;
	size_t n_addresses;
	const char *host;
	uint16_t port;
	bool to_proxy;
};

int dial_start(struct dialer *dialer, const struct dial_target *target, dial_fn fn, void *data,
	       struct dial **ret_dial);
void dial_cancel(struct dial *dial); /* NULL is fine */

#endif
