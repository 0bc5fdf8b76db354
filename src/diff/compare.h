/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compare.h - what a service may reach before and after → what it gains and what it loses.
 *
 * Both come as pieces that do not overlap, and are the same however the lines are written: the
 * addresses of a piece are as wide as the same ports are gained (or lost).
 */
#ifndef UIDWALL_DIFF_COMPARE_H
#define UIDWALL_DIFF_COMPARE_H

#include "diff/guards.h"
#include "diff/reach.h"

enum { COMPARE_LINES_MAX = 8 };

struct compare_side {
	struct reach reach;
	const struct guards *guards;
};

struct compare_question {
	struct compare_side from, to;
	struct ranges uids; /* of the service, on either side */
	/* By enum reach_source: the boxes of this kind changed for all services together, which is
	 * said elsewhere.
	 */
	bool is_shared[REACH_SOURCES];
	/* By PROTOCOL_TCP and PROTOCOL_UDP: the ports whose guards are asked; NULL: all. For sides
	 * that are the same but for these.
	 */
	const struct ranges *guard_ports;
	bool same_guards; /* both sides' guards mean the same */
	int64_t now;
};

struct compare_piece {
	bool is_gain;
	uint8_t plane; /* enum reach_plane */
	reach_address first, last;
	struct ranges ports;
	const char *interface;	   /* the only one; NULL: all but those in `except` */
	const char *const *except; /* sorted */
	size_t n_except;
	int64_t starts;	    /* seconds since 1970; INT64_MIN: now */
	int64_t until;	    /* seconds since 1970; INT64_MAX: never ends */
	struct ranges uids; /* only these of the service's; n 0: all */
	/* Lines that bring it (a gain) or brought it (a loss), the first of them. */
	const struct reach_box *lines[COMPARE_LINES_MAX];
	size_t n_lines;
	/* A loss: the line is still there, this one of another service's "from" refuses it. The
	 * same the other way round for a gain.
	 */
	const struct ir_origin *guard;
};

struct compare_answer {
	struct compare_piece *pieces; /* by plane and address */
	size_t n;
};

/* The pieces live in the arena and point to the boxes of the question. */
void compare_reach(const struct compare_question *question, struct arena *arena,
		   struct compare_answer *ret_answer);

#endif
