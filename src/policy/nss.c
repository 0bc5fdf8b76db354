/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nss.c - one question to the name service → the entry, copied. */
#include "policy/nss.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

enum { BUFFER_FIRST = 4096, BUFFER_MAX = 1024 * 1024 };

/* Of a result that is not there: what getpwnam_r(3) says when it found none, and what modules do.
 */
static int none(int r)
{
	return r == 0 || r == ENOENT || r == ESRCH ? -ENOENT : -r;
}

static int ask_user(const struct nss_question *q, char *buffer, size_t n, struct arena *arena,
		    struct nss_answer *ret_answer)
{
	struct passwd entry, *found = NULL;
	int r = q->name ? getpwnam_r(q->name, &entry, buffer, n, &found) :
			  getpwuid_r(q->id, &entry, buffer, n, &found);

	if (!found)
		return none(r);
	*ret_answer = (struct nss_answer){
		.name = arena_strdup(arena, found->pw_name),
		.id = found->pw_uid,
		.gid = found->pw_gid,
	};
	return 0;
}

static int ask_group(const struct nss_question *q, char *buffer, size_t n, struct arena *arena,
		     struct nss_answer *ret_answer)
{
	struct group entry, *found = NULL;
	struct nss_answer answer = { 0 };
	int r = q->name ? getgrnam_r(q->name, &entry, buffer, n, &found) :
			  getgrgid_r(q->id, &entry, buffer, n, &found);

	if (!found)
		return none(r);
	answer.name = arena_strdup(arena, found->gr_name);
	answer.id = found->gr_gid;
	for (char **member = found->gr_mem; *member; member++)
		*ARENA_APPEND(arena, answer.members, answer.n_members) =
			arena_strdup(arena, *member);
	*ret_answer = answer;
	return 0;
}

int nss_ask_here(const struct nss_question *question, struct arena *arena,
		 struct nss_answer *ret_answer)
{
	bool is_user = question->kind == NSS_USER || question->kind == NSS_USER_OF_UID;
	int r = -ERANGE;

	for (size_t n = BUFFER_FIRST; r == -ERANGE && n <= BUFFER_MAX; n *= 4) {
		AUTO(mem) char *buffer = malloc(n);

		if (!buffer)
			return -ENOMEM;
		r = is_user ? ask_user(question, buffer, n, arena, ret_answer) :
			      ask_group(question, buffer, n, arena, ret_answer);
	}
	return r;
}

static int (*asks)(const struct nss_question *question, struct arena *arena,
		   struct nss_answer *ret_answer) = nss_ask_here;

void nss_leave_to(int (*ask)(const struct nss_question *question, struct arena *arena,
			     struct nss_answer *ret_answer))
{
	asks = ask;
}

int nss_ask(const struct nss_question *question, struct arena *arena, struct nss_answer *ret_answer)
{
	return asks(question, arena, ret_answer);
}
