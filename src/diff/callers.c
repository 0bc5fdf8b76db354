/* SPDX-License-Identifier: GPL-2.0-or-later */
/* callers.c - guards before and after → who gained and who lost which declared port.
 *
 * Where several services declare a port, all of them must let a caller pass. A change is told of
 * the service whose lines changed, and only as far as it opens or closes the port in the end.
 */
#include "diff/callers.h"

#include <string.h>

#include "plan/names.h"

enum { LOOK_BACK = 8 };

/* One service's chains on one port. */
struct share {
	const char *service;
	size_t length;
	struct ranges callers;
	const struct ir_origin *line; /* NULL: it has none there */
};

static const char *service_of(const struct guards *guards, const struct guard_chain *chain,
			      size_t *ret_length)
{
	const char *name = "";

	*ret_length = 0;
	name_parse_chain(guards->rules->chains[chain->chain].name, &name, ret_length);
	return name;
}

static bool same_service(const char *a, size_t n_a, const char *b, size_t n_b)
{
	return n_a == n_b && memcmp(a, b, n_a) == 0;
}

static struct share share_of(const struct guards *guards, const struct guard *guard,
			     const char *service, size_t length, struct arena *arena)
{
	struct share share = { service, length, ranges_all, NULL };

	for (size_t i = 0; guard && i < guard->n_chains; i++) {
		size_t n;
		const char *name = service_of(guards, &guard->chains[i], &n);

		if (!same_service(name, n, service, length))
			continue;
		share.callers = ranges_intersect(arena, share.callers, guard->chains[i].callers);
		if (!share.line)
			share.line = guard_origin(guards, &guard->chains[i]);
	}
	return share;
}

/* --- one stretch of ports ---------------------------------------------------------------------
 */

struct stretch {
	const struct guards *from, *to;
	const struct guard *before, *now; /* NULL: anyone may connect */
	struct number_range ports;
	uint8_t protocol;
	struct arena *arena;
	struct callers_change *changes;
	size_t n;
};

static bool same_change(const struct callers_change *a, const struct callers_change *b)
{
	return same_service(a->service, a->service_length, b->service, b->service_length) &&
	       a->protocol == b->protocol && a->from_line == b->from_line &&
	       a->to_line == b->to_line && ranges_equal(a->before, b->before) &&
	       ranges_equal(a->now, b->now) && ranges_equal(a->gained, b->gained) &&
	       ranges_equal(a->lost, b->lost);
}

static void add_change(struct stretch *s, struct callers_change *change)
{
	size_t oldest = s->n > LOOK_BACK ? s->n - LOOK_BACK : 0;

	for (size_t i = s->n; i-- > oldest;)
		if (same_change(&s->changes[i], change)) {
			ranges_append(s->arena, &s->changes[i].ports, s->ports.first,
				      s->ports.last);
			return;
		}
	change->ports = ranges_one(s->arena, s->ports.first, s->ports.last);
	*ARENA_APPEND(s->arena, s->changes, s->n) = *change;
}

static void judge_service(struct stretch *s, const char *service, size_t length)
{
	struct ranges all_before = s->before ? s->before->callers : ranges_all;
	struct ranges all_now = s->now ? s->now->callers : ranges_all;
	struct share before = share_of(s->from, s->before, service, length, s->arena);
	struct share now = share_of(s->to, s->now, service, length, s->arena);
	struct callers_change change = {
		.service = service,
		.service_length = length,
		.protocol = s->protocol,
		.before = before.callers,
		.now = now.callers,
		.gained = ranges_intersect(s->arena,
					   ranges_subtract(s->arena, now.callers, before.callers),
					   ranges_subtract(s->arena, all_now, all_before)),
		.lost = ranges_intersect(s->arena,
					 ranges_subtract(s->arena, before.callers, now.callers),
					 ranges_subtract(s->arena, all_before, all_now)),
		.from_line = before.line,
		.to_line = now.line,
	};

	if (change.gained.n || change.lost.n)
		add_change(s, &change);
}

/* Each service once: those of before, then those that are new. */
static void judge_guard(struct stretch *s, const struct guards *guards, const struct guard *guard,
			bool is_now)
{
	for (size_t i = 0; guard && i < guard->n_chains; i++) {
		size_t length;
		const char *service = service_of(guards, &guard->chains[i], &length);
		bool is_known =
			is_now &&
			share_of(s->from, s->before, service, length, s->arena).line != NULL;

		for (size_t j = 0; j < i && !is_known; j++) {
			size_t n;
			const char *name = service_of(guards, &guard->chains[j], &n);

			is_known = same_service(name, n, service, length);
		}
		if (!is_known)
			judge_service(s, service, length);
	}
}

static void judge_stretch(struct stretch *s)
{
	if (ranges_equal(s->before ? s->before->callers : ranges_all,
			 s->now ? s->now->callers : ranges_all))
		return;
	judge_guard(s, s->from, s->before, false);
	judge_guard(s, s->to, s->now, true);
}

/* --- all ports --------------------------------------------------------------------------------
 */

/* The guard of ports from `first` on, or NULL, and up to where that holds. */
static const struct guard *guard_at(const struct guards *guards, unsigned protocol, size_t *i,
				    uint32_t first, uint32_t *last)
{
	const struct guard *guard;

	while (*i < guards->n[protocol] && guards->list[protocol][*i].ports.last < first)
		++*i;
	if (*i == guards->n[protocol])
		return NULL;
	guard = &guards->list[protocol][*i];
	if (guard->ports.first > first) {
		if (guard->ports.first - 1 < *last)
			*last = guard->ports.first - 1;
		return NULL;
	}
	if (guard->ports.last < *last)
		*last = guard->ports.last;
	return guard;
}

struct callers_change *callers_compare(const struct guards *from, const struct guards *to,
				       struct arena *arena, size_t *ret_n)
{
	struct stretch s = { .from = from, .to = to, .arena = arena };

	for (unsigned protocol = 0; protocol < ARRAY_SIZE(from->n); protocol++) {
		size_t i = 0, j = 0;

		s.protocol = (uint8_t)protocol;
		for (uint32_t first = 0, last; first <= UINT16_MAX; first = last + 1) {
			last = UINT16_MAX;
			s.before = guard_at(from, protocol, &i, first, &last);
			s.now = guard_at(to, protocol, &j, first, &last);
			s.ports = (struct number_range){ first, last };
			judge_stretch(&s);
		}
	}
	*ret_n = s.n;
	return s.changes;
}
