/* SPDX-License-Identifier: GPL-2.0-or-later */
/* absent.c - uids that a service had by a group, or by a name beside its unit's, and whose accounts
 * are gone → kept.
 *
 * An unknown "user" is a mistake, and a mistake changes nothing; but not where there is a "unit",
 * whose user may exist only while it runs (DynamicUser=). A group just has one member less:
 * a deleted account, one that only a name service knows which is silent now, or half of /etc/passwd
 * would set processes free that still run. Whoever takes somebody out of the group, but not out of
 * the world, has decided.
 */
#include "policy/absent.h"

#include <string.h>

#include "policy/claims.h"

enum { UIDS_OF_A_GROUP_MAX = 65536 };

/* What systemd gives out with DynamicUser= (systemd.exec(5)): the next unit may have it. */
enum { DYNAMIC_FIRST = 61184, DYNAMIC_LAST = 65519 };

/* The claim by which a uid may have been the service's that is not now; or NULL. */
static const struct claim *find_claim(const struct policy *policy, struct identity *identity)
{
	for (size_t i = 0; i < policy->n_claims; i++) {
		const struct claim *claim = &policy->claims[i];
		struct user_ref ref = { claim->name, claim->range.first, claim->place };

		if (claim->kind == CLAIM_GROUP ||
		    (claim->kind == CLAIM_USER && claims_find_user(&ref, identity) < 0))
			return claim;
	}
	return NULL;
}

static bool has_uid(const struct policy *policy, uint32_t uid)
{
	for (size_t i = 0; i < policy->n_subjects; i++)
		if (policy->subjects[i].is_named && policy->subjects[i].uids.first <= uid &&
		    uid <= policy->subjects[i].uids.last)
			return true;
	return false;
}

static void keep(struct policy *policy, uint32_t uid, const struct claim *claim,
		 struct arena *arena, struct diags *diags)
{
	*ARENA_APPEND(arena, policy->subjects, policy->n_subjects) = (struct subject){
		.uids = { uid, uid },
		.is_named = true,
		.place = claim->place,
	};
	diag_add_in(diags, DIAG_WARNING, claim->place, policy->text, policy->text_length,
		    "uid %u was %s and has no account now; it stays governed until it has one", uid,
		    claim->kind == CLAIM_GROUP ? "in the group" : "this user's");
}

void absent_keep(struct policy *policy, const struct last_good *last, struct identity *identity,
		 struct arena *arena, struct diags *diags)
{
	const struct claim *claim = find_claim(policy, identity);
	size_t n_asked = 0;

	if (!claim || last->is_refused)
		return;
	for (size_t i = 0; i < last->n_subjects; i++) {
		const struct subject *s = &last->subjects[i];

		for (uint32_t uid = s->uids.first; s->is_named && uid <= s->uids.last; uid++) {
			if (has_uid(policy, uid) || (uid >= DYNAMIC_FIRST && uid <= DYNAMIC_LAST))
				continue;
			if (n_asked++ >= UIDS_OF_A_GROUP_MAX)
				return;
			if (!identity_has_account(identity, uid))
				keep(policy, uid, claim, arena, diags);
		}
	}
	claims_sort_subjects(policy);
}
