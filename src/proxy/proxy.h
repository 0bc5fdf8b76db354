/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proxy.h - uidwall-proxy from its start to its end. */
#ifndef UIDWALL_PROXY_PROXY_H
#define UIDWALL_PROXY_PROXY_H

#include "base/addr.h"

enum { PROXY_LISTENERS_MAX = 160 };

struct proxy_upstream {
	const char *host; /* NULL: none, the proxy connects by itself */
	uint16_t port;
	const char *user, *password; /* NULL: none */
};

struct proxy_options {
	const int *listeners; /* listening TCP sockets, non-blocking */
	size_t n_listeners;
	const char *control;	      /* the daemon's socket */
	const struct prefix *servers; /* as struct resolve_options */
	const char *const *interfaces;
	size_t n_servers;
	struct proxy_upstream upstream;
	unsigned n_connections; /* in all; 0: what the descriptors allow */
	unsigned n_each;	/* of one service; 0: as usages_new() says */
	unsigned first_byte_s;	/* for the request or hello, as a whole; 0: 30 */
	unsigned idle_s;	/* without a byte in either direction; 0: an hour */
	unsigned lifetime_s;	/* 0: none */
};

/* confine: called once in each thread that will meet anything of a client's, before it does. ready:
 * once, when clients are accepted. alive: every alive_us microseconds for as long as each of the
 * threads has its turns. All may be NULL.
 */
struct proxy_hooks {
	void (*confine)(void *data);
	void (*ready)(void *data);
	void *data;
	void (*alive)(void);
	uint64_t alive_us; /* 0: nobody wants to know */
};

/* Returns the exit status: 0 after SIGTERM or SIGINT. Everything that needs files, users or rights
 * beyond connecting, resolving and listening has been done before.
 */
int proxy_run(const struct proxy_options *options, const struct proxy_hooks *hooks);

#endif
