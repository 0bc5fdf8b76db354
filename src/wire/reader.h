/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reader.h - JSON text → values, one after the other: the counterpart of writer.h.
 *
 * No tree is built: for the lists of 1,000 services with 100 hosts each jansson takes 50 ms, and
 * the proxy has all of its clients wait meanwhile.
 *
 *     reader_open(r, '{');
 *     while (reader_key(r, &key))
 *             if (reader_is(&key, "generation"))
 *                     n = reader_int(r);
 *             else
 *                     reader_skip(r);
 *
 * The first mistake ends it: nothing more is read, loops end, values are empty.
 */
#ifndef UIDWALL_WIRE_READER_H
#define UIDWALL_WIRE_READER_H

#include "base/arena.h"

struct reader_text {
	const char *bytes; /* in the text that is read, or the arena; without a NUL */
	size_t n;
};

struct reader {
	const char *start, *at, *end;
	struct arena *arena; /* for texts with escapes */
	const char *why;     /* what is wrong at `at`; NULL: nothing so far */
	bool is_first;	     /* nothing yet since the last bracket */
};

void reader_init(struct reader *r, const char *bytes, size_t n, struct arena *arena);

void reader_open(struct reader *r, char bracket); /* '{' or '[' */
/* Whether another element of the array, or member of the object, follows; else takes its bracket.
 */
bool reader_next(struct reader *r);
bool reader_key(struct reader *r, struct reader_text *ret_key);

struct reader_text reader_text(struct reader *r); /* null: bytes is NULL */
int64_t reader_int(struct reader *r);		  /* at most 18 digits */
bool reader_bool(struct reader *r);
void reader_skip(struct reader *r); /* any value, 32 deep */

/* Nothing but blanks may follow. Whether all was well. */
bool reader_end(struct reader *r);
/* Says that what was read makes no sense. */
void reader_fail(struct reader *r, const char *why);

bool reader_is(const struct reader_text *text, const char *word);

#endif
