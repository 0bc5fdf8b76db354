/* SPDX-License-Identifier: GPL-2.0-or-later */
/* words.h - pieces of what a service gains and loses → lines for people. */
#ifndef UIDWALL_DIFF_WORDS_H
#define UIDWALL_DIFF_WORDS_H

#include "diff/compare.h"

struct words_line {
	char sign; /* '+' gains, '-' loses, '~' what was there is another now */
	const char *text;
	const struct ir_origin *origin; /* the policy's line; of '~' the one of now */
};

struct words {
	struct words_line *list; /* '+' first, then '~', then '-'; each by line of the policy */
	size_t n;
};

void words_of_change(const struct compare_question *question, const struct compare_answer *answer,
		     struct arena *arena, struct words *ret_words);

/* "10.0.0.0/8", or "10.0.0.0-10.0.0.8" where no prefix is just that */
const char *words_addresses(enum reach_plane plane, reach_address first, reach_address last,
			    struct arena *arena);
const char *words_address(enum reach_plane plane, reach_address address, struct arena *arena);
const char *words_ranges(struct ranges ranges, struct arena *arena); /* "80, 8000-8080" */
const char *words_date(int64_t time, struct arena *arena);	     /* "2026-12-31", UTC */

#endif
