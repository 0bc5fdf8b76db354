/* SPDX-License-Identifier: GPL-2.0-or-later */
/* groups.c - the control groups that units have, and those they had → what is governed.
 *
 * A group that is gone stays for as long as its number may be in use: what a process left behind
 * (an orphan's data, a socket in other hands) has the number of the group it was opened in, and
 * that is never given to another one.
 */
#include "runtime/groups.h"

#include <string.h>

#include "plan/names.h"

/* Of each service. A connection that outlives its group is closed by its far side, or by the kernel
 * after some minutes (tcp_orphan_retries); until then a unit can be started again many times.
 */
enum {
	GONE_GROUPS_MAX = 256,
	GONE_GROUPS_MORE = 64, /* before they are cut back to that: not at every restart */
};

static bool has_group(const struct policy_set *set, uint64_t id)
{
	size_t low = 0, high = set->n_groups;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->groups[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->n_groups && set->groups[low].id == id;
}

/* The service of a group that is gone, if it still has that unit; or NULL. */
static const struct service *heir(const struct policy_set *set, const struct policy_set *before,
				  const struct unit_group *group)
{
	const struct policy *policy;
	const struct service *service;

	if (group->service == NO_SERVICE)
		return NULL;
	policy = before->services[group->service].policy;
	service = policy_set_find(set, policy->service);
	if (!service || !policy->unit || !service->policy->unit ||
	    strcmp(policy->unit, service->policy->unit) != 0)
		return NULL;
	return service;
}

static int compare_groups(const void *a, const void *b)
{
	const struct unit_group *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Groups under construction: those that are there, and more and more that are gone. */
struct gathering {
	struct policy_set *set;
	struct arena *arena, *scratch;
	unsigned *n_gone; /* by service; in the end: too many */
	struct unit_group *list;
	size_t n;
};

static void gather_begin(struct gathering *g, struct policy_set *set, struct arena *arena)
{
	*g = (struct gathering){ .set = set, .arena = arena, .scratch = arena_new() };
	g->n_gone = arena_alloc(g->scratch, set->n_services * sizeof(*g->n_gone));
	for (size_t i = 0; i < set->n_groups; i++)
		*ARENA_APPEND(arena, g->list, g->n) = set->groups[i];
}

static void gather_gone(struct gathering *g, const struct service *service, uint64_t id,
			unsigned level, const char *path, const char *nft_path)
{
	if (!service || has_group(g->set, id))
		return;
	g->n_gone[service - g->set->services]++;
	*ARENA_APPEND(g->arena, g->list, g->n) = (struct unit_group){
		.id = id,
		.level = (uint8_t)level,
		.service = (uint32_t)(service - g->set->services),
		.path = arena_strdup(g->arena, path),
		.nft_path = arena_strdup(g->arena, nft_path),
		.is_gone = true,
	};
}

/* Sorted, and without the oldest of those that are too many: ids only ever grow. */
static void gather_end(struct gathering *g)
{
	size_t kept = 0;

	if (g->n)
		qsort(g->list, g->n, sizeof(*g->list), compare_groups);
	for (size_t i = 0; i < g->set->n_services; i++) {
		unsigned n = g->n_gone[i];

		g->n_gone[i] = n > GONE_GROUPS_MAX + GONE_GROUPS_MORE ? n - GONE_GROUPS_MAX : 0;
	}
	for (size_t i = 0; i < g->n; i++)
		if (!g->list[i].is_gone || !g->n_gone[g->list[i].service])
			g->list[kept++] = g->list[i];
		else
			g->n_gone[g->list[i].service]--;
	g->set->groups = g->list;
	g->set->n_groups = kept;
	arena_free(g->scratch);
}

void groups_find(const struct policy_set *set, const struct policy_set *before,
		 units_visit_fn visit, void *data, struct arena *arena, struct policy_set *ret_set,
		 struct diags *diags)
{
	struct gathering g;

	*ret_set = *set;
	units_find(ret_set, arena, visit, data, diags);
	if (!before)
		return;
	gather_begin(&g, ret_set, arena);
	for (size_t i = before->n_groups; i-- > 0;) {
		const struct unit_group *group = &before->groups[i];

		gather_gone(&g, heir(ret_set, before, group), group->id, group->level, group->path,
			    group->nft_path);
	}
	gather_end(&g);
}

/* The service with a unit whose chain that is, or NULL. */
static const struct service *service_of_chain(const struct policy_set *set, const char *chain)
{
	const struct service *service;
	const char *name;
	size_t length;

	if (name_parse_chain(chain, &name, &length) != CHAIN_SERVICE)
		return NULL;
	service = policy_set_find(set, name);
	return service && service->policy->unit ? service : NULL;
}

void groups_inherit(const struct policy_set *set, const struct nl_group *left, size_t n_left,
		    struct arena *arena, struct policy_set *ret_set)
{
	struct gathering g;

	*ret_set = *set;
	gather_begin(&g, ret_set, arena);
	for (size_t i = 0; i < n_left; i++) {
		const struct service *service = service_of_chain(ret_set, left[i].chain);

		if (service)
			gather_gone(&g, service, left[i].id, units_level(service->policy->unit),
				    service->policy->unit, "");
	}
	gather_end(&g);
}
