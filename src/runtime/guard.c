/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guard.c - what others do to the table → a look, and the rules put back.
 *
 * Where the kernel knows owners of tables, nobody else can do anything to it while we live, and
 * nothing is watched. Elsewhere the kernel's message of a commit comes within a millisecond, and so
 * does the repair. Against whoever keeps at it the pause between two repairs bounds what they cost;
 * they never stop.
 *
 * The other way to lose the table: while no daemon ran, another process became its owner. The rules
 * then stand in a table of another name (backend/nl/whole.c), and we look whether the first one has
 * become free.
 */
#include "runtime/guard.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/change.h"
#include "runtime/culprit.h"
#include "runtime/found.h"

enum {
	PAUSE_MIN_MS = 20, /* after a repair; so many times what it took ... */
	SHARE = 2,
	SHARE_IN_VAIN = 9, /* ... after a look that found nothing ... */
	PAUSE_MAX_MS = 80, /* ... but the next one begins in time */
	RETRY_MIN_MS = 50, /* after a repair that failed; doubles */
	RETRY_MAX_MS = 5000,
	HOME_MIN_MS = 1000, /* between looks at a table that somebody else owns; doubles */
	HOME_MAX_MS = 5000,
	MARK_MS = 200, /* until what stands is written down */
};

struct guard {
	struct wall *wall;
	struct event *readable; /* NULL: nobody else can change the table */
	struct event *repair, *home, *mark, *sum_up;
	bool is_due, is_lost; /* a repair; because messages were lost */
	struct nl_deed deed;  /* the last one */
	int64_t heard_us;     /* when it came to be due */
	int64_t next_us;      /* not before that */
	unsigned n_failed;    /* repairs, in a row */
	uint32_t holder;      /* of the table, as last logged */
	uint64_t handle;      /* of the table, as last written down */
	int home_ms;
};

static void set_timer(struct event *timer, int64_t ms)
{
	const struct timeval delay = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000 };

	evtimer_add(timer, &delay);
}

/* --- repairs */

static void repair_when_due(struct guard *guard)
{
	int64_t left_us = guard->next_us - clock_now_us();

	if (guard->is_due && !evtimer_pending(guard->repair, NULL))
		set_timer(guard->repair, left_us > 0 ? (left_us + 999) / 1000 : 0);
}

static void pause_for(struct guard *guard, int64_t start_us, unsigned share)
{
	int64_t now = clock_now_us(), pause_us = share * (now - start_us);

	if (pause_us < PAUSE_MIN_MS * 1000)
		pause_us = PAUSE_MIN_MS * 1000;
	if (pause_us > PAUSE_MAX_MS * 1000)
		pause_us = PAUSE_MAX_MS * 1000;
	guard->next_us = now + pause_us;
}

/* Messages were lost: whether the table is what it should be is still to be seen. */
static bool is_whole(struct guard *guard)
{
	char place[NL_PLACE_MAX], what[NL_PLACE_MAX + 32];
	int r = nl_table_compare(guard->wall->table, &guard->wall->current->rules.set, place);

	if (r == 0)
		return true;
	snprintf(what, sizeof(what), "changed the table (%s)", *place ? place : strerror(-r));
	taken_note_unknown(&guard->wall->taken, what, false);
	return false;
}

static void restore(struct guard *guard)
{
	struct wall *wall = guard->wall;
	AUTO(diags) struct diags diags;
	struct change_restored restored = { 0 };
	int r;

	diags_init(&diags);
	r = change_restore(wall,
			   wall->taken.n_unheard == 1 && !guard->is_lost ? &guard->deed : NULL,
			   &restored, &diags);
	if (r < 0) {
		AUTO(mem) char *error = change_error_text(&diags, r);

		taken_failed(&wall->taken, error ? error : "out of memory");
		guard->n_failed++;
		return;
	}
	taken_repaired(&wall->taken, (unsigned)(restored.us - guard->heard_us),
		       restored.is_changed);
	guard->n_failed = 0;
	guard->is_due = guard->is_lost = false;
}

static int retry_ms(unsigned n_failed)
{
	return n_failed > 7 ? RETRY_MAX_MS : RETRY_MIN_MS << (n_failed - 1);
}

/* --- events */

static void make_due(struct guard *guard)
{
	if (!guard->is_due)
		guard->heard_us = clock_now_us();
	guard->is_due = true;
}

static void hear(struct guard *guard)
{
	struct wall *wall = guard->wall;
	int r;

	while ((r = nl_table_next_deed(wall->table, &guard->deed)) == 1) {
		if (!wall->is_standing)
			continue;
		taken_note(&wall->taken, &guard->deed);
		make_due(guard);
	}
	if (r < 0 && r != -EAGAIN) {
		guard->is_lost = true;
		make_due(guard);
	}
	/* Not to be woken for the same again and again. */
	if (r < 0 && r != -EAGAIN && r != -ENOBUFS)
		event_del(guard->readable);
	repair_when_due(guard);
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	hear(data);
}

static void on_repair(evutil_socket_t fd, short what, void *data)
{
	struct guard *guard = data;
	struct wall *wall = guard->wall;
	int64_t start = clock_now_us();
	bool is_vain = !wall->is_standing /* taken down on purpose */ ||
		       (guard->is_lost && !wall->taken.n_unheard && is_whole(guard));

	event_add(guard->readable, NULL);
	if (is_vain)
		guard->is_due = guard->is_lost = false;
	else
		restore(guard);
	pause_for(guard, start, is_vain ? SHARE_IN_VAIN : SHARE);
	if (guard->n_failed)
		set_timer(guard->repair, retry_ms(guard->n_failed));
	guard_update(guard);
}

static void on_sum_up(evutil_socket_t fd, short what, void *data)
{
	struct guard *guard = data;

	taken_sum_up(&guard->wall->taken);
}

/* --- a table that is somebody else's */

static void see_holder(struct guard *guard)
{
	uint32_t holder = nl_table_holder(guard->wall->table);
	AUTO(mem) char *who = NULL;

	if (holder == guard->holder)
		return;
	guard->holder = holder;
	if (!holder) {
		log_notice("the table inet " IR_TABLE_NAME " is free: the rules stand in it again");
		return;
	}
	who = culprit_of_port(holder);
	log_error("THE TABLE inet " IR_TABLE_NAME
		  " BELONGS TO ANOTHER PROCESS (%s), which alone can "
		  "change it. The rules are in force all the same: they stand in "
		  "inet " NL_TABLE_STANDBY ". End that process, and they move back",
		  who ? who : "not known");
	guard->home_ms = HOME_MIN_MS;
	set_timer(guard->home, guard->home_ms);
}

static void on_home(evutil_socket_t fd, short what, void *data)
{
	struct guard *guard = data;
	struct wall *wall = guard->wall;
	const struct ir_ruleset *rules = &wall->current->rules.set;
	AUTO(diags) struct diags diags;
	struct nl_result result;

	diags_init(&diags);
	if (!nl_table_holder(wall->table) || !wall->is_standing)
		return;
	if (nl_table_find_holder(wall->table) ||
	    nl_table_apply(wall->table, NULL, rules, &result, &diags) < 0) {
		guard->home_ms =
			guard->home_ms * 2 < HOME_MAX_MS ? guard->home_ms * 2 : HOME_MAX_MS;
		set_timer(guard->home, guard->home_ms);
	}
	log_diags(&diags);
	guard_update(guard);
}

/* --- what is left behind */

static void on_mark(evutil_socket_t fd, short what, void *data)
{
	struct guard *guard = data;

	found_leave(guard->wall, true);
}

static void leave(struct guard *guard)
{
	uint64_t handle = nl_table_handle(guard->wall->table);

	if (handle != guard->handle)
		found_leave(guard->wall, false);
	guard->handle = handle;
	if (!evtimer_pending(guard->mark, NULL))
		set_timer(guard->mark, MARK_MS);
}

void guard_update(struct guard *guard)
{
	int64_t sum_up_ms = taken_sum_up_ms(&guard->wall->taken);

	see_holder(guard);
	if (guard->readable)
		hear(guard);
	leave(guard);
	if (sum_up_ms >= 0 && !evtimer_pending(guard->sum_up, NULL))
		set_timer(guard->sum_up, sum_up_ms);
}

static int watch(struct guard *guard, struct event_base *base)
{
	AUTO(diags) struct diags diags;
	int fd;

	diags_init(&diags);
	fd = nl_table_watch(guard->wall->table, &diags);
	log_diags(&diags);
	if (fd < 0)
		return 0;
	guard->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, guard);
	return guard->readable && event_add(guard->readable, NULL) == 0 ? 0 : -ENOMEM;
}

int guard_new(struct event_base *base, struct wall *wall, struct guard **ret_guard)
{
	AUTO(guard) struct guard *guard = calloc(1, sizeof(*guard));
	int r;

	if (!guard)
		return -ENOMEM;
	guard->wall = wall;
	guard->repair = evtimer_new(base, on_repair, guard);
	guard->home = evtimer_new(base, on_home, guard);
	guard->mark = evtimer_new(base, on_mark, guard);
	guard->sum_up = evtimer_new(base, on_sum_up, guard);
	if (!guard->repair || !guard->home || !guard->mark || !guard->sum_up)
		return -ENOMEM;
	r = watch(guard, base);
	if (r == 0)
		*ret_guard = TAKE(guard);
	return r;
}

static void event_release(struct event *event)
{
	if (event)
		event_free(event);
}

void guard_free(struct guard *guard)
{
	if (!guard)
		return;
	taken_sum_up(&guard->wall->taken);
	if (guard->mark && evtimer_pending(guard->mark, NULL))
		found_leave(guard->wall, true);
	event_release(guard->readable);
	event_release(guard->repair);
	event_release(guard->home);
	event_release(guard->mark);
	event_release(guard->sum_up);
	free(guard);
}
