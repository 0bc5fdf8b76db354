/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.c - the difference between two rulesets → batches that turn one into the other.
 *
 * What is equal in both is not touched, so its counters live on. The kernel carries a batch out
 * message by message and refuses to delete what is still referred to; hence the order: new counters
 * and chains, old rules out, sets, new rules in, old chains and counters out. Packets see none of
 * that before the commit.
 *
 * Interval sets are the exception, and a look-up that misses lets the packet pass. Before Linux 7.0
 * a tree that holds old and new elements side by side, as during a batch that changes them, hides
 * some from look-ups. Since then (and in 6.18.44) look-ups use an array that is made when all else
 * of a batch is in force already: a set that comes with the rules that use it is empty for that
 * long (measured: 20 packets of a flood got through at each exchange). So an interval set is never
 * changed, and it is complete, in a batch before, when the first rule looks into it.
 */
#include "backend/nl/change.h"

#include <errno.h>
#include <string.h>

#include "backend/nl/names.h"
#include "backend/nl/set.h"

/* What happens to a thing of one ruleset; `other` is its index in the other one, or IR_NONE. */
struct fate {
	uint32_t other;
	bool redo; /* chains: refilled; sets: deleted and made anew */
};

struct nl_change {
	struct nl_writer from; /* of what goes */
	struct nl_writer to;   /* of what comes */
	bool only_names;       /* are known of what goes */
	bool needs_preparation;
	struct fate *counters[2], *chains[2], *sets[2]; /* [0] of from, [1] of to */
};

void nl_change_free(struct nl_change *change)
{
	if (!change)
		return;
	for (unsigned i = 0; i < 2; i++) {
		free(change->counters[i]);
		free(change->chains[i]);
		free(change->sets[i]);
	}
	free(change);
}

/* Finds the things of one array in the other one, both ways. */
static int pair(const void *from, size_t n_from, const void *to, size_t n_to, size_t stride,
		struct fate *ret_fates[2])
{
	__attribute__((cleanup(names_cleanup))) struct names names = { 0 };
	const char *name;

	ret_fates[0] = calloc(n_from + 1, sizeof(struct fate));
	ret_fates[1] = calloc(n_to + 1, sizeof(struct fate));
	if (!ret_fates[0] || !ret_fates[1] || names_init(&names, to, n_to, stride) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_to; i++)
		ret_fates[1][i].other = IR_NONE;
	for (uint32_t i = 0; i < n_from; i++) {
		uint32_t other;

		memcpy(&name, (const char *)from + i * stride, sizeof(name));
		other = names_find(&names, name);
		ret_fates[0][i].other = other;
		if (other != IR_NONE)
			ret_fates[1][other].other = i;
	}
	return 0;
}

#define PAIR(change, member)                                                                       \
	pair((change)->from.ruleset->member, (change)->from.ruleset->n_##member,                   \
	     (change)->to.ruleset->member, (change)->to.ruleset->n_##member,                       \
	     sizeof(*(change)->to.ruleset->member), (change)->member)

static bool elements_equal(const struct ir_ruleset *a, const struct ir_set *x,
			   const struct ir_ruleset *b, const struct ir_set *y)
{
	if (x->n_elements != y->n_elements)
		return false;
	for (uint32_t i = 0; i < x->n_elements; i++)
		if (!ir_element_equal(a, &a->elements[x->first_element + i], b,
				      &b->elements[y->first_element + i]))
			return false;
	return true;
}

/* Whether a set is other than it was; of one only known by name that is to be supposed. */
static bool set_changes(const struct ir_ruleset *from, const struct ir_set *x, bool only_names,
			const struct ir_ruleset *to, const struct ir_set *y)
{
	return only_names || !ir_set_same_shape(x, y) ||
	       (y->is_interval && !elements_equal(from, x, to, y));
}

static void find_sets_to_redo(struct nl_change *change)
{
	const struct ir_ruleset *from = change->from.ruleset, *to = change->to.ruleset;

	for (uint32_t i = 0; i < to->n_sets; i++) {
		struct fate *fate = &change->sets[1][i];

		if (fate->other == IR_NONE) {
			change->needs_preparation |= to->sets[i].is_interval;
			continue;
		}
		fate->redo = set_changes(from, &from->sets[fate->other], change->only_names, to,
					 &to->sets[i]);
		change->sets[0][fate->other].redo = fate->redo;
	}
}

static bool chain_uses_redone_set(const struct nl_change *change, const struct ir_chain *chain)
{
	const struct ir_ruleset *next = change->to.ruleset;

	for (uint32_t i = 0; i < chain->n_rules; i++) {
		const struct ir_rule *rule = &next->rules[chain->first_rule + i];

		for (uint32_t j = 0; j < rule->n_stmts; j++) {
			const struct ir_stmt *s = &next->stmts[rule->first_stmt + j];

			if ((s->kind == IR_STMT_LOOKUP || s->kind == IR_STMT_VMAP) &&
			    change->sets[1][s->index].redo)
				return true;
		}
	}
	return false;
}

static int find_chains_to_redo(struct nl_change *change)
{
	const struct ir_ruleset *from = change->from.ruleset, *to = change->to.ruleset;

	for (uint32_t i = 0; i < to->n_chains; i++) {
		struct fate *fate = &change->chains[1][i];
		const struct ir_chain *x, *y = &to->chains[i];

		if (fate->other == IR_NONE)
			continue;
		x = &from->chains[fate->other];
		if (x->is_base != y->is_base)
			return -EOPNOTSUPP;
		fate->redo = change->only_names || !ir_chain_equal(from, x, to, y) ||
			     chain_uses_redone_set(change, y);
		change->chains[0][fate->other].redo = fate->redo;
	}
	return 0;
}

/* New chains and sets come with the preparation where there is one: the elements of the interval
 * sets lead to the chains, and the kernel lists all in the order in which it came.
 */
static bool is_prepared(const struct nl_change *change, const struct fate *fate)
{
	return change->needs_preparation && fate->other == IR_NONE;
}

void nl_change_rulesets(const struct nl_change *change, const struct ir_ruleset **ret_from,
			const struct ir_ruleset **ret_to)
{
	*ret_from = change->from.ruleset;
	*ret_to = change->to.ruleset;
}

bool nl_change_needs_preparation(const struct nl_change *change)
{
	return change->needs_preparation;
}

void nl_change_prepare(const struct nl_change *change, struct nl_batch *batch)
{
	struct nl_writer to = change->to;

	to.batch = batch;
	for (uint32_t i = 0; i < to.ruleset->n_chains; i++)
		if (is_prepared(change, &change->chains[1][i]))
			nl_add_chain(&to, i);
	for (uint32_t i = 0; i < to.ruleset->n_sets; i++) {
		if (!is_prepared(change, &change->sets[1][i]))
			continue;
		nl_add_set(&to, i);
		nl_fill_set(&to, i);
	}
}

/* Kernels before 6.4 count the elements' references to chains until the elements go. */
static void delete_filled_set(const struct nl_writer *writer, uint32_t set)
{
	if (writer->ruleset->sets[set].is_map)
		nl_flush_set(writer, set);
	nl_delete_set(writer, set);
}

void nl_change_undo(const struct nl_change *change, struct nl_batch *batch)
{
	struct nl_writer to = change->to;

	to.batch = batch;
	for (uint32_t i = 0; i < to.ruleset->n_sets; i++)
		if (is_prepared(change, &change->sets[1][i]))
			delete_filled_set(&to, i);
	for (uint32_t i = 0; i < to.ruleset->n_chains; i++)
		if (is_prepared(change, &change->chains[1][i]))
			nl_delete_chain(&to, i);
}

static void add_new_counters_and_chains(const struct nl_change *change)
{
	for (uint32_t i = 0; i < change->to.ruleset->n_counters; i++)
		if (change->counters[1][i].other == IR_NONE)
			nl_add_counter(&change->to, i, 0, 0);
	for (uint32_t i = 0; i < change->to.ruleset->n_chains; i++)
		if (change->chains[1][i].other == IR_NONE && !change->needs_preparation)
			nl_add_chain(&change->to, i);
}

static void take_old_rules_out(const struct nl_change *change)
{
	const struct ir_ruleset *from = change->from.ruleset;

	for (uint32_t i = 0; i < from->n_chains; i++)
		if (change->chains[0][i].redo || change->chains[0][i].other == IR_NONE)
			nl_flush_chain(&change->from, i);
	for (uint32_t i = 0; i < from->n_sets; i++)
		if (change->sets[0][i].redo || change->sets[0][i].other == IR_NONE)
			delete_filled_set(&change->from, i);
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

/* Deletes, or adds, the elements of a hash that differ. */
static void exchange_elements(const struct nl_change *change, uint32_t set, bool add,
			      struct nl_change_counts *counts)
{
	const struct ir_ruleset *a = change->from.ruleset, *b = change->to.ruleset;
	const struct ir_set *x = &a->sets[change->sets[1][set].other], *y = &b->sets[set];
	struct nl_elements elements;
	uint32_t i = 0, j = 0;

	if (add)
		nl_elements_init(&elements, &change->to, set, true);
	else
		nl_elements_init(&elements, &change->from, change->sets[1][set].other, false);
	while (i < x->n_elements || j < y->n_elements) {
		int order = compare_elements(a, x, i, b, y, j);
		bool same = order == 0 && ir_element_equal(a, &a->elements[x->first_element + i], b,
							   &b->elements[y->first_element + j]);

		if (!same && (add ? order >= 0 : order <= 0)) {
			nl_elements_put(&elements,
					add ? y->first_element + j : x->first_element + i);
			if (add || order < 0)
				counts->elements++;
		}
		i += order <= 0;
		j += order >= 0;
	}
	nl_elements_end(&elements);
}

static void bring_sets_in(const struct nl_change *change, struct nl_change_counts *counts)
{
	const struct ir_ruleset *to = change->to.ruleset;

	for (uint32_t i = 0; i < to->n_sets; i++) {
		const struct fate *fate = &change->sets[1][i];

		if (fate->other != IR_NONE && !fate->redo) {
			if (to->sets[i].is_interval)
				continue; /* equal, or it would be redone */
			exchange_elements(change, i, false, counts);
			exchange_elements(change, i, true, counts);
			continue;
		}
		if (!is_prepared(change, fate)) {
			nl_add_set(&change->to, i);
			nl_fill_set(&change->to, i);
		}
		counts->elements += to->sets[i].n_elements;
	}
}

static void bring_new_rules_in(const struct nl_change *change, struct nl_change_counts *counts)
{
	for (uint32_t i = 0; i < change->to.ruleset->n_chains; i++) {
		const struct fate *fate = &change->chains[1][i];

		if (fate->other == IR_NONE || fate->redo) {
			nl_fill_chain(&change->to, i);
			counts->chains++;
		}
	}
}

static void delete_old_chains_and_counters(const struct nl_change *change,
					   struct nl_change_counts *counts)
{
	for (uint32_t i = 0; i < change->from.ruleset->n_chains; i++) {
		if (change->chains[0][i].other == IR_NONE) {
			nl_delete_chain(&change->from, i);
			counts->chains++;
		}
	}
	for (uint32_t i = 0; i < change->from.ruleset->n_counters; i++)
		if (change->counters[0][i].other == IR_NONE)
			nl_delete_counter(&change->from, i);
}

void nl_change_write(const struct nl_change *change, struct nl_batch *batch,
		     struct nl_change_counts *ret_counts)
{
	struct nl_change written = *change;

	written.from.batch = written.to.batch = batch;
	*ret_counts = (struct nl_change_counts){ 0 };
	add_new_counters_and_chains(&written);
	take_old_rules_out(&written);
	bring_sets_in(&written, ret_counts);
	bring_new_rules_in(&written, ret_counts);
	delete_old_chains_and_counters(&written, ret_counts);
}

int nl_change_new(const struct ir_ruleset *from, bool only_names, const struct ir_ruleset *to,
		  struct nl_exprs *exprs, struct nl_change **ret_change)
{
	AUTO(nl_change) struct nl_change *change = calloc(1, sizeof(*change));
	int r;

	if (!change)
		return -ENOMEM;
	change->from = (struct nl_writer){ .exprs = exprs, .ruleset = from, .is_current = true };
	change->to = (struct nl_writer){ .exprs = exprs, .ruleset = to };
	change->only_names = only_names;
	if (PAIR(change, counters) < 0 || PAIR(change, chains) < 0 || PAIR(change, sets) < 0)
		return -ENOMEM;
	find_sets_to_redo(change);
	r = find_chains_to_redo(change);
	if (r < 0)
		return r;
	*ret_change = TAKE(change);
	return 0;
}

/* A name that neither of them has. */
static const char *other_name(const char *name, const struct names *from, const struct names *to,
			      struct arena *arena)
{
	for (unsigned i = 2;; i++) {
		const char *other = arena_printf(arena, "%s.%u", name, i);

		if (names_find(from, other) == IR_NONE && names_find(to, other) == IR_NONE)
			return other;
	}
}

const struct ir_ruleset *nl_change_detour(const struct ir_ruleset *from, bool only_names,
					  const struct ir_ruleset *to, struct arena *arena)
{
	__attribute__((cleanup(names_cleanup))) struct names from_names = { 0 };
	__attribute__((cleanup(names_cleanup))) struct names to_names = { 0 };
	struct ir_ruleset *detour = NULL;

	if (names_init(&from_names, from->sets, from->n_sets, sizeof(*from->sets)) < 0 ||
	    names_init(&to_names, to->sets, to->n_sets, sizeof(*to->sets)) < 0)
		abort(); /* as arenas do */
	for (uint32_t i = 0; i < to->n_sets; i++) {
		uint32_t other = names_find(&from_names, to->sets[i].name);

		if (!to->sets[i].is_interval || other == IR_NONE ||
		    !set_changes(from, &from->sets[other], only_names, to, &to->sets[i]))
			continue;
		if (!detour) {
			detour = arena_alloc(arena, sizeof(*detour));
			*detour = *to;
			detour->sets = arena_alloc(arena, to->n_sets * sizeof(*to->sets));
			memcpy(detour->sets, to->sets, to->n_sets * sizeof(*to->sets));
		}
		detour->sets[i].name = other_name(to->sets[i].name, &from_names, &to_names, arena);
	}
	return detour;
}
