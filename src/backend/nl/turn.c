/* SPDX-License-Identifier: GPL-2.0-or-later */
/* turn.c - a change → batches, sent until the kernel takes them.
 *
 * A batch that assumes something about the kernel names the generation for which that holds, and
 * is begun anew (ERESTART) when somebody else commits first. Only the socket that made or adopted
 * an owned table may change it, so there nothing needs to be looked at.
 */
#include "backend/nl/turn.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include <linux/membarrier.h>

#include "backend/nl/monitor.h"
#include "backend/nl/set.h"
#include "backend/nl/verify.h"

enum { LARGE_BATCH = 1 << 16 };

uint32_t nl_table_flags(const struct nl_table *table)
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

void nl_use_table(struct nl_attempt *a, const char *name)
{
	nl_sock_use_table(a->table->sock, name);
	a->batch.table = name;
}

/* A batch of any size, while we do not listen ourselves: that would cost more than the batch. */
static int commit_unheard(struct nl_attempt *a)
{
	struct nl_table *table = a->table;
	uint32_t guard = a->guard, now = 0;
	int r;

	nl_monitor_listen(table->monitor, false);
	r = nl_batch_commit(&a->batch, table->sock, guard, &a->outcome);
	if (nl_monitor_listen(table->monitor, true) < 0 ||
	    nl_sock_generation(table->sock, &now) < 0 || !guard ||
	    now != (r ? guard : generation_after(guard)))
		table->is_in_doubt = true;
	return r;
}

int nl_commit(struct nl_attempt *a)
{
	bool is_large = a->batch.messages.used > LARGE_BATCH;
	int r = a->table->monitor && is_large ?
			commit_unheard(a) :
			nl_batch_commit(&a->batch, a->table->sock, a->guard, &a->outcome);

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

void nl_write_opening(struct nl_attempt *a, enum nl_opening opening)
{
	struct nl_writer writer = { .batch = &a->batch };

	if (opening == NL_OPEN_CREATE)
		nl_add_table(&writer, a->batch.table, nl_table_flags(a->table),
			     NLM_F_CREATE | NLM_F_EXCL);
	else if (opening == NL_OPEN_ADOPT && is_owned(a->table))
		nl_add_table(&writer, a->batch.table, nl_table_flags(a->table), 0);
}

static void undo(struct nl_attempt *a, const struct nl_change *change, bool created)
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

void nl_wait_for_packets(void)
{
	/* kernel/sched/membarrier.c: synchronize_rcu(), which packets hold up. Without the call,
	 * the time that a commit takes has to do.
	 */
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

/* What is in force needs nothing of what goes: a failure is left to the next call. */
static void clean_up(struct nl_attempt *a, const struct nl_change *change,
		     struct nl_change_counts *counts)
{
	struct nl_outcome outcome = a->outcome;
	int r;

	nl_batch_reset(&a->batch);
	nl_write_clean_up(change, &a->batch, counts);
	if (nl_batch_is_empty(&a->batch))
		return;
	nl_wait_for_packets();
	r = nl_commit(a);
	if (r == -ERESTART) {
		a->guard = 0;
		r = nl_commit(a);
	}
	if (r < 0)
		a->table->known = false;
	a->outcome = outcome;
}

static int turn_in_steps(struct nl_attempt *a, const struct nl_change *change,
			 enum nl_opening opening, struct nl_change_counts *ret_counts)
{
	int r = 0;

	nl_batch_reset(&a->batch);
	nl_write_opening(a, opening);
	nl_write_preparation(change, &a->batch);
	if (!nl_batch_is_empty(&a->batch))
		r = nl_commit(a);
	if (r < 0)
		return r;
	nl_batch_reset(&a->batch);
	nl_write_switch(change, &a->batch, ret_counts);
	if (!nl_batch_is_empty(&a->batch))
		r = nl_commit(a);
	if (r < 0) {
		if (a->outcome.n_refusals) /* else it may be in force */
			undo(a, change, opening == NL_OPEN_CREATE);
		return r;
	}
	clean_up(a, change, ret_counts);
	return 0;
}

/* Turns one ruleset into another one. On failure the kernel keeps the first. */
int nl_turn(struct nl_attempt *a, const struct nl_change *change, enum nl_opening opening,
	    struct nl_change_counts *ret_counts)
{
	a->from = change->from;
	a->to = change->to;
	if (change->in_steps)
		return turn_in_steps(a, change, opening, ret_counts);
	nl_batch_reset(&a->batch);
	nl_write_opening(a, opening);
	nl_write_change(change, &a->batch, ret_counts);
	return nl_batch_is_empty(&a->batch) ? 0 : nl_commit(a);
}

/* 0, and the guard is the generation for which the table is known to hold `from`; or -ESTALE. */
static int check_picture(struct nl_attempt *a, const struct ir_ruleset *from)
{
	struct nl_table *table = a->table;
	uint32_t generation;
	int r = nl_sock_generation(table->sock, &generation);

	if (r == 0 && generation != table->generation && !is_owned(table)) {
		r = nl_verify(table->sock, table->exprs, from, NULL);
		if (r == 0)
			table->generation = generation;
	}
	if (r == 0) {
		a->guard = generation;
		table->is_in_doubt = false;
	}
	return r;
}

/* Errors of a kernel that holds something else than we think. */
bool nl_is_picture_wrong(const struct nl_attempt *a, int error)
{
	/* of one message: somebody owns the table; of the whole batch: we may change none */
	bool is_held = error == -EPERM && a->outcome.n_refusals && a->outcome.refusals[0].has_item;

	return error == -ENOENT || error == -EEXIST || error == -EBUSY || is_held;
}

/* 0, -ESTALE when all of the table has to be replaced, else the error. */
int nl_turn_known(struct nl_attempt *a, const struct ir_ruleset *from, const struct ir_ruleset *to,
		  struct nl_change_counts *ret_counts)
{
	AUTO(nl_change) struct nl_change *change = NULL;
	int r = nl_change_new(from, false, to, a->table->exprs, &change);

	if (r < 0)
		return r == -EOPNOTSUPP ? -ESTALE : r;
	for (unsigned i = 0; i < NL_GUARDED_TRIES; i++) {
		r = check_picture(a, from);
		if (r == 0)
			r = nl_turn(a, change, NL_OPEN_AS_IT_IS, ret_counts);
		if (r != -ERESTART && r != -EINTR) /* EINTR: a commit while we looked */
			break;
		a->result.retries++;
	}
	if (r == -ERESTART) { /* others commit all the time: the next call looks again */
		a->guard = 0;
		r = nl_turn(a, change, NL_OPEN_AS_IT_IS, ret_counts);
	}
	return r == -EINTR || nl_is_picture_wrong(a, r) ? -ESTALE : r;
}

int nl_turn_elements(struct nl_attempt *a, const struct ir_ruleset *to, uint32_t set, uint32_t n)
{
	struct nl_writer writer = { .batch = &a->batch, .exprs = a->table->exprs, .ruleset = to };
	uint32_t end = to->sets[set].first_element + to->sets[set].n_elements;
	struct nl_elements elements;
	int r = nl_sock_generation(a->table->sock, &a->guard);

	if (r < 0)
		return r;
	if (!a->table->known || (a->guard != a->table->generation && !is_owned(a->table)))
		return -ESTALE;
	a->to = to;
	nl_batch_reset(&a->batch);
	nl_elements_init(&elements, &writer, set, true);
	for (uint32_t i = end - n; i < end; i++)
		nl_elements_put(&elements, i);
	nl_elements_end(&elements);
	r = nl_commit(a);
	return r == -ERESTART || nl_is_picture_wrong(a, r) ? -ESTALE : r;
}
