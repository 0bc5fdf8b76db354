/* SPDX-License-Identifier: GPL-2.0-or-later */
/* undo.c - a change that nobody confirms → what was in force before.
 *
 * The promise is on disk before the kernel hears of the change: FOLDER/trial, which says what comes
 * back, then FOLDER/previous, which holds it (until then FOLDER/last-good does). So whoever starts
 * next, after a crash or a reboot, goes back. Going back is written first, too: it is done again
 * from FOLDER/previous, which goes last.
 */
#include "runtime/undo.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/boot.h"
#include "runtime/change.h"

enum { RETRY_FIRST_MS = 1000, RETRY_LAST_MS = 60 * 1000 };

/* --- words */

static int64_t seconds_left(const struct trial *trial)
{
	int64_t left = trial_left_ms(trial);

	return left > 0 ? (left + 999) / 1000 : 0;
}

void undo_log(const struct wall *wall)
{
	static const char *const why[] = {
		[TRIAL_ASKED] = "somebody asked for it",
		[TRIAL_TIME_OVER] = "nobody confirmed the change in time",
		[TRIAL_REBOOTED] = "the machine was booted before anybody confirmed the change",
	};
	AUTO(arena) struct arena *arena = arena_new();
	const struct trial *trial = &wall->undo.trial;

	switch (trial->state) {
	case TRIAL_NONE:
		return;
	case TRIAL_WAITING:
		log_notice("the change of %s waits for \"uidwall confirm\": in %" PRId64
			   " s the policies of %s return",
			   clock_words(arena, trial->since), seconds_left(trial),
			   clock_words(arena, wall->undo.memory.applied));
		return;
	case TRIAL_ROLLED_BACK:
		log_warning("ROLLED BACK at %s, because %s: the policies of %s are in force, not "
			    "the files; \"uidwall diff\" shows the difference, \"uidwall apply\" "
			    "puts the files in force",
			    clock_words(arena, trial->since), why[trial->reason],
			    clock_words(arena, wall->current->memory.applied));
		return;
	}
}

/* --- what waits */

static void forget_memory(struct wall_undo *undo)
{
	arena_free(undo->arena);
	undo->arena = NULL;
	undo->memory = (struct memory){ 0 };
}

void undo_done(struct wall *wall)
{
	forget_memory(&wall->undo);
}

static void set_trial(struct wall *wall, const struct trial *trial)
{
	struct wall_undo *undo = &wall->undo;
	int r = state_save_trial(wall->options.state, trial);

	undo->trial = *trial;
	undo->is_unsaved = r < 0;
	if (r < 0)
		diag_add(&wall->last->diags, DIAG_ERROR, (struct place){ 0 },
			 "%s/trial cannot be written (%s): %s", wall->options.state, strerror(-r),
			 trial->state == TRIAL_ROLLED_BACK ?
				 "a restart brings back what was rolled back, unless the files "
				 "are mended" :
				 "a restart does not know what was decided last");
}

static int check_memory(struct wall_undo *undo, int r, uint64_t checksum)
{
	if (r == 0 && undo->memory.checksum == checksum)
		return 0;
	forget_memory(undo);
	return r < 0 ? r : -ESTALE;
}

/* Reads what comes back into undo->memory. */
static int load_memory(struct wall *wall, uint64_t checksum, struct diags *diags)
{
	struct wall_undo *undo = &wall->undo;

	forget_memory(undo);
	undo->arena = arena_new();
	return check_memory(
		undo, state_load_previous(wall->options.state, undo->arena, &undo->memory, diags),
		checksum);
}

/* Where the daemon was killed in promise(), nothing was changed yet, and what is to come back is
 * still what was saved last.
 */
static int load_saved_memory(struct wall *wall, uint64_t checksum, struct diags *diags)
{
	struct wall_undo *undo = &wall->undo;
	uint64_t saved = 0;
	int r;

	forget_memory(undo);
	undo->arena = arena_new();
	r = check_memory(
		undo,
		state_load_memory(wall->options.state, undo->arena, &undo->memory, &saved, diags),
		checksum);
	if (r == 0)
		r = state_save_previous(wall->options.state, &undo->memory, saved);
	return r;
}

/* --- a reload */

static int refuse_promise(struct wall *wall, int r)
{
	struct wall_result *result = wall->last;

	if (asprintf(&result->error, "cannot promise to go back after a reboot: %s: %s",
		     wall->options.state, strerror(-r)) < 0)
		result->error = NULL;
	diag_add(&result->diags, DIAG_ERROR, (struct place){ 0 }, "%s",
		 result->error ? result->error : "out of memory");
	return r;
}

/* Writes down that what is in force comes back, and keeps it under a name of its own; then reads it
 * again, for only what can be read can come back.
 */
static int write_promise(struct wall *wall, const struct trial *waiting)
{
	const char *folder = wall->options.state;
	const struct memory *current = &wall->current->memory;
	bool is_first = wall->undo.trial.state != TRIAL_WAITING;
	AUTO(diags) struct diags unheard;
	int r = 0;

	diags_init(&unheard);
	if (is_first)
		r = state_save_memory(folder, current, &wall->checksum, &unheard);
	if (r == 0)
		r = state_save_trial(folder, waiting);
	if (r == 0 && is_first)
		r = state_save_previous(folder, current, wall->checksum);
	if (r == 0 && is_first)
		r = load_memory(wall, waiting->checksum, &unheard);
	return r;
}

static int promise(struct wall *wall, int64_t confirm_s)
{
	struct wall_undo *undo = &wall->undo;
	const struct trial before = undo->trial;
	struct trial waiting = { .state = TRIAL_WAITING,
				 .since = time(NULL),
				 .seconds = confirm_s,
				 .deadline_ms = boot_now_ms() + confirm_s * 1000,
				 .is_of_this_boot = true };
	int r;

	waiting.checksum =
		before.state == TRIAL_WAITING ? before.checksum : wall->current->memory.checksum;
	r = write_promise(wall, &waiting);
	if (r < 0) {
		state_save_trial(wall->options.state, &before);
		if (before.state != TRIAL_WAITING)
			forget_memory(undo);
		return refuse_promise(wall, r);
	}
	undo->trial = waiting;
	undo->is_unsaved = undo->is_lost = false;
	undo->n_failed = 0;
	return 0;
}

int undo_prepare(struct wall *wall, const struct memory *next, int64_t confirm_s)
{
	const struct memory *current = &wall->current->memory;
	int r;

	if (confirm_s)
		return promise(wall, confirm_s);
	if (wall->undo.trial.state == TRIAL_WAITING || current->checksum == next->checksum)
		return 0;
	r = state_save_previous(wall->options.state, current, wall->checksum);
	wall->undo.is_lost = r < 0;
	if (r < 0)
		diag_add(&wall->last->diags, DIAG_WARNING, (struct place){ 0 },
			 "%s/previous cannot be written (%s): \"uidwall rollback\" will have "
			 "nothing to go back to",
			 wall->options.state, strerror(-r));
	return 0;
}

void undo_withdraw(struct wall *wall, const struct trial *before)
{
	const struct trial *now = &wall->undo.trial;

	if (now->state != before->state || now->deadline_ms != before->deadline_ms)
		set_trial(wall, before);
	if (before->state != TRIAL_WAITING)
		forget_memory(&wall->undo);
}

void undo_settle(struct wall *wall)
{
	if (wall->undo.trial.state == TRIAL_ROLLED_BACK)
		set_trial(wall, &(struct trial){ .state = TRIAL_NONE });
}

/* --- going back */

/* What came back is in force, and remembered as that: nothing is left to go back to. */
static void finish(struct wall *wall)
{
	struct wall_undo *undo = &wall->undo;

	forget_memory(undo);
	undo->n_failed = 0;
	undo->is_lost = false;
	if (!undo->is_unsaved && wall->last->is_saved)
		state_remove_previous(wall->options.state);
}

static int go_back(struct wall *wall, enum trial_reason reason, const struct memory *memory,
		   struct writer *explain)
{
	AUTO(generation) struct generation *next = NULL;
	const struct trial before = wall->undo.trial;
	int r;

	change_begin(wall, &wall->change);
	r = change_read(wall, FROM_BEFORE, memory, &next);
	if (r == 0) {
		set_trial(wall, &(struct trial){ .state = TRIAL_ROLLED_BACK,
						 .since = time(NULL),
						 .reason = reason });
		r = change_generation(wall, &next, explain);
		if (r < 0)
			undo_withdraw(wall, &before);
		else
			finish(wall);
	}
	change_end(wall, r);
	if (r == 0)
		undo_log(wall);
	return r;
}

/* The change that waits has changed nothing: what is in force is what would return. */
static bool is_vain(const struct wall *wall, const struct memory *memory)
{
	return memory->checksum == wall->current->memory.checksum;
}

static void call_off(struct wall *wall)
{
	change_begin(wall, &wall->change);
	set_trial(wall, &(struct trial){ .state = TRIAL_NONE });
	wall->last->is_saved = true;
	finish(wall);
	change_end(wall, 0);
	log_notice("what waited for \"uidwall confirm\" had changed nothing: nothing goes back");
}

static enum trial_reason reason_of(const struct trial *trial)
{
	return trial->is_of_this_boot ? TRIAL_TIME_OVER : TRIAL_REBOOTED;
}

/* What is in force stays until the next attempt; the waits double, up to a minute. */
static void put_off(struct wall *wall)
{
	struct wall_undo *undo = &wall->undo;
	int64_t wait_ms = RETRY_FIRST_MS;

	for (unsigned i = 0; i < undo->n_failed && wait_ms < RETRY_LAST_MS; i++)
		wait_ms *= 2;
	if (wait_ms > RETRY_LAST_MS)
		wait_ms = RETRY_LAST_MS;
	undo->n_failed++;
	undo->next_ms = boot_now_ms() + wait_ms;
	log_error("CANNOT GO BACK to the policies from before the unconfirmed change: tried "
		  "%u times, again in %" PRId64 " s",
		  undo->n_failed, wait_ms / 1000);
}

int64_t undo_next_ms(const struct wall *wall)
{
	const struct wall_undo *undo = &wall->undo;

	if (undo->trial.state != TRIAL_WAITING)
		return 0;
	return undo->n_failed ? undo->next_ms : undo->trial.deadline_ms;
}

void undo_expire(struct wall *wall)
{
	struct wall_undo *undo = &wall->undo;

	if (undo->trial.state != TRIAL_WAITING || trial_left_ms(&undo->trial) > 0)
		return;
	if (is_vain(wall, &undo->memory))
		call_off(wall);
	else if (go_back(wall, reason_of(&undo->trial), &undo->memory, NULL) < 0)
		put_off(wall);
}

/* --- a start */

/* Without what it was to go back to. */
static const struct memory *give_up(struct wall *wall, const char *what)
{
	diag_add(&wall->last->diags, DIAG_ERROR, (struct place){ 0 },
		 "%s, but %s/previous cannot be read: the files are in force, as they are", what,
		 wall->options.state);
	set_trial(wall, &(struct trial){ .state = TRIAL_NONE });
	return NULL;
}

const struct memory *undo_start(struct wall *wall, const struct memory *saved, struct arena *arena)
{
	struct wall_undo *undo = &wall->undo;
	struct diags *diags = &wall->last->diags;
	struct memory *previous;

	state_load_trial(wall->options.state, &undo->trial, diags);
	switch (undo->trial.state) {
	case TRIAL_NONE:
		return NULL;
	case TRIAL_WAITING:
		if (load_memory(wall, undo->trial.checksum, diags) < 0 &&
		    load_saved_memory(wall, undo->trial.checksum, diags) < 0)
			return give_up(wall, "an unconfirmed change is to go back");
		return trial_left_ms(&undo->trial) > 0 ? NULL : &undo->memory;
	case TRIAL_ROLLED_BACK:
		/* There only while going back has not been finished. */
		previous = arena_alloc(arena, sizeof(*previous));
		if (state_load_previous(wall->options.state, arena, previous, diags) == 0)
			return previous;
		return saved ? saved : give_up(wall, "a change was rolled back");
	}
	abort();
}

int undo_started(struct wall *wall, int r)
{
	struct wall_undo *undo = &wall->undo;
	const struct trial *trial = &undo->trial;

	if (r == 0 && trial->state == TRIAL_WAITING)
		set_trial(wall, &(struct trial){ .state = TRIAL_ROLLED_BACK,
						 .since = time(NULL),
						 .reason = reason_of(trial) });
	if (r == 0)
		finish(wall);
	else if (trial->state == TRIAL_WAITING)
		put_off(wall);
	else
		set_trial(wall, &(struct trial){ .state = TRIAL_NONE });
	return r;
}

/* --- calls */

int undo_check_apply(const struct wall *wall, int64_t confirm_s, struct arena *arena,
		     const char **ret_error)
{
	const struct trial *trial = &wall->undo.trial;

	if (trial->state != TRIAL_WAITING || confirm_s)
		return 0;
	*ret_error = arena_printf(arena,
				  "the change of %s waits for \"uidwall confirm\" (%" PRId64
				  " s left): confirm it or roll it back first",
				  clock_words(arena, trial->since), seconds_left(trial));
	return -EBUSY;
}

int undo_confirm(struct wall *wall, struct arena *arena, const char **ret_error)
{
	struct wall_undo *undo = &wall->undo;
	int r;

	if (undo->trial.state != TRIAL_WAITING) {
		*ret_error = "nothing waits to be confirmed";
		return -ENOENT;
	}
	if (trial_left_ms(&undo->trial) <= 0 && !undo->n_failed) {
		*ret_error = "too late: the time is over, the policies from before return";
		return -ETIME;
	}
	r = state_save_trial(wall->options.state, &(struct trial){ .state = TRIAL_NONE });
	if (r < 0) {
		*ret_error =
			arena_printf(arena,
				     "cannot be confirmed, it still goes back in %" PRId64
				     " s: %s/trial cannot be removed: %s",
				     seconds_left(&undo->trial), wall->options.state, strerror(-r));
		return r;
	}
	log_notice("the change of %s is confirmed", clock_words(arena, undo->trial.since));
	forget_memory(undo);
	undo->trial = (struct trial){ .state = TRIAL_NONE };
	undo->is_unsaved = false;
	undo->n_failed = 0;
	wall->n_changes++;
	return 0;
}

static int refuse(const char *why, const char **ret_error)
{
	*ret_error = why;
	return -ENOENT;
}

/* To before the last change, of which nothing waits. */
static int roll_back_last(struct wall *wall, struct writer *explain, struct arena *arena,
			  const char **ret_error)
{
	struct memory previous = { 0 };
	AUTO(diags) struct diags diags;
	int r;

	diags_init(&diags);
	if (wall->undo.is_lost)
		return refuse("nothing to go back to: what was in force before the last change "
			      "could not be written down",
			      ret_error);
	r = state_load_previous(wall->options.state, arena, &previous, &diags);
	log_diags(&diags);
	if (r == -ENOENT)
		return refuse("nothing to go back to: no change is remembered", ret_error);
	if (r < 0)
		return refuse(arena_printf(arena,
					   "cannot go back: %s/previous cannot be read; the "
					   "log says why",
					   wall->options.state),
			      ret_error);
	if (is_vain(wall, &previous))
		return refuse("nothing to go back to: the last change did not come into force",
			      ret_error);
	go_back(wall, TRIAL_ASKED, &previous, explain);
	return 0;
}

int undo_roll_back(struct wall *wall, struct writer *explain, struct arena *arena,
		   const char **ret_error)
{
	struct wall_undo *undo = &wall->undo;

	switch (undo->trial.state) {
	case TRIAL_NONE:
		return roll_back_last(wall, explain, arena, ret_error);
	case TRIAL_WAITING:
		if (is_vain(wall, &undo->memory))
			call_off(wall);
		else
			go_back(wall, TRIAL_ASKED, &undo->memory, explain);
		return 0;
	case TRIAL_ROLLED_BACK:
		return refuse(arena_printf(arena,
					   "rolled back already, at %s: what was before that is "
					   "not remembered",
					   clock_words(arena, undo->trial.since)),
			      ret_error);
	}
	abort();
}
