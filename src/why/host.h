/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.h - a host that is asked about by name → what the built-in proxy would decide, by the code
 * that it decides with.
 */
#ifndef UIDWALL_WHY_HOST_H
#define UIDWALL_WHY_HOST_H

#include "names/host_list.h"
#include "why/answer.h"

/* What the proxy has of a policy, but for the lines: a decision's line is the number of the entry
 * in policy->hosts, counted from 1. Returns 0 or -ENOMEM.
 */
int why_host_list(const struct policy *policy, struct host_list **ret_list);

struct proxied {
	bool is_asked;	   /* false: there is nothing to say about a proxy */
	bool is_reachable; /* by a connection to it */
	bool is_external;  /* nobody here knows what it decides; the rest says nothing */
	bool is_refused;
	bool would_refuse;  /* if the service were not in monitor mode, or the wall up */
	const char *reason; /* for programs: "not-listed", "no-proxy", ... */
	const char *words;  /* for people: a sentence's end behind the host's name */
	const struct host_pattern *named; /* entry that names the host; NULL: none does */
	bool is_near;			  /* ... but for other ports */
	const struct host_list *list;
	struct remedy remedy;
};

/* list: the addresses of the host, or its port alone. */
void proxied_find(struct why *why, const struct asked *list, size_t n, struct proxied *ret_proxied);

/* Whether it opens a way that may not be there directly; monitor mode does not count. */
bool proxied_allows(const struct proxied *proxied);
bool proxied_passes(const struct proxied *proxied); /* there it does */

/* "proxy", if it is asked about. */
void proxied_put(struct why *why, const struct proxied *proxied, const struct asked *list,
		 size_t n);
void proxied_done(struct proxied *proxied);

#endif
