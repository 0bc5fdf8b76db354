/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parse.h - one policy file → struct policy. */
#ifndef UIDWALL_POLICY_PARSE_H
#define UIDWALL_POLICY_PARSE_H

#include "policy/keys.h"
#include "policy/policy.h"

extern const struct key_table policy_keys;

/* Fills ret_policy also where there are mistakes (-EINVAL), as far as it got: the service's name
 * and whose sockets it is about are needed to refuse it everything. file and text always stand.
 */
int policy_parse(const struct source *source, struct arena *arena, struct policy *ret_policy,
		 struct diags *diags);

/* The keys a policy uses whose effect this version does not have: at most max names. */
size_t policy_keys_without_effect(const struct policy *policy, const char *ret_names[], size_t max);

#endif
