/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forecast.h - what the evaluator says that becomes of a shot: of its packet and of the answers
 * that the kernel gives to it, which pass the rules as well.
 */
#ifndef UIDWALL_TESTS_PROOF_FORECAST_H
#define UIDWALL_TESTS_PROOF_FORECAST_H

#include "watch.h"

/* Flows that connection tracking knows, by the first packet that left. */
struct flow {
	struct prefix from, to;
	uint16_t sport, dport;
	uint8_t l4proto;
	const struct ir_stmt *led; /* where to; NULL: it goes where it says */
};

struct flows {
	struct flow *list;
	size_t n;
	bool tracked;	  /* the ruleset asks for directions */
	bool tracks_syns; /* of TCP, too: box_track() */
	bool has_nat;	  /* the ruleset leads some of them away */
};

struct forecast {
	struct packet packet; /* of the shot itself */
	struct eval_result result;
	int error; /* packet_errno() */
	unsigned n_seen;
	unsigned n_frames;
	struct frame frames[WATCH_FRAMES_MAX];
	uint64_t *counts; /* by counter; n_counters of the ruleset, the caller's */
};

/* Needs what was sent: the kernel chooses source ports. Remembers the flow where one begins. */
void forecast_make(const struct ir_ruleset *ruleset, const struct shot *shot,
		   const struct sent *sent, struct flows *flows, struct arena *arena,
		   struct forecast *forecast);

/* How the judgement of the packet alone would be, with nothing counted or remembered. */
void forecast_verdict(const struct ir_ruleset *ruleset, const struct shot *shot,
		      const struct sent *sent, const struct flows *flows, struct packet *ret_packet,
		      struct eval_result *ret_result);

#endif
