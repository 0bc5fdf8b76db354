/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nss.h - one question to the name service (NSS): the files, and whatever else nsswitch.conf names.
 */
#ifndef UIDWALL_POLICY_NSS_H
#define UIDWALL_POLICY_NSS_H

#include "base/arena.h"

enum nss_kind { NSS_USER, NSS_USER_OF_UID, NSS_GROUP, NSS_GROUP_OF_GID };

struct nss_question {
	enum nss_kind kind;
	const char *name; /* NULL: by the id */
	uint32_t id;
};

struct nss_answer {
	const char *name;
	uint32_t id;	      /* uid or gid */
	uint32_t gid;	      /* of a user */
	const char **members; /* of a group */
	size_t n_members;
};

/* 0, -ENOENT where there is none, another -errno where that is not to be learnt: -ETIMEDOUT. The
 * answer lives in the arena.
 */
int nss_ask(const struct nss_question *question, struct arena *arena,
	    struct nss_answer *ret_answer);

/* Asks right here, however long it takes: modules of the name service wait for a network that is
 * not there, or for a daemon that is stuck. What nss_ask() does unless somebody else was named.
 */
int nss_ask_here(const struct nss_question *question, struct arena *arena,
		 struct nss_answer *ret_answer);

/* Whom nss_ask() is to leave it to. */
void nss_leave_to(int (*ask)(const struct nss_question *question, struct arena *arena,
			     struct nss_answer *ret_answer));

#endif
