/* SPDX-License-Identifier: GPL-2.0-or-later */
/* users.h - users that a policy or the configuration names without claiming them → uids. */
#ifndef UIDWALL_POLICY_USERS_H
#define UIDWALL_POLICY_USERS_H

#include "policy/config.h"
#include "policy/identity.h"
#include "policy/policy.h"

/* Of "listen ... from". Unknown ones are errors (-EINVAL) where complain is set; they are left out.
 */
int users_resolve_from(struct policy *policy, struct identity *identity, bool complain,
		       struct diags *diags);

/* Of the built-in proxy; it is a system user, so the name service is not asked. */
#define USERS_PROXY "uidwall-proxy"
void users_resolve_proxy(struct config *config, const struct identity *identity);

/* Of "admins". Unknown ones are left out, with a warning. */
void users_resolve_admins(struct config *config, struct identity *identity, struct diags *diags);

#endif
