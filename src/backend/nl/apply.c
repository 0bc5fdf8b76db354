/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply.c - ruleset → kernel: what changed, or all that the table holds.
 *
 * Facts of Linux 6.18 to know: a table gets its owner when it is made, never later (EOPNOTSUPP);
 * but making it "again" with the same flags adopts an orphan, which has lost its owner flag and
 * kept the other one. What a table holds is exchanged in place as long as its flags are right:
 * deleting and making a table in one batch lets packets through that are on their way (change.c),
 * and loses the counters.
 */
#include "backend/nl/apply.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>

#include "backend/nl/counter.h"
#include "backend/nl/groups.h"
#include "backend/nl/present.h"
#include "backend/nl/probe.h"
#include "backend/nl/refusal.h"
#include "backend/nl/set.h"
#include "backend/nl/turn.h"
#include "plan/names.h"

enum {
	BLIND_TRIES = 5, /* after NL_GUARDED_TRIES */
	WRONG_TRIES = 3, /* where what is there is not what it seemed a moment ago */
};

/* The rest of a way round (nl_change_detour()): what is in force means the same already. */
static void finish_detour(struct nl_attempt *a, const struct ir_ruleset *detour,
			  const struct ir_ruleset *next)
{
	struct nl_change_counts unused;
	struct nl_outcome outcome = a->outcome;

	if (nl_turn_known(a, detour, next, &unused) < 0)
		a->table->known = false;
	a->outcome = outcome;
}

static int apply_changes(struct nl_attempt *a, const struct ir_ruleset *current,
			 const struct ir_ruleset *next)
{
	const struct ir_ruleset *detour = nl_change_detour(current, false, next, a->arena);
	struct nl_change_counts counts = { 0 };
	int r = nl_turn_known(a, current, detour ? detour : next, &counts);

	if (r < 0)
		return r;
	a->result.chains_changed = counts.chains;
	a->result.elements_changed = counts.elements;
	if (detour)
		finish_detour(a, detour, next);
	return 0;
}

/* --- all that the table holds ----------------------------------------------------------------- */

/* Deletes the table and makes it anew in one batch: where its flags or its hooks are not ours. */
static int make_anew(struct nl_attempt *a, const struct ir_ruleset *next)
{
	struct nl_writer writer = { .batch = &a->batch, .exprs = a->table->exprs, .ruleset = next };
	AUTO(mem) struct nl_counter_value *values = NULL;
	int r = nl_read_counters(a->table->sock, next, &values);

	if (r < 0 && r != -EINTR) /* then they start from 0 */
		return r;
	a->from = NULL;
	a->to = next;
	nl_batch_reset(&a->batch);
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
		finish_detour(a, detour, next);
	return r;
}

static int apply_whole(struct nl_attempt *a, const struct ir_ruleset *next)
{
	struct nl_present present = { 0 };
	unsigned wrong = 0;
	int r = 0;

	for (unsigned i = 0; i < NL_GUARDED_TRIES + BLIND_TRIES; i++) {
		r = nl_sock_generation(a->table->sock, &a->guard);
		if (r == 0)
			r = nl_present_read(a->table->sock, a->arena, &present);
		/* Where others commit all the time, guards and long dumps would keep us out for
		 * good. Without a guard, a change of our table just now shows as an error.
		 */
		if (i >= NL_GUARDED_TRIES) {
			a->guard = 0;
			present.is_strange |= r == -EINTR;
			r = r == -EINTR ? 0 : r;
		}
		a->table->known = true; /* unless something fails on the way */
		if (r == 0 && present.exists && !can_keep(a, &present))
			r = make_anew(a, next);
		else if (r == 0)
			r = turn_unknown(a, &present, next);
		if (r != -ERESTART && r != -EINTR &&
		    (!nl_is_picture_wrong(r) || ++wrong == WRONG_TRIES))
			break;
		a->result.retries++;
	}
	a->table->known = a->table->known && r == 0;
	a->result.replaced_whole = true;
	a->result.chains_changed = (unsigned)next->n_chains;
	a->result.elements_changed = (unsigned)next->n_elements;
	return r;
}

/* The kernel said nothing of the batch: it has the one ruleset or the other. */
static bool is_unheard(const struct nl_outcome *outcome, int r)
{
	return r < 0 && !outcome->n_refusals;
}

int nl_table_apply(struct nl_table *table, const struct ir_ruleset *current,
		   const struct ir_ruleset *next, struct nl_result *ret_result, struct diags *diags)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct nl_attempt a = { .table = table, .arena = arena };
	int r = -ESTALE;

	nl_batch_init(&a.batch);
	if (current && table->known)
		r = apply_changes(&a, current, next);
	if (r == -ESTALE || is_unheard(&a.outcome, r))
		r = apply_whole(&a, next);
	/* Once more, from what is there by now, comes to the same whichever it is. */
	if (is_unheard(&a.outcome, r))
		r = apply_whole(&a, next);
	if (r < 0)
		nl_report(&a.outcome, r, a.from, a.to, diags);
	else
		*ret_result = a.result;
	if (is_unheard(&a.outcome, r))
		diag_add(diags, DIAG_NOTE, (struct place){ 0 },
			 "whether the kernel has the new rules or still those from before is not "
			 "known; the next reload makes sure");
	nl_batch_done(&a.batch);
	malloc_trim(0);
	return r;
}

int nl_table_add_elements(struct nl_table *table, const struct ir_ruleset *next, uint32_t set,
			  uint32_t n)
{
	struct nl_attempt a = { .table = table };
	int r;

	nl_batch_init(&a.batch);
	r = nl_turn_elements(&a, next, set, n);
	nl_batch_done(&a.batch);
	return r;
}

/* --- the handle ------------------------------------------------------------------------------- */

int nl_table_remove(struct nl_table *table, struct diags *diags)
{
	static const struct ir_ruleset none;
	struct nl_batch batch;
	struct nl_writer writer = { .batch = &batch, .exprs = table->exprs, .ruleset = &none };
	struct nl_outcome outcome;
	int r;

	nl_batch_init(&batch);
	nl_delete_table(&writer);
	r = nl_batch_commit(&batch, table->sock, 0, &outcome);
	if (is_unheard(&outcome, r))
		r = nl_batch_commit(&batch, table->sock, 0, &outcome);
	table->known = false;
	if (r == -ENOENT)
		r = 0;
	if (r < 0)
		nl_report(&outcome, r, NULL, &none, diags);
	nl_batch_done(&batch);
	return r;
}

int nl_table_open(struct nl_table **ret_table, struct diags *diags)
{
	static const struct nl_outcome no_answer;
	AUTO(nl_table) struct nl_table *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return -ENOMEM;
	table->exprs = nl_exprs_new();
	r = table->exprs ? nl_sock_open(&table->sock) : -ENOMEM;
	if (r < 0)
		return nl_report(&no_answer, r, NULL, NULL, diags);
	r = nl_probe(table->sock, table->exprs, &table->features, diags);
	if (r < 0)
		return r;
	*ret_table = TAKE(table);
	return 0;
}

void nl_table_close(struct nl_table *table)
{
	if (!table)
		return;
	nl_sock_close(table->sock);
	nl_exprs_free(table->exprs);
	free(table);
}

static int report_reading(int r, struct diags *diags)
{
	static const struct place nowhere;

	if (r < 0 && r != -ENOENT)
		diag_add(diags, DIAG_ERROR, nowhere, "reading the kernel's counters: %s",
			 strerror(-r));
	return r;
}

int nl_table_read_counters(struct nl_table *table, const struct ir_ruleset *ruleset,
			   struct nl_counter_value **ret_values, struct diags *diags)
{
	return report_reading(nl_read_counters(table->sock, ruleset, ret_values), diags);
}

int nl_table_read_counter(struct nl_table *table, const char *name,
			  struct nl_counter_value *ret_value, struct diags *diags)
{
	return report_reading(nl_read_counter(table->sock, name, ret_value), diags);
}

void nl_table_read_groups(struct nl_table *table, struct arena *arena, struct nl_group **ret_groups,
			  size_t *ret_n)
{
	nl_read_groups(table->sock, PLAN_UNITS, arena, ret_groups, ret_n);
}

const struct nl_features *nl_table_features(const struct nl_table *table)
{
	return &table->features;
}

void nl_table_forgo_owner(struct nl_table *table)
{
	table->features.owner_persist = false;
}
