/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns.h - one name asked of name servers, for both families at once (c-ares in libevent's loop).
 * Nothing is remembered here; that is resolve.h.
 */
#ifndef UIDWALL_PROXY_DNS_H
#define UIDWALL_PROXY_DNS_H

#include "proxy/resolve/resolve.h"

struct dns_answer {
	int error;	/* as struct resolution */
	bool is_late;	/* this question has been answered before, with less */
	bool is_last;	/* of this question */
	uint32_t ttl_s; /* the shortest of all records, aliases among them; of success */
	uint8_t n;
	struct prefix addresses[RESOLVE_ADDRESSES_MAX]; /* both families in turn, IPv6 first */
};

struct dns;

int dns_new(const struct resolve_options *options, struct dns **ret_dns); /* 0 or -errno */
/* Ends open questions without a word; not from within fn. NULL is fine. */
void dns_free(struct dns *dns);
DEFINE_CLEANUP(dns, struct dns *, dns_free)

/* fn is called once with is_last, maybe before this returns; and once before that where one family
 * keeps us waiting, or none came in RESOLVE_TIMEOUT_MS. It must not come back here. 0; -EAGAIN: too
 * many are open; -EINVAL: no name that DNS knows; -errno.
 */
int dns_ask(struct dns *dns, const char *name,
	    void (*fn)(void *data, const struct dns_answer *answer), void *data);

/* Others from here on (interfaces as struct resolve_options; NULL: none), at most 16. Those that it
 * has already are no news, and none at all neither. What is open still waits for those of before.
 */
void dns_set_servers(struct dns *dns, const struct prefix *servers, const char *const *interfaces,
		     size_t n);
const char *dns_servers(const struct dns *dns); /* for messages: "192.0.2.53, 2001:db8::53" */

#endif
