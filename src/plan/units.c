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

static void add_group(struct build *b, const struct policy_set *set, const struct unit_group *group,
		      const struct plan_shared *shared)
{
	bool shared_out = group->service == NO_SERVICE;
	struct ir_element *e = build_element(b);

	for (unsigned i = 0; i < 8; i++)
		e->key[i] = (uint8_t)(group->id >> (56 - 8 * i));
	memcpy(e->last, e->key, 8);
	e->path = group->nft_path;
	e->verdict = IR_GOTO;
	e->chain = shared_out ? shared->refuse : shared->service_chains[group->service];
	if (!shared_out)
		e->origin = policy_origin(set->services[group->service].policy,
					  set->services[group->service].policy->unit_place, "unit");
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
