/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pairs.h - endpoints before and after → which one of now was which one of before, for words such
 * as "widened from 10.1.0.0/16 to 10.0.0.0/8". What is gained and lost does not depend on it.
 */
#ifndef UIDWALL_DIFF_PAIRS_H
#define UIDWALL_DIFF_PAIRS_H

#include "diff/reach.h"

enum pair_kind {
	PAIR_NONE,     /* only on this side */
	PAIR_SAME,     /* on both */
	PAIR_PORTS,    /* other ports */
	PAIR_WIDENED,  /* addresses: the other ones lie in this one */
	PAIR_NARROWED, /* addresses: this one lies in the other one */
	PAIR_TERMS,    /* another interface or date */
};

/* Boxes of "connect" with the same addresses and terms: ports may come from several lines. */
struct pair_end {
	const struct reach_box *box; /* the first of them; its ports are not all */
	struct ranges ports;
	uint8_t kind;		/* enum pair_kind, as seen from here */
	struct pair_end *other; /* one on the other side; of several the first */
	size_t n_others;
	bool is_told;
};

struct pair_ends {
	struct pair_end *list; /* sorted */
	size_t n;
};

/* Pairs the endpoints of both sides. */
void pairs_find(const struct reach *from, const struct reach *to, struct arena *arena,
		struct pair_ends *ret_from, struct pair_ends *ret_to);

/* The endpoint that a box is part of, or NULL: it is not of "connect". */
struct pair_end *pairs_find_end(const struct pair_ends *ends, const struct reach_box *box);

#endif
