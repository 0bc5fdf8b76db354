/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_units.c - units and the control groups that they have → JSON. */
#include "runtime/report.h"

static void put_groups(const struct policy_set *set, uint32_t service, struct writer *w)
{
	writer_key(w, "groups");
	writer_begin(w, '[');
	for (size_t i = 0; i < set->n_groups; i++) {
		const struct unit_group *group = &set->groups[i];

		if (group->service != service || group->is_gone)
			continue;
		writer_begin(w, '{');
		writer_put_text(w, "path", group->path);
		writer_put_int(w, "level", group->level);
		writer_put_int(w, "id", (int64_t)group->id);
		writer_end(w, '}');
	}
	writer_end(w, ']');
}

static int64_t count_gone(const struct policy_set *set, uint32_t service)
{
	int64_t n = 0;

	for (size_t i = 0; i < set->n_groups; i++)
		n += set->groups[i].is_gone && set->groups[i].service == service;
	return n;
}

void report_unit(const struct policy_set *set, const struct service *service, struct writer *w)
{
	uint32_t index = (uint32_t)(service - set->services);

	if (!service->policy->unit) {
		writer_put_text(w, "unit", NULL);
		return;
	}
	writer_key(w, "unit");
	writer_begin(w, '{');
	writer_put_text(w, "name", service->policy->unit);
	put_groups(set, index, w);
	writer_put_int(w, "past_groups", count_gone(set, index));
	writer_end(w, '}');
}

void report_units(const struct policy_set *set, struct writer *w)
{
	AUTO(arena) struct arena *scratch = arena_new();
	bool *runs = arena_alloc(scratch, set->n_services);
	int64_t n = 0, n_running = 0, n_groups = 0;

	for (size_t i = 0; i < set->n_groups; i++) {
		if (set->groups[i].is_gone)
			continue;
		n_groups++;
		if (set->groups[i].service != NO_SERVICE)
			runs[set->groups[i].service] = true;
	}
	for (size_t i = 0; i < set->n_services; i++) {
		n += set->services[i].policy->unit != NULL;
		n_running += runs[i];
	}
	writer_key(w, "units");
	writer_begin(w, '{');
	writer_put_int(w, "followed", n);
	writer_put_int(w, "running", n_running);
	writer_put_int(w, "groups", n_groups);
	writer_put_int(w, "past_groups", (int64_t)set->n_groups - n_groups);
	writer_end(w, '}');
}
