/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn.h - one client's connection, in a slot of a fixed table (table.c), from accept() to its
 * record.
 *
 *     OPENING    first bytes → who, where to (judge.c)
 *     RESOLVING  the name's addresses (way.c)
 *     DIALING    libcurl connects (way.c)
 *     AWAITING   a response's head is waited for, HTTP only (exchange.c)
 *     RELAYING   bytes both ways
 *     CLOSING    our last words are read by the client
 */
#ifndef UIDWALL_PROXY_CONN_H
#define UIDWALL_PROXY_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "proxy/serve/caller.h"
#include "proxy/out/dial.h"
#include "proxy/parse/head.h"
#include "proxy/daemon/lists.h"
#include "proxy/daemon/outbox.h"
#include "proxy/out/relay.h"
#include "proxy/resolve/resolve.h"
#include "proxy/serve/usage.h"

enum conn_stage {
	CONN_FREE,
	CONN_OPENING,
	CONN_RESOLVING,
	CONN_DIALING,
	CONN_AWAITING,
	CONN_RELAYING,
	CONN_CLOSING,
};

struct conns_options {
	struct event_base *base;
	struct owners *owners;
	struct dialer *dialer;
	struct resolver *resolver;
	struct outbox *outbox;
	struct usages *usages;
	/* Why there are no lists yet, for people. */
	const char *(*trouble)(void *data);
	void *data;
	const char *upstream; /* the site's proxy that everything goes through; NULL: none */
	uint16_t upstream_port;
	const char *authorization; /* basic_field() for it, or NULL */
	unsigned n_slots, n_pipes;
	unsigned first_bytes_ms, idle_ms, lifetime_ms; /* 0: no limit */
};

/* What all connections of a worker share. */
struct conns {
	struct conns_options options;
	const struct lists *lists; /* NULL: none yet */
	bool may_be_redirected;	   /* some service is transparent, or was */
	struct relay_pool *pool;
	struct conn *slots;
	unsigned n_used;	    /* slots that ever were in use */
	struct conn *free, *active; /* lists; active ones doubly linked */
	unsigned n_active;
	int epoll;
	struct event events;	    /* the epoll descriptor: some connection is ready */
	struct event sweep, resume; /* once a second; connections whose turn comes again */
	struct conn *due;	    /* for resume */
	int64_t logged_ms;
	uint64_t n_turned_away;
};

struct conn {
	struct conns *all;
	struct conn *next, *previous, *next_due;
	uint8_t stage;	 /* enum conn_stage */
	uint8_t way;	 /* enum record_way */
	uint8_t verdict; /* enum record_verdict */
	bool is_due;
	bool is_silent; /* let through by address alone: its first bytes are looked at still */
	bool would_be_refused; /* monitor mode */
	bool is_http_head;     /* the request is HEAD: the response has no body */
	bool has_answered;     /* bytes of a response are on their way */
	uint8_t n_interim;     /* responses 1xx so far */
	int client, server;    /* -1: none */
	struct event silence;
	uint32_t generation; /* of the slot: events of who had it before are told apart */
	struct caller caller;
	const struct list *list; /* of the lists in force; NULL: nobody's */
	const char *user;
	struct usage *usage;
	struct host host;
	uint16_t port;
	uint32_t line;
	const char *reason; /* a constant */
	struct prefix address;
	char *in; /* malloc'd: bytes that were read and not passed on; NUL behind them */
	size_t n_in;
	struct head *request; /* malloc'd; HTTP but CONNECT */
	struct head *response;
	struct resolver_query *query;
	struct dial *dial;
	struct relay relay;
	int64_t start_ms;    /* since 1970 */
	int64_t start_us;    /* as clock_now_us() */
	int64_t deadline_ms; /* as clock_now_ms(); 0: none */
	uint64_t seen_bytes; /* at the last sweep that saw them grow */
	int64_t seen_ms;
};

int conns_new(const struct conns_options *options, struct conns **ret_conns);
void conns_free(struct conns *conns);

/* Takes an accepted, non-blocking socket. own: that it was accepted at. */
void conns_accept(struct conns *conns, int fd, const struct sockaddr_storage *peer,
		  const struct sockaddr_storage *own);

/* From now on these: open connections are judged anew, and cut where their host was taken off. */
void conns_set_lists(struct conns *conns, const struct lists *lists);

/* --- between the files that move a connection on */

/* Events of the epoll set, and those whose turn comes again; data: struct conns. */
void conns_on_events(evutil_socket_t fd, short what, void *data);
void conns_on_resume(evutil_socket_t fd, short what, void *data);
/* From now on events of this socket, of the side RELAY_UP or RELAY_DOWN, are the connection's. */
int conn_watch(struct conn *conn, int fd, unsigned side);

/* Frees the slot. The record is written unless it came to no decision. */
void conn_end(struct conn *conn);
/* The same, with a reset to both sides. */
void conn_break(struct conn *conn);
/* Sends these last bytes to the client, and sees to it that it can read them. */
void conn_answer(struct conn *conn, const void *bytes, size_t n);
/* Moves bytes; the connection may have ended when it returns. */
void conn_push(struct conn *conn);
/* Lets go of the server, as if it had never been connected. */
void conn_part(struct conn *conn);
/* Takes the server's socket and starts the relay. 0 or -errno. */
int conn_join(struct conn *conn, int server);
/* Appends to `in`. 0, -ENOMEM, or -EMSGSIZE beyond max. */
int conn_keep(struct conn *conn, const void *bytes, size_t n, size_t max);
void conn_forget(struct conn *conn); /* what it kept */
/* A buffer for what is read and looked at within one call. */
enum { CONN_SCRATCH = 32 * 1024 };
extern _Thread_local char conn_scratch[CONN_SCRATCH];

/* judge.c: reads first bytes, and decides once they are enough. */
void judge_read(struct conn *conn);
/* Nothing came for a while: the other side may have to speak first. */
void judge_silence(struct conn *conn);
/* Under new lists: whether the open connection may stay. */
bool judge_again(struct conn *conn);
/* Refuses, with words for the client: a sentence's end, or NULL. */
void judge_refuse(struct conn *conn, const char *reason, const char *why);
/* The same for what is not forbidden but failed: a status and a sentence. */
void judge_fail(struct conn *conn, int status, const char *reason, const char *sentence);

/* Asks for a name on the service's behalf; fn as resolver_ask() has it. 0 or -errno. */
int conn_ask(struct conn *conn, const char *name,
	     void (*fn)(void *data, const struct resolution *resolution));
void conn_answered(struct conn *conn); /* first thing in fn */

/* way.c: allowed; resolves and dials. */
void way_out(struct conn *conn);
/* To this address, which was judged. */
void way_dial(struct conn *conn, const struct prefix *addresses, size_t n);

/* exchange.c: one HTTP request and its response. */
void exchange_begin(struct conn *conn); /* connected */
void exchange_read(struct conn *conn);	/* the server is readable, the response's head not there */

#endif
