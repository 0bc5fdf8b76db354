/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply.c - ruleset → kernel: what changed, or all that the table holds. The handle. */
#include "backend/nl/apply.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>

#include "backend/nl/counter.h"
#include "backend/nl/groups.h"
#include "backend/nl/monitor.h"
#include "backend/nl/present.h"
#include "backend/nl/probe.h"
#include "backend/nl/refusal.h"
#include "backend/nl/verify.h"
#include "backend/nl/whole.h"
#include "plan/names.h"

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
		nl_finish_detour(a, detour, next);
	return 0;
}

/* The kernel said nothing of the batch: it has the one ruleset or the other. */
static bool is_unheard(const struct nl_outcome *outcome, int r)
{
	return r < 0 && !outcome->n_refusals && !outcome->holder;
}

int nl_table_apply(struct nl_table *table, const struct ir_ruleset *current,
		   const struct ir_ruleset *next, struct nl_result *ret_result, struct diags *diags)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct nl_attempt a = { .table = table, .arena = arena };
	int r = -ESTALE;

	nl_batch_init(&a.batch);
	a.batch.table = nl_sock_table(table->sock);
	if (current && table->known)
		r = apply_changes(&a, current, next);
	if (r == -ESTALE || is_unheard(&a.outcome, r))
		r = nl_apply_whole(&a, next);
	/* Once more, from what is there by now, comes to the same whichever it is. */
	if (is_unheard(&a.outcome, r))
		r = nl_apply_whole(&a, next);
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
	a.batch.table = nl_sock_table(table->sock);
	r = nl_turn_elements(&a, next, set, n);
	nl_batch_done(&a.batch);
	return r;
}

int nl_table_remove(struct nl_table *table, struct diags *diags)
{
	static const struct ir_ruleset none;
	struct nl_batch batch;
	struct nl_writer writer = { .batch = &batch, .exprs = table->exprs, .ruleset = &none };
	struct nl_outcome outcome;
	int r;

	nl_batch_init(&batch);
	batch.table = nl_sock_table(table->sock);
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

/* --- what others do --------------------------------------------------------------------------- */

int nl_table_compare(struct nl_table *table, const struct ir_ruleset *ruleset,
		     char ret_place[NL_PLACE_MAX])
{
	struct nl_present present;
	int r = nl_present_read_table(table->sock, &present);

	*ret_place = '\0';
	table->is_in_doubt = false;
	if (r < 0)
		return r;
	if (present.owner && present.owner != nl_sock_port(table->sock))
		return -EPERM;
	return nl_verify(table->sock, table->exprs, ruleset, ret_place);
}

int nl_table_refill(struct nl_table *table, const struct ir_ruleset *ruleset,
		    const struct nl_deed *deed)
{
	struct nl_batch batch;
	struct nl_writer writer = { .batch = &batch, .exprs = table->exprs, .ruleset = ruleset };
	struct nl_outcome outcome;
	int r = 0;

	nl_batch_init(&batch);
	batch.table = nl_sock_table(table->sock);
	for (unsigned i = 0; r == 0 && i < deed->n_chains; i++) {
		uint32_t chain = ir_find_chain(ruleset, deed->chains[i]);

		if (chain == IR_NONE) {
			r = -ENOENT;
		} else {
			nl_flush_chain(&writer, chain);
			nl_fill_chain(&writer, chain);
		}
	}
	if (r == 0)
		r = nl_batch_commit(&batch, table->sock, 0, &outcome);
	table->generation = 0; /* look again */
	nl_batch_done(&batch);
	return r;
}

const char *nl_table_name(const struct nl_table *table)
{
	return nl_sock_table(table->sock);
}

uint32_t nl_table_holder(const struct nl_table *table)
{
	return table->holder;
}

uint32_t nl_table_find_holder(struct nl_table *table)
{
	const char *name = nl_sock_table(table->sock);
	struct nl_present present;
	int r;

	nl_sock_use_table(table->sock, IR_TABLE_NAME);
	r = nl_present_read_table(table->sock, &present);
	nl_sock_use_table(table->sock, name);
	return r == 0 && present.owner != nl_sock_port(table->sock) ? present.owner : 0;
}

uint64_t nl_table_handle(struct nl_table *table)
{
	struct nl_present present;

	return nl_present_read_table(table->sock, &present) < 0 ? 0 : present.handle;
}

int nl_table_watch(struct nl_table *table, struct diags *diags)
{
	int r;

	if (table->features.owner_persist)
		return -1;
	if (!table->monitor) {
		r = nl_monitor_open(&table->monitor);
		if (r < 0) {
			diag_add(diags, DIAG_WARNING, (struct place){ 0 },
				 "changes that others make to the rules will not be noticed: %s",
				 strerror(-r));
			return -1;
		}
		table->is_in_doubt = true; /* of what was before */
	}
	return nl_monitor_fd(table->monitor);
}

int nl_table_next_deed(struct nl_table *table, struct nl_deed *ret_deed)
{
	int r;

	if (!table->monitor)
		return 0;
	r = nl_monitor_next(table->monitor, nl_sock_table(table->sock), nl_sock_port(table->sock),
			    ret_deed);
	return r == 0 && table->is_in_doubt ? -ENOBUFS : r;
}

/* --- the handle ------------------------------------------------------------------------------- */

static int open_socket(int fd, struct nl_table *table, struct diags *diags)
{
	static const struct nl_outcome no_answer;
	int r = fd < 0 ? -EBADF : nl_sock_adopt(fd, &table->sock);

	if (r < 0 && fd >= 0) {
		diag_add(diags, DIAG_WARNING, (struct place){ 0 },
			 "the socket that an earlier uidwalld left cannot be used: %s",
			 strerror(-r));
		close(fd);
	}
	if (r < 0)
		r = nl_sock_open(&table->sock);
	return r < 0 ? nl_report(&no_answer, r, NULL, NULL, diags) : 0;
}

int nl_table_adopt(int fd, struct nl_table **ret_table, struct diags *diags)
{
	AUTO(nl_table) struct nl_table *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return -ENOMEM;
	r = open_socket(fd, table, diags);
	if (r < 0)
		return r;
	table->exprs = nl_exprs_new();
	if (!table->exprs)
		return -ENOMEM;
	r = nl_probe(table->sock, table->exprs, &table->features, diags);
	if (r < 0)
		return r;
	*ret_table = TAKE(table);
	return 0;
}

int nl_table_open(struct nl_table **ret_table, struct diags *diags)
{
	return nl_table_adopt(-1, ret_table, diags);
}

int nl_table_fd(const struct nl_table *table)
{
	return nl_sock_fd(table->sock);
}

void nl_table_close(struct nl_table *table)
{
	if (!table)
		return;
	nl_monitor_close(table->monitor);
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
