/* SPDX-License-Identifier: GPL-2.0-or-later */
/* steps.c - what becomes of each thing of two rulesets → the messages of a batch, or of three.
 *
 * What is equal in both is not touched, so its counters live on. The kernel carries a batch out
 * message by message and refuses to delete what is still referred to: hence the order.
 */
#include "backend/nl/change.h"

#include <string.h>

#include "backend/nl/set.h"

static struct nl_writer writer_from(const struct nl_change *change, struct nl_batch *batch)
{
	return (struct nl_writer){
		.batch = batch, .exprs = change->exprs, .ruleset = change->from, .is_current = true
	};
}

static struct nl_writer writer_to(const struct nl_change *change, struct nl_batch *batch)
{
	return (struct nl_writer){ .batch = batch, .exprs = change->exprs, .ruleset = change->to };
}

static bool is_new(const struct nl_fate *fate)
{
	return fate->other == IR_NONE;
}

static bool is_gone(const struct nl_fate *fate)
{
	return fate->other == IR_NONE;
}

static void add_new_things(const struct nl_change *change, struct nl_batch *batch)
{
	struct nl_writer to = writer_to(change, batch);

	for (uint32_t i = 0; i < change->to->n_counters; i++)
		if (is_new(&change->counters[1][i]))
			nl_add_counter(&to, i, 0, 0);
	for (uint32_t i = 0; i < change->to->n_chains; i++)
		if (is_new(&change->chains[1][i]))
			nl_add_chain(&to, i);
	for (uint32_t i = 0; i < change->to->n_sets; i++) {
		if (!is_new(&change->sets[1][i]))
			continue;
		nl_add_set(&to, i);
		nl_fill_set(&to, i);
	}
}

/* base: the chains that packets enter, else those to which rules and elements lead. */
static void fill_new_chains(const struct nl_change *change, struct nl_batch *batch, bool base)
{
	struct nl_writer to = writer_to(change, batch);

	for (uint32_t i = 0; i < change->to->n_chains; i++)
		if (is_new(&change->chains[1][i]) &&
		    (change->to->chains[i].hook != IR_HOOK_NONE) == base)
			nl_fill_chain(&to, i);
}

/* What leads packets away ends before what holds for those that were: see needs_steps(). */
static void empty_old_nat(const struct nl_change *change, struct nl_batch *batch)
{
	struct nl_writer from = writer_from(change, batch);

	for (uint32_t i = 0; i < change->from->n_chains; i++)
		if (is_gone(&change->chains[0][i]) &&
		    change->from->chains[i].hook == IR_HOOK_NAT_OUTPUT)
			nl_flush_chain(&from, i);
}

static void empty_changed_chains(const struct nl_change *change, struct nl_batch *batch)
{
	struct nl_writer from = writer_from(change, batch);

	for (uint32_t i = 0; i < change->from->n_chains; i++)
		if (change->chains[0][i].redo)
			nl_flush_chain(&from, i);
}

static void refill_changed_chains(const struct nl_change *change, struct nl_batch *batch)
{
	struct nl_writer to = writer_to(change, batch);

	for (uint32_t i = 0; i < change->to->n_chains; i++)
		if (change->chains[1][i].redo)
			nl_fill_chain(&to, i);
}

/* Where a walk over two sorted lists of elements is. */
static int compare_elements(const struct ir_ruleset *a, const struct ir_set *x, uint32_t i,
			    const struct ir_ruleset *b, const struct ir_set *y, uint32_t j)
{
	if (i == x->n_elements)
		return 1;
	if (j == y->n_elements)
		return -1;
	return memcmp(a->elements[x->first_element + i].key, b->elements[y->first_element + j].key,
		      ir_key_length(x->key_type));
}

enum element_act {
	ELEMENT_DELETE_GONE,
	ELEMENT_DELETE_CHANGED,
	ELEMENT_ADD, /* new ones and those that changed */
};

/* Whether the act is for an element that only `from` has (order < 0), both or only `to` (> 0). */
static bool is_act_for(enum element_act act, int order)
{
	return act == ELEMENT_DELETE_GONE    ? order < 0 :
	       act == ELEMENT_DELETE_CHANGED ? order == 0 :
					       order >= 0;
}

/* Does that to the elements of a hash that both have; returns to how many. */
static unsigned exchange_elements(const struct nl_change *change, struct nl_batch *batch,
				  uint32_t set, enum element_act act)
{
	const struct ir_ruleset *a = change->from, *b = change->to;
	struct nl_writer writer =
		act == ELEMENT_ADD ? writer_to(change, batch) : writer_from(change, batch);
	uint32_t old = change->sets[1][set].other, i = 0, j = 0;
	const struct ir_set *x = &a->sets[old], *y = &b->sets[set];
	struct nl_elements elements;
	unsigned n = 0;

	nl_elements_init(&elements, &writer, act == ELEMENT_ADD ? set : old, act == ELEMENT_ADD);
	while (i < x->n_elements || j < y->n_elements) {
		int order = compare_elements(a, x, i, b, y, j);
		bool same = order == 0 && ir_element_equal(a, &a->elements[x->first_element + i], b,
							   &b->elements[y->first_element + j]);

		if (!same && is_act_for(act, order)) {
			nl_elements_put(&elements, act == ELEMENT_ADD ? y->first_element + j :
									x->first_element + i);
			n++;
		}
		i += order <= 0;
		j += order >= 0;
	}
	nl_elements_end(&elements);
	return n;
}

static unsigned exchange_all(const struct nl_change *change, struct nl_batch *batch,
			     enum element_act act)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < change->to->n_sets; i++)
		if (!is_new(&change->sets[1][i]) && !change->to->sets[i].is_interval)
			n += exchange_elements(change, batch, i, act);
	return n;
}

/* Kernels before 6.4 count the elements' references to chains until the elements go. */
static void delete_filled_set(const struct nl_writer *writer, uint32_t set)
{
	if (writer->ruleset->sets[set].is_map)
		nl_flush_set(writer, set);
	nl_delete_set(writer, set);
}

static void delete_old_things(const struct nl_change *change, struct nl_batch *batch)
{
	struct nl_writer from = writer_from(change, batch);

	for (uint32_t i = 0; i < change->from->n_chains; i++)
		if (is_gone(&change->chains[0][i]))
			nl_flush_chain(&from, i);
	for (uint32_t i = 0; i < change->from->n_sets; i++)
		if (is_gone(&change->sets[0][i]))
			delete_filled_set(&from, i);
	for (uint32_t i = 0; i < change->from->n_chains; i++)
		if (is_gone(&change->chains[0][i]))
			nl_delete_chain(&from, i);
	for (uint32_t i = 0; i < change->from->n_counters; i++)
		if (is_gone(&change->counters[0][i]))
			nl_delete_counter(&from, i);
}

static void count_chains_and_new_sets(const struct nl_change *change,
				      struct nl_change_counts *counts)
{
	for (uint32_t i = 0; i < change->to->n_chains; i++)
		counts->chains += is_new(&change->chains[1][i]) || change->chains[1][i].redo;
	for (uint32_t i = 0; i < change->from->n_chains; i++)
		counts->chains += is_gone(&change->chains[0][i]);
	for (uint32_t i = 0; i < change->to->n_sets; i++)
		if (is_new(&change->sets[1][i]))
			counts->elements += change->to->sets[i].n_elements;
}

void nl_write_preparation(const struct nl_change *change, struct nl_batch *batch)
{
	add_new_things(change, batch);
	fill_new_chains(change, batch, false);
}

void nl_write_undo(const struct nl_change *change, struct nl_batch *batch)
{
	struct nl_writer to = writer_to(change, batch);

	for (uint32_t i = 0; i < change->to->n_chains; i++)
		if (is_new(&change->chains[1][i]))
			nl_flush_chain(&to, i);
	for (uint32_t i = 0; i < change->to->n_sets; i++)
		if (is_new(&change->sets[1][i]))
			delete_filled_set(&to, i);
	for (uint32_t i = 0; i < change->to->n_chains; i++)
		if (is_new(&change->chains[1][i]))
			nl_delete_chain(&to, i);
	for (uint32_t i = 0; i < change->to->n_counters; i++)
		if (is_new(&change->counters[1][i]))
			nl_delete_counter(&to, i);
}

void nl_write_switch(const struct nl_change *change, struct nl_batch *batch,
		     struct nl_change_counts *ret_counts)
{
	*ret_counts = (struct nl_change_counts){ 0 };
	count_chains_and_new_sets(change, ret_counts);
	empty_old_nat(change, batch);
	empty_changed_chains(change, batch);
	exchange_all(change, batch, ELEMENT_DELETE_CHANGED);
	ret_counts->elements += exchange_all(change, batch, ELEMENT_ADD);
	refill_changed_chains(change, batch);
	fill_new_chains(change, batch, true);
}

void nl_write_clean_up(const struct nl_change *change, struct nl_batch *batch,
		       struct nl_change_counts *counts)
{
	counts->elements += exchange_all(change, batch, ELEMENT_DELETE_GONE);
	delete_old_things(change, batch);
}

void nl_write_change(const struct nl_change *change, struct nl_batch *batch,
		     struct nl_change_counts *ret_counts)
{
	unsigned n_gone;

	add_new_things(change, batch);
	/* First: a set of a fixed size may be full. */
	n_gone = exchange_all(change, batch, ELEMENT_DELETE_GONE);
	nl_write_switch(change, batch, ret_counts);
	ret_counts->elements += n_gone;
	fill_new_chains(change, batch, false);
	delete_old_things(change, batch);
}
