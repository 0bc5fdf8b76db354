/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h - what the kernel did: which counters counted, which packets left by which device. */
#ifndef UIDWALL_TESTS_PROOF_WATCH_H
#define UIDWALL_TESTS_PROOF_WATCH_H

#include "plan/ir.h"
#include "segment.h"

struct watch;

enum { WATCH_FRAMES_MAX = 8 };

struct sight {
	unsigned n_seen; /* packets that came to the table */
	unsigned n_frames;
	struct frame frames[WATCH_FRAMES_MAX]; /* in the order in which they left */
	uint64_t *counts;		       /* by counter of the ruleset; belongs to the watch */
};

/* Aborts where it cannot. */
struct watch *watch_new(void);
void watch_free(struct watch *watch);

/* From here on the kernel holds this ruleset, which must outlive the next call. */
void watch_ruleset(struct watch *watch, const struct ir_ruleset *ruleset);

/* What has happened since the last call. */
void watch_look(struct watch *watch, struct sight *ret_sight);

/* Connection tracking forgets every flow. */
void watch_forget_flows(void);

#endif
