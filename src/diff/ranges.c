/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ranges.c - sets of numbers as sorted ranges: union, intersection, difference. */
#include "diff/ranges.h"

#include <string.h>

#include "policy/values.h"

static const struct number_range all[] = { { 0, UINT32_MAX } };
const struct ranges ranges_all = { all, 1 };

struct ranges ranges_one(struct arena *arena, uint32_t first, uint32_t last)
{
	struct ranges ranges = { NULL, 0 };

	ranges_append(arena, &ranges, first, last);
	return ranges;
}

void ranges_append(struct arena *arena, struct ranges *ranges, uint32_t first, uint32_t last)
{
	struct number_range *list = (struct number_range *)(uintptr_t)ranges->list;
	struct number_range *end = ranges->n ? &list[ranges->n - 1] : NULL;

	if (end && (end->last == UINT32_MAX || first <= end->last + 1)) {
		end->last = last > end->last ? last : end->last;
		return;
	}
	*ARENA_APPEND(arena, list, ranges->n) = (struct number_range){ first, last };
	ranges->list = list;
}

struct ranges ranges_union(struct arena *arena, struct ranges a, struct ranges b)
{
	struct ranges sum = { NULL, 0 };

	for (size_t i = 0, j = 0; i < a.n || j < b.n;) {
		bool from_a = j == b.n || (i < a.n && a.list[i].first <= b.list[j].first);
		struct number_range next = from_a ? a.list[i++] : b.list[j++];

		ranges_append(arena, &sum, next.first, next.last);
	}
	return sum;
}

struct ranges ranges_intersect(struct arena *arena, struct ranges a, struct ranges b)
{
	struct ranges both = { NULL, 0 };

	for (size_t i = 0, j = 0; i < a.n && j < b.n;) {
		uint32_t first =
			a.list[i].first > b.list[j].first ? a.list[i].first : b.list[j].first;
		uint32_t last = a.list[i].last < b.list[j].last ? a.list[i].last : b.list[j].last;

		if (first <= last)
			ranges_append(arena, &both, first, last);
		if (a.list[i].last < b.list[j].last)
			i++;
		else
			j++;
	}
	return both;
}

static struct ranges complement(struct arena *arena, struct ranges a)
{
	struct ranges rest = { NULL, 0 };
	uint32_t next = 0;

	for (size_t i = 0; i < a.n; i++) {
		if (a.list[i].first > next)
			ranges_append(arena, &rest, next, a.list[i].first - 1);
		if (a.list[i].last == UINT32_MAX)
			return rest;
		next = a.list[i].last + 1;
	}
	ranges_append(arena, &rest, next, UINT32_MAX);
	return rest;
}

struct ranges ranges_subtract(struct arena *arena, struct ranges a, struct ranges b)
{
	if (!ranges_meet(a, b))
		return a;
	return ranges_intersect(arena, a, complement(arena, b));
}

bool ranges_equal(struct ranges a, struct ranges b)
{
	return ranges_compare(a, b) == 0;
}

bool ranges_meet(struct ranges a, struct ranges b)
{
	return ranges_overlap(a.list, a.n, b.list, b.n);
}

bool ranges_have(struct ranges ranges, uint32_t number)
{
	return ranges_contain(ranges.list, ranges.n, number);
}

int ranges_compare(struct ranges a, struct ranges b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		const struct number_range *x = &a.list[i], *y = &b.list[i];

		if (x->first != y->first)
			return x->first < y->first ? -1 : 1;
		if (x->last != y->last)
			return x->last < y->last ? -1 : 1;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}
