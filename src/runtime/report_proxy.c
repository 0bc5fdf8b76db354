/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_proxy.c - the forward proxy, as the daemon hears of it → JSON. */
#include "runtime/report.h"

#include <time.h>

/* Whether anybody may reach any host by the proxy, or is led to it. */
static bool is_needed(const struct wall *wall)
{
	const struct policy_set *set = &wall->current->set;

	for (size_t i = 0; i < set->n_services; i++) {
		const struct policy *policy = set->services[i].policy;

		if (wall->current->states[i] != POLICY_REFUSED && policy->proxy &&
		    (policy->n_hosts || policy->transparent))
			return true;
	}
	return false;
}

void report_proxy_counts(const struct seen_counts *counts, struct writer *w)
{
	writer_key(w, "by_name");
	writer_begin(w, '{');
	writer_put_int(w, "allowed", (int64_t)counts->n[RECORD_ALLOWED]);
	writer_put_int(w, "refused", (int64_t)counts->n[RECORD_REFUSED]);
	writer_put_int(w, "would_refuse", (int64_t)counts->n[RECORD_WOULD_REFUSE]);
	writer_put_int(w, "failed", (int64_t)counts->n[RECORD_FAILED]);
	writer_put_int(w, "cut", (int64_t)counts->n[RECORD_CUT]);
	writer_put_int(w, "sent", (int64_t)counts->sent);
	writer_put_int(w, "received", (int64_t)counts->received);
	writer_end(w, '}');
}

/* A daemon that has just started has not heard of a proxy that runs yet. */
static int64_t absent_since(const struct wall *wall, const struct seen_presence *presence)
{
	return presence->was_connected ? presence->since : wall->started;
}

void report_proxy(const struct wall *wall, const struct report_process *process,
		  const struct proxy_seen *seen, bool may_see_all, struct writer *w)
{
	bool is_external = wall->current->set.config.proxy_is_external;
	struct seen_presence presence = proxy_seen_presence(seen, process->counts);
	struct seen_counts all = proxy_seen_count_all(seen), nobodys = proxy_seen_count(seen, NULL);

	writer_key(w, "proxy");
	writer_begin(w, '{');
	writer_put_text(w, "kind", is_external ? "external" : "built-in");
	if (!is_external) {
		writer_put_bool(w, "needed", is_needed(wall));
		writer_put_bool(w, "connected", presence.is_connected);
		writer_put_bool(w, "ever_connected", presence.was_connected);
		writer_put_int(w, "since",
			       presence.is_connected ? presence.since :
						       absent_since(wall, &presence));
		writer_put_int(w, "pid", presence.is_connected ? presence.pid : 0);
	}
	if (!is_external && may_see_all) {
		report_proxy_counts(&all, w);
		writer_put_int(w, "strangers_refused", (int64_t)nobodys.n[RECORD_REFUSED]);
	}
	writer_end(w, '}');
}
