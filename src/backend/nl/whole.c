/* SPDX-License-Identifier: GPL-2.0-or-later */
/* whole.c - whatever the kernel has under our table's name → the ruleset.
 *
 * Facts of Linux 6.18 to know: a table gets its owner when it is made, never later (EOPNOTSUPP);
 * but making it "again" with the same flags adopts an orphan, which has lost its owner flag and
 * kept the other one. Whoever comes first may adopt it, and then only that process may change or
 * delete it. What a table holds is exchanged in place as long as its flags are right: deleting and
 * making a table in one batch lets packets through that are on their way (change.c), and loses the
 * counters.
 *
 * So there is a second name. Under it a complete table stands in while the first one is deleted and
 * made anew, and for as long as another process holds the first one: what both let pass passes.
 */
#include "backend/nl/whole.h"

#include <errno.h>

#include "backend/nl/counter.h"
#include "backend/nl/present.h"
#include "backend/nl/set.h"

enum {
	BLIND_TRIES = 5, /* after NL_GUARDED_TRIES */
	WRONG_TRIES = 3, /* where what is there is not what it seemed a moment ago */
};

void nl_finish_detour(struct nl_attempt *a, const struct ir_ruleset *detour,
		      const struct ir_ruleset *next)
{
	struct nl_change_counts unused;
	struct nl_outcome outcome = a->outcome;

	if (nl_turn_known(a, detour, next, &unused) < 0)
		a->table->known = false;
	a->outcome = outcome;
}

/* Whether somebody else alone may change it. */
static bool is_held(const struct nl_attempt *a, const struct nl_present *present)
{
	return present->owner && present->owner != nl_sock_port(a->table->sock);
}

/* Makes a table in one batch; values, which may be NULL, are those of the counters. */
static int make(struct nl_attempt *a, const struct ir_ruleset *next, bool delete_first,
		const struct nl_counter_value *values)
{
	struct nl_writer writer = { .batch = &a->batch, .exprs = a->table->exprs, .ruleset = next };

	a->from = NULL;
	a->to = next;
	nl_batch_reset(&a->batch);
	if (delete_first)
		nl_delete_table(&writer);
	nl_write_opening(a, NL_OPEN_CREATE);
	for (uint32_t i = 0; i < next->n_counters; i++)
		nl_add_counter(&writer, i, values ? values[i].packets : 0,
			       values ? values[i].bytes : 0);
	for (uint32_t i = 0; i < next->n_chains; i++)
		nl_add_chain(&writer, i);
	for (uint32_t i = 0; i < next->n_sets; i++) {
		nl_add_set(&writer, i);
		nl_fill_set(&writer, i);
	}
	for (uint32_t i = 0; i < next->n_chains; i++)
		nl_fill_chain(&writer, i);
	return nl_commit(a);
}

/* --- the table that stands in ----------------------------------------------------------------- */

/* Without one, a few packets may pass: no reason to leave what is there as it is. */
static void stand_in(struct nl_attempt *a, const struct ir_ruleset *next)
{
	struct nl_outcome outcome = a->outcome;
	struct nl_present present;

	nl_use_table(a, NL_TABLE_STANDBY);
	a->guard = 0;
	if (nl_present_read_table(a->table->sock, &present) == 0 && !is_held(a, &present) &&
	    make(a, next, present.exists, NULL) == 0)
		nl_wait_for_packets();
	nl_use_table(a, IR_TABLE_NAME);
	a->outcome = outcome;
}

/* The table itself stands: the other one goes, if there is one. */
static void stand_down(struct nl_attempt *a)
{
	struct nl_writer writer = { .batch = &a->batch };
	struct nl_present present;
	struct nl_outcome unused;

	nl_use_table(a, NL_TABLE_STANDBY);
	if (nl_present_read_table(a->table->sock, &present) == 0 && present.exists &&
	    !is_held(a, &present)) {
		nl_wait_for_packets();
		nl_batch_reset(&a->batch);
		nl_delete_table(&writer);
		/* What is left refuses no more than what is in force does. */
		(void)nl_batch_commit(&a->batch, a->table->sock, 0, &unused);
		a->table->generation = 0; /* look again */
	}
	nl_use_table(a, IR_TABLE_NAME);
}

/* --- under the name in use -------------------------------------------------------------------- */

/* Deletes the table and makes it anew in one batch: where its flags or its hooks are not ours. */
static int make_anew(struct nl_attempt *a, const struct ir_ruleset *next)
{
	AUTO(mem) struct nl_counter_value *values = NULL;
	int r = nl_read_counters(a->table->sock, next, &values);

	if (r < 0 && r != -EINTR) /* then they start from 0 */
		return r;
	return make(a, next, true, values);
}

/* Whether the table can stay. An orphan says persist, but no longer that it had an owner. */
static bool can_keep(const struct nl_attempt *a, const struct nl_present *present)
{
	uint32_t flags = nl_table_flags(a->table);

	return !present->is_strange &&
	       (present->flags == flags || present->flags == (flags & ~(uint32_t)NL_TABLE_OWNER));
}

/* Exchanges what the table holds, of which only the names are known. */
static int turn_unknown(struct nl_attempt *a, const struct nl_present *present,
			const struct ir_ruleset *next)
{
	const struct ir_ruleset *names = &present->names;
	const struct ir_ruleset *detour = nl_change_detour(names, true, next, a->arena);
	enum nl_opening opening = present->exists ? NL_OPEN_ADOPT : NL_OPEN_CREATE;
	AUTO(nl_change) struct nl_change *change = NULL;
	struct nl_change_counts unused;
	int r = nl_change_new(names, true, detour ? detour : next, a->table->exprs, &change);

	if (r == -EOPNOTSUPP)
		return make_anew(a, next);
	if (r == 0)
		r = nl_turn(a, change, opening, &unused);
	if (r == 0 && detour)
		nl_finish_detour(a, detour, next);
	return r;
}

static int look(struct nl_attempt *a, bool is_guarded, struct nl_present *ret_present)
{
	int r = nl_sock_generation(a->table->sock, &a->guard);

	a->table->is_in_doubt = false;
	if (r == 0)
		r = nl_present_read(a->table->sock, a->arena, ret_present);
	/* Where others commit all the time, guards and long dumps would keep us out for good.
	 * Without a guard, a change of our table just now shows as an error.
	 */
	if (!is_guarded) {
		a->guard = 0;
		ret_present->is_strange |= r == -EINTR;
		r = r == -EINTR ? 0 : r;
	}
	return r;
}

/* Whether what went wrong may be right the next time. */
static bool is_worth_trying(const struct nl_attempt *a, int r, unsigned *wrong)
{
	return r == -ERESTART || r == -EINTR ||
	       (nl_is_picture_wrong(a, r) && ++*wrong < WRONG_TRIES);
}

/* ret_holder: of a table that somebody else owns, with -EPERM. */
static int apply_here(struct nl_attempt *a, const struct ir_ruleset *next, bool may_stand_in,
		      uint32_t *ret_holder)
{
	struct nl_present present = { 0 };
	unsigned wrong = 0;
	int r = 0;

	for (unsigned i = 0; i < NL_GUARDED_TRIES + BLIND_TRIES; i++) {
		r = look(a, i < NL_GUARDED_TRIES, &present);
		if (r == 0 && is_held(a, &present)) {
			*ret_holder = present.owner;
			return -EPERM;
		}
		a->table->known = true; /* unless something fails on the way */
		if (r == 0 && present.exists && !can_keep(a, &present)) {
			if (may_stand_in) {
				may_stand_in = false;
				stand_in(a, next);
				continue; /* time has passed */
			}
			r = make_anew(a, next);
		} else if (r == 0) {
			r = turn_unknown(a, &present, next);
		}
		if (!is_worth_trying(a, r, &wrong))
			break;
		a->result.retries++;
	}
	a->table->known = a->table->known && r == 0;
	return r;
}

int nl_apply_whole(struct nl_attempt *a, const struct ir_ruleset *next)
{
	const char *before = nl_sock_table(a->table->sock);
	uint32_t holder = 0, unused;
	int r;

	nl_use_table(a, IR_TABLE_NAME);
	r = apply_here(a, next, true, &holder);
	if (r == 0) {
		stand_down(a);
	} else if (holder) {
		nl_use_table(a, NL_TABLE_STANDBY);
		r = apply_here(a, next, false, &unused);
		a->outcome.holder = holder;
	}
	if (r < 0)
		nl_use_table(a, before);
	else
		a->table->holder = holder;
	a->result.replaced_whole = true;
	a->result.chains_changed = (unsigned)next->n_chains;
	a->result.elements_changed = (unsigned)next->n_elements;
	return r;
}
