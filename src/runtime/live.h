/* SPDX-License-Identifier: GPL-2.0-or-later */
/* live.h - connections that are open now, judged by a ruleset: which of them would it refuse?
 *
 * Only connected sockets are judged. A listener, or a socket without a peer, has no packet whose
 * verdict would be its own: it may be needed after a rollback, the rules refuse what it sends
 * meanwhile, and every connection that it accepted is judged by itself.
 */
#ifndef UIDWALL_RUNTIME_LIVE_H
#define UIDWALL_RUNTIME_LIVE_H

#include "base/arena.h"
#include "base/diag.h"
#include "kernel/sockets.h"
#include "plan/ir.h"
#include "policy/policy_set.h"
#include "wire/writer.h"

struct live; /* the ways to ask the kernel; bound to the network namespace it was opened in */

int live_open(struct live **ret_live, struct diags *diags);
void live_close(struct live *live); /* NULL is fine */
DEFINE_CLEANUP(live, struct live *, live_close)

bool live_can_destroy(const struct live *live);

/* A socket that the rules would refuse. */
struct live_refused {
	struct live_socket socket;
	const char *service; /* whose policy refuses it; NULL: no single one */
	const char *why;     /* the deciding line, "blog.json:5 listen" */
	bool is_by_unit;     /* it is the service's by its control group, not by its user */
};

/* The list is ordered: by service, user, protocol, addresses. All of it lives in the arena. */
struct live_judgement {
	struct live_refused *refused;
	size_t n_refused;
	size_t n_judged;
	uint64_t us; /* how long it took */
};

/* Judges every connected socket of the namespace, by the policies in `set` and their rules. -errno
 * with diags where the list cannot be had.
 */
int live_judge(struct live *live, const struct policy_set *set, const struct ir_ruleset *rules,
	       struct arena *arena, struct live_judgement *ret_judgement, struct diags *diags);

/* Closes them and logs it: a line for each, up to a bound, then a sum. Returns how many were
 * closed; those that ended by themselves meanwhile do not count.
 */
size_t live_destroy(struct live *live, const struct live_judgement *judgement, struct diags *diags);

/* Writes a member of an object that the caller has begun: "sockets": {"judged", "refused",
 * "can_close", "list": [...]}, the list cut after the first hundred.
 */
void live_write(const struct live *live, const struct live_judgement *judgement, struct writer *w);

#endif
