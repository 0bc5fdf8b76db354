/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diag.h - messages for the user, each with its place.
 *
 * A function that fails returns -errno and says in its last parameter, struct diags *, what to tell
 * the user. Messages are gathered, sorted and printed at the end, so one run reports all mistakes.
 */
#ifndef UIDWALL_BASE_DIAG_H
#define UIDWALL_BASE_DIAG_H

#include "base/arena.h"
#include "base/place.h"

enum diag_severity { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE };

struct diag {
	enum diag_severity severity;
	struct place place;  /* file NULL: about nothing in particular */
	const char *message; /* one line, hostile input escaped */
	const char *excerpt; /* the line of the file, printable; or NULL */
	uint32_t caret;	     /* column in the excerpt, from 1; 0 none */
};

struct diags {
	struct arena *arena;
	struct diag *list;
	size_t n;
	size_t n_errors; /* counts hidden ones, too */
	size_t n_warnings;
	size_t bound; /* further messages are counted but hidden while n is not below it; 0: none */
	size_t n_hidden;
};

void diags_init(struct diags *diags);
void diags_done(struct diags *diags);
__attribute__((unused)) static inline void diags_cleanup(struct diags *diags)
{
	diags_done(diags);
}

/* Adds a message. The text is copied. Returns -EINVAL for errors, 0 for the others, so that
 * "return diag_add(...)" reads well.
 */
int diag_add(struct diags *diags, enum diag_severity severity, struct place place,
	     const char *format, ...) PRINTF(4, 5);

/* Whether the next message would be hidden: nobody need work on its words. */
bool diags_full(const struct diags *diags);

/* The same with the line of text at place shown below the message. text is the whole file. */
int diag_add_in(struct diags *diags, enum diag_severity severity, struct place place,
		const char *text, size_t length, const char *format, ...) PRINTF(6, 7);

/* Messages ordered by file, line and column; those added first come first, notes about a whole file
 * last.
 */
void diags_sort(struct diags *diags);

/* "web.json:5:36: error: ..." with excerpt and caret line. colour: use terminal escapes. */
void diag_print(const struct diag *diag, FILE *out, bool colour);
const char *diag_severity_name(enum diag_severity severity);

/* Text of any origin made printable on one line: control characters and invalid UTF-8 become \xNN,
 * at most max bytes of it, then "...". Lives in the arena.
 */
const char *text_printable(struct arena *arena, const char *text, size_t n, size_t max);

/* The entry of words (n of them) closest to found, whose letters' case does not matter, within a
 * third of its length (and always one mistake); or NULL.
 */
const char *text_suggest(const char *found, const char *const *words, size_t n);

#endif
