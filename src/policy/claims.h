/* SPDX-License-Identifier: GPL-2.0-or-later */
/* claims.h - users, groups and ranges that policies claim → which uid is whose. */
#ifndef UIDWALL_POLICY_CLAIMS_H
#define UIDWALL_POLICY_CLAIMS_H

#include "policy/policy_set.h"

/* A file on its way to a service in force. */
struct candidate {
	struct policy *policy;
	uint8_t state; /* enum policy_state; a mistake turns POLICY_GOOD into one of the others */
	const struct last_good *last_good; /* of the same file or service, or NULL */
};

/* Fills in ref->uid; -ENOENT. A name of digits that no user has counts as a number. */
int claims_find_user(struct user_ref *ref, struct identity *identity);
/* With the line of the text (of a whole file) that names the user. */
int claims_report_unknown(enum diag_severity severity, const char *text, size_t length,
			  const struct user_ref *ref, struct identity *identity,
			  struct diags *diags);

/* Names → uids. Unknown ones are errors where complain is set, else they are left out. */
int claims_resolve(struct policy *policy, struct identity *identity, struct arena *arena,
		   bool complain, struct diags *diags);

/* Sorts the subjects, names first; what a policy claims twice counts once. */
void claims_sort_subjects(struct policy *policy);

/* Candidates that claim uids of others fall back to what they were before: `demote` does that; it
 * is called once for each. Says whether it was: a candidate that fell back may bear another name.
 */
bool claims_settle(struct candidate *candidates, size_t n, struct identity *identity,
		   struct arena *arena, void (*demote)(struct candidate *candidate, void *data),
		   void *data, struct diags *diags);

/* Shares out the uids that several claim still: a service that is refused everything has no right
 * to those of another. For when no candidate changes any more.
 */
void claims_yield(struct candidate *candidates, size_t n, struct arena *arena);

/* Fills set->named and set->ranges from the subjects of its services and, where the configuration
 * wants it, from /etc/subuid.
 */
void claims_index(struct policy_set *set, struct identity *identity, struct arena *arena,
		  struct diags *diags);

#endif
