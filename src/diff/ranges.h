/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ranges.h - sets of numbers (ports, uids) as ranges that are sorted and neither overlap nor touch.
 *
 * Results live in the arena; the arguments stay as they are.
 */
#ifndef UIDWALL_DIFF_RANGES_H
#define UIDWALL_DIFF_RANGES_H

#include "base/arena.h"
#include "policy/policy.h"

struct ranges {
	const struct number_range *list;
	size_t n;
};

extern const struct ranges ranges_all; /* every number */

struct ranges ranges_one(struct arena *arena, uint32_t first, uint32_t last);
/* Appends; what is appended begins behind what is there, or overlaps its end. */
void ranges_append(struct arena *arena, struct ranges *ranges, uint32_t first, uint32_t last);
struct ranges ranges_union(struct arena *arena, struct ranges a, struct ranges b);
struct ranges ranges_intersect(struct arena *arena, struct ranges a, struct ranges b);
struct ranges ranges_subtract(struct arena *arena, struct ranges a, struct ranges b);
bool ranges_equal(struct ranges a, struct ranges b);
bool ranges_meet(struct ranges a, struct ranges b);
bool ranges_have(struct ranges ranges, uint32_t number);
int ranges_compare(struct ranges a, struct ranges b); /* for qsort */

#endif
