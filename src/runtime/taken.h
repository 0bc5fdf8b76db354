/* SPDX-License-Identifier: GPL-2.0-or-later */
/* taken.h - what others did to the table, and what became of it: log lines and facts for `status`.
 */
#ifndef UIDWALL_RUNTIME_TAKEN_H
#define UIDWALL_RUNTIME_TAKEN_H

#include "backend/nl/monitor.h"

struct taken {
	uint64_t n;	    /* commits of others that were about our table, since the start */
	uint64_t n_repairs; /* after which something had to be put back */
	int64_t time;	    /* of the last one, seconds since 1970 */
	char *what;	    /* malloc'd: "deleted the table" */
	char *by;	    /* malloc'd: "nft (pid 4711)"; NULL: not known */
	bool at_start;	    /* it was done while no daemon ran */
	bool is_open;	    /* it has not been put back yet ... */
	char *error;	    /* ... for this reason; malloc'd */
	unsigned repair_us; /* from when it was heard of until it was put back */
	/* lines in the log */
	unsigned n_unheard;   /* since the last line, in the same repair */
	int64_t window_ms;    /* begin of a time in which only so many lines are written */
	unsigned n_lines;     /* in it */
	unsigned n_unsaid;    /* in it, without a line */
	int64_t contested_ms; /* when a line was last left out; 0: never */
};

void taken_done(struct taken *taken);

/* It is known by now. */
void taken_note(struct taken *taken, const struct nl_deed *deed);
void taken_note_unknown(struct taken *taken, const char *what, bool at_start);

/* What became of it; logged, unless there were many lines already. `changed`: something had to be
 * put back.
 */
void taken_repaired(struct taken *taken, unsigned repair_us, bool changed);
void taken_failed(struct taken *taken, const char *error);

/* In how many milliseconds taken_sum_up() is due; -1: it is not. */
int64_t taken_sum_up_ms(const struct taken *taken);
/* One line for those that were left out. */
void taken_sum_up(struct taken *taken);

/* Whether somebody keeps at it. */
bool taken_is_contested(const struct taken *taken);

#endif
