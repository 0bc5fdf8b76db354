/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit.h - changes of policies → what to write where in their files, ready to paste. */
#ifndef UIDWALL_WHY_EDIT_H
#define UIDWALL_WHY_EDIT_H

#include "why/crossing.h"

enum edit_action { EDIT_ADD, EDIT_REPLACE, EDIT_REMOVE };

/* The bytes `remove` at the place go, the bytes `insert` come in their stead. All edits together
 * may be made in any order but from the end of a file to its beginning.
 */
struct edit {
	const struct service *service;
	uint8_t action;	    /* enum edit_action */
	const char *key;    /* "connect", "listen", "from", "dns", "proxy", "mode" */
	struct place place; /* in policy->text; file: policy->file */
	size_t offset;
	const char *remove, *insert;
	const char *text;  /* for people: what to add, the new value, or the line that goes */
	const char *where; /* for people: "in front of line 5" */
};

struct edits {
	struct edit *list;
	size_t n;
};

/* Policies that were parsed for their places, each once. */
struct texts {
	struct arena *arena;
	struct text *list;
	size_t n;
};

void texts_init(struct texts *texts, struct arena *arena);
void texts_done(struct texts *texts);
__attribute__((unused)) static inline void texts_cleanup(struct texts *texts)
{
	texts_done(texts);
}

/* In the order of the changes; what is added to one list is one edit. */
void edits_make(struct texts *texts, const struct changes *changes, struct edits *ret_edits);

/* The JSON value at a place of the policy's text on one line, cut where it is long; NULL where the
 * place is none.
 */
const char *edit_excerpt(const struct policy *policy, struct place place, struct arena *arena);

#endif
