/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay.h - bytes from one socket to the other, in both directions, with half-closes kept.
 *
 * Sockets are non-blocking and edge-triggered: who owns them says when they become readable or
 * writable, and pushes.
 */
#ifndef UIDWALL_PROXY_RELAY_H
#define UIDWALL_PROXY_RELAY_H

#include "base/util.h"

enum { RELAY_UP, RELAY_DOWN }; /* ways: client to server and back; also the sockets they start at */

/* How many of these bytes belong to what may pass: 0, 1: it ends with them, or -errno. */
typedef int (*relay_frame_fn)(void *data, const char *bytes, size_t n, size_t *ret_taken);

struct relay_way {
	uint64_t bytes; /* delivered */
	char *held;	/* malloc'd: read, and not taken yet */
	uint32_t n_held, held_at;
	uint32_t n_piped; /* in the pipe */
	int pipe[2];	  /* -1: none */
	relay_frame_fn frame;
	uint8_t n_full; /* reads in a row that filled the buffer */
	bool is_last;	/* its end has arrived behind what can be read now */
	bool may_read;	/* false: its turn has not come */
	bool can_read, can_write;
	bool has_ended; /* nothing more comes ... */
	bool is_shut;	/* ... and the receiver knows */
	bool is_quiet;	/* the receiver is not told: its peer's message ended, not the connection */
};

struct relay_pool; /* pipes and memory, shared by all */

struct relay {
	struct relay_pool *pool;
	int fds[2]; /* by enum: the client's, the server's */
	struct relay_way ways[2];
	void *frame_data;
};

/* n_pipes: at most so many at once; flows beyond them are copied. NULL: no memory. */
struct relay_pool *relay_pool_new(unsigned n_pipes);
void relay_pool_free(struct relay_pool *pool);

void relay_init(struct relay *relay, struct relay_pool *pool, int client, int server);
void relay_done(struct relay *relay); /* the sockets stay the caller's */

/* Bytes that go before whatever is read: copied. 0 or -ENOMEM. */
int relay_put(struct relay *relay, unsigned way, const void *bytes, size_t n);

enum relay_result {
	RELAY_WAITS,   /* for an event */
	RELAY_GOES_ON, /* others had to have their turn: push again soon */
	RELAY_ENDED,   /* both ways, and everything was delivered */
};

/* Moves what can be moved. enum relay_result, or -errno: a connection broke. */
int relay_push(struct relay *relay);

#endif
