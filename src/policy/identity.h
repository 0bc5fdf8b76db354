/* SPDX-License-Identifier: GPL-2.0-or-later */
/* identity.h - users, groups and subordinate ids of this machine, as of one moment.
 *
 * /etc/passwd, /etc/group and /etc/subuid are read once; names that are not in them are asked of
 * the name service (NSS), one by one and remembered. A linear getpwnam() for each of 10,000
 * policies would read /etc/passwd 10,000 times.
 */
#ifndef UIDWALL_POLICY_IDENTITY_H
#define UIDWALL_POLICY_IDENTITY_H

#include "base/diag.h"
#include "policy/nss.h"
#include "policy/policy.h"

struct identity;

/* The snapshot lives in the arena. Files that are missing count as empty. -errno, with diags, where
 * one cannot be read to its end: there is a snapshot all the same, of what could be read.
 */
int identity_read(struct arena *arena, struct identity **ret_identity, struct diags *diags);

/* 0, or -ENOENT. */
int identity_find_user(struct identity *identity, const char *name, uint32_t *ret_uid);
int identity_find_group(struct identity *identity, const char *name, uint32_t *ret_gid);

/* The same without the name service: of /etc/passwd alone. */
int identity_find_local_user(const struct identity *identity, const char *name, uint32_t *ret_uid);

/* The names that were asked of the name service in vain. */
size_t identity_unknown(const struct identity *identity, const struct nss_question **ret_questions);

/* -errno of a name service that left a question unanswered, so that a name counts as missing that
 * may well be there; 0.
 */
int identity_unheard(const struct identity *identity);

/* Whether anybody has this uid. No, too, where the name service does not answer. */
bool identity_has_account(struct identity *identity, uint32_t uid);

/* The name of a uid, or NULL. */
const char *identity_user_name(struct identity *identity, uint32_t uid);

/* The first account of /etc/passwd with a uid in the range: its name, or NULL. */
const char *identity_first_user(struct identity *identity, struct number_range uids,
				uint32_t *ret_uid);

/* The uids of a group's members: those it lists and those whose primary group it is. */
size_t identity_group_members(struct identity *identity, uint32_t gid, const uint32_t **ret_uids);

/* The name closest to one that was not found, or NULL. */
const char *identity_suggest_user(struct identity *identity, const char *name);
const char *identity_suggest_group(struct identity *identity, const char *name);

struct subuid_range {
	uint32_t owner; /* uid */
	struct number_range uids;
	struct place place; /* in /etc/subuid */
};

/* All ranges, sorted by owner. */
size_t identity_subuids(struct identity *identity, const struct subuid_range **ret_ranges);

#endif
