/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply.c - ruleset → kernel: what changed, or the whole table, in one batch.
 *
 * A batch that assumes something about the kernel names the generation for which that holds, and
 * is begun anew (ERESTART) when somebody else commits first. Two facts of Linux 6.18 to know:
 * only the socket that made an owned table may change it, so nothing needs to be looked at there;
 * and a table gets its owner when it is made, never later (EOPNOTSUPP), except that an orphan of
 * the same flags may be adopted. Deleting an orphan, or a table without owner, and making an owned
 * one of that name works in one batch.
 */
#include "backend/nl/apply.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "backend/nl/change.h"
#include "backend/nl/counter.h"
#include "backend/nl/refusal.h"
#include "backend/nl/set.h"
#include "backend/nl/verify.h"

enum {
	GUARDED_TRIES = 20, /* with the generation named; then a batch that needs none is sent */
	BLIND_TRIES = 5,
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
	const struct ir_ruleset *current;
	const struct ir_ruleset *next;
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

/* Sends the attempt's batch. generation 0: whatever happened meanwhile. */
static int commit(struct attempt *a, uint32_t generation)
{
	int r = nl_batch_commit(&a->batch, a->table->sock, generation, &a->outcome);

	a->result.bytes_sent = a->batch.messages.used;
	a->result.kernel_us = a->outcome.kernel_us;
	if (r == 0) {
		a->table->known = true;
		a->table->generation = generation ? generation_after(generation) : 0;
	} else if (!a->outcome.n_refusals) {
		a->table->known = false; /* no answer: it may be in force or not */
	}
	return r;
}

/* --- what changed ---------------------------------------------------------------------------- */

/* 0 and the generation for which the table is known to be as it was left; -ESTALE: it is not. */
static int check_picture(struct attempt *a, uint32_t *ret_generation)
{
	struct nl_table *table = a->table;
	uint32_t generation;
	int r = nl_sock_generation(table->sock, &generation);

	if (r == 0 && generation != table->generation && !is_owned(table)) {
		r = nl_verify(table->sock, table->exprs, a->current);
		if (r == 0)
			table->generation = generation;
	}
	if (r == 0)
		*ret_generation = generation;
	return r;
}

/* Errors of a kernel that holds something else than we think. */
static bool is_picture_wrong(int error)
{
	return error == -ENOENT || error == -EEXIST || error == -EBUSY;
}

/* 0, -ESTALE when only the whole table will do, else the error. */
static int apply_changes(struct attempt *a)
{
	struct nl_change_counts counts = { 0 };
	uint32_t generation = 0;
	int r = nl_change(&a->batch, a->table->exprs, a->current, a->next, &counts);

	if (r < 0)
		return r == -EOPNOTSUPP ? -ESTALE : r;
	for (unsigned i = 0; i < GUARDED_TRIES; i++) {
		a->result.retries = i;
		r = check_picture(a, &generation);
		if (r == -EINTR) /* somebody committed while we looked */
			continue;
		if (r < 0)
			return r;
		if (nl_batch_is_empty(&a->batch))
			return 0;
		r = commit(a, generation);
		if (r != -ERESTART)
			break;
	}
	if (r == -ERESTART && is_owned(a->table))
		r = commit(a, 0);
	if (r == -ERESTART || r == -EINTR || is_picture_wrong(r))
		return -ESTALE;
	a->result.chains_changed = counts.chains;
	a->result.elements_changed = counts.elements;
	return r;
}

/* --- the whole table ------------------------------------------------------------------------- */

static int note_table(const struct nlmsghdr *nlh, void *data)
{
	bool *ret_exists = data;

	*ret_exists = mnl_nlmsg_get_payload_len(nlh) > 0;
	return 0;
}

static int table_exists(struct nl_table *table, bool *ret_exists)
{
	uint8_t buffer[NL_REQUEST_MAX];
	struct nlmsghdr *nlh = nl_request_init(buffer, NFT_MSG_GETTABLE, 0);
	int r;

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, IR_TABLE_NAME);
	*ret_exists = false;
	r = nl_sock_ask(table->sock, nlh, note_table, ret_exists);
	return r == -ENOENT ? 0 : r;
}

static int write_whole(struct attempt *a, bool exists)
{
	const struct ir_ruleset *next = a->next;
	struct nl_writer writer = { .batch = &a->batch, .exprs = a->table->exprs, .ruleset = next };
	AUTO(mem) struct nl_counter_value *values = NULL;
	int r;

	nl_batch_reset(&a->batch);
	if (exists) {
		r = nl_read_counters(a->table->sock, next, &values);
		if (r < 0)
			return r;
		nl_delete_table(&writer);
	}
	nl_add_table(&writer, IR_TABLE_NAME, table_flags(a->table), NLM_F_CREATE | NLM_F_EXCL);
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
	return a->batch.error;
}

/* Somebody made or deleted the table just now. */
static bool has_table_appeared(const struct attempt *a, int error)
{
	const struct nl_refusal *refusal = &a->outcome.refusals[0];

	return (error == -ENOENT || error == -EEXIST) && a->outcome.n_refusals &&
	       refusal->has_item && refusal->item.subject == NL_TABLE;
}

static int apply_whole(struct attempt *a)
{
	bool exists = false, written = false, existed = false;
	uint32_t generation;
	int r = 0;

	a->table->known = false;
	for (unsigned i = 0; i < GUARDED_TRIES + BLIND_TRIES; i++) {
		r = nl_sock_generation(a->table->sock, &generation);
		if (r == 0)
			r = table_exists(a->table, &exists);
		if (r == 0 && (!written || exists != existed))
			r = write_whole(a, exists);
		if (r < 0)
			return r;
		written = true;
		existed = exists;
		/* The batch holds whatever else is done; the guard only spares an error. Where
		 * others commit all the time, it would keep us out for good.
		 */
		r = commit(a, i < GUARDED_TRIES ? generation : 0);
		if (r != -ERESTART && !has_table_appeared(a, r))
			break;
		a->result.retries++;
	}
	a->result.replaced_whole = true;
	a->result.chains_changed = (unsigned)a->next->n_chains;
	a->result.elements_changed = (unsigned)a->next->n_elements;
	return r;
}

int nl_table_apply(struct nl_table *table, const struct ir_ruleset *current,
		   const struct ir_ruleset *next, struct nl_result *ret_result, struct diags *diags)
{
	struct attempt a = { .table = table, .current = current, .next = next };
	unsigned retries;
	int r = -ESTALE;

	nl_batch_init(&a.batch);
	if (current && table->known)
		r = apply_changes(&a);
	if (r == -ESTALE) {
		retries = a.result.retries;
		r = apply_whole(&a);
		a.result.retries += retries;
	}
	if (r < 0)
		nl_report(&a.outcome, r, current, next, diags);
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
