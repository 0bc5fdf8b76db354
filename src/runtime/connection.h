/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connection.h - one call in a slot of the server's table. */
#ifndef UIDWALL_RUNTIME_CONNECTION_H
#define UIDWALL_RUNTIME_CONNECTION_H

#include <event2/event_struct.h>

#include "runtime/server.h"
#include "wire/frame.h"

enum connection_state {
	CONNECTION_FREE,
	CONNECTION_READING,
	CONNECTION_WAITING, /* has asked, and others are before it */
	CONNECTION_HELD,    /* there is no answer yet */
	CONNECTION_WRITING,
};

struct connection {
	struct connection_owner *owner;
	uint8_t state; /* enum connection_state */
	int fd;
	uint64_t number; /* in the order of their coming */
	struct server_caller caller;
	struct event io, deadline;
	uint8_t header[FRAME_HEADER];
	char *request; /* malloc'd once its length is known */
	size_t length;
	size_t n_read; /* header included */
	/* The answer: an empty frame (or nothing), a header, the bytes. */
	uint8_t head[2 * FRAME_HEADER];
	size_t n_head;
	char *body; /* malloc'd */
	size_t n_body;
	size_t n_written;
};

/* What all connections of a server share. */
struct connection_owner {
	struct server_options options;
	struct server_counts counts;
	uint64_t n_logged;
	time_t logged;
	struct timeval turn; /* of the event loop: what it calls now ... */
	int64_t spent_us;    /* ... and how long answers have taken since */
	unsigned n_waiting;
	struct event *next_turn;			    /* the server answers those who wait */
	void (*before_hold)(struct connection *connection); /* the server bounds how many */
};

/* Takes the descriptor of a caller that the kernel named at connect(). */
void connection_start(struct connection *connection, int fd, const struct server_caller *caller);
void connection_close(struct connection *connection);

/* Answers one that waits. */
void connection_answer(struct connection *connection);
/* Makes one that is held one that waits. */
void connection_wake(struct connection *connection);
/* Whether there is time for one more answer before others are looked after. */
bool connection_has_time(struct connection_owner *owner);

/* Sends one error frame in one go, or not at all: nobody waits for who is shown the door. */
void connection_dismiss(int fd, const char *text);

/* Counts, and logs unless it just did. */
void connection_count_refusal(struct connection_owner *owner, uint64_t *counter, uid_t uid,
			      const char *why);

#endif
