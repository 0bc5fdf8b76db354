/* SPDX-License-Identifier: GPL-2.0-or-later */
/* absent.h - uids that a service had by a group, or by a name beside its unit's, and whose accounts
 * are gone.
 */
#ifndef UIDWALL_POLICY_ABSENT_H
#define UIDWALL_POLICY_ABSENT_H

#include "policy/identity.h"
#include "policy/policy_set.h"

/* Gives the policy those uids back. `last` is what its service was before. */
void absent_keep(struct policy *policy, const struct last_good *last, struct identity *identity,
		 struct arena *arena, struct diags *diags);

#endif
