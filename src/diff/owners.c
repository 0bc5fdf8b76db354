/* SPDX-License-Identifier: GPL-2.0-or-later */
/* owners.c - a ruleset's base chain → which service's chain judges which uid. */
#include "diff/owners.h"

#include <string.h>

#include "diff/reach.h"
#include "plan/names.h"

/* Chains and services stand in the same order, so the next one is mostly the right one. */
static uint32_t service_of(const struct policy_set *set, const char *chain, size_t *next,
			   enum chain_kind *ret_kind)
{
	const struct service *found;
	const char *name;
	size_t length;

	*ret_kind = name_parse_chain(chain, &name, &length);
	if (*ret_kind != CHAIN_SERVICE && *ret_kind != CHAIN_WAY)
		return OWNER_REFUSED;
	if (*next < set->n_services && strcmp(set->services[*next].policy->service, name) == 0)
		return (uint32_t)(*next)++;
	found = policy_set_find(set, name);
	if (!found)
		return OWNER_REFUSED;
	*next = (size_t)(found - set->services) + 1;
	return (uint32_t)(*next - 1);
}

/* The service of each chain. */
static uint32_t *find_chains(const struct policy_set *set, const struct ir_ruleset *rules,
			     struct arena *arena, struct owners *owners)
{
	uint32_t *services = arena_alloc(arena, rules->n_chains * sizeof(*services));
	size_t next = 0;
	enum chain_kind kind;

	owners->ways = arena_alloc(arena, set->n_services * sizeof(*owners->ways));
	owners->chains = arena_alloc(arena, set->n_services * sizeof(*owners->chains));
	for (size_t i = 0; i < set->n_services; i++)
		owners->chains[i] = owners->ways[i] = IR_NONE;
	for (uint32_t i = 0; i < rules->n_chains; i++) {
		services[i] = service_of(set, rules->chains[i].name, &next, &kind);
		if (services[i] != OWNER_REFUSED && kind == CHAIN_SERVICE)
			owners->chains[services[i]] = i;
		else if (services[i] != OWNER_REFUSED)
			owners->ways[services[i]] = i;
	}
	return services;
}

static void add_owner(struct arena *arena, struct owners *owners, uint32_t first, uint32_t last,
		      uint32_t service)
{
	*ARENA_APPEND(arena, owners->list, owners->n) = (struct owner){ { first, last }, service };
}

/* Adds a later map: an earlier one has the first word. */
static void add_map(const struct ir_ruleset *rules, uint32_t map, const uint32_t *services,
		    struct arena *arena, struct owners *owners)
{
	const struct ir_set *set = &rules->sets[map];
	struct owners sum = *owners;
	size_t next = 0;

	sum.list = NULL;
	sum.n = 0;
	for (uint32_t i = 0; i < set->n_elements; i++) {
		const struct ir_element *e = &rules->elements[set->first_element + i];
		uint64_t first = (uint32_t)reach_address_from(e->key, 4);
		uint32_t last = (uint32_t)reach_address_from(e->last, 4);

		for (; next < owners->n && owners->list[next].uids.first <= last; next++) {
			struct number_range taken = owners->list[next].uids;

			if (taken.first > first)
				add_owner(arena, &sum, (uint32_t)first, taken.first - 1,
					  services[e->chain]);
			*ARENA_APPEND(arena, sum.list, sum.n) = owners->list[next];
			if (taken.last >= first)
				first = (uint64_t)taken.last + 1;
		}
		if (first <= last)
			add_owner(arena, &sum, (uint32_t)first, last, services[e->chain]);
	}
	for (; next < owners->n; next++)
		*ARENA_APPEND(arena, sum.list, sum.n) = owners->list[next];
	*owners = sum;
}

static void read_base_chain(const struct ir_ruleset *rules, const struct ir_chain *chain,
			    const uint32_t *services, struct arena *arena, struct owners *owners)
{
	for (uint32_t i = 0; i < chain->n_rules; i++) {
		const struct ir_rule *rule = &rules->rules[chain->first_rule + i];
		const struct ir_stmt *s = &rules->stmts[rule->first_stmt + rule->n_stmts - 1];

		if (s->kind == IR_STMT_VMAP && s->field == IR_SKUID)
			add_map(rules, s->index, services, arena, owners);
	}
}

void owners_read(const struct policy_set *set, const struct ir_ruleset *rules, struct arena *arena,
		 struct owners *ret_owners)
{
	struct owners owners = { NULL };
	const uint32_t *services = find_chains(set, rules, arena, &owners);

	for (size_t i = 0; i < rules->n_chains; i++)
		if (rules->chains[i].hook == IR_HOOK_OUTPUT)
			read_base_chain(rules, &rules->chains[i], services, arena, &owners);
	owners.uids = arena_alloc(arena, set->n_services * sizeof(*owners.uids));
	for (size_t i = 0; i < owners.n; i++)
		if (owners.list[i].service != OWNER_REFUSED)
			ranges_append(arena, &owners.uids[owners.list[i].service],
				      owners.list[i].uids.first, owners.list[i].uids.last);
	*ret_owners = owners;
}

/* --- two of them ------------------------------------------------------------------------------
 */

static bool same_owner(const struct policy_set *a, uint32_t x, const struct policy_set *b,
		       uint32_t y)
{
	if (x >= OWNER_REFUSED || y >= OWNER_REFUSED)
		return x == y;
	return strcmp(a->services[x].policy->service, b->services[y].policy->service) == 0;
}

/* The owner of uids from *first on, and up to where that holds. */
static uint32_t owner_at(const struct owners *owners, size_t *i, uint32_t first, uint32_t *last)
{
	while (*i < owners->n && owners->list[*i].uids.last < first)
		++*i;
	if (*i == owners->n)
		return OWNER_NOBODY;
	if (owners->list[*i].uids.first > first) {
		if (owners->list[*i].uids.first - 1 < *last)
			*last = owners->list[*i].uids.first - 1;
		return OWNER_NOBODY;
	}
	if (owners->list[*i].uids.last < *last)
		*last = owners->list[*i].uids.last;
	return owners->list[*i].service;
}

static void add_change(struct arena *arena, struct owner_change **list, size_t *n,
		       const struct owner_change *change)
{
	struct owner_change *end = *n ? &(*list)[*n - 1] : NULL;

	if (end && end->from == change->from && end->to == change->to &&
	    end->uids.last + 1 == change->uids.first)
		end->uids.last = change->uids.last;
	else
		*ARENA_APPEND(arena, *list, *n) = *change;
}

struct owner_change *owners_compare(const struct owners *from, const struct policy_set *from_set,
				    const struct owners *to, const struct policy_set *to_set,
				    struct arena *arena, size_t *ret_n)
{
	struct owner_change *changes = NULL;
	size_t i = 0, j = 0;
	uint32_t first = 0, last;

	*ret_n = 0;
	do {
		struct owner_change change;

		last = UINT32_MAX;
		change.from = owner_at(from, &i, first, &last);
		change.to = owner_at(to, &j, first, &last);
		change.uids = (struct number_range){ first, last };
		if (!same_owner(from_set, change.from, to_set, change.to))
			add_change(arena, &changes, ret_n, &change);
		first = last + 1;
	} while (last != UINT32_MAX);
	return changes;
}
