/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn.c - one connection: its events, what is kept for it, and its end with a record. */
#include "proxy/serve/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"

enum {
	EVENTS_AT_ONCE = 128,
	CLOSING_MS = 2000,  /* for the client to read our last words */
	CLOSING_READS = 16, /* of CONN_SCRATCH bytes that a client sends on meanwhile */
};

_Thread_local char conn_scratch[CONN_SCRATCH];

/* --- ends */

/* Without a name it is where it was going. */
static void write_record(const struct conn *conn)
{
	char entry[HOST_ENTRY_MAX] = "", address[PREFIX_TEXT_MAX] = "";
	bool has_name = conn->host.name[0] || !conn->caller.is_redirected;
	bool is_refusal = conn->verdict == RECORD_REFUSED || conn->verdict == RECORD_WOULD_REFUSE;

	if (is_refusal && conn->host.name[0] && conn->list)
		host_format_entry(&conn->host, conn->port, entry);
	if (!has_name)
		format_prefix(&conn->caller.to, address);
	outbox_add(conn->all->options.outbox,
		   &(struct record){
			   .start_ms = conn->start_ms,
			   .duration_us = clock_now_us() - conn->start_us,
			   .service = conn->list ? conn->list->service : NULL,
			   .user = conn->user,
			   .uid = conn->caller.is_known ? (int64_t)conn->caller.owner.uid : -1,
			   .way = conn->way,
			   .verdict = conn->verdict,
			   .host = has_name ? conn->host.name : address,
			   .port = has_name ? conn->port : conn->caller.to_port,
			   .address = conn->address.family ? &conn->address : NULL,
			   .reason = conn->reason,
			   .file = conn->list ? conn->list->file : NULL,
			   .line = conn->line,
			   .entry = entry[0] ? entry : NULL,
			   .sent = conn->relay.ways[RELAY_UP].bytes,
			   .received = conn->relay.ways[RELAY_DOWN].bytes,
		   });
}

int conn_ask(struct conn *conn, const char *name,
	     void (*fn)(void *data, const struct resolution *resolution))
{
	struct conns *all = conn->all;
	int r;

	if (!usage_ask(all->options.usages, conn->usage))
		return -EAGAIN;
	r = resolver_ask(all->options.resolver, name, fn, conn, &conn->query);
	if (r < 0)
		usage_answered(all->options.usages, conn->usage);
	else
		conn->stage = CONN_RESOLVING;
	return r;
}

void conn_answered(struct conn *conn)
{
	conn->query = NULL;
	usage_answered(conn->all->options.usages, conn->usage);
}

void conn_part(struct conn *conn)
{
	fd_close(conn->server);
	conn->server = -1;
	relay_done(&conn->relay);
}

static void close_server(struct conn *conn)
{
	if (conn->query) {
		resolver_cancel(conn->query);
		conn_answered(conn);
	}
	dial_cancel(conn->dial);
	conn->dial = NULL;
	conn_part(conn);
}

static void settle(struct conn *conn)
{
	if (conn->verdict != RECORD_VERDICT_COUNT)
		write_record(conn);
	conn->verdict = RECORD_VERDICT_COUNT;
}

void conn_end(struct conn *conn)
{
	struct conns *all = conn->all;

	settle(conn);
	close_server(conn);
	event_del(&conn->silence);
	close(conn->client);
	usage_drop(all->options.usages, conn->usage);
	free(conn->in);
	free(conn->request);
	free(conn->response);
	if (conn->is_due) {
		struct conn **at = &all->due;

		while (*at != conn)
			at = &(*at)->next_due;
		*at = conn->next_due;
	}
	if (conn->previous)
		conn->previous->next = conn->next;
	else
		all->active = conn->next;
	if (conn->next)
		conn->next->previous = conn->previous;
	if (--all->n_active == 0)
		event_del(&all->sweep);
	conn->stage = CONN_FREE;
	conn->generation++;
	conn->next = all->free;
	all->free = conn;
}

void conn_break(struct conn *conn)
{
	const struct linger reset = { .l_onoff = 1 };

	setsockopt(conn->client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (conn->server >= 0)
		setsockopt(conn->server, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	conn_end(conn);
}

/* Bytes that nobody reads would turn close() into a reset, and that could overtake what was said.
 */
static void drain(struct conn *conn)
{
	for (unsigned i = 0; i < CLOSING_READS; i++) {
		ssize_t n = recv(conn->client, conn_scratch, sizeof(conn_scratch), 0);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			conn_end(conn);
			return;
		}
		if (n < 0)
			return;
	}
	conn_end(conn);
}

void conn_answer(struct conn *conn, const void *bytes, size_t n)
{
	settle(conn);
	close_server(conn);
	/* A client's empty receive buffer takes these few bytes at once, or it is none to wait for.
	 */
	if (n && send(conn->client, bytes, n, MSG_NOSIGNAL) < 0) {
		conn_end(conn);
		return;
	}
	shutdown(conn->client, SHUT_WR);
	conn->stage = CONN_CLOSING;
	conn->deadline_ms = clock_now_ms() + CLOSING_MS;
	drain(conn);
}

int conn_keep(struct conn *conn, const void *bytes, size_t n, size_t max)
{
	char *more;

	if (conn->n_in + n > max)
		return -EMSGSIZE;
	more = realloc(conn->in, conn->n_in + n + 1);
	if (!more)
		return -ENOMEM;
	memcpy(more + conn->n_in, bytes, n);
	conn->in = more;
	conn->n_in += n;
	more[conn->n_in] = '\0';
	return 0;
}

void conn_forget(struct conn *conn)
{
	free(conn->in);
	conn->in = NULL;
	conn->n_in = 0;
}

/* --- relay */

static void be_due(struct conn *conn)
{
	struct conns *all = conn->all;

	if (conn->is_due)
		return;
	conn->is_due = true;
	conn->next_due = all->due;
	all->due = conn;
	event_active(&all->resume, EV_TIMEOUT, 0);
}

void conns_on_resume(evutil_socket_t fd, short what, void *data)
{
	struct conns *all = data;
	struct conn *due = all->due;

	all->due = NULL;
	/* One that ends meanwhile takes itself out of all->due only. */
	for (struct conn *conn = due; conn; conn = conn->next_due)
		conn->is_due = false;
	while (due) {
		struct conn *conn = due;

		due = conn->next_due;
		if (conn->stage == CONN_RELAYING || conn->stage == CONN_AWAITING)
			conn_push(conn);
	}
}

/* What else the client sends is not read. A response that was cut short must not look whole. */
static void end_exchange(struct conn *conn)
{
	if (head_body_may_end(conn->response)) {
		conn_answer(conn, NULL, 0);
		return;
	}
	conn->reason = "cut-short";
	conn_break(conn);
}

void conn_push(struct conn *conn)
{
	int r = relay_push(&conn->relay);

	if (r < 0) {
		conn_break(conn);
		return;
	}
	if (conn->stage == CONN_RELAYING && conn->response && conn->relay.ways[RELAY_DOWN].is_shut)
		end_exchange(conn);
	else if (r == RELAY_ENDED)
		conn_end(conn);
	else if (r == RELAY_GOES_ON)
		be_due(conn);
}

/* --- events */

/* Sockets are known to the kernel by slot, generation and side: an event that was fetched together
 * with one that ended its connection must not reach the next one in the slot. A closed socket
 * leaves the epoll set by itself (epoll(7)): nobody else has a copy of it.
 */
int conn_watch(struct conn *conn, int fd, unsigned side)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.u64 = (uint64_t)(conn - conn->all->slots) << 33 |
			    (uint64_t)conn->generation << 1 | side,
	};

	return epoll_ctl(conn->all->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void on_client(struct conn *conn, bool can_read)
{
	switch ((enum conn_stage)conn->stage) {
	case CONN_OPENING:
		if (can_read)
			judge_read(conn);
		break;
	case CONN_RELAYING:
		if (conn->is_silent && can_read)
			judge_read(conn);
		else
			conn_push(conn);
		break;
	case CONN_AWAITING:
		conn_push(conn);
		break;
	case CONN_CLOSING:
		drain(conn);
		break;
	case CONN_FREE:
	case CONN_RESOLVING:
	case CONN_DIALING:
		break;
	}
}

static void on_server(struct conn *conn, bool can_read)
{
	if (conn->stage == CONN_AWAITING && can_read) {
		exchange_read(conn);
		return;
	}
	if (can_read)
		conn->is_silent = false; /* a protocol in which the server speaks first */
	conn_push(conn);
}

static void on_event(struct conns *all, const struct epoll_event *event)
{
	struct conn *conn = &all->slots[event->data.u64 >> 33];
	unsigned side = event->data.u64 & 1;
	bool can_read = event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR);

	if (conn->stage == CONN_FREE || conn->generation != (uint32_t)(event->data.u64 >> 1))
		return;
	if (can_read)
		conn->relay.ways[side].can_read = true;
	if (event->events & EPOLLRDHUP)
		conn->relay.ways[side].is_last = true;
	if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		conn->relay.ways[!side].can_write = true;
	if (side == RELAY_UP)
		on_client(conn, can_read);
	else if (conn->server >= 0)
		on_server(conn, can_read);
}

void conns_on_events(evutil_socket_t fd, short what, void *data)
{
	struct conns *all = data;
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(fd, events, EVENTS_AT_ONCE, 0);

	for (int i = 0; i < n; i++)
		on_event(all, &events[i]);
}

int conn_join(struct conn *conn, int server)
{
	bool can_read = conn->relay.ways[RELAY_UP].can_read;

	conn->server = server;
	relay_init(&conn->relay, conn->all->pool, conn->client, server);
	conn->relay.frame_data = conn;
	conn->relay.ways[RELAY_UP].can_read = can_read;
	conn->relay.ways[RELAY_DOWN].can_read = false;
	conn->seen_ms = clock_now_ms();
	conn->deadline_ms = 0;
	return conn_watch(conn, server, RELAY_DOWN);
}
