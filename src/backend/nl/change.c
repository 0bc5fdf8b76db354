/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.c - two rulesets → what becomes of each thing in them, and whether that goes in one step.
 *
 * A commit is not quite as atomic as it looks. A packet takes the rules of the generation in which
 * it enters the base chain, but each look-up in a set sees the elements of the generation in which
 * it happens (nft_do_chain(), nft_genmask_cur()), and a packet may be on its way for long: its
 * sender can be preempted. So during a commit a packet meets old rules and new elements, and one
 * that finds nothing is let through. Measured under a flood of packets:
 * - an element that comes to lead to a new chain: the chain is empty for the old rules;
 * - a map that goes, and comes again: its elements are gone for the old rules;
 * - an interval set that comes with its rules: since Linux 7.0 (and in 6.18.44) look-ups use an
 *   array that is made when all else of the batch is in force already; nothing is found for as
 * long;
 * - an interval set whose elements change: older kernels' tree then hides some (nft_set_rbtree.c).
 * Where any of that could hit somebody who is governed before and after, the change is made in
 * steps: chains and sets are complete before anything leads to them and stay until nobody is on the
 * way. So it is where connections are no longer led away: one that still is must meet the chain
 * behind the routing that sees to it that it leaves by no other interface.
 */
#include "backend/nl/change.h"

#include <errno.h>
#include <string.h>

#include "backend/nl/names.h"

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
		struct nl_fate *ret_fates[2])
{
	__attribute__((cleanup(names_cleanup))) struct names names = { 0 };
	const char *name;

	ret_fates[0] = calloc(n_from + 1, sizeof(struct nl_fate));
	ret_fates[1] = calloc(n_to + 1, sizeof(struct nl_fate));
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
	pair((change)->from->member, (change)->from->n_##member, (change)->to->member,             \
	     (change)->to->n_##member, sizeof(*(change)->to->member), (change)->member)

static int find_chains_to_redo(struct nl_change *change)
{
	const struct ir_ruleset *from = change->from, *to = change->to;

	for (uint32_t i = 0; i < to->n_chains; i++) {
		struct nl_fate *fate = &change->chains[1][i];
		const struct ir_chain *x, *y = &to->chains[i];

		if (fate->other == IR_NONE)
			continue;
		x = &from->chains[fate->other];
		if (x->hook != y->hook)
			return -EOPNOTSUPP;
		fate->redo = change->only_names || !ir_chain_equal(from, x, to, y);
		change->chains[0][fate->other].redo = fate->redo;
	}
	return 0;
}

/* Whether a map of `from` has a verdict for any of the element's keys. */
static bool was_governed(const struct ir_ruleset *from, enum ir_key_type type,
			 const struct ir_element *element)
{
	unsigned length = ir_key_length(type);

	for (uint32_t i = 0; i < from->n_sets; i++) {
		const struct ir_set *set = &from->sets[i];
		uint32_t low = 0, high = set->n_elements;

		if (!set->is_map || set->key_type != type)
			continue;
		while (low < high) {
			uint32_t middle = low + (high - low) / 2;
			const struct ir_element *e = &from->elements[set->first_element + middle];

			if (memcmp(e->last, element->key, length) < 0)
				low = middle + 1;
			else if (memcmp(e->key, element->last, length) > 0)
				high = middle;
			else
				return true;
		}
	}
	return false;
}

/* Whether an element that the map did not have, or that leads to a new chain, is for somebody who
 * was governed before.
 */
static bool map_needs_steps(const struct nl_change *change, uint32_t index)
{
	const struct ir_ruleset *from = change->from, *to = change->to;
	const struct ir_set *y = &to->sets[index], *x = NULL;
	uint32_t at = 0;

	if (change->sets[1][index].other != IR_NONE)
		x = &from->sets[change->sets[1][index].other];
	for (uint32_t i = 0; i < y->n_elements; i++) {
		const struct ir_element *e = &to->elements[y->first_element + i];
		int order = -1;

		while (x && at < x->n_elements && order < 0)
			order = memcmp(from->elements[x->first_element + at++].key, e->key,
				       ir_key_length(y->key_type));
		if (order > 0)
			at--;
		if ((order != 0 || change->chains[1][e->chain].other == IR_NONE) &&
		    was_governed(from, y->key_type, e))
			return true;
	}
	return false;
}

static bool needs_steps(const struct nl_change *change)
{
	const struct ir_ruleset *to = change->to;

	if (change->only_names)
		return true;
	for (uint32_t i = 0; i < change->from->n_chains; i++)
		if (change->from->chains[i].hook == IR_HOOK_NAT_OUTPUT &&
		    change->chains[0][i].other == IR_NONE)
			return true;
	for (uint32_t i = 0; i < to->n_sets; i++)
		if ((to->sets[i].is_interval && change->sets[1][i].other == IR_NONE) ||
		    (to->sets[i].is_map && map_needs_steps(change, i)))
			return true;
	return false;
}

int nl_change_new(const struct ir_ruleset *from, bool only_names, const struct ir_ruleset *to,
		  struct nl_exprs *exprs, struct nl_change **ret_change)
{
	AUTO(nl_change) struct nl_change *change = calloc(1, sizeof(*change));
	int r;

	if (!change)
		return -ENOMEM;
	*change = (struct nl_change){
		.from = from, .to = to, .exprs = exprs, .only_names = only_names
	};
	if (PAIR(change, counters) < 0 || PAIR(change, chains) < 0 || PAIR(change, sets) < 0)
		return -ENOMEM;
	r = find_chains_to_redo(change);
	if (r < 0)
		return r;
	change->in_steps = needs_steps(change);
	*ret_change = TAKE(change);
	return 0;
}

/* --- the way round ------------------------------------------------------------------------------
 */

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
		const struct ir_set *x, *y = &to->sets[i];
		uint32_t other = names_find(&from_names, y->name);

		if (other == IR_NONE)
			continue;
		x = &from->sets[other];
		if (!only_names && ir_set_same_shape(x, y) &&
		    (!y->is_interval || elements_equal(from, x, to, y)))
			continue;
		if (!detour) {
			detour = arena_alloc(arena, sizeof(*detour));
			*detour = *to;
			detour->sets = arena_alloc(arena, to->n_sets * sizeof(*to->sets));
			memcpy(detour->sets, to->sets, to->n_sets * sizeof(*to->sets));
		}
		detour->sets[i].name = other_name(y->name, &from_names, &to_names, arena);
	}
	return detour;
}
