/* SPDX-License-Identifier: GPL-2.0-or-later */
/* last_good.h - policies that were in force before: found for a file, and made policies again. */
#ifndef UIDWALL_POLICY_LAST_GOOD_H
#define UIDWALL_POLICY_LAST_GOOD_H

#include "policy/identity.h"
#include "policy/policy_set.h"

/* Entries that were refused everything are in no index: a file never falls back to them. */
struct last_good_index {
	const struct last_good **by_file, **by_service; /* sorted */
	size_t n;
};

/* set may be NULL. */
void last_good_index(const struct last_good_set *set, struct arena *arena,
		     struct last_good_index *ret_index);

/* What a file, or its service (may be NULL), was before; or NULL. `files` are the names of all
 * files without their folders, sorted.
 */
const struct last_good *last_good_find(const struct last_good_index *index, const char *file,
				       const char *service, const char *const *files,
				       size_t n_files);

/* The policy again, with the uids it had then. -errno: this version does not take its text, only
 * whose sockets it is about counts; so it is with one that was refused everything.
 */
int last_good_restore(const struct last_good *last, struct identity *identity, struct arena *arena,
		      const char *path, struct policy **ret_policy);

#endif
