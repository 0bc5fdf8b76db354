/* SPDX-License-Identifier: GPL-2.0-or-later */
/* generation.c - files, or what is remembered of them → policies and rules.
 *
 * What a generation remembers outlives the files: it is what the next one falls back to, service by
 * service, and what the daemon starts from when the files cannot be read at all.
 */
#include "runtime/generation.h"

#include <string.h>
#include <time.h>

#include "wire/writer.h"

enum { UNIT_TEXT_MAX = 8192 };

void rules_done(struct rules *rules)
{
	arena_free(rules->arena);
	*rules = (struct rules){ 0 };
}

void generation_free(struct generation *generation)
{
	if (!generation)
		return;
	rules_done(&generation->rules);
	arena_free(generation->groups);
	arena_free(generation->arena);
	free(generation);
}

/* An entry that lives on although its service's file is wrong. */
static struct last_good copy_entry(struct arena *arena, const struct last_good *old)
{
	struct subject *subjects = arena_alloc(arena, old->n_subjects * sizeof(*subjects));

	for (size_t i = 0; i < old->n_subjects; i++) {
		subjects[i] = old->subjects[i];
		subjects[i].place = (struct place){ 0 }; /* its file's name is the old one's */
	}
	return (struct last_good){
		.service = arena_strdup(arena, old->service),
		.file = arena_strdup(arena, old->file),
		.text = arena_strndup(arena, old->text, old->text_length),
		.text_length = old->text_length,
		.subjects = subjects,
		.n_subjects = old->n_subjects,
		.is_refused = old->is_refused,
	};
}

static struct last_good new_entry(const struct policy *policy)
{
	return (struct last_good){
		.service = policy->service,
		.file = policy->file,
		.text = policy->text,
		.text_length = policy->text_length,
		.subjects = policy->subjects,
		.n_subjects = policy->n_subjects,
	};
}

/* A policy that says nothing but its unit. */
static const char *unit_text(const char *unit, struct arena *arena)
{
	struct writer w;
	const char *text;

	writer_init(&w, UNIT_TEXT_MAX);
	writer_begin(&w, '{');
	writer_put_text(&w, "unit", unit);
	writer_end(&w, '}');
	text = arena_strdup(arena, w.failed ? "" : w.bytes);
	writer_done(&w);
	return text;
}

/* Whose file never was right: what it says by now is nobody's business, but for whose sockets. */
static struct last_good refused_entry(const struct policy *policy, struct arena *arena)
{
	const char *text = policy->unit ? unit_text(policy->unit, arena) : "";

	return (struct last_good){
		.service = policy->service,
		.file = policy->file,
		.text = text,
		.text_length = strlen(text),
		.subjects = policy->subjects,
		.n_subjects = policy->n_subjects,
		.is_refused = true,
	};
}

static bool same_text(const struct last_good *a, const struct last_good *b)
{
	return a->is_refused == b->is_refused && a->text_length == b->text_length &&
	       memcmp(a->text, b->text, a->text_length) == 0;
}

static bool same_subjects(const struct last_good *a, const struct last_good *b)
{
	bool same = a->n_subjects == b->n_subjects;

	for (size_t i = 0; same && i < a->n_subjects; i++) {
		const struct subject *x = &a->subjects[i], *y = &b->subjects[i];

		same = x->uids.first == y->uids.first && x->uids.last == y->uids.last &&
		       x->is_named == y->is_named && x->is_subuid == y->is_subuid;
	}
	return same;
}

static bool same_config(const struct last_good_set *a, const struct last_good_set *b)
{
	if (!a->config_text || !b->config_text)
		return a->config_text == b->config_text;
	return a->config_length == b->config_length &&
	       memcmp(a->config_text, b->config_text, a->config_length) == 0;
}

/* What to remember of service i. A good file is remembered; a wrong one leaves what was remembered,
 * and so does one that was remembered but cannot be restored.
 */
static struct last_good entry_of(const struct generation *generation, size_t i,
				 const struct last_good *old)
{
	const struct policy *policy = generation->set.services[i].policy;

	if (generation->states[i] == POLICY_GOOD)
		return new_entry(policy);
	if (old && !old->is_refused)
		return copy_entry(generation->arena, old);
	return refused_entry(policy, generation->arena);
}

static void remember(struct generation *generation, const struct memory *old)
{
	struct memory *memory = &generation->memory;
	size_t n = generation->set.n_services;
	int64_t now = time(NULL);
	bool same = old->applied && n == old->set.n;

	memory->set.config_text = generation->set.config.text;
	memory->set.config_length = generation->set.config.text_length;
	memory->set.list = arena_alloc(generation->arena, n * sizeof(*memory->set.list));
	memory->set.n = n;
	memory->since = arena_alloc(generation->arena, n * sizeof(*memory->since));
	for (size_t i = 0; i < n; i++) {
		struct last_good *entry = &memory->set.list[i];
		int64_t since = now;
		const struct last_good *before =
			memory_find(old, generation->set.services[i].policy->service, &since);

		*entry = entry_of(generation, i, before);
		memory->since[i] = before && same_text(before, entry) ? since : now;
		same = same && before && same_text(before, entry) && same_subjects(before, entry) &&
		       strcmp(before->file, entry->file) == 0;
	}
	same = same && same_config(&old->set, &memory->set);
	memory->applied = same ? old->applied : now;
	memory_seal(memory);
}

static void count_owners(size_t *counts, const struct uid_owner *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].service != NO_SERVICE)
			counts[list[i].service + 1]++;
}

static void place_owners(struct generation *generation, size_t *next, const struct uid_owner *list,
			 size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].service != NO_SERVICE)
			generation->owners[next[list[i].service]++] = &list[i];
}

/* The set knows the service of a uid; here are the uids of a service. */
static void index_owners(struct generation *generation)
{
	const struct policy_set *set = &generation->set;
	AUTO(arena) struct arena *scratch = arena_new();
	size_t n = set->n_services, *first, *next;

	first = arena_alloc(generation->arena, (n + 1) * sizeof(*first));
	count_owners(first, set->named, set->n_named);
	count_owners(first, set->ranges, set->n_ranges);
	for (size_t i = 0; i < n; i++)
		first[i + 1] += first[i];
	generation->first_owner = first;
	generation->owners = arena_alloc(generation->arena, first[n] * sizeof(*generation->owners));
	next = arena_alloc(scratch, (n + 1) * sizeof(*next));
	memcpy(next, first, (n + 1) * sizeof(*next));
	place_owners(generation, next, set->named, set->n_named);
	place_owners(generation, next, set->ranges, set->n_ranges);
}

int generation_read(enum generation_source source, const char *config, const char *policies,
		    const struct memory *memory, struct generation **ret_generation,
		    struct diags *diags)
{
	AUTO(generation) struct generation *generation = calloc(1, sizeof(*generation));
	struct policy_set_options options = {
		.paths = &policies,
		.n_paths = 1,
		.config_path = config,
		.owner = 0,
		.last_good = &memory->set,
	};
	int r;

	if (!generation)
		abort(); /* as arenas do */
	generation->arena = arena_new();
	if (source == FROM_FILES)
		r = policy_set_read(&options, generation->arena, &generation->set, diags);
	else
		r = policy_set_from_last_good(&options, generation->arena, &generation->set, diags);
	if (r < 0)
		return r;
	generation->states = arena_alloc(generation->arena, generation->set.n_services);
	for (size_t i = 0; i < generation->set.n_services; i++) {
		struct service *service = &generation->set.services[i];

		/* Whether its file is right is not the question. */
		if (source == FROM_BEFORE && service->state == POLICY_LAST_GOOD)
			service->state = POLICY_GOOD;
		generation->states[i] = service->state;
	}
	remember(generation, memory);
	index_owners(generation);
	*ret_generation = TAKE(generation);
	return 0;
}

void generation_take_groups(struct generation *generation, const struct policy_set *set,
			    struct arena *arena)
{
	arena_free(generation->groups);
	generation->groups = arena;
	generation->set.groups = set->groups;
	generation->set.n_groups = set->n_groups;
}

void generation_mark(struct generation *generation, const struct switches *switches)
{
	for (size_t i = 0; i < generation->set.n_services; i++) {
		struct service *service = &generation->set.services[i];

		service->state = switches_has(switches, service->policy->service) ?
					 POLICY_OFF :
					 generation->states[i];
	}
}

void generation_plan(struct generation *generation, const struct switches *switches,
		     struct rules *ret_rules)
{
	generation_mark(generation, switches);
	ret_rules->arena = arena_new();
	plan_build(&generation->set, ret_rules->arena, &ret_rules->set);
}
