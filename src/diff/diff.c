/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff.c - two sets of policies with their rulesets → what changes in meaning, as JSON.
 *
 * Services are compared by name: first their chains as they stand (same.h), which is all that most
 * of them cost; then, where those differ, what the chains let through (reach.h, compare.h). What
 * all services share, name servers and proxies, is compared once and told once.
 */
#include "diff/diff.h"

#include <string.h>

#include "diff/entry.h"
#include "diff/same.h"

enum { SCRATCH_MAX = 1024 * 1024 }; /* bytes */

/* A side, indexed once. */
struct side {
	const struct policy_set *set;
	const struct ir_ruleset *rules;
	struct reach_shared shared;
	struct guards guards;
	struct owners owners;
};

/* What the configuration changes for every service that uses it. */
struct shared_change {
	struct compare_question question;
	struct compare_answer answer;
	size_t n_services; /* that use it before and afterwards */
};

struct diff {
	struct side from, to;
	int64_t now;
	bool exactly;
	struct arena *arena;
	bool same_guards;
	struct ranges guard_ports[2]; /* where they differ, by PROTOCOL_TCP and PROTOCOL_UDP */
	struct entry *entries;	      /* by name */
	size_t n;
	struct shared_change shared[REACH_SOURCES]; /* REACH_DNS and REACH_PROXY */
	struct owner_change *others;		    /* of no service on either side */
	size_t n_others;
};

static void side_read(const struct diff_side *from, struct arena *arena, struct side *ret_side)
{
	ret_side->set = from->set;
	ret_side->rules = from->rules;
	ret_side->shared = reach_find_shared(from->rules);
	guards_read(from->rules, arena, &ret_side->guards);
	owners_read(from->set, from->rules, arena, &ret_side->owners);
}

static uint32_t number_of(const struct side *side, const struct service *service)
{
	return (uint32_t)(service - side->set->services);
}

static uint32_t chain_of(const struct side *side, const struct service *service)
{
	return service ? side->owners.chains[number_of(side, service)] : IR_NONE;
}

/* --- pairs of services ------------------------------------------------------------------------
 */

static void match_services(struct diff *diff)
{
	const struct policy_set *a = diff->from.set, *b = diff->to.set;

	diff->entries =
		arena_alloc(diff->arena, (a->n_services + b->n_services) * sizeof(*diff->entries));
	for (size_t i = 0, j = 0; i < a->n_services || j < b->n_services;) {
		struct entry *entry = &diff->entries[diff->n++];
		int r = i == a->n_services ? 1 :
			j == b->n_services ? -1 :
					     strcmp(a->services[i].policy->service,
						    b->services[j].policy->service);

		if (r <= 0)
			entry->from = &a->services[i++];
		if (r >= 0)
			entry->to = &b->services[j++];
	}
}

static const char *entry_name(const struct entry *entry)
{
	return (entry->from ? entry->from : entry->to)->policy->service;
}

static struct entry *find_entry(const struct diff *diff, const char *name, size_t length)
{
	size_t low = 0, high = diff->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *other = entry_name(&diff->entries[middle]);
		int r = strncmp(name, other, length);

		if (r == 0)
			r = other[length] ? -1 : 0;
		if (r == 0)
			return &diff->entries[middle];
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static struct entry *entry_of(const struct diff *diff, const struct side *side, uint32_t owner)
{
	const char *name;

	if (owner >= OWNER_REFUSED)
		return NULL;
	name = side->set->services[owner].policy->service;
	return find_entry(diff, name, strlen(name));
}

/* --- who is governed, and by whom -------------------------------------------------------------
 */

static void append_change(struct arena *arena, const struct owner_change **list, size_t *n,
			  const struct owner_change *change)
{
	struct owner_change *changes = (struct owner_change *)(uintptr_t)*list;

	*ARENA_APPEND(arena, changes, *n) = *change;
	*list = changes;
}

static void compare_owners(struct diff *diff)
{
	size_t n;
	const struct owner_change *changes =
		owners_compare(&diff->from.owners, diff->from.set, &diff->to.owners, diff->to.set,
			       diff->arena, &n);

	for (size_t i = 0; i < n; i++) {
		struct entry *loser = entry_of(diff, &diff->from, changes[i].from);
		struct entry *gainer = entry_of(diff, &diff->to, changes[i].to);

		if (loser)
			append_change(diff->arena, &loser->lost, &loser->n_lost, &changes[i]);
		if (gainer)
			append_change(diff->arena, &gainer->gained, &gainer->n_gained, &changes[i]);
		if (!loser && !gainer)
			*ARENA_APPEND(diff->arena, diff->others, diff->n_others) = changes[i];
	}
}

static void compare_callers(struct diff *diff)
{
	size_t n;
	struct callers_change *changes;

	diff->same_guards = guards_equal(&diff->from.guards, &diff->to.guards);
	if (diff->same_guards)
		return;
	changes = callers_compare(&diff->from.guards, &diff->to.guards, diff->arena, &n);
	for (size_t i = 0; i < n; i++) {
		struct entry *entry =
			find_entry(diff, changes[i].service, changes[i].service_length);
		struct ranges *ports = &diff->guard_ports[changes[i].protocol];
		struct callers_change *list;

		*ports = ranges_union(diff->arena, *ports, changes[i].ports);
		if (!entry)
			continue;
		list = (struct callers_change *)(uintptr_t)entry->callers;
		*ARENA_APPEND(diff->arena, list, entry->n_callers) = changes[i];
		entry->callers = list;
	}
}

/* --- what all services share ------------------------------------------------------------------
 */

/* Those of services with a port of their own at the proxy are their own. */
static bool uses(const struct side *side, const struct service *service, enum reach_source source)
{
	if (!service || (service->state != POLICY_GOOD && service->state != POLICY_LAST_GOOD))
		return false;
	return source == REACH_DNS   ? service->policy->dns :
	       source == REACH_PROXY ? service->policy->proxy &&
					       !config_find_proxy_port(&side->set->config,
								       service->policy->service) :
				       false;
}

static void walk(const struct diff *diff, const struct side *side, const struct service *service,
		 struct reach *ret_reach)
{
	reach_walk(side->rules, chain_of(side, service), &side->shared, diff->now, diff->arena,
		   ret_reach);
}

/* What the configuration gives to whoever uses it, taken from one that does. */
static void find_shared(const struct diff *diff, const struct side *side,
			const struct service *service, enum reach_source source,
			struct reach *ret_reach)
{
	static const struct ir_origin origins[REACH_SOURCES] = {
		[REACH_DNS] = { .what = "dns" },
		[REACH_PROXY] = { .what = "proxy" },
	};
	struct reach reach = { NULL, 0 };
	size_t n = 0;

	walk(diff, side, service, &reach);
	for (size_t i = 0; i < reach.n; i++)
		if (reach.boxes[i].source == source) {
			reach.boxes[n] = reach.boxes[i];
			reach.boxes[n].is_guarded = false;
			reach.boxes[n++].origin = &origins[source];
		}
	reach.n = n;
	*ret_reach = reach;
}

static void compare_shared(struct diff *diff, enum reach_source source)
{
	static const struct guards no_guards;
	struct shared_change *change = &diff->shared[source];
	const struct entry *user = NULL;

	for (size_t i = 0; i < diff->n; i++) {
		const struct entry *entry = &diff->entries[i];

		if (!uses(&diff->from, entry->from, source) || !uses(&diff->to, entry->to, source))
			continue;
		change->n_services++;
		if (!user)
			user = entry;
	}
	if (!user)
		return;
	change->question.now = diff->now;
	change->question.from.guards = change->question.to.guards = &no_guards;
	find_shared(diff, &diff->from, user->from, source, &change->question.from.reach);
	find_shared(diff, &diff->to, user->to, source, &change->question.to.reach);
	compare_reach(&change->question, diff->arena, &change->answer);
}

/* --- one service ------------------------------------------------------------------------------
 */

static bool is_off(const struct service *service)
{
	return service && service->state == POLICY_OFF;
}

enum likeness { DIFFERENT, SAME, SAME_BUT_GUARDS };

static enum likeness find_likeness(const struct diff *diff, const struct entry *entry)
{
	struct same_side a = { diff->from.rules, &diff->from.shared };
	struct same_side b = { diff->to.rules, &diff->to.shared };
	uint32_t x = chain_of(&diff->from, entry->from), y = chain_of(&diff->to, entry->to);

	if (!same_chain(&a, x, &b, y))
		return DIFFERENT;
	for (enum reach_source source = REACH_DNS; source <= REACH_PROXY; source++)
		if (uses(&diff->from, entry->from, source) != uses(&diff->to, entry->to, source))
			return DIFFERENT;
	if (x == IR_NONE || diff->same_guards || !same_has_guards(a.rules, x))
		return SAME;
	return SAME_BUT_GUARDS;
}

static struct ranges uids_of(const struct side *side, const struct service *service)
{
	return service ? side->owners.uids[number_of(side, service)] : (struct ranges){ NULL, 0 };
}

/* A service that is taken down, or gone, is not compared: its users may reach everything. One that
 * is new is compared with nothing.
 */
static void compare_entry(const struct diff *diff, struct entry *entry)
{
	struct compare_question *question = &entry->question;
	enum likeness likeness = DIFFERENT;

	if (!entry->to || is_off(entry->to))
		return;
	if (entry->from)
		ways_read(diff->from.rules,
			  diff->from.owners.ways[number_of(&diff->from, entry->from)], diff->arena,
			  &entry->before);
	ways_read(diff->to.rules, diff->to.owners.ways[number_of(&diff->to, entry->to)],
		  diff->arena, &entry->now);
	if (entry->from)
		likeness = find_likeness(diff, entry);
	if (likeness == SAME)
		return;
	if (likeness == SAME_BUT_GUARDS)
		question->guard_ports = diff->guard_ports;
	question->now = diff->now;
	question->same_guards = diff->same_guards;
	question->from.guards = &diff->from.guards;
	question->to.guards = &diff->to.guards;
	question->uids = ranges_union(diff->arena, uids_of(&diff->from, entry->from),
				      uids_of(&diff->to, entry->to));
	for (enum reach_source source = REACH_DNS; source <= REACH_PROXY; source++)
		question->is_shared[source] = diff->shared[source].answer.n &&
					      uses(&diff->from, entry->from, source) &&
					      uses(&diff->to, entry->to, source);
	walk(diff, &diff->from, entry->from, &question->from.reach);
	walk(diff, &diff->to, entry->to, &question->to.reach);
	compare_reach(question, diff->arena, &entry->answer);
}

/* --- JSON -------------------------------------------------------------------------------------
 */

struct counts {
	int64_t same, added, gone, changed, effects[EFFECT_MIXED + 1];
};

static void count(const struct entry *entry, struct counts *counts)
{
	if (!entry->from)
		counts->added++;
	else if (!entry->to)
		counts->gone++;
	else
		counts->changed++;
	counts->effects[entry_effect(entry)]++;
}

/* What one service needs while it is looked at is soon forgotten, a few hundred of them at a time.
 */
static void renew_scratch(struct arena **scratch)
{
	if (arena_bytes(*scratch) < SCRATCH_MAX)
		return;
	arena_free(*scratch);
	*scratch = arena_new();
}

static void put_services(struct diff *diff, struct writer *w, struct counts *counts)
{
	struct entry_sets sets = { diff->from.set, diff->to.set };
	AUTO(arena) struct arena *scratch = arena_new();
	struct arena *whole = diff->arena;

	writer_key(w, "services");
	writer_begin(w, '[');
	for (size_t i = 0; i < diff->n; i++) {
		diff->arena = scratch;
		compare_entry(diff, &diff->entries[i]);
		diff->arena = whole;
		if (entry_differs(&diff->entries[i])) {
			count(&diff->entries[i], counts);
			entry_write(&diff->entries[i], &sets, diff->exactly, scratch, w);
		} else {
			counts->same++;
		}
		renew_scratch(&scratch);
	}
	writer_end(w, ']');
}

static bool put_shared(const struct diff *diff, struct writer *w)
{
	static const char *const names[REACH_SOURCES] = {
		[REACH_DNS] = "resolvers",
		[REACH_PROXY] = "proxies",
	};
	bool differs = false;

	writer_key(w, "shared");
	writer_begin(w, '[');
	for (size_t i = 0; i < REACH_SOURCES; i++) {
		const struct shared_change *change = &diff->shared[i];

		if (!change->answer.n)
			continue;
		differs = true;
		writer_begin(w, '{');
		writer_put_text(w, "what", names[i]);
		writer_put_int(w, "services", (int64_t)change->n_services);
		entry_write_shared(&change->question, &change->answer, diff->exactly, diff->arena,
				   w);
		writer_end(w, '}');
	}
	writer_end(w, ']');
	return differs;
}

static void put_others(const struct diff *diff, struct writer *w)
{
	writer_key(w, "uids");
	writer_begin(w, '[');
	for (size_t i = 0; i < diff->n_others; i++) {
		writer_begin(w, '{');
		writer_put_int(w, "first", diff->others[i].uids.first);
		writer_put_int(w, "last", diff->others[i].uids.last);
		writer_put_text(w, "before", entry_owner_name(diff->others[i].from));
		writer_put_text(w, "now", entry_owner_name(diff->others[i].to));
		writer_end(w, '}');
	}
	writer_end(w, ']');
}

static void put_summary(const struct counts *counts, struct writer *w)
{
	writer_key(w, "summary");
	writer_begin(w, '{');
	writer_put_int(w, "same", counts->same);
	writer_put_int(w, "new", counts->added);
	writer_put_int(w, "gone", counts->gone);
	writer_put_int(w, "changed", counts->changed);
	writer_put_int(w, "may_reach_more", counts->effects[EFFECT_MORE]);
	writer_put_int(w, "may_reach_less", counts->effects[EFFECT_LESS]);
	writer_put_int(w, "may_reach_both", counts->effects[EFFECT_MIXED]);
	writer_end(w, '}');
}

static bool write_diff(const struct diff_side *from, const struct diff_side *to, int64_t now,
		       bool exactly, struct writer *w)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct diff diff = { .arena = arena, .now = now, .exactly = exactly };
	struct counts counts = { 0 };
	bool differs;

	side_read(from, arena, &diff.from);
	side_read(to, arena, &diff.to);
	match_services(&diff);
	compare_owners(&diff);
	compare_callers(&diff);
	compare_shared(&diff, REACH_DNS);
	compare_shared(&diff, REACH_PROXY);
	put_services(&diff, w, &counts);
	differs = put_shared(&diff, w);
	put_others(&diff, w);
	put_summary(&counts, w);
	differs = differs || counts.added || counts.gone || counts.changed || diff.n_others;
	writer_put_bool(w, "differs", differs);
	return differs;
}

bool diff_write(const struct diff_side *from, const struct diff_side *to, int64_t now,
		struct writer *w)
{
	return write_diff(from, to, now, true, w);
}

bool diff_write_words(const struct diff_side *from, const struct diff_side *to, int64_t now,
		      struct writer *w)
{
	return write_diff(from, to, now, false, w);
}
