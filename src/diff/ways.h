/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways.h - which connections of a service are led to the proxy, before and after. */
#ifndef UIDWALL_DIFF_WAYS_H
#define UIDWALL_DIFF_WAYS_H

#include "diff/ranges.h"
#include "plan/ir.h"

struct ways {
	struct ranges ports[2];		/* of TCP, by family: IPv4, IPv6 */
	const struct ir_origin *origin; /* the policy's line "transparent" */
};

/* What the chain leads away; IR_NONE: nothing. */
void ways_read(const struct ir_ruleset *rules, uint32_t chain, struct arena *arena,
	       struct ways *ret_ways);
bool ways_equal(const struct ways *a, const struct ways *b);

/* A line for people. */
struct ways_line {
	const char *text;
	const struct ir_origin *origin;
};

enum { WAYS_LINES_MAX = 4 };

/* How many. */
size_t ways_words(const struct ways *before, const struct ways *now, struct arena *arena,
		  struct ways_line ret_lines[WAYS_LINES_MAX]);

#endif
