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

/* Settles who gets uids that several candidates claim: a candidate that claims another's uids falls
 * back to what it was before. `demote` does that; it is called once for each.
 */
void claims_settle(struct candidate *candidates, size_t n, struct identity *identity,
		   struct arena *arena, void (*demote)(struct candidate *candidate, void *data),
		   void *data, struct diags *diags);

/* Fills set->named and set->ranges from the subjects of its services and, where the configuration
 * wants it, from /etc/subuid.
 */
void claims_index(struct policy_set *set, struct identity *identity, struct arena *arena,
		  struct diags *diags);

#endif
