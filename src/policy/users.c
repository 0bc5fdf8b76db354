/* SPDX-License-Identifier: GPL-2.0-or-later */
/* users.c - users that a policy or the configuration names without claiming them → uids. */
#include "policy/users.h"

#include "policy/claims.h"

int users_resolve_from(struct policy *policy, struct identity *identity, bool complain,
		       struct diags *diags)
{
	int r = 0;

	for (size_t i = 0; i < policy->n_listen; i++) {
		struct listener *listener = &policy->listen[i];
		size_t kept = 0;

		for (size_t j = 0; j < listener->n_from; j++) {
			struct user_ref *ref = &listener->from[j];

			if (claims_find_user(ref, identity) == 0)
				listener->from[kept++] = *ref;
			else if (complain)
				r = claims_report_unknown(DIAG_ERROR, policy->text,
							  policy->text_length, ref, identity,
							  diags);
		}
		listener->n_from = kept;
	}
	return r;
}

void users_resolve_proxy(struct config *config, const struct identity *identity)
{
	uint32_t uid;

	config->proxy_uid =
		identity_find_local_user(identity, USERS_PROXY, &uid) == 0 ? (int64_t)uid : -1;
}

void users_resolve_admins(struct config *config, struct identity *identity, struct diags *diags)
{
	size_t kept = 0;

	for (size_t i = 0; i < config->n_admins; i++) {
		struct user_ref *ref = &config->admins[i];

		if (claims_find_user(ref, identity) == 0)
			config->admins[kept++] = *ref;
		else
			claims_report_unknown(DIAG_WARNING, config->text, config->text_length, ref,
					      identity, diags);
	}
	config->n_admins = kept;
}
