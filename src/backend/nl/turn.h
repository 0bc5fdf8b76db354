/* SPDX-License-Identifier: GPL-2.0-or-later */
/* turn.h - a change carried out: the batches of one call of nl_table_apply(). */
#ifndef UIDWALL_BACKEND_NL_TURN_H
#define UIDWALL_BACKEND_NL_TURN_H

#include "backend/nl/apply.h"
#include "backend/nl/batch.h"
#include "backend/nl/change.h"

/* With the generation named; then a batch that can do without is sent. */
enum { NL_GUARDED_TRIES = 20 };

struct nl_table {
	struct nl_sock *sock; /* and the name of the table */
	struct nl_exprs *exprs;
	struct nl_features features;
	bool known;	     /* the kernel holds what the last call put there, unless ... */
	uint32_t generation; /* ... this is no longer the generation, and the table not owned */
	uint32_t holder;     /* owner of IR_TABLE_NAME, where ours had to be NL_TABLE_STANDBY */
	struct nl_monitor *monitor; /* NULL: nobody listens */
	bool is_in_doubt;	    /* others may have changed it while nobody listened */
};

/* A call of nl_table_apply() on its way. */
struct nl_attempt {
	struct nl_table *table;
	struct arena *arena;
	const struct ir_ruleset *from, *to; /* of the batch sent last; from NULL: of nothing */
	uint32_t guard; /* the generation that the next batch rests on; 0: on none */
	struct nl_result result;
	struct nl_outcome outcome;
	struct nl_batch batch;
};

/* What makes the table ours, in front of the first batch. */
enum nl_opening { NL_OPEN_AS_IT_IS, NL_OPEN_CREATE, NL_OPEN_ADOPT };

uint32_t nl_table_flags(const struct nl_table *table); /* that ours has on this kernel */

/* Puts the messages for that in front of an empty batch. */
void nl_write_opening(struct nl_attempt *a, enum nl_opening opening);

/* Names the table that all that follows is about. */
void nl_use_table(struct nl_attempt *a, const char *name);

/* Waits until the kernel is done with every packet that is on its way. */
void nl_wait_for_packets(void);

/* Sends the batch; keeps account of the generation and of what came of it. */
int nl_commit(struct nl_attempt *a);

/* Turns one ruleset into another one. On failure the kernel keeps the first. */
int nl_turn(struct nl_attempt *a, const struct nl_change *change, enum nl_opening opening,
	    struct nl_change_counts *ret_counts);

/* The same, with `from` being what the last call put there. 0, -ESTALE when it is not there any
 * more and all of the table has to be replaced, else the error.
 */
int nl_turn_known(struct nl_attempt *a, const struct ir_ruleset *from, const struct ir_ruleset *to,
		  struct nl_change_counts *ret_counts);

/* Adds the last n elements of a set of `to` to a table that lacks nothing else of it. -ESTALE: it
 * may lack more.
 */
int nl_turn_elements(struct nl_attempt *a, const struct ir_ruleset *to, uint32_t set, uint32_t n);

/* Errors of a kernel that holds something else than we think. */
bool nl_is_picture_wrong(const struct nl_attempt *a, int error);

#endif
