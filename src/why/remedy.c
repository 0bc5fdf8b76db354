/* SPDX-License-Identifier: GPL-2.0-or-later */
/* remedy.c - a verdict → the smallest change of policies that would turn it.
 *
 * To let a caller in, both its packet and the answer have to pass; to keep it out, one of them not
 * to pass is enough: best the "from" that names it, then the port itself, then the caller's lines.
 */
#include "why/remedy.h"

#include <string.h>

bool asked_is_refused(const struct asked *asked)
{
	return (asked->has_call && eval_is_refused(&asked->call.result)) ||
	       (asked->has_answer && eval_is_refused(&asked->answer.result));
}

bool asked_is_monitored(const struct asked *asked)
{
	return !asked_is_refused(asked) &&
	       ((asked->has_call && !crossing_passes_enforced(&asked->call.crossing)) ||
		(asked->has_answer && !crossing_passes_enforced(&asked->answer.crossing)));
}

/* Lines are proposed only where policies and rules agree on what is. */
static bool is_understood(const struct probe *probe)
{
	return !probe->is_odd &&
	       crossing_passes(&probe->crossing) == !eval_is_refused(&probe->result);
}

/* --- changes ---------------------------------------------------------------------------------- */

static bool same_change(const struct change *a, const struct change *b)
{
	return a->kind == b->kind && a->service == b->service && a->line == b->line &&
	       a->user == b->user && a->protocol == b->protocol && a->port == b->port &&
	       a->uid == b->uid && a->to.family == b->to.family &&
	       (a->to.family == ADDR_NONE || prefix_compare(&a->to, &b->to) == 0);
}

static bool is_loopback_pair(const struct change *a, const struct change *b)
{
	static const struct prefix v4 = { ADDR_V4, 32, { 127, 0, 0, 1 } };
	static const struct prefix v6 = { ADDR_V6, 128, { [15] = 1 } };
	struct change turned = *b;

	if (a->kind != CHANGE_ADD_CONNECT || a->to.family == b->to.family)
		return false;
	turned.to = a->to;
	return same_change(a, &turned) &&
	       ((prefix_compare(&a->to, &v4) == 0 && prefix_compare(&b->to, &v6) == 0) ||
		(prefix_compare(&a->to, &v6) == 0 && prefix_compare(&b->to, &v4) == 0));
}

static void merge_one(struct changes *changes, const struct change *change)
{
	for (size_t i = 0; i < changes->n; i++) {
		if (same_change(&changes->list[i], change))
			return;
		if (is_loopback_pair(&changes->list[i], change)) {
			changes->list[i].to = (struct prefix){ .family = ADDR_NONE };
			return;
		}
	}
	*ARENA_APPEND(changes->arena, changes->list, changes->n) = *change;
}

void changes_merge(struct changes *changes, const struct changes *more)
{
	for (size_t i = 0; i < more->n; i++)
		merge_one(changes, &more->list[i]);
}

/* --- to allow --------------------------------------------------------------------------------- */

/* Changes that let both packets pass, in enforce mode where as_enforced is set. */
static bool find_allowing(const struct asked *asked, bool as_enforced, struct changes *changes)
{
	struct crossing call = asked->call.crossing, answer = asked->answer.crossing;
	bool possible = true;

	call.as_enforced = answer.as_enforced = as_enforced;
	if (asked->has_answer && !crossing_passes(&answer)) {
		possible = crossing_allow(&answer, changes);
		/* a declared port is open to its own service */
		call.declares = possible && call.service && call.service == answer.service;
	}
	if (asked->has_call && possible && !crossing_passes(&call))
		possible = crossing_allow(&call, changes);
	if (!possible)
		changes->n = 0;
	return possible;
}

/* --- to refuse -------------------------------------------------------------------------------- */

/* To stop one of two packets is enough: what takes fewer changes. */
static void find_refusing(const struct asked *asked, struct changes *changes)
{
	const struct crossing *call = &asked->call.crossing, *answer = &asked->answer.crossing;
	struct changes other = { .arena = changes->arena };

	if (asked->has_call && asked->server && crossing_close_guard(call, asked->server, changes))
		return;
	if (asked->has_answer)
		crossing_refuse(answer, changes);
	if (asked->has_call && crossing_refuse(call, &other) &&
	    (!changes->n || other.n < changes->n))
		*changes = other;
}

/* --- where no line can ------------------------------------------------------------------------ */

static const char *hint_for_sender(const struct sender *sender, bool refused, struct arena *arena)
{
	const struct service *service = sender->service;

	if (sender->owner && sender->owner->service == NO_SERVICE)
		return arena_printf(arena, "give each user subordinate ids of its own in %s",
				    sender->owner->place.file);
	if (service && service->state == POLICY_REFUSED)
		return arena_printf(arena, "mend %s: \"uidwall check\" says what is wrong with it",
				    service->policy->file);
	if (service && service->state == POLICY_OFF)
		return arena_printf(arena, "put its policy back in force with \"uidwall on %s\"",
				    service->policy->service);
	if (!refused && !service && sender->uid != 0)
		return arena_printf(
			arena, "write a policy for it, \"uidwall new NAME --user %s\" begins one",
			sender->user ? sender->user : arena_printf(arena, "%u", sender->uid));
	return NULL;
}

void remedy_find(const struct why_world *world, const struct asked *asked, struct arena *arena,
		 struct remedy *ret_remedy)
{
	const bool refused = asked_is_refused(asked);
	const struct probe *first = asked->has_call ? &asked->call : &asked->answer;
	bool understood = (!asked->has_call || is_understood(&asked->call)) &&
			  (!asked->has_answer || is_understood(&asked->answer));

	*ret_remedy = (struct remedy){ .turn.arena = arena, .enforce.arena = arena };
	if (!world->is_standing) {
		ret_remedy->hint = "put the wall back up with \"uidwall on\"";
		return;
	}
	if (understood && refused)
		find_allowing(asked, false, &ret_remedy->turn);
	else if (understood)
		find_refusing(asked, &ret_remedy->turn);
	if (understood && asked_is_monitored(asked))
		find_allowing(asked, true, &ret_remedy->enforce);
	if (ret_remedy->turn.n)
		return;
	ret_remedy->hint = hint_for_sender(&first->sender, refused, arena);
	if (!ret_remedy->hint && asked->has_answer)
		ret_remedy->hint = hint_for_sender(&asked->answer.sender, refused, arena);
}
