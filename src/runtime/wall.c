/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wall.c - what is in force from the daemon's start to its end: started, reloaded, switched.
 *
 * How a change is carried out is in change.c, how one is undone in undo.c.
 */
#include "runtime/wall.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "runtime/change.h"
#include "runtime/culprit.h"
#include "runtime/found.h"
#include "runtime/undo.h"

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
	r = nl_table_adopt(options->table_fd, &wall->table, &diags);
	if (r == 0 && getenv("UIDWALLD_NO_TABLE_OWNER")) /* for tests: as before Linux 6.9 */
		nl_table_forgo_owner(wall->table);
	if (r == 0)
		live_open(&wall->live, &diags); /* or goes without, with a warning */
	log_diags(&diags);
	if (r < 0)
		return r;
	*ret_wall = TAKE(wall);
	return 0;
}

void wall_close(struct wall *wall)
{
	if (!wall)
		return;
	change_result_done(&wall->reload);
	change_result_done(&wall->change);
	undo_done(wall);
	taken_done(&wall->taken);
	generation_free(wall->current);
	switches_done(&wall->switches);
	live_close(wall->live);
	nl_table_close(wall->table);
	free(wall);
}

static int reload(struct wall *wall, int64_t confirm_s, struct writer *explain)
{
	AUTO(generation) struct generation *next = NULL;
	const struct trial before = wall->undo.trial;
	int r = change_read(wall, FROM_FILES, &wall->current->memory, &next);

	if (r == 0)
		r = undo_prepare(wall, &next->memory, confirm_s);
	if (r < 0)
		return r;
	r = change_generation(wall, &next, explain);
	if (r < 0)
		undo_withdraw(wall, &before);
	else
		undo_settle(wall);
	return r;
}

void wall_reload(struct wall *wall, int64_t confirm_s, struct writer *explain)
{
	change_begin(wall, &wall->reload);
	change_end(wall, reload(wall, confirm_s, explain));
	undo_log(wall);
}

/* --- start */

static int start_from(struct wall *wall, enum generation_source source, const struct memory *memory)
{
	AUTO(generation) struct generation *next = NULL;
	int r = change_read(wall, source, memory, &next);

	if (r < 0)
		return r;
	found_look(wall, &next->rules.set);
	r = change_generation(wall, &next, NULL);
	if (r == 0 && wall->taken.n_unheard)
		taken_repaired(&wall->taken, 0, true);
	return r;
}

/* The second attempt at a start. What made the first one fail stays to be seen in `status`. */
static int start_from_memory(struct wall *wall, const struct memory *memory, int why)
{
	AUTO(mem) char *error = change_error_text(&wall->last->diags, why);
	struct diags first = wall->last->diags;
	int r;

	log_diags(&first);
	log_error("starting from the policies that were good before, because: %s",
		  error ? error : "out of memory");
	wall->last->diags = (struct diags){ 0 };
	change_begin(wall, &wall->reload);
	r = start_from(wall, FROM_MEMORY, memory);
	change_end(wall, r);
	if (r == 0) {
		wall->last->ok = false;
		wall->last->error = TAKE(error);
	}
	diags_done(&wall->last->diags);
	wall->last->diags = first;
	return r;
}

/* Two would work, one in the other's place: hardly what anybody wanted. */
static bool is_another_running(const struct wall *wall)
{
	uint32_t holder = nl_table_find_holder(wall->table);

	if (!holder || !culprit_is_kin(holder))
		return false;
	log_error("another uidwalld is running (pid %u) and owns the table inet " IR_TABLE_NAME,
		  holder);
	return true;
}

int wall_start(struct wall *wall)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct wall_result *result = change_begin(wall, &wall->reload);
	struct memory memory = { 0 };
	const struct memory *back;
	int r;

	if (is_another_running(wall))
		return -EPERM;
	r = state_load_memory(wall->options.state, arena, &memory, &wall->checksum, &result->diags);
	state_load_switches(wall->options.state, &wall->switches, &result->diags);
	back = undo_start(wall, r < 0 ? NULL : &memory, arena);
	r = -ENOENT;
	if (back)
		r = undo_started(wall, start_from(wall, FROM_BEFORE, back));
	if (r < 0)
		r = start_from(wall, FROM_FILES, &memory);
	if (r < 0 && memory.set.n)
		return start_from_memory(wall, &memory, r);
	change_end(wall, r);
	undo_log(wall);
	return r;
}

void wall_refresh_resolvers(struct wall *wall)
{
	struct config *config = &wall->current->set.config, before = *config, now = *config;
	AUTO(diags) struct diags unheard;
	int r;

	diags_init(&unheard);
	if (!config->resolvers_are_system)
		return;
	if (config_read_resolvers(NULL, wall->current->arena, &now, &unheard) < 0) {
		log_diags(&unheard);
		return;
	}
	if (config_same_resolvers(&before, &now))
		return;
	log_info("/etc/resolv.conf has changed: %zu name server%s", now.n_resolvers,
		 now.n_resolvers == 1 ? "" : "s");
	change_begin(wall, &wall->change);
	*config = now;
	r = change_rules(wall, &wall->switches, NULL);
	if (r < 0)
		*config = before;
	change_end(wall, r);
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
	int r;

	if (service && !policy_set_find(&wall->current->set, service))
		return -ENOENT;
	change_begin(wall, &wall->change);
	r = switches_after(&wall->switches, service, on, &next);
	/* What is on is written first, what is off last: killed in between, the next start is
	 * closed. */
	if (r == 0 && on)
		state_save_switches(wall->options.state, &next, &wall->last->diags);
	if (r == 0)
		r = change_rules(wall, &next, NULL);
	if (r == 0) {
		switches_done(&wall->switches);
		wall->switches = next;
		next = (struct switches){ 0 };
	} else {
		generation_mark(wall->current, &wall->switches); /* sets the states back */
	}
	if (!on || r < 0)
		state_save_switches(wall->options.state, &wall->switches, &wall->last->diags);
	change_end(wall, r);
	return 0;
}
