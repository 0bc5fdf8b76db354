/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pairs.c - endpoints before and after → which one of now was which one of before.
 *
 * First what is the same on both sides, then what differs in one respect: ports, addresses (one
 * lies in the other), interface or date. Each kind has an order in which candidates are neighbours.
 */
#include "diff/pairs.h"

#include <string.h>

typedef int (*compare_fn)(const void *a, const void *b);

/* Pointers to the endpoints that are still alone. */
struct loners {
	struct pair_end **list;
	size_t n;
};

static int compare_interfaces(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_terms(const struct reach_box *a, const struct reach_box *b)
{
	int r = compare_interfaces(a->interface, b->interface);

	if (r != 0)
		return r;
	return a->until < b->until ? -1 : a->until > b->until;
}

static int compare_addresses(const struct reach_box *a, const struct reach_box *b)
{
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->last < b->last ? -1 : a->last > b->last;
}

/* Plane, addresses, interface, date: what an endpoint is. */
static int compare_boxes(const struct reach_box *a, const struct reach_box *b)
{
	int r = a->plane - b->plane;

	if (r == 0)
		r = compare_addresses(a, b);
	return r ? r : compare_terms(a, b);
}

static int compare_ends(const void *a, const void *b)
{
	const struct pair_end *x = a, *y = b;

	return compare_boxes(x->box, y->box);
}

static void collect(const struct reach *reach, struct arena *arena, struct pair_ends *ends)
{
	size_t n = 0;

	for (size_t i = 0; i < reach->n; i++)
		if (reach->boxes[i].source == REACH_CONNECT)
			*ARENA_APPEND(arena, ends->list, ends->n) =
				(struct pair_end){ .box = &reach->boxes[i],
						   .ports = reach->boxes[i].ports };
	if (ends->n > 1)
		qsort(ends->list, ends->n, sizeof(*ends->list), compare_ends);
	for (size_t i = 0; i < ends->n; i++) {
		struct pair_end *e = &ends->list[i];

		if (n && compare_boxes(ends->list[n - 1].box, e->box) == 0)
			ends->list[n - 1].ports =
				ranges_union(arena, ends->list[n - 1].ports, e->ports);
		else
			ends->list[n++] = *e;
	}
	ends->n = n;
}

static void pair(struct pair_end *from, enum pair_kind from_kind, struct pair_end *to,
		 enum pair_kind to_kind)
{
	from->kind = (uint8_t)from_kind;
	to->kind = (uint8_t)to_kind;
	if (!from->n_others++)
		from->other = to;
	if (!to->n_others++)
		to->other = from;
}

/* --- the same endpoint ------------------------------------------------------------------------
 */

static void pair_same(struct pair_ends *from, struct pair_ends *to)
{
	for (size_t i = 0, j = 0; i < from->n && j < to->n;) {
		struct pair_end *a = &from->list[i], *b = &to->list[j];
		int r = compare_boxes(a->box, b->box);
		enum pair_kind kind = ranges_equal(a->ports, b->ports) ? PAIR_SAME : PAIR_PORTS;

		if (r == 0)
			pair(a, kind, b, kind);
		i += r <= 0;
		j += r >= 0;
	}
}

/* --- other addresses --------------------------------------------------------------------------
 */

/* What all endpoints of a run of neighbours have in common. */
static int compare_kinds(const struct pair_end *a, const struct pair_end *b)
{
	int r = a->box->plane - b->box->plane;

	if (r == 0)
		r = compare_terms(a->box, b->box);
	return r ? r : ranges_compare(a->ports, b->ports);
}

/* Of prefixes that begin at the same address the wider one comes first. */
static int compare_nested(const void *a, const void *b)
{
	const struct pair_end *x = *(struct pair_end *const *)a;
	const struct pair_end *y = *(struct pair_end *const *)b;
	int r = compare_kinds(x, y);

	if (r != 0)
		return r;
	if (x->box->first != y->box->first)
		return x->box->first < y->box->first ? -1 : 1;
	return x->box->last > y->box->last ? -1 : x->box->last < y->box->last;
}

static struct loners find_loners(struct pair_ends *ends, struct arena *arena, compare_fn compare)
{
	struct loners loners = { NULL, 0 };

	for (size_t i = 0; i < ends->n; i++)
		if (ends->list[i].kind == PAIR_NONE)
			*ARENA_APPEND(arena, loners.list, loners.n) = &ends->list[i];
	if (loners.n > 1)
		qsort(loners.list, loners.n, sizeof(struct pair_end *), compare);
	return loners;
}

static size_t lower_bound(const struct loners *loners, struct pair_end *key)
{
	size_t low = 0, high = loners->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_nested(&loners->list[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Pairs each of `outer` with those of `inner` that lie in it. */
static void pair_nested(const struct loners *outer, enum pair_kind outer_kind,
			const struct loners *inner, enum pair_kind inner_kind)
{
	for (size_t i = 0; i < outer->n; i++) {
		struct pair_end *a = outer->list[i];

		if (a->kind != PAIR_NONE)
			continue;
		for (size_t j = lower_bound(inner, a); j < inner->n; j++) {
			struct pair_end *b = inner->list[j];

			if (compare_kinds(a, b) != 0 || b->box->last > a->box->last)
				break;
			if (b->kind == PAIR_NONE)
				pair(a, outer_kind, b, inner_kind);
		}
	}
}

/* --- other terms ------------------------------------------------------------------------------
 */

static int compare_but_terms(const struct pair_end *a, const struct pair_end *b)
{
	int r = a->box->plane - b->box->plane;

	if (r == 0)
		r = compare_addresses(a->box, b->box);
	return r ? r : ranges_compare(a->ports, b->ports);
}

static int compare_terms_last(const void *a, const void *b)
{
	const struct pair_end *x = *(struct pair_end *const *)a;
	const struct pair_end *y = *(struct pair_end *const *)b;

	return compare_but_terms(x, y);
}

static void pair_terms(const struct loners *from, const struct loners *to)
{
	for (size_t i = 0, j = 0; i < from->n && j < to->n;) {
		int r = compare_but_terms(from->list[i], to->list[j]);

		if (r == 0)
			pair(from->list[i], PAIR_TERMS, to->list[j], PAIR_TERMS);
		i += r <= 0;
		j += r >= 0;
	}
}

void pairs_find(const struct reach *from, const struct reach *to, struct arena *arena,
		struct pair_ends *ret_from, struct pair_ends *ret_to)
{
	struct loners a, b;

	*ret_from = *ret_to = (struct pair_ends){ NULL, 0 };
	collect(from, arena, ret_from);
	collect(to, arena, ret_to);
	pair_same(ret_from, ret_to);
	a = find_loners(ret_from, arena, compare_nested);
	b = find_loners(ret_to, arena, compare_nested);
	pair_nested(&b, PAIR_WIDENED, &a, PAIR_NARROWED);
	pair_nested(&a, PAIR_WIDENED, &b, PAIR_NARROWED);
	a = find_loners(ret_from, arena, compare_terms_last);
	b = find_loners(ret_to, arena, compare_terms_last);
	pair_terms(&a, &b);
}

struct pair_end *pairs_find_end(const struct pair_ends *ends, const struct reach_box *box)
{
	struct pair_end key = { .box = box };

	if (box->source != REACH_CONNECT || !ends->n)
		return NULL;
	return bsearch(&key, ends->list, ends->n, sizeof(key), compare_ends);
}
