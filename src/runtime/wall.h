/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wall.h - the generation in force, and how it changes. */
#ifndef UIDWALL_RUNTIME_WALL_H
#define UIDWALL_RUNTIME_WALL_H

#include "backend/nl/apply.h"
#include "runtime/generation.h"
#include "runtime/live.h"
#include "runtime/taken.h"
#include "wire/writer.h"

struct wall_options {
	const char *config;
	const char *policies;
	const char *state;
	void (*progress)(const char *phase); /* called between the phases of a change */
	int table_fd; /* the socket that owns the table, of an earlier process; -1: there is none */
};

/* What came of the last change, or attempt at one. */
struct wall_result {
	int64_t time;  /* seconds since 1970 */
	bool ok;       /* false: what was in force before still is */
	bool is_saved; /* the state folder holds what is in force */
	char *error;   /* malloc'd; NULL when ok */
	struct nl_result kernel;
	uint64_t total_us;
	size_t n_closed; /* connections that the new rules refuse */
	struct diags diags;
};

/* The way back to earlier policies; undo.h. */
struct wall_undo {
	struct trial trial;
	bool is_unsaved;      /* the state folder does not say so */
	bool is_lost;	      /* what was before the last change could not be written */
	struct arena *arena;  /* while a change waits ... */
	struct memory memory; /* ... what returns */
	unsigned n_failed;    /* attempts at going back in time */
	int64_t next_ms;      /* the next one, as boot_now_ms() */
};

struct wall {
	struct wall_options options;
	struct nl_table *table;
	struct live *live;	    /* NULL: open connections cannot be asked for */
	struct generation *current; /* never NULL after wall_start() */
	bool is_standing;	    /* the kernel holds current->rules; false: all is off */
	struct switches switches;
	struct wall_undo undo;
	uint64_t number;    /* of the generation in force, from 1 */
	uint64_t n_changes; /* attempted, and confirmed */
	int64_t started, applied;
	uint64_t checksum;	   /* of what is in the state folder */
	struct wall_result reload; /* the last one; a switch leaves what it found in the files */
	struct wall_result change; /* the last of another kind */
	struct wall_result *last;  /* the later of the two */
	struct taken taken;	   /* what others did to the table */
	uint64_t n_regroupings;	   /* set.groups became others, without a change */
	void (*on_regrouping)(void *data); /* told of each one; NULL: nobody */
	void *regrouping_data;
};

/* How many services are in which state; enum policy_state. */
struct wall_counts {
	size_t n[POLICY_OFF + 1];
};
struct wall_counts wall_count(const struct wall *wall);

/* Opens the way to the kernel; changes nothing there. Errors are logged. */
int wall_open(const struct wall_options *options, struct wall **ret_wall);
void wall_close(struct wall *wall); /* the rules stay; NULL is fine */
DEFINE_CLEANUP(wall, struct wall *, wall_close)

/* The first generation: from the files, else from what is remembered; the other way round where a
 * change was not confirmed or went back. Where neither can be had, or the kernel takes neither:
 * -errno, and the kernel is left with what it had. Errors are logged.
 */
int wall_start(struct wall *wall);

/* Reads all files anew and brings them into force; with confirm_s only for so many seconds, unless
 * undo_confirm() follows. wall->last says what came of it; logged. Where `explain` is not NULL and
 * it succeeded, it gets members of an object that the caller has begun: "diff" (an object), and
 * "sockets", those closed.
 */
void wall_reload(struct wall *wall, int64_t confirm_s, struct writer *explain);

/* Brings the name servers of /etc/resolv.conf as it is now into force, and nothing else: whatever
 * else the files say by now waits for the next reload. Does nothing where they are the same or the
 * configuration names its own. Logged.
 */
void wall_refresh_resolvers(struct wall *wall);

/* Takes a service, or with NULL the whole wall, down or puts it back; wall->last and the log as
 * above. Putting the whole wall back puts all services back. -ENOENT: no such service, nothing
 * happened.
 */
int wall_switch(struct wall *wall, const char *service, bool on);

#endif
