/* SPDX-License-Identifier: GPL-2.0-or-later */
/* entry.h - what changes for one service → JSON. */
#ifndef UIDWALL_DIFF_ENTRY_H
#define UIDWALL_DIFF_ENTRY_H

#include "diff/callers.h"
#include "diff/compare.h"
#include "diff/owners.h"
#include "diff/ways.h"
#include "wire/writer.h"

enum entry_effect { EFFECT_NONE, EFFECT_MORE, EFFECT_LESS, EFFECT_MIXED };

/* A service on both sides, or on one. */
struct entry {
	const struct service *from, *to; /* NULL: it is not there */
	/* uids that it governs from now on, and those that it governs no more */
	const struct owner_change *gained, *lost;
	size_t n_gained, n_lost;
	const struct callers_change *callers;
	size_t n_callers;
	struct ways before, now;
	struct compare_question question;
	struct compare_answer answer;
};

/* The sets that the services of an entry and the owners of uids belong to. */
struct entry_sets {
	const struct policy_set *from, *to;
};

bool entry_changes_state(const struct entry *entry);
bool entry_changes_mode(const struct entry *entry);
bool entry_changes_ways(const struct entry *entry);
bool entry_changes_unit(const struct entry *entry);
/* Whether there is anything to say. */
bool entry_differs(const struct entry *entry);
enum entry_effect entry_effect(const struct entry *entry);

/* exactly: with "gains", "losses" and "callers" besides the words. */
void entry_write(const struct entry *entry, const struct entry_sets *sets, bool exactly,
		 struct arena *arena, struct writer *w);

/* "changes", and exactly "gains" and "losses", of what is no service's own. */
void entry_write_shared(const struct compare_question *question,
			const struct compare_answer *answer, bool exactly, struct arena *arena,
			struct writer *w);

/* What governs a uid in words: "service", "nobody" or "refused". */
const char *entry_owner_name(uint32_t owner);

#endif
