/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolve.h - names → addresses, asked of the configured resolvers (c-ares), each answer kept for
 * as long as it says. Names are as struct host has them.
 */
#ifndef UIDWALL_PROXY_RESOLVE_H
#define UIDWALL_PROXY_RESOLVE_H

#include "base/addr.h"

struct event_base;

enum {
	RESOLVE_ADDRESSES_MAX = 16,
	RESOLVE_NAMES_MAX =
		4096, /* kept at once; the one that was not asked for the longest time goes */
	RESOLVE_TIMEOUT_MS = 10000, /* for an answer, all tries together */
	RESOLVE_GRACE_S = 600, /* an address counts as the name's for so long after its lifetime */
	RESOLVE_FAILED_S = 5,  /* a failure is an answer for so long */
	RESOLVE_TTL_MIN_S = 5, /* a name server's own idea of it stays within these bounds */
	RESOLVE_TTL_MAX_S = 3600,
	RESOLVE_FOLLOWED_MAX = 8192, /* names */
	RESOLVE_SEEN_MAX = 128,	     /* addresses remembered of each of them */
};

struct resolution {
	int error; /* 0, -ENOENT (no such name), -ENODATA (it has no address), -ETIMEDOUT, -EIO (no
		     server answers), -ENETUNREACH, -EMFILE, ...
		    */
	const char *words; /* of the error: "example.org does not exist", "no answer from 192.0.2.53
			      in 10 s"; NULL where there is none */
	uint8_t n;
	struct prefix addresses[RESOLVE_ADDRESSES_MAX]; /* both families in turn, IPv6 first */
};

struct resolve_options {
	struct event_base *base;
	const struct prefix *servers;  /* port 53 */
	const char *const *interfaces; /* of link-local ones, or NULL each */
	size_t n_servers;	       /* 0: those of /etc/resolv.conf */
	uint16_t port;		       /* of all of them; 0: 53 */
	unsigned timeout_ms;	       /* 0: RESOLVE_TIMEOUT_MS */
	const char
		*hosts_file; /* goes first: "/etc/hosts"; NULL: none. Read anew when it changed. */
};

struct resolver;
struct resolver_query;

int resolver_new(const struct resolve_options *options, struct resolver **ret_resolver);
/* Queries that are open are cancelled; not from within fn. NULL is fine. */
void resolver_free(struct resolver *resolver);

/* Other name servers, as struct resolve_options has them; n 0 changes nothing. What is known stays.
 */
void resolver_set_servers(struct resolver *resolver, const struct prefix *servers,
			  const char *const *interfaces, size_t n);

/* What is known already: NULL, or valid until the next call here. A hash look-up. */
const struct resolution *resolver_known(struct resolver *resolver, const char *name);

/* Asks; many who ask for one name share one question. fn is called once, never before this returns,
 * with a resolution that is valid during the call; not at all after resolver_cancel(). *ret_query
 * is gone as soon as fn is called. 0, -EAGAIN (512 questions are open) or -errno.
 */
int resolver_ask(struct resolver *resolver, const char *name,
		 void (*fn)(void *data, const struct resolution *resolution), void *data,
		 struct resolver_query **ret_query);
void resolver_cancel(struct resolver_query *query); /* NULL is fine */

/* These names, and no others, are kept resolved ahead of time (asked again as they expire, failures
 * every half minute). 0; -E2BIG: only the first RESOLVE_FOLLOWED_MAX of them; -ENOMEM: some.
 */
int resolver_follow(struct resolver *resolver, const char *const *names, size_t n);

/* Whether a name that is followed had the address, until at most RESOLVE_GRACE_S after its
 * lifetime. */
bool resolver_had(struct resolver *resolver, const char *name, const struct prefix *address);

#endif
