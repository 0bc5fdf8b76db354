/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compare.c - what a service may reach before and after → what it gains and what it loses.
 *
 * The addresses are swept from the lowest to the highest, from one end of a box to the next; in
 * each interval so found the ports are swept likewise. In between nothing changes, so that each
 * cell is gained, lost or neither as a whole, layer by layer (layers.h). Cells that touch become
 * one piece. Costs n log n for boxes that overlap little.
 */
#include "diff/compare.h"

#include <string.h>

#include "diff/layers.h"

enum { SIDE_FROM, SIDE_TO, SIDES };

/* A box in some of the layers. */
struct flat {
	reach_address first, last;
	struct ranges ports;
	uint64_t mask;
	uint8_t side;
	bool is_refused; /* by a guard: it would be there otherwise */
	bool is_shared;
	const struct reach_box *box;
};

/* A range of ports of a flat that is there at the current addresses. */
struct item {
	uint32_t first, last;
	const struct flat *flat;
};

/* Ports at which the same happens, at the current addresses. */
struct group {
	uint64_t mask;
	bool is_gain, by_guard;
	uint8_t source; /* enum reach_source: of what brings or brought it, the first that does */
	struct ranges ports;
};

/* A piece that may go on with the next addresses. */
struct open {
	struct group group;
	reach_address first, last;
	const struct reach_box *lines[COMPARE_LINES_MAX];
	size_t n_lines;
};

struct sweep {
	const struct compare_question *question;
	enum reach_plane plane;
	struct layers layers;
	size_t base;
	struct arena *arena;
	struct compare_answer *answer;
	struct flat *flats;
	size_t n_flats;
	const struct flat **active;
	size_t n_active;
	struct item *items;
	size_t items_size;
	uint32_t *port_cuts;
	struct group *groups;
	size_t n_groups;
	struct open *open;
	size_t n_open;
};

/* --- boxes into layers ------------------------------------------------------------------------
 */

static void add_flat(struct sweep *sweep, const struct flat *flat)
{
	if (flat->mask && flat->ports.n)
		*ARENA_APPEND(sweep->arena, sweep->flats, sweep->n_flats) = *flat;
}

static void add_box(struct sweep *sweep, const struct reach_box *box, unsigned side)
{
	const struct layers *layers = &sweep->layers;
	struct flat flat = {
		.first = box->first,
		.last = box->last,
		.ports = box->ports,
		.mask = layers_of_box(layers, sweep->base, box),
		.side = (uint8_t)side,
		.is_shared = sweep->question->is_shared[box->source],
		.box = box,
	};
	uint64_t mask = flat.mask;

	for (size_t i = 0; box->is_guarded && i < layers->n_classes; i++) {
		struct ranges refused = layers->classes[i].refused[side];

		if (!ranges_meet(box->ports, refused))
			continue;
		flat.mask = mask & layers_of_class(layers, sweep->base, i);
		mask &= ~flat.mask;
		flat.ports = ranges_subtract(sweep->arena, box->ports, refused);
		add_flat(sweep, &flat);
		flat.ports = ranges_intersect(sweep->arena, box->ports, refused);
		flat.is_refused = true;
		add_flat(sweep, &flat);
		flat.is_refused = false;
	}
	flat.mask = mask;
	flat.ports = box->ports;
	add_flat(sweep, &flat);
}

static void add_boxes(struct sweep *sweep, const struct reach *reach, unsigned side)
{
	for (size_t i = 0; i < reach->n; i++)
		if (reach->boxes[i].plane == sweep->plane)
			add_box(sweep, &reach->boxes[i], side);
}

/* --- the ports of one interval of addresses ---------------------------------------------------
 */

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static size_t unique_numbers(uint32_t *numbers, size_t n)
{
	size_t kept = 0;

	qsort(numbers, n, sizeof(*numbers), compare_numbers);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || numbers[kept - 1] != numbers[i])
			numbers[kept++] = numbers[i];
	return kept;
}

static bool same_group(const struct group *a, const struct group *b)
{
	return a->mask == b->mask && a->is_gain == b->is_gain && a->by_guard == b->by_guard &&
	       a->source == b->source;
}

static void add_to_group(struct sweep *sweep, const struct group *key, uint32_t first,
			 uint32_t last)
{
	struct group *group;

	if (!key->mask)
		return;
	for (size_t i = 0; i < sweep->n_groups; i++)
		if (same_group(&sweep->groups[i], key)) {
			ranges_append(sweep->arena, &sweep->groups[i].ports, first, last);
			return;
		}
	group = ARENA_APPEND(sweep->arena, sweep->groups, sweep->n_groups);
	*group = *key;
	ranges_append(sweep->arena, &group->ports, first, last);
}

/* What a side has of a cell, by layers. */
struct cell_side {
	uint64_t by_source[REACH_SOURCES];
	uint64_t all, refused;
	uint64_t shared; /* given by the configuration, refused or not */
};

static void look_at_cell(const struct item *items, size_t n, uint32_t port,
			 struct cell_side sides[SIDES])
{
	for (size_t i = 0; i < n; i++) {
		const struct flat *flat = items[i].flat;
		struct cell_side *side = &sides[flat->side];

		if (items[i].last < port)
			continue;
		if (flat->is_shared)
			side->shared |= flat->mask;
		if (flat->is_refused) {
			side->refused |= flat->mask;
			continue;
		}
		side->by_source[flat->box->source] |= flat->mask;
		side->all |= flat->mask;
	}
}

/* What one side has and the other has not. */
static void judge_side(struct sweep *sweep, const struct cell_side *has,
		       const struct cell_side *lacks, bool is_gain, uint32_t first, uint32_t last)
{
	/* what the configuration gives one side only is told elsewhere */
	uint64_t rest = has->all & ~lacks->all & ~(has->shared & ~lacks->shared);

	for (unsigned i = 0; i < REACH_SOURCES && rest; i++) {
		uint64_t mask = rest & has->by_source[i];
		struct group key = { .is_gain = is_gain, .source = (uint8_t)i };

		key.mask = mask & ~lacks->refused;
		add_to_group(sweep, &key, first, last);
		key.mask = mask & lacks->refused;
		key.by_guard = true;
		add_to_group(sweep, &key, first, last);
		rest &= ~mask;
	}
}

static void judge_cell(struct sweep *sweep, const struct item *items, size_t n, uint32_t first,
		       uint32_t last)
{
	struct cell_side sides[SIDES] = { { { 0 } } };

	look_at_cell(items, n, first, sides);
	judge_side(sweep, &sides[SIDE_TO], &sides[SIDE_FROM], true, first, last);
	judge_side(sweep, &sides[SIDE_FROM], &sides[SIDE_TO], false, first, last);
}

/* Drops items that end before a port; the order is kept. */
static size_t drop_items(struct item *items, size_t n, uint32_t port)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (items[i].last >= port)
			items[kept++] = items[i];
	return kept;
}

static size_t collect_items(struct sweep *sweep)
{
	size_t n = 0;

	for (size_t i = 0; i < sweep->n_active; i++)
		for (size_t j = 0; j < sweep->active[i]->ports.n; j++) {
			struct number_range range = sweep->active[i]->ports.list[j];

			sweep->items[n++] =
				(struct item){ range.first, range.last, sweep->active[i] };
		}
	return n;
}

static void judge_ports(struct sweep *sweep)
{
	struct item *items = sweep->items;
	size_t n = collect_items(sweep), n_cuts = 0, n_here = 0, next = 0;

	sweep->n_groups = 0;
	qsort(items, n, sizeof(*items), compare_items);
	for (size_t i = 0; i < n; i++) {
		sweep->port_cuts[n_cuts++] = items[i].first;
		sweep->port_cuts[n_cuts++] = items[i].last + 1;
	}
	n_cuts = unique_numbers(sweep->port_cuts, n_cuts);
	for (size_t i = 0; i + 1 < n_cuts; i++) {
		uint32_t first = sweep->port_cuts[i];

		n_here = drop_items(items, n_here, first);
		/* those that begin here are moved down behind those that go on */
		while (next < n && items[next].first == first)
			items[n_here++] = items[next++];
		if (n_here)
			judge_cell(sweep, items, n_here, first, sweep->port_cuts[i + 1] - 1);
	}
}

/* --- pieces -----------------------------------------------------------------------------------
 */

static bool same_line(const struct ir_origin *a, const struct ir_origin *b)
{
	return a == b || (a->place.line == b->place.line && a->what && b->what &&
			  strcmp(a->what, b->what) == 0);
}

static void add_line(struct open *open, const struct reach_box *box)
{
	for (size_t i = 0; i < open->n_lines; i++)
		if (same_line(open->lines[i]->origin, box->origin))
			return;
	if (open->n_lines < COMPARE_LINES_MAX)
		open->lines[open->n_lines++] = box;
}

static void add_lines(const struct sweep *sweep, struct open *open)
{
	unsigned side = open->group.is_gain ? SIDE_TO : SIDE_FROM;

	for (size_t i = 0; i < sweep->n_active && open->n_lines < COMPARE_LINES_MAX; i++) {
		const struct flat *flat = sweep->active[i];

		if (flat->side == side && !flat->is_refused &&
		    flat->box->source == open->group.source && flat->mask & open->group.mask &&
		    ranges_meet(flat->ports, open->group.ports))
			add_line(open, flat->box);
	}
}

/* The line of the "from" that refuses on the other side what this side lets pass. */
static const struct ir_origin *find_guard(const struct sweep *sweep, const struct open *open)
{
	const struct guards *guards =
		open->group.is_gain ? sweep->question->from.guards : sweep->question->to.guards;
	const struct guard *guard = guards_find(guards, (unsigned)reach_planes[sweep->plane].guards,
						open->group.ports.list[0].first);

	for (size_t i = 0; guard && i < guard->n_chains; i++)
		for (size_t j = 0; j < sweep->question->uids.n; j++)
			if (!ranges_have(guard->chains[i].callers,
					 sweep->question->uids.list[j].first))
				return guard_origin(guards, &guard->chains[i]);
	return guard ? guard_origin(guards, &guard->chains[0]) : NULL;
}

static void close_piece(struct sweep *sweep, const struct open *open)
{
	uint64_t mask = open->group.mask;
	struct ranges ports =
		ranges_union(sweep->arena, open->group.ports, (struct ranges){ NULL, 0 });

	while (mask) {
		struct layer_term term =
			layers_take(&sweep->layers, sweep->base, &mask, sweep->arena);
		struct compare_piece *piece =
			ARENA_APPEND(sweep->arena, sweep->answer->pieces, sweep->answer->n);

		*piece = (struct compare_piece){
			.is_gain = open->group.is_gain,
			.plane = (uint8_t)sweep->plane,
			.first = open->first,
			.last = open->last,
			.ports = ports,
			.interface = term.interface,
			.except = term.except,
			.n_except = term.n_except,
			.starts = term.starts,
			.until = term.until,
			.uids = term.uids,
			.n_lines = open->n_lines,
			.guard = open->group.by_guard ? find_guard(sweep, open) : NULL,
		};
		memcpy(piece->lines, open->lines, sizeof(piece->lines));
	}
}

static bool continues(const struct open *open, const struct group *group)
{
	return same_group(&open->group, group) && ranges_equal(open->group.ports, group->ports);
}

/* Pieces that do not go on with these groups are closed, groups that continue none are opened. One
 * interval follows on the other without a gap.
 */
static void join_groups(struct sweep *sweep, reach_address first, reach_address last)
{
	struct open *old = sweep->open;
	size_t n_old = sweep->n_open;

	sweep->open = NULL;
	sweep->n_open = 0;
	if (!n_old && !sweep->n_groups)
		return;
	for (size_t i = 0; i < sweep->n_groups; i++) {
		struct open *next = ARENA_APPEND(sweep->arena, sweep->open, sweep->n_open);

		*next = (struct open){ .group = sweep->groups[i], .first = first };
		for (size_t j = 0; j < n_old; j++)
			if (old[j].group.mask && continues(&old[j], &sweep->groups[i])) {
				*next = old[j];
				old[j].group.mask = 0; /* taken over */
				break;
			}
		next->last = last;
		add_lines(sweep, next);
	}
	for (size_t i = 0; i < n_old; i++)
		if (old[i].group.mask)
			close_piece(sweep, &old[i]);
}

/* --- the sweep --------------------------------------------------------------------------------
 */

static int compare_flats(const void *a, const void *b)
{
	const struct flat *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static int compare_addresses(const void *a, const void *b)
{
	const reach_address *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void make_room(struct sweep *sweep)
{
	size_t n = 0;

	for (size_t i = 0; i < sweep->n_flats; i++)
		n += sweep->flats[i].ports.n;
	sweep->active = arena_alloc(sweep->arena, sweep->n_flats * sizeof(*sweep->active));
	sweep->items = arena_alloc(sweep->arena, n * sizeof(*sweep->items));
	sweep->port_cuts = arena_alloc(sweep->arena, 2 * n * sizeof(*sweep->port_cuts));
}

static reach_address *find_cuts(struct sweep *sweep, size_t *ret_n)
{
	reach_address *cuts = arena_alloc(sweep->arena, 2 * sweep->n_flats * sizeof(*cuts));
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < sweep->n_flats; i++) {
		cuts[n++] = sweep->flats[i].first;
		if (sweep->flats[i].last != REACH_ADDRESS_MAX)
			cuts[n++] = sweep->flats[i].last + 1;
	}
	qsort(cuts, n, sizeof(*cuts), compare_addresses);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || cuts[kept - 1] != cuts[i])
			cuts[kept++] = cuts[i];
	*ret_n = kept;
	return cuts;
}

static void drop_ended(struct sweep *sweep, reach_address first)
{
	size_t kept = 0;

	for (size_t i = 0; i < sweep->n_active; i++)
		if (sweep->active[i]->last >= first)
			sweep->active[kept++] = sweep->active[i];
	sweep->n_active = kept;
}

static void sweep_addresses(struct sweep *sweep)
{
	size_t n_cuts, next = 0;
	reach_address *cuts = find_cuts(sweep, &n_cuts);

	make_room(sweep);
	qsort(sweep->flats, sweep->n_flats, sizeof(*sweep->flats), compare_flats);
	for (size_t i = 0; i < n_cuts; i++) {
		reach_address last = i + 1 < n_cuts ? cuts[i + 1] - 1 : REACH_ADDRESS_MAX;

		drop_ended(sweep, cuts[i]);
		while (next < sweep->n_flats && sweep->flats[next].first == cuts[i])
			sweep->active[sweep->n_active++] = &sweep->flats[next++];
		judge_ports(sweep);
		join_groups(sweep, cuts[i], last);
	}
	sweep->n_groups = 0;
	join_groups(sweep, 0, 0);
}

/* --- planes -----------------------------------------------------------------------------------
 */

static bool same_name(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_box(const struct reach_box *a, const struct reach_box *b)
{
	return a->first == b->first && a->last == b->last && a->until == b->until &&
	       same_name(a->interface, b->interface) && ranges_equal(a->ports, b->ports);
}

static const struct reach_box *next_box(const struct reach *reach, enum reach_plane plane,
					size_t *i)
{
	while (*i < reach->n && reach->boxes[*i].plane != plane)
		++*i;
	return *i < reach->n ? &reach->boxes[(*i)++] : NULL;
}

/* Whether guards can make a difference between two boxes that are the same. */
static bool meets_guards(const struct compare_question *question, const struct reach_box *box)
{
	int protocol = reach_planes[box->plane].guards;

	if (!box->is_guarded || question->same_guards)
		return false;
	return !question->guard_ports || ranges_meet(box->ports, question->guard_ports[protocol]);
}

/* Most changes are about one plane: the others have the same boxes in the same order. */
static bool same_boxes(const struct compare_question *question, enum reach_plane plane)
{
	size_t i = 0, j = 0;

	for (;;) {
		const struct reach_box *a = next_box(&question->from.reach, plane, &i);
		const struct reach_box *b = next_box(&question->to.reach, plane, &j);

		if (!a || !b)
			return !a && !b;
		if (!same_box(a, b) || a->is_guarded != b->is_guarded || meets_guards(question, a))
			return false;
	}
}

void compare_reach(const struct compare_question *question, struct arena *arena,
		   struct compare_answer *ret_answer)
{
	*ret_answer = (struct compare_answer){ NULL, 0 };
	for (unsigned plane = 0; plane < REACH_PLANES; plane++) {
		struct sweep sweep = { .question = question,
				       .plane = (enum reach_plane)plane,
				       .arena = arena,
				       .answer = ret_answer };

		if (same_boxes(question, sweep.plane))
			continue;
		layers_find(question, sweep.plane, arena, &sweep.layers);
		for (; sweep.base < sweep.layers.n; sweep.base += LAYERS_AT_ONCE) {
			sweep.n_flats = sweep.n_active = 0;
			sweep.flats = NULL;
			add_boxes(&sweep, &question->from.reach, SIDE_FROM);
			add_boxes(&sweep, &question->to.reach, SIDE_TO);
			sweep_addresses(&sweep);
		}
	}
}
