/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.h - connections on the control socket → one call each, from a caller the kernel vouches
 * for. */
#ifndef UIDWALL_RUNTIME_SERVER_H
#define UIDWALL_RUNTIME_SERVER_H

#include <sys/types.h>

#include "base/util.h"
#include "wire/writer.h"

struct event_base;

struct server_caller {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

enum {
	SERVER_SLOTS = 64,
	SERVER_SLOTS_OTHERS = 48,  /* for all but root */
	SERVER_SLOTS_EACH = 16,	   /* for one uid but root */
	SERVER_DEADLINE_MS = 5000, /* for asking, and again for taking the answer */
	SERVER_HELD_EACH = 2, /* calls of one uid that wait for news; one more ends the oldest */
};

/* What answer() returns, and nothing else with it, for a call that there is no answer to yet: it is
 * held, however long, until server_wake() or until whoever asked hangs up.
 */
enum { SERVER_HOLD = 1 };

struct server_options {
	struct event_base *base;
	int fd; /* listens, non-blocking, SO_PASSCRED; stays the caller's */
	int deadline_ms;
	/* Answers a call: writes JSON and returns 0, or returns -errno and, malloc'd, what to say.
	 */
	int (*answer)(void *data, const struct server_caller *caller, const char *request, size_t n,
		      struct writer *ret_answer, char **ret_error);
	void *data;
};

struct server_counts {
	uint64_t calls;	  /* handed to answer() */
	uint64_t refused; /* bad frames, credentials that do not agree, descriptors, no slot */
	uint64_t evicted; /* closed to make room: the oldest of a uid that has too many */
	uint64_t late;	  /* took longer than the deadline */
	unsigned held;	  /* calls that are held now */
	int64_t released; /* when the last one ceased to be; seconds since 1970, 0: never */
};

struct server;

int server_new(const struct server_options *options, struct server **ret_server);
void server_free(struct server *server); /* NULL is fine */
DEFINE_CLEANUP(server, struct server *, server_free)

/* Asks answer() anew for the calls that are held, soon: not before this returns. */
void server_wake(struct server *server);
const struct server_counts *server_get_counts(const struct server *server);

#endif
