/* SPDX-License-Identifier: GPL-2.0-or-later */
/* why.h - a question about one service or user and where it may go → verdict, deciding line, errno,
 * and the smallest change of a policy that would turn the verdict, as JSON.
 */
#ifndef UIDWALL_WHY_WHY_H
#define UIDWALL_WHY_WHY_H

#include "kernel/route.h"
#include "plan/ir.h"
#include "policy/policy_set.h"
#include "wire/writer.h"

/* The rules that are asked about. */
struct why_world {
	const struct policy_set *set;
	const struct ir_ruleset *rules;
	struct routes *routes; /* NULL: every interface is taken for one that fits */
	bool is_standing;      /* false: the whole wall is off */
	int64_t now;	       /* seconds since 1970 */
};

enum { WHY_NO_UID = -1, WHY_TARGETS_MAX = 64 };

struct why_question {
	const struct service *service; /* NULL: only the uid is known */
	int64_t uid;		       /* whose socket; WHY_NO_UID: the service's first */
	const char *user;	       /* the uid's name, or NULL */
	/* "tcp 192.0.2.7:25", "udp [2001:db8::1]:53", "icmp 192.0.2.1"; with a caller, or a host of
	 * which no address is known, "tcp 3000"
	 */
	const char *const *targets;
	size_t n_targets;
	const char *host; /* the name that the targets are the addresses of, or NULL */
	/* Who connects to the service: a user, or (WHY_NO_UID) an address "203.0.113.9"; both
	 * absent: the service connects.
	 */
	const char *from;
	int64_t from_uid;
	/* Lines of other services' policies are left out: who asks may not read them. */
	bool own_only;
};

/* Writes one JSON object. 0, or -EINVAL and *ret_error (in the arena) says in one line what is
 * wrong with the question.
 */
int why_answer(const struct why_world *world, const struct why_question *question,
	       struct arena *arena, struct writer *w, const char **ret_error);

#endif
