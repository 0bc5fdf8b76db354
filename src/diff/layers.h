/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layers.h - interfaces, dates and callers that two sides of a comparison tell apart → layers, in
 * each of which a box is there or is not.
 *
 * A layer is one interface (or "any other"), one stretch of time and one class of uids that all
 * guards treat alike. Sets of layers are bits, 64 at a time.
 */
#ifndef UIDWALL_DIFF_LAYERS_H
#define UIDWALL_DIFF_LAYERS_H

#include "diff/compare.h"

enum { LAYERS_AT_ONCE = 64 };

/* Uids that meet the same guards. */
struct layer_class {
	struct ranges uids;
	struct ranges refused[2]; /* ports on loopback, by side: 0 from, 1 to */
};

struct layers {
	const char **interfaces; /* sorted; one more stands for all others */
	size_t n_interfaces;
	int64_t *ends; /* sorted; the last is INT64_MAX */
	size_t n_ends;
	struct layer_class *classes;
	size_t n_classes;
	size_t n; /* of all */
};

/* The layers of one plane. */
void layers_find(const struct compare_question *question, enum reach_plane plane,
		 struct arena *arena, struct layers *ret_layers);

/* In which layers from `base` on the box is there, guards aside. */
uint64_t layers_of_box(const struct layers *layers, size_t base, const struct reach_box *box);

/* Those on loopback of one class. */
uint64_t layers_of_class(const struct layers *layers, size_t base, size_t class);

/* A product of interfaces, times and classes, in words of a piece. */
struct layer_term {
	const char *interface;
	const char *const *except;
	size_t n_except;
	int64_t starts, until;
	struct ranges uids;
};

/* Takes one product out of *mask; call until nothing is left. */
struct layer_term layers_take(const struct layers *layers, size_t base, uint64_t *mask,
			      struct arena *arena);

#endif
