/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layers.c - interfaces, dates and callers that two sides of a comparison tell apart → layers. */
#include "diff/layers.h"

#include <string.h>

#define LOOPBACK "lo"

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* --- what boxes tell apart --------------------------------------------------------------------
 */

static void add_name(struct layers *layers, struct arena *arena, const char *name)
{
	for (size_t i = 0; i < layers->n_interfaces; i++)
		if (strcmp(layers->interfaces[i], name) == 0)
			return;
	*ARENA_APPEND(arena, layers->interfaces, layers->n_interfaces) = name;
}

static void collect(const struct reach *reach, enum reach_plane plane, struct arena *arena,
		    struct layers *layers)
{
	for (size_t i = 0; i < reach->n; i++) {
		const struct reach_box *box = &reach->boxes[i];

		if (box->plane != plane)
			continue;
		if (box->interface)
			add_name(layers, arena, box->interface);
		if (box->until != INT64_MAX)
			*ARENA_APPEND(arena, layers->ends, layers->n_ends) = box->until;
	}
}

static void sort_ends(struct layers *layers, struct arena *arena)
{
	size_t n = 0;

	*ARENA_APPEND(arena, layers->ends, layers->n_ends) = INT64_MAX;
	if (layers->n_ends > 1)
		qsort(layers->ends, layers->n_ends, sizeof(*layers->ends), compare_times);
	for (size_t i = 0; i < layers->n_ends; i++)
		if (n == 0 || layers->ends[n - 1] != layers->ends[i])
			layers->ends[n++] = layers->ends[i];
	layers->n_ends = n;
}

/* --- what guards tell apart -------------------------------------------------------------------
 */

/* The ports that the side's boxes have on loopback, as far as guards are asked first. */
static struct ranges guarded_ports(const struct reach *reach, enum reach_plane plane,
				   struct arena *arena)
{
	struct ranges ports = { NULL, 0 };

	for (size_t i = 0; i < reach->n; i++) {
		const struct reach_box *box = &reach->boxes[i];

		if (box->plane == plane && box->is_guarded &&
		    (!box->interface || strcmp(box->interface, LOOPBACK) == 0))
			ports = ranges_union(arena, ports, box->ports);
	}
	return ports;
}

/* Appending to one must not write into the other. */
static struct ranges copy_ranges(struct ranges ranges, struct arena *arena)
{
	return ranges_union(arena, ranges, (struct ranges){ NULL, 0 });
}

/* Those that the guard does not name become, or are, a class that is refused the ports. */
static void split_classes(struct layers *layers, const struct guard *guard, unsigned side,
			  struct arena *arena)
{
	for (size_t i = 0, n = layers->n_classes; i < n; i++) {
		struct layer_class *class = &layers->classes[i], *refused = class;
		struct ranges rest = ranges_subtract(arena, class->uids, guard->callers);

		if (!rest.n)
			continue;
		if (ranges_meet(class->uids, guard->callers)) {
			struct layer_class half = { rest,
						    { copy_ranges(class->refused[0], arena),
						      copy_ranges(class->refused[1], arena) } };

			class->uids = ranges_intersect(arena, class->uids, guard->callers);
			refused = ARENA_APPEND(arena, layers->classes, layers->n_classes);
			*refused = half;
		}
		ranges_append(arena, &refused->refused[side], guard->ports.first,
			      guard->ports.last);
	}
}

static size_t first_guard(const struct guards *guards, int protocol, uint32_t port)
{
	size_t low = 0, high = guards->n[protocol];

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (guards->list[protocol][middle].ports.last < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void meet_guards(struct layers *layers, const struct compare_side *from, unsigned side,
			const struct ranges *only, enum reach_plane plane, struct arena *arena)
{
	const struct guards *guards = from->guards;
	int protocol = reach_planes[plane].guards;
	struct ranges ports;
	size_t next = 0;

	if (protocol < 0 || !guards->n[protocol])
		return;
	ports = guarded_ports(&from->reach, plane, arena);
	if (only)
		ports = ranges_intersect(arena, ports, only[protocol]);
	for (size_t i = 0; i < ports.n; i++) {
		size_t j = first_guard(guards, protocol, ports.list[i].first);

		for (j = j > next ? j : next;
		     j < guards->n[protocol] &&
		     guards->list[protocol][j].ports.first <= ports.list[i].last;
		     j++) {
			split_classes(layers, &guards->list[protocol][j], side, arena);
			add_name(layers, arena, LOOPBACK);
			next = j + 1;
		}
	}
}

void layers_find(const struct compare_question *question, enum reach_plane plane,
		 struct arena *arena, struct layers *ret_layers)
{
	struct layers layers = { NULL };

	ARENA_APPEND(arena, layers.classes, layers.n_classes)->uids = question->uids;
	collect(&question->from.reach, plane, arena, &layers);
	collect(&question->to.reach, plane, arena, &layers);
	sort_ends(&layers, arena);
	if (question->uids.n) {
		meet_guards(&layers, &question->from, 0, question->guard_ports, plane, arena);
		meet_guards(&layers, &question->to, 1, question->guard_ports, plane, arena);
	}
	if (layers.n_interfaces > 1)
		qsort(layers.interfaces, layers.n_interfaces, sizeof(*layers.interfaces),
		      compare_names);
	layers.n = (layers.n_interfaces + 1) * layers.n_ends * layers.n_classes;
	*ret_layers = layers;
}

/* --- bits -------------------------------------------------------------------------------------
 */

struct coordinates {
	size_t interface, end, class;
};

static struct coordinates coordinates_of(const struct layers *layers, size_t layer)
{
	return (struct coordinates){
		.interface = layer / layers->n_classes / layers->n_ends,
		.end = layer / layers->n_classes % layers->n_ends,
		.class = layer % layers->n_classes,
	};
}

static size_t count_from(const struct layers *layers, size_t base)
{
	return layers->n - base < LAYERS_AT_ONCE ? layers->n - base : LAYERS_AT_ONCE;
}

static bool is_at(const struct layers *layers, size_t interface, const char *name)
{
	return interface < layers->n_interfaces && strcmp(layers->interfaces[interface], name) == 0;
}

uint64_t layers_of_box(const struct layers *layers, size_t base, const struct reach_box *box)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < count_from(layers, base); i++) {
		struct coordinates at = coordinates_of(layers, base + i);

		if ((!box->interface || is_at(layers, at.interface, box->interface)) &&
		    box->until >= layers->ends[at.end])
			mask |= (uint64_t)1 << i;
	}
	return mask;
}

uint64_t layers_of_class(const struct layers *layers, size_t base, size_t class)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < count_from(layers, base); i++) {
		struct coordinates at = coordinates_of(layers, base + i);

		if (at.class == class && is_at(layers, at.interface, LOOPBACK))
			mask |= (uint64_t)1 << i;
	}
	return mask;
}

/* --- words ------------------------------------------------------------------------------------
 */

/* The bits of one interface, as if it were the first. */
static uint64_t bits_of_interface(const struct layers *layers, size_t base, size_t interface,
				  uint64_t mask)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < count_from(layers, base); i++) {
		size_t layer = base + i, each = layers->n_ends * layers->n_classes;

		if (mask >> i & 1 && layer / each == interface)
			bits |= (uint64_t)1 << (layer % each % LAYERS_AT_ONCE);
	}
	return bits;
}

static void clear_term(const struct layers *layers, size_t base, uint64_t *mask,
		       const bool *interfaces, size_t first_end, size_t last_end,
		       const bool *classes)
{
	for (size_t i = 0; i < count_from(layers, base); i++) {
		struct coordinates at = coordinates_of(layers, base + i);

		if (interfaces[at.interface] && at.end >= first_end && at.end <= last_end &&
		    classes[at.class])
			*mask &= ~((uint64_t)1 << i);
	}
}

/* The classes that have the layer of that interface and end. */
static void find_classes(const struct layers *layers, size_t base, uint64_t mask,
			 struct coordinates at, bool *classes)
{
	memset(classes, 0, layers->n_classes * sizeof(*classes));
	for (size_t i = 0; i < count_from(layers, base); i++) {
		struct coordinates other = coordinates_of(layers, base + i);

		if (mask >> i & 1 && other.interface == at.interface && other.end == at.end)
			classes[other.class] = true;
	}
}

static void name_interfaces(const struct layers *layers, const bool *interfaces,
			    struct arena *arena, struct layer_term *term)
{
	const char **except = NULL;

	if (!interfaces[layers->n_interfaces]) {
		for (size_t i = layers->n_interfaces; i-- > 0;)
			if (interfaces[i])
				term->interface = layers->interfaces[i];
		return;
	}
	for (size_t i = 0; i < layers->n_interfaces; i++)
		if (!interfaces[i])
			*ARENA_APPEND(arena, except, term->n_except) = layers->interfaces[i];
	term->except = except;
}

static void name_classes(const struct layers *layers, const bool *classes, struct arena *arena,
			 struct layer_term *term)
{
	size_t n = 0;

	for (size_t i = 0; i < layers->n_classes; i++) {
		n += classes[i];
		if (classes[i])
			term->uids = ranges_union(arena, term->uids, layers->classes[i].uids);
	}
	if (n == layers->n_classes)
		term->uids = (struct ranges){ NULL, 0 };
}

/* The first layer says which interface, end and classes; then as many ends as follow with the same
 * classes, and as many interfaces as have just the same.
 */
struct layer_term layers_take(const struct layers *layers, size_t base, uint64_t *mask,
			      struct arena *arena)
{
	size_t lowest = (size_t)__builtin_ctzll(*mask);
	struct coordinates at = coordinates_of(layers, base + lowest);
	bool *interfaces = arena_alloc(arena, layers->n_interfaces + 1);
	bool *classes = arena_alloc(arena, layers->n_classes);
	bool *others = arena_alloc(arena, layers->n_classes);
	struct layer_term term = { .interface = NULL };
	uint64_t bits = bits_of_interface(layers, base, at.interface, *mask);
	size_t last = at.end;

	for (size_t i = at.interface; i <= layers->n_interfaces; i++)
		interfaces[i] = bits_of_interface(layers, base, i, *mask) == bits;
	if (!interfaces[layers->n_interfaces]) /* names are said one by one */
		for (size_t i = at.interface + 1; i < layers->n_interfaces; i++)
			interfaces[i] = false;
	find_classes(layers, base, *mask, at, classes);
	while (last + 1 < layers->n_ends) {
		find_classes(layers, base, *mask, (struct coordinates){ at.interface, last + 1, 0 },
			     others);
		if (memcmp(classes, others, layers->n_classes * sizeof(*classes)) != 0)
			break;
		last++;
	}
	term.starts = at.end ? layers->ends[at.end - 1] : INT64_MIN;
	term.until = layers->ends[last];
	name_interfaces(layers, interfaces, arena, &term);
	name_classes(layers, classes, arena, &term);
	clear_term(layers, base, mask, interfaces, at.end, last, classes);
	return term;
}
