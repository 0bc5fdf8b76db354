/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.c - the difference between two rulesets → a batch that turns one into the other.
 *
 * What is equal in both is not touched, so its counters live on. The kernel carries a batch out
 * message by message and refuses to delete what is still referred to; hence the order: new counters
 * and chains, old rules out, sets, new rules in, old chains and counters out. Packets see none of
 * that before the commit.
 *
 * A changed interval set is replaced, together with the rules that look into it: while elements
 * are exchanged in place, the kernel's tree holds the old and the new one of a key, and a look-up
 * of just that key may miss both (nft_set_rbtree.c, __nft_rbtree_lookup(): at an inactive element
 * it goes on in one of two subtrees).
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

struct change {
	struct nl_writer from;				/* of what goes */
	struct nl_writer to;				/* of what comes */
	struct fate *counters[2], *chains[2], *sets[2]; /* [0] of current, [1] of next */
	struct nl_change_counts counts;
};

static void fates_free(struct change *change)
{
	for (unsigned i = 0; i < 2; i++) {
		free(change->counters[i]);
		free(change->chains[i]);
		free(change->sets[i]);
	}
}

/* Finds the things of one array in the other one, both ways. */
static int pair(const void *current, size_t n_current, const void *next, size_t n_next,
		size_t stride, struct fate *ret_fates[2])
{
	__attribute__((cleanup(names_cleanup))) struct names names = { 0 };
	const char *name;

	ret_fates[0] = calloc(n_current + 1, sizeof(struct fate));
	ret_fates[1] = calloc(n_next + 1, sizeof(struct fate));
	if (!ret_fates[0] || !ret_fates[1] || names_init(&names, next, n_next, stride) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_next; i++)
		ret_fates[1][i].other = IR_NONE;
	for (uint32_t i = 0; i < n_current; i++) {
		uint32_t other;

		memcpy(&name, (const char *)current + i * stride, sizeof(name));
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

static void find_sets_to_redo(struct change *change)
{
	const struct ir_ruleset *current = change->from.ruleset, *next = change->to.ruleset;

	for (uint32_t i = 0; i < next->n_sets; i++) {
		uint32_t other = change->sets[1][i].other;
		const struct ir_set *x, *y = &next->sets[i];

		if (other == IR_NONE)
			continue;
		x = &current->sets[other];
		change->sets[1][i].redo = !ir_set_same_shape(x, y) ||
					  (y->is_interval && !elements_equal(current, x, next, y));
		change->sets[0][other].redo = change->sets[1][i].redo;
	}
}

static bool chain_uses_redone_set(const struct change *change, const struct ir_chain *chain)
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

static int find_chains_to_redo(struct change *change)
{
	const struct ir_ruleset *current = change->from.ruleset, *next = change->to.ruleset;

	for (uint32_t i = 0; i < next->n_chains; i++) {
		uint32_t other = change->chains[1][i].other;
		const struct ir_chain *x, *y = &next->chains[i];

		if (other == IR_NONE)
			continue;
		x = &current->chains[other];
		if (x->is_base != y->is_base)
			return -EOPNOTSUPP;
		change->chains[1][i].redo =
			!ir_chain_equal(current, x, next, y) || chain_uses_redone_set(change, y);
		change->chains[0][other].redo = change->chains[1][i].redo;
	}
	return 0;
}

static void add_new_counters_and_chains(struct change *change)
{
	for (uint32_t i = 0; i < change->to.ruleset->n_counters; i++)
		if (change->counters[1][i].other == IR_NONE)
			nl_add_counter(&change->to, i, 0, 0);
	for (uint32_t i = 0; i < change->to.ruleset->n_chains; i++)
		if (change->chains[1][i].other == IR_NONE)
			nl_add_chain(&change->to, i);
}

static void take_old_rules_out(struct change *change)
{
	const struct ir_ruleset *current = change->from.ruleset;

	for (uint32_t i = 0; i < current->n_chains; i++)
		if (change->chains[0][i].redo || change->chains[0][i].other == IR_NONE)
			nl_flush_chain(&change->from, i);
	for (uint32_t i = 0; i < current->n_sets; i++) {
		if (!change->sets[0][i].redo && change->sets[0][i].other != IR_NONE)
			continue;
		/* Kernels before 6.4 count the elements' references to chains until they go. */
		if (current->sets[i].is_map && current->sets[i].n_elements)
			nl_flush_set(&change->from, i);
		nl_delete_set(&change->from, i);
	}
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
static void exchange_elements(struct change *change, uint32_t set, bool add)
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
				change->counts.elements++;
		}
		i += order <= 0;
		j += order >= 0;
	}
	nl_elements_end(&elements);
}

static void bring_sets_in(struct change *change)
{
	const struct ir_ruleset *next = change->to.ruleset;

	for (uint32_t i = 0; i < next->n_sets; i++) {
		const struct fate *fate = &change->sets[1][i];

		if (fate->other == IR_NONE || fate->redo) {
			nl_add_set(&change->to, i);
			nl_fill_set(&change->to, i);
			change->counts.elements += next->sets[i].n_elements;
		} else if (!next->sets[i].is_interval) {
			exchange_elements(change, i, false);
			exchange_elements(change, i, true);
		}
	}
}

static void bring_new_rules_in(struct change *change)
{
	for (uint32_t i = 0; i < change->to.ruleset->n_chains; i++) {
		const struct fate *fate = &change->chains[1][i];

		if (fate->other == IR_NONE || fate->redo) {
			nl_fill_chain(&change->to, i);
			change->counts.chains++;
		}
	}
}

static void delete_old_chains_and_counters(struct change *change)
{
	for (uint32_t i = 0; i < change->from.ruleset->n_chains; i++) {
		if (change->chains[0][i].other == IR_NONE) {
			nl_delete_chain(&change->from, i);
			change->counts.chains++;
		}
	}
	for (uint32_t i = 0; i < change->from.ruleset->n_counters; i++)
		if (change->counters[0][i].other == IR_NONE)
			nl_delete_counter(&change->from, i);
}

int nl_change(struct nl_batch *batch, struct nl_exprs *exprs, const struct ir_ruleset *current,
	      const struct ir_ruleset *next, struct nl_change_counts *ret_counts)
{
	struct change change = {
		.from = { .batch = batch, .exprs = exprs, .ruleset = current, .is_current = true },
		.to = { .batch = batch, .exprs = exprs, .ruleset = next },
	};
	int r = 0;

	if (PAIR(&change, counters) < 0 || PAIR(&change, chains) < 0 || PAIR(&change, sets) < 0)
		r = -ENOMEM;
	if (r == 0) {
		find_sets_to_redo(&change);
		r = find_chains_to_redo(&change);
	}
	if (r == 0) {
		add_new_counters_and_chains(&change);
		take_old_rules_out(&change);
		bring_sets_in(&change);
		bring_new_rules_in(&change);
		delete_old_chains_and_counters(&change);
		*ret_counts = change.counts;
	}
	fates_free(&change);
	return r;
}
