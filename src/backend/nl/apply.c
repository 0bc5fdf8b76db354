/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply.c - ruleset → kernel: what changed, or all that the table holds.
 *
 * A batch that assumes something about the kernel names the generation for which that holds, and
 * is begun anew (ERESTART) when somebody else commits first. Facts of Linux 6.18 to know: only the
 * socket that made or adopted an owned table may change it, so nothing needs to be looked at there.
 * A table gets its owner when it is made, never later (EOPNOTSUPP); but making it "again" with the
 * same flags adopts an orphan. What a table holds is exchanged in place as long as its flags are
 * right: deleting and making a table in one batch is atomic for its rules, but not for interval
 * sets (change.c), and loses the counters.
 */
#include "backend/nl/apply.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/syscall.h>

#include <libmnl/libmnl.h>
#include <linux/membarrier.h>
#include <linux/netfilter/nf_tables.h>

#include "backend/nl/change.h"
#include "backend/nl/counter.h"
#include "backend/nl/present.h"
#include "backend/nl/refusal.h"
#include "backend/nl/set.h"
#include "backend/nl/verify.h"

enum {
	GUARDED_TRIES =
		20, /* with the generation named; then a batch that can do without is sent */
	BLIND_TRIES = 5,
	WRONG_TRIES = 3, /* where what is there is not what it seemed a moment ago */
};

struct nl_table {
	struct nl_sock *sock;
	struct nl_exprs *exprs;
	struct nl_features features;
	bool known;	     /* the kernel holds what the last call put there, unless ... */
	uint32_t generation; /* ... this is no longer the generation, and the table not owned */
};

/* A call of nl_table_apply() on its way. */
struct attempt {
	struct nl_table *table;
	struct arena *arena;
	const struct ir_ruleset *from, *to; /* of the batch sent last; from NULL: of nothing */
	uint32_t guard; /* the generation that the next batch rests on; 0: on none */
	struct nl_result result;
	struct nl_outcome outcome;
	struct nl_batch batch;
};

static uint32_t table_flags(const struct nl_table *table)
{
	return table->features.owner_persist ? NL_TABLE_OWNER | NL_TABLE_PERSIST : 0;
}

/* Whether only we can have changed the table. */
static bool is_owned(const struct nl_table *table)
{
	return table->features.owner_persist;
}

static uint32_t generation_after(uint32_t generation)
{
	return generation + 1 ? generation + 1 : 1; /* the kernel skips 0 */
}

static int commit(struct attempt *a)
{
	int r = nl_batch_commit(&a->batch, a->table->sock, a->guard, &a->outcome);

	a->result.bytes_sent += a->batch.messages.used;
	a->result.kernel_us += a->outcome.kernel_us;
	if (r == 0) {
		a->guard = a->guard ? generation_after(a->guard) : 0;
		a->table->generation = a->guard;
	} else if (!a->outcome.n_refusals) {
		a->table->known = false; /* no answer: it may be in force or not */
	}
	return r;
}

/* What makes the table ours, in front of the first batch. */
enum opening {
	OPEN_AS_IT_IS,
	OPEN_CREATE,
	OPEN_ADOPT,
};

static void write_opening(struct attempt *a, enum opening opening)
{
	struct nl_writer writer = { .batch = &a->batch };

	if (opening == OPEN_CREATE)
		nl_add_table(&writer, IR_TABLE_NAME, table_flags(a->table),
			     NLM_F_CREATE | NLM_F_EXCL);
	else if (opening == OPEN_ADOPT && is_owned(a->table))
		nl_add_table(&writer, IR_TABLE_NAME, table_flags(a->table), 0);
}

static void undo(struct attempt *a, const struct nl_change *change, bool created)
{
	struct nl_writer writer = { .batch = &a->batch };
	struct nl_outcome unused;

	nl_batch_reset(&a->batch);
	if (created)
		nl_delete_table(&writer);
	else
		nl_write_undo(change, &a->batch);
	/* What is left when this fails, the next whole replacement takes away. */
	if (nl_batch_commit(&a->batch, a->table->sock, 0, &unused) < 0)
		a->table->known = false;
	a->table->generation = 0; /* look again */
}

/* Waits until the kernel is done with every packet that is on its way. */
static void wait_for_packets(void)
{
	/* kernel/sched/membarrier.c: synchronize_rcu(), which packets hold up. Without the call,
	 * the time that a commit takes has to do.
	 */
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

/* What is in force needs nothing of what goes: a failure is left to the next call. */
static void clean_up(struct attempt *a, const struct nl_change *change,
		     struct nl_change_counts *counts)
{
	struct nl_outcome outcome = a->outcome;
	int r;

	nl_batch_reset(&a->batch);
	nl_write_clean_up(change, &a->batch, counts);
	if (nl_batch_is_empty(&a->batch))
		return;
	wait_for_packets();
	r = commit(a);
	if (r == -ERESTART) {
		a->guard = 0;
		r = commit(a);
	}
	if (r < 0)
		a->table->known = false;
	a->outcome = outcome;
}

static int turn_in_steps(struct attempt *a, const struct nl_change *change, enum opening opening,
			 struct nl_change_counts *ret_counts)
{
	int r = 0;

	nl_batch_reset(&a->batch);
	write_opening(a, opening);
	nl_write_preparation(change, &a->batch);
	if (!nl_batch_is_empty(&a->batch))
		r = commit(a);
	if (r < 0)
		return r;
	nl_batch_reset(&a->batch);
	nl_write_switch(change, &a->batch, ret_counts);
	if (!nl_batch_is_empty(&a->batch))
		r = commit(a);
	if (r < 0) {
		undo(a, change, opening == OPEN_CREATE);
		return r;
	}
	clean_up(a, change, ret_counts);
	return 0;
}

/* Turns one ruleset into another one. On failure the kernel keeps the first. */
static int turn(struct attempt *a, const struct nl_change *change, enum opening opening,
		struct nl_change_counts *ret_counts)
{
	a->from = change->from;
	a->to = change->to;
	if (change->in_steps)
		return turn_in_steps(a, change, opening, ret_counts);
	nl_batch_reset(&a->batch);
	write_opening(a, opening);
	nl_write_change(change, &a->batch, ret_counts);
	return nl_batch_is_empty(&a->batch) ? 0 : commit(a);
}

/* --- what changed ------------------------------------------------------------------------------
 */

/* 0, and the guard is the generation for which the table is known to hold `from`; or -ESTALE. */
static int check_picture(struct attempt *a, const struct ir_ruleset *from)
{
	struct nl_table *table = a->table;
	uint32_t generation;
	int r = nl_sock_generation(table->sock, &generation);

	if (r == 0 && generation != table->generation && !is_owned(table)) {
		r = nl_verify(table->sock, table->exprs, from);
		if (r == 0)
			table->generation = generation;
	}
	if (r == 0)
		a->guard = generation;
	return r;
}

/* Errors of a kernel that holds something else than we think. */
static bool is_picture_wrong(int error)
{
	return error == -ENOENT || error == -EEXIST || error == -EBUSY;
}

/* 0, -ESTALE when all of the table has to be replaced, else the error. */
static int turn_known(struct attempt *a, const struct ir_ruleset *from, const struct ir_ruleset *to,
		      struct nl_change_counts *ret_counts)
{
	AUTO(nl_change) struct nl_change *change = NULL;
	int r = nl_change_new(from, false, to, a->table->exprs, &change);

	if (r < 0)
		return r == -EOPNOTSUPP ? -ESTALE : r;
	for (unsigned i = 0; i < GUARDED_TRIES; i++) {
		r = check_picture(a, from);
		if (r == 0)
			r = turn(a, change, OPEN_AS_IT_IS, ret_counts);
		if (r != -ERESTART && r != -EINTR) /* EINTR: a commit while we looked */
			break;
		a->result.retries++;
	}
	if (r == -ERESTART) { /* others commit all the time: the next call looks again */
		a->guard = 0;
		r = turn(a, change, OPEN_AS_IT_IS, ret_counts);
	}
	return r == -EINTR || is_picture_wrong(r) ? -ESTALE : r;
}

/* The rest of a way round (nl_change_detour()): what is in force means the same already. */
static void finish_detour(struct attempt *a, const struct ir_ruleset *detour,
			  const struct ir_ruleset *next)
{
	struct nl_change_counts unused;

	struct nl_outcome outcome = a->outcome;

	if (turn_known(a, detour, next, &unused) < 0)
		a->table->known = false;
	a->outcome = outcome;
}

static int apply_changes(struct attempt *a, const struct ir_ruleset *current,
			 const struct ir_ruleset *next)
{
	const struct ir_ruleset *detour = nl_change_detour(current, false, next, a->arena);
	struct nl_change_counts counts = { 0 };
	int r = turn_known(a, current, detour ? detour : next, &counts);

	if (r < 0)
		return r;
	a->result.chains_changed = counts.chains;
	a->result.elements_changed = counts.elements;
	if (detour)
		finish_detour(a, detour, next);
	return 0;
}

/* --- all that the table holds ------------------------------------------------------------------
 */

/* Deletes the table and makes it anew in one batch: where its flags or its hooks are not ours. */
static int make_anew(struct attempt *a, const struct ir_ruleset *next)
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
	write_opening(a, OPEN_CREATE);
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
	return commit(a);
}

/* Whether the table can stay. An orphan says persist, but no longer that it had an owner. */
static bool can_keep(const struct attempt *a, const struct nl_present *present)
{
	uint32_t flags = table_flags(a->table);

	return !present->is_strange &&
	       (present->flags == flags || present->flags == (flags & ~(uint32_t)NL_TABLE_OWNER));
}

/* Exchanges what the table holds, of which only the names are known. */
static int turn_unknown(struct attempt *a, const struct nl_present *present,
			const struct ir_ruleset *next)
{
	const struct ir_ruleset *names = &present->names;
	const struct ir_ruleset *detour = nl_change_detour(names, true, next, a->arena);
	enum opening opening = present->exists ? OPEN_ADOPT : OPEN_CREATE;
	AUTO(nl_change) struct nl_change *change = NULL;
	struct nl_change_counts unused;
	int r = nl_change_new(names, true, detour ? detour : next, a->table->exprs, &change);

	if (r == -EOPNOTSUPP)
		return make_anew(a, next);
	if (r == 0)
		r = turn(a, change, opening, &unused);
	if (r == 0 && detour)
		finish_detour(a, detour, next);
	return r;
}

static int apply_whole(struct attempt *a, const struct ir_ruleset *next)
{
	struct nl_present present;
	unsigned wrong = 0;
	int r = 0;

	for (unsigned i = 0; i < GUARDED_TRIES + BLIND_TRIES; i++) {
		r = nl_sock_generation(a->table->sock, &a->guard);
		if (r == 0)
			r = nl_present_read(a->table->sock, a->arena, &present);
		/* Where others commit all the time, guards and long dumps would keep us out for
		 * good. Without a guard, a change of our table just now shows as an error.
		 */
		if (i >= GUARDED_TRIES) {
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
		    (!is_picture_wrong(r) || ++wrong == WRONG_TRIES))
			break;
		a->result.retries++;
	}
	a->table->known = a->table->known && r == 0;
	a->result.replaced_whole = true;
	a->result.chains_changed = (unsigned)next->n_chains;
	a->result.elements_changed = (unsigned)next->n_elements;
	return r;
}

int nl_table_apply(struct nl_table *table, const struct ir_ruleset *current,
		   const struct ir_ruleset *next, struct nl_result *ret_result, struct diags *diags)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct attempt a = { .table = table, .arena = arena };
	int r = -ESTALE;

	nl_batch_init(&a.batch);
	if (current && table->known)
		r = apply_changes(&a, current, next);
	if (r == -ESTALE)
		r = apply_whole(&a, next);
	if (r < 0)
		nl_report(&a.outcome, r, a.from, a.to, diags);
	else
		*ret_result = a.result;
	nl_batch_done(&a.batch);
	malloc_trim(0);
	return r;
}

/* --- the handle ------------------------------------------------------------------------------ */

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
	table->known = false;
	if (r == -ENOENT)
		r = 0;
	if (r < 0)
		nl_report(&outcome, r, NULL, &none, diags);
	nl_batch_done(&batch);
	return r;
}

/* Asks whether a table could be made with both flags, in a batch that is taken back. */
static int probe(struct nl_table *table, struct diags *diags)
{
	static const struct ir_ruleset none;
	struct nl_batch batch;
	struct nl_writer writer = { .batch = &batch, .exprs = table->exprs, .ruleset = &none };
	struct nl_outcome outcome;
	int r;

	nl_batch_init(&batch);
	nl_add_table(&writer, IR_TABLE_NAME "-probe", NL_TABLE_OWNER | NL_TABLE_PERSIST,
		     NLM_F_CREATE);
	r = nl_batch_try(&batch, table->sock, &outcome);
	table->features.owner_persist = r == 0;
	if (r < 0 && outcome.n_refusals && outcome.refusals[0].has_item)
		r = 0; /* it does not know these flags */
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
	r = probe(table, diags);
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

const struct nl_features *nl_table_features(const struct nl_table *table)
{
	return &table->features;
}

void nl_table_forgo_owner(struct nl_table *table)
{
	table->features.owner_persist = false;
}
