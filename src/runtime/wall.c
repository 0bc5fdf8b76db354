/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wall.c - read → plan → apply → remember → swap.
 *
 * Whatever fails on the way, the generation in force stays, in the kernel as well as here. Only the
 * last step but one, writing to the state folder, may fail without stopping a change: a full disk
 * must not keep a new policy from being enforced.
 */
#include "runtime/wall.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct wall_counts wall_count(const struct wall *wall)
{
	struct wall_counts counts = { 0 };

	for (size_t i = 0; i < wall->current->set.n_services; i++)
		counts.n[wall->current->set.services[i].state]++;
	return counts;
}

int wall_open(const struct wall_options *options, struct wall **ret_wall)
{
	AUTO(wall) struct wall *wall = calloc(1, sizeof(*wall));
	AUTO(diags) struct diags diags;
	int r;

	diags_init(&diags);
	if (!wall)
		abort();
	wall->options = *options;
	wall->started = time(NULL);
	r = nl_table_open(&wall->table, &diags);
	if (r == 0 && live_open(&wall->live, &diags) < 0)
		diag_add(
			&diags, DIAG_WARNING, (struct place){ 0 },
			"open connections cannot be asked for: those that new rules refuse are not "
			"closed, though none of their packets pass");
	log_diags(&diags);
	if (r < 0)
		return r;
	*ret_wall = TAKE(wall);
	return 0;
}

static void result_done(struct wall_result *result)
{
	if (result->diags.arena)
		diags_done(&result->diags);
	free(result->error);
	*result = (struct wall_result){ 0 };
}

void wall_close(struct wall *wall)
{
	if (!wall)
		return;
	result_done(&wall->reload);
	result_done(&wall->change);
	generation_free(wall->current);
	switches_done(&wall->switches);
	live_close(wall->live);
	nl_table_close(wall->table);
	free(wall);
}

/* --- results */

static struct wall_result *result_begin(struct wall *wall, struct wall_result *result)
{
	result_done(result);
	diags_init(&result->diags);
	result->time = time(NULL);
	result->total_us = now_us();
	wall->last = result;
	wall->n_changes++;
	return result;
}

char *wall_error_text(const struct diags *diags, int r)
{
	char *text = NULL;

	for (size_t i = 0; i < diags->n; i++) {
		const struct diag *d = &diags->list[i];
		int n;

		if (d->severity != DIAG_ERROR)
			continue;
		if (d->place.file && d->place.line)
			n = asprintf(&text, "%s:%u:%u: %s", d->place.file, d->place.line,
				     d->place.column, d->message);
		else if (d->place.file)
			n = asprintf(&text, "%s: %s", d->place.file, d->message);
		else
			n = asprintf(&text, "%s", d->message);
		return n < 0 ? NULL : text;
	}
	return strdup(strerror(-r));
}

static void log_change(const struct wall *wall, const struct wall_result *result)
{
	struct wall_counts c = wall_count(wall);
	const struct nl_result *k = &result->kernel;

	log_info("generation %" PRIu64 ": %zu good, %zu last good, %zu refused, %zu off; %u chains "
		 "and %u elements changed; kernel %.1f ms, in all %.1f ms",
		 wall->number, c.n[POLICY_GOOD], c.n[POLICY_LAST_GOOD], c.n[POLICY_REFUSED],
		 c.n[POLICY_OFF], k->chains_changed, k->elements_changed, k->kernel_us / 1e3,
		 (double)result->total_us / 1e3);
	if (wall->switches.all_off)
		log_warning("the wall is OFF: nobody's traffic is refused until \"uidwall on\" or "
			    "the next boot");
	for (size_t i = 0; i < wall->switches.n_services; i++)
		log_warning("service %s is OFF: not governed until \"uidwall on %s\" or the next "
			    "boot",
			    wall->switches.services[i], wall->switches.services[i]);
}

static void result_end(struct wall *wall, int r)
{
	struct wall_result *result = wall->last;

	result->total_us = now_us() - result->total_us;
	result->ok = r >= 0;
	diags_sort(&result->diags);
	if (r < 0)
		result->error = wall_error_text(&result->diags, r);
	log_diags(&result->diags);
	if (r < 0)
		log_error("not applied: %s; what was in force before stays",
			  result->error ? result->error : "out of memory");
	else
		log_change(wall, result);
	/* glibc keeps what was freed; a reload needs twice of what the daemon needs in peace. */
	malloc_trim(0);
}

/* --- changes */

static void progress(const struct wall *wall, const char *phase)
{
	if (wall->options.progress)
		wall->options.progress(phase);
}

/* Makes the kernel hold these rules, or none where all is off. */
static int put_rules(struct wall *wall, const struct switches *switches, const struct rules *next)
{
	struct wall_result *result = wall->last;
	int r;

	progress(wall, "handing rules to the kernel");
	if (switches->all_off) {
		diag_add(&result->diags, DIAG_WARNING, (struct place){ 0 },
			 "the wall is off: nothing is enforced until \"uidwall on\"");
		r = nl_table_remove(wall->table, &result->diags);
		wall->is_standing = wall->is_standing && r < 0;
		return r;
	}
	r = nl_table_apply(wall->table, wall->is_standing ? &wall->current->rules.set : NULL,
			   &next->set, &result->kernel, &result->diags);
	wall->is_standing = wall->is_standing || r == 0;
	return r;
}

static void count_change(struct wall *wall)
{
	wall->number++;
	wall->applied = time(NULL);
}

/* A service whose file is gone is no longer off: if it comes back one day, it is governed. */
static void forget_gone_services(struct wall *wall)
{
	size_t before = wall->switches.n_services;

	for (size_t i = wall->switches.n_services; i-- > 0;)
		if (!policy_set_find(&wall->current->set, wall->switches.services[i]))
			switches_remove(&wall->switches, wall->switches.services[i]);
	if (wall->switches.n_services != before)
		state_save_switches(wall->options.state, &wall->switches, &wall->last->diags);
}

static int change_generation(struct wall *wall, enum generation_source source,
			     const struct memory *memory)
{
	AUTO(generation) struct generation *next = NULL;
	struct wall_result *result = wall->last;
	int r;

	progress(wall, "reading policies");
	r = generation_read(source, wall->options.config, wall->options.policies, memory, &next,
			    &result->diags);
	if (r < 0)
		return r;
	progress(wall, "planning rules");
	generation_plan(next, &wall->switches, &next->rules);
	r = put_rules(wall, &wall->switches, &next->rules);
	if (r < 0)
		return r;
	generation_free(wall->current);
	wall->current = TAKE(next);
	count_change(wall);
	forget_gone_services(wall);
	progress(wall, "saving state");
	state_save_memory(wall->options.state, &wall->current->memory, &wall->checksum,
			  &result->diags);
	return 0;
}

void wall_reload(struct wall *wall)
{
	result_begin(wall, &wall->reload);
	result_end(wall, change_generation(wall, FROM_FILES, &wall->current->memory));
}

/* The second attempt at a start. What made the first one fail stays to be seen in `status`. */
static int start_from_memory(struct wall *wall, const struct memory *memory, int why)
{
	AUTO(mem) char *error = wall_error_text(&wall->last->diags, why);
	struct diags first = wall->last->diags;
	int r;

	log_diags(&first);
	log_error("starting from the policies that were good before, because: %s",
		  error ? error : "out of memory");
	wall->last->diags = (struct diags){ 0 };
	result_begin(wall, &wall->reload);
	r = change_generation(wall, FROM_MEMORY, memory);
	result_end(wall, r);
	if (r == 0) {
		wall->last->ok = false;
		wall->last->error = TAKE(error);
	}
	diags_done(&wall->last->diags);
	wall->last->diags = first;
	return r;
}

int wall_start(struct wall *wall)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct wall_result *result = result_begin(wall, &wall->reload);
	struct memory memory = { 0 };
	int r;

	state_load_memory(wall->options.state, arena, &memory, &wall->checksum, &result->diags);
	state_load_switches(wall->options.state, &wall->switches, &result->diags);
	r = change_generation(wall, FROM_FILES, &memory);
	if (r < 0 && memory.set.n)
		return start_from_memory(wall, &memory, r);
	result_end(wall, r);
	return r;
}

void wall_refresh_resolvers(struct wall *wall)
{
	struct config *config = &wall->current->set.config, before = *config, now = *config;
	AUTO(rules) struct rules rules = { 0 };
	AUTO(diags) struct diags unheard;
	int r;

	diags_init(&unheard);
	if (!config->resolvers_are_system)
		return;
	config_read_resolvers(NULL, wall->current->arena, &now, &unheard);
	if (config_same_resolvers(&before, &now))
		return;
	log_info("/etc/resolv.conf has changed: %zu name server%s", now.n_resolvers,
		 now.n_resolvers == 1 ? "" : "s");
	result_begin(wall, &wall->change);
	*config = now;
	generation_plan(wall->current, &wall->switches, &rules);
	r = put_rules(wall, &wall->switches, &rules);
	if (r == 0) {
		rules_done(&wall->current->rules);
		wall->current->rules = rules;
		rules = (struct rules){ 0 };
		count_change(wall);
	} else {
		*config = before;
	}
	result_end(wall, r);
}

/* What is off once the service (NULL: the whole wall) is on or off. */
static int switches_after(const struct switches *now, const char *service, bool on,
			  struct switches *ret_next)
{
	int r;

	if (!service && on) {
		*ret_next = (struct switches){ 0 };
		return 0;
	}
	r = switches_copy(now, ret_next);
	if (r < 0)
		return r;
	if (!service)
		ret_next->all_off = true;
	else if (on)
		switches_remove(ret_next, service);
	else
		return switches_add(ret_next, service);
	return 0;
}

int wall_switch(struct wall *wall, const char *service, bool on)
{
	AUTO(switches) struct switches next = { 0 };
	AUTO(rules) struct rules rules = { 0 };
	int r;

	if (service && !policy_set_find(&wall->current->set, service))
		return -ENOENT;
	result_begin(wall, &wall->change);
	r = switches_after(&wall->switches, service, on, &next);
	if (r == 0) {
		generation_plan(wall->current, &next, &rules);
		r = put_rules(wall, &next, &rules);
	}
	if (r == 0) {
		rules_done(&wall->current->rules);
		wall->current->rules = rules;
		rules = (struct rules){ 0 };
		switches_done(&wall->switches);
		wall->switches = next;
		next = (struct switches){ 0 };
		count_change(wall);
		state_save_switches(wall->options.state, &wall->switches, &wall->last->diags);
	} else {
		rules_done(&rules);
		generation_plan(wall->current, &wall->switches, &rules); /* sets the states back */
	}
	result_end(wall, r);
	return 0;
}
