/* SPDX-License-Identifier: GPL-2.0-or-later */
/* units.c - control groups of units → a map to their services' chains, and the rules that ask it.
 *
 * The rules are there while a service has a unit, whether that runs or not: when it starts, all
 * that changes is an element of the map.
 */
#include "plan/units.h"

#include <string.h>

#include "policy/units.h"

static_assert((int)CGROUP_LEVELS == (int)IR_CGROUP_LEVELS, "every level has a field");

static bool has_unit(const struct service *service)
{
	return service->policy->unit && service->state != POLICY_OFF;
}

static void fill_element(struct ir_element *e, const struct policy_set *set,
			 const struct unit_group *group, uint32_t chain)
{
	*e = (struct ir_element){ .verdict = IR_GOTO, .chain = chain, .path = group->nft_path };
	for (unsigned i = 0; i < 8; i++)
		e->key[i] = (uint8_t)(group->id >> (56 - 8 * i));
	memcpy(e->last, e->key, 8);
	if (group->service != NO_SERVICE)
		e->origin = policy_origin(set->services[group->service].policy,
					  set->services[group->service].policy->unit_place, "unit");
}

void plan_unit_element(struct build *b, const struct policy_set *set,
		       const struct unit_group *group, uint32_t chain)
{
	fill_element(build_element(b), set, group, chain);
}

static void add_group(struct build *b, const struct policy_set *set, const struct unit_group *group,
		      const struct plan_shared *shared)
{
	fill_element(build_element(b), set, group,
		     group->service == NO_SERVICE ? shared->refuse :
						    shared->service_chains[group->service]);
}

void plan_units(struct build *b, const struct policy_set *set, const struct plan_shared *shared,
		struct plan_units *ret_units)
{
	struct plan_units units = { IR_NONE, 0 };

	for (size_t i = 0; i < set->n_services; i++)
		if (has_unit(&set->services[i]))
			units.levels |= 1U << units_level(set->services[i].policy->unit);
	*ret_units = units;
	if (!units.levels)
		return;
	units.map = build_set(b, PLAN_UNITS, IR_KEY_CGROUP, true, false);
	for (size_t i = 0; i < set->n_groups; i++) {
		const struct unit_group *group = &set->groups[i];

		if (group->service != NO_SERVICE && !has_unit(&set->services[group->service]))
			continue;
		units.levels |= 1U << group->level;
		add_group(b, set, group, shared);
	}
	build_set_finish(b);
	/* It comes and goes with units. A map of fixed size is made anew where it has become too
	 * small, which takes until no packet is on its way (up to 300 ms on a busy machine); one
	 * that grows by itself costs 10 ns more for each look-up.
	 */
	b->ruleset.sets[units.map].size = 0;
	*ret_units = units;
}

void plan_unit_rules(struct build *b, const struct plan_units *units)
{
	/* the innermost unit has the first word: app.slice may hold units with policies of their
	 * own
	 */
	for (unsigned level = CGROUP_LEVELS; level > 0; level--) {
		if (units->map == IR_NONE || !(units->levels & 1U << level))
			continue;
		build_rule(b, (struct ir_origin){ 0 });
		add_vmap(b, IR_CGROUP_1 + (enum ir_field)(level - 1), units->map);
	}
}

/* --- a unit that has just started ------------------------------------------------------------- */

/* Whether the base chain asks the map for groups of that level. */
static bool asks(const struct ir_ruleset *ruleset, uint32_t map, unsigned level)
{
	const struct ir_chain *chain = ruleset->chains;

	while (chain->hook != IR_HOOK_OUTPUT)
		chain++;
	for (uint32_t r = chain->first_rule; r < chain->first_rule + chain->n_rules; r++) {
		const struct ir_stmt *stmt = &ruleset->stmts[ruleset->rules[r].first_stmt];

		if (stmt->kind == IR_STMT_VMAP && stmt->index == map &&
		    stmt->field == IR_CGROUP_1 + level - 1)
			return true;
	}
	return false;
}

static void make_room(struct ir_ruleset *ruleset, struct arena *arena, bool *room)
{
	size_t size = 1, n = ruleset->n_elements;
	struct ir_element *elements;

	if (*room || !n)
		return;
	while (size < n) /* as arena_grow() has it */
		size *= 2;
	elements = arena_alloc(arena, size * sizeof(*elements));
	memcpy(elements, ruleset->elements, n * sizeof(*elements));
	ruleset->elements = elements;
	*room = true;
}

/* Ids only grow, and nothing follows the map. Where that is not so, it has to be planned anew. */
static bool fits_at_end(const struct ir_ruleset *ruleset, const struct ir_set *units,
			const struct ir_element *element)
{
	const struct ir_element *end = &ruleset->elements[ruleset->n_elements];

	return units->first_element + units->n_elements == ruleset->n_elements &&
	       (!units->n_elements || memcmp(end[-1].key, element->key, sizeof(element->key)) < 0);
}

bool plan_unit_started(struct ir_ruleset *ruleset, const struct policy_set *set,
		       const struct unit_group *group, struct arena *arena, bool *room)
{
	AUTO(arena) struct arena *scratch = arena_new();
	const struct service *service = &set->services[group->service];
	const char *name = name_service_chain(scratch, service->policy->service);
	uint32_t map = ir_find_set(ruleset, PLAN_UNITS), chain = ir_find_chain(ruleset, name);
	struct ir_element element;
	struct ir_set *units;

	if (!has_unit(service) || map == IR_NONE || chain == IR_NONE ||
	    !asks(ruleset, map, group->level) || ir_find_set(ruleset, PLAN_WAY_UNITS) != IR_NONE)
		return false;
	units = &ruleset->sets[map];
	fill_element(&element, set, group, chain);
	if (!fits_at_end(ruleset, units, &element))
		return false;
	make_room(ruleset, arena, room);
	*ARENA_APPEND(arena, ruleset->elements, ruleset->n_elements) = element;
	units->n_elements++;
	return true;
}
