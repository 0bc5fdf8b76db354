/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proxy_seen.h - what the forward proxy decided lately, service by service, and whether it runs. */
#ifndef UIDWALL_RUNTIME_PROXY_SEEN_H
#define UIDWALL_RUNTIME_PROXY_SEEN_H

#include "policy/policy_set.h"
#include "runtime/server.h"
#include "wire/request.h"

enum {
	SEEN_EACH = 64,	 /* hosts, ports and verdicts of one service */
	SEEN_ALL = 8192, /* of all services: some 2 MiB */
};

struct proxy_seen;

struct seen_counts {
	uint64_t n[RECORD_VERDICT_COUNT];
	uint64_t sent, received;
};

int proxy_seen_new(struct proxy_seen **ret_seen);
void proxy_seen_free(struct proxy_seen *seen); /* NULL is fine */
DEFINE_CLEANUP(proxy_seen, struct proxy_seen *, proxy_seen_free)

/* What the proxy reports. Services that the set does not have count as nobody's. -ENOMEM: some of
 * it is lost.
 */
int proxy_seen_add(struct proxy_seen *seen, const struct policy_set *set,
		   const struct request_record *records, size_t n);

/* Forgets the services that are gone. */
void proxy_seen_prune(struct proxy_seen *seen, const struct policy_set *set);

/* service NULL: of callers that no policy governs. All zero where nothing was seen. */
struct seen_counts proxy_seen_count(const struct proxy_seen *seen, const char *service);
struct seen_counts proxy_seen_count_all(const struct proxy_seen *seen);

/* The entries of a service, the latest first, as elements of a list that the caller has begun. */
void proxy_seen_write(const struct proxy_seen *seen, const char *service, struct writer *w);

/* It asked for its lists: so it runs. counts: of the server that holds its calls. */
void proxy_seen_hear(struct proxy_seen *seen, pid_t pid, const struct server_counts *counts);

struct seen_presence {
	bool is_connected;
	bool was_connected; /* since this daemon started */
	int64_t since;	    /* it is, or ceased to be; seconds since 1970; 0: it never was */
	pid_t pid;
};
struct seen_presence proxy_seen_presence(const struct proxy_seen *seen,
					 const struct server_counts *counts);

#endif
