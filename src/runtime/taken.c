/* SPDX-License-Identifier: GPL-2.0-or-later */
/* taken.c - what others did to the table → log lines, of which there are never too many. */
#include "runtime/taken.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/culprit.h"

enum {
	WINDOW_MS = 10000,
	LINES_MAX = 5, /* in a window */
};

void taken_done(struct taken *taken)
{
	free(taken->what);
	free(taken->by);
	free(taken->error);
	*taken = (struct taken){ 0 };
}

static void note(struct taken *taken, const char *what, char *by, bool at_start)
{
	taken->n++;
	taken->n_unheard++;
	taken->time = time(NULL);
	free(taken->what);
	taken->what = strdup(what);
	free(taken->by);
	taken->by = by;
	taken->at_start = at_start;
}

void taken_note(struct taken *taken, const struct nl_deed *deed)
{
	char words[NL_DEED_WORDS_MAX];

	nl_deed_words(deed, words);
	note(taken, words, deed->pid ? culprit_words(deed->pid, deed->process) : NULL, false);
}

void taken_note_unknown(struct taken *taken, const char *what, bool at_start)
{
	note(taken, what, NULL, at_start);
}

/* --- lines */

/* Whether one more may be written now. */
static bool may_say(struct taken *taken)
{
	int64_t now = clock_now_ms();

	if (!taken->n_lines || now - taken->window_ms >= WINDOW_MS) {
		taken_sum_up(taken);
		taken->window_ms = now;
		taken->n_lines = 0;
	}
	if (taken->n_lines < LINES_MAX) {
		taken->n_lines++;
		return true;
	}
	taken->n_unsaid += taken->n_unheard;
	taken->contested_ms = now;
	return false;
}

static const char *who(const struct taken *taken)
{
	return taken->by ? taken->by : "somebody";
}

static const char *what(const struct taken *taken)
{
	return taken->what ? taken->what : "changed the table";
}

/* "", or that there were others in the same moment */
static const char *more(const struct taken *taken, char *buffer, size_t size)
{
	*buffer = '\0';
	if (taken->n_unheard > 1)
		snprintf(buffer, size, " (and %u change%s before that)", taken->n_unheard - 1,
			 taken->n_unheard == 2 ? "" : "s");
	return buffer;
}

void taken_repaired(struct taken *taken, unsigned repair_us, bool changed)
{
	char buffer[64];

	taken->n_repairs += changed;
	taken->repair_us = repair_us;
	taken->is_open = false;
	free(taken->error);
	taken->error = NULL;
	if (!may_say(taken))
		;
	else if (taken->at_start)
		log_error("CHANGED BY OTHERS while no uidwalld was running: %s %s; put back",
			  who(taken), what(taken));
	else if (changed)
		log_error("CHANGED BY OTHERS: %s %s%s; put back within %.1f ms", who(taken),
			  what(taken), more(taken, buffer, sizeof(buffer)), repair_us / 1e3);
	else
		log_notice("%s %s%s; the rules are what they should be", who(taken), what(taken),
			   more(taken, buffer, sizeof(buffer)));
	taken->n_unheard = 0;
}

void taken_failed(struct taken *taken, const char *error)
{
	char buffer[64];

	taken->is_open = true;
	free(taken->error);
	taken->error = strdup(error);
	if (may_say(taken))
		log_error("CHANGED BY OTHERS: %s %s%s, and it CANNOT BE PUT BACK: %s; trying again",
			  who(taken), what(taken), more(taken, buffer, sizeof(buffer)), error);
	taken->n_unheard = 0;
}

int64_t taken_sum_up_ms(const struct taken *taken)
{
	int64_t left = taken->window_ms + WINDOW_MS - clock_now_ms();

	return !taken->n_unsaid ? -1 : left > 0 ? left : 0;
}

void taken_sum_up(struct taken *taken)
{
	if (!taken->n_unsaid)
		return;
	log_error("CHANGED BY OTHERS %u MORE TIMES in %.0f s, the last time by %s, who %s; put "
		  "back each "
		  "time, as fast as that may be. Find out what keeps changing the table inet "
		  "uidwall, and end it",
		  taken->n_unsaid, (double)(clock_now_ms() - taken->window_ms) / 1e3, who(taken),
		  what(taken));
	taken->n_unsaid = 0;
	taken->n_lines = 0;
}

bool taken_is_contested(const struct taken *taken)
{
	return taken->contested_ms && clock_now_ms() - taken->contested_ms < 2 * WINDOW_MS;
}
