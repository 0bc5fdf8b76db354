/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reason.h - the verdict on a packet → why, in words and as the line of a policy that decided. */
#ifndef UIDWALL_WHY_REASON_H
#define UIDWALL_WHY_REASON_H

#include "why/probe.h"

struct reason {
	const char *code;	     /* for programs: "connect", "no-line", "from", ... */
	const char *words;	     /* for people: no capital, no full stop */
	const struct policy *policy; /* of the line; NULL: no line decided */
	struct place place;	     /* line 0: a default */
	const char *key;	     /* of the policy; "connect" */
};

/* own: the only service whose lines may be shown, where own_only is set. */
struct reason reason_find(const struct why_world *world, const struct probe *probe, bool own_only,
			  const struct service *own, struct arena *arena);

/* Enforcing would have refused it; monitor mode let it pass. */
bool reason_is_monitor(const struct why_world *world, const struct probe *probe);

/* "user alice", "uid 1005", "root". */
const char *reason_sender(const struct sender *sender, struct arena *arena);

/* "blog.json:5", "blog.json" for a default. */
const char *reason_place(const struct policy *policy, struct place place, struct arena *arena);

#endif
