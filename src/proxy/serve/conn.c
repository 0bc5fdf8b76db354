/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn.c - the table of connections: slots, events, time limits, and the end of each with its
 * record. */
#include "proxy/serve/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/parse/answer.h"

enum {
	EVENTS_AT_ONCE = 128,
	SWEEP_MS = 1000,
	CLOSING_MS = 2000,	 /* for the client to read our last words */
	HALF_CLOSED_MS = 300000, /* idle, when one side has ended */
	CLOSING_READS = 16,	 /* of CONN_SCRATCH bytes that a client sends on meanwhile */
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

static void on_resume(evutil_socket_t fd, short what, void *data)
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
static int watch(struct conn *conn, int fd, unsigned side)
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

static void on_events(evutil_socket_t fd, short what, void *data)
{
	struct conns *all = data;
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(fd, events, EVENTS_AT_ONCE, 0);

	for (int i = 0; i < n; i++)
		on_event(all, &events[i]);
}

static void on_silence(evutil_socket_t fd, short what, void *data)
{
	judge_silence(data);
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
	return watch(conn, server, RELAY_DOWN);
}

/* --- time limits */

/* false: it is over. */
static bool is_in_time(struct conn *conn, int64_t now_ms)
{
	const struct conns_options *options = &conn->all->options;
	const struct relay_way *ways = conn->relay.ways;
	uint64_t bytes = ways[RELAY_UP].bytes + ways[RELAY_DOWN].bytes;
	int64_t idle_ms = options->idle_ms;

	if (conn->deadline_ms && now_ms >= conn->deadline_ms) {
		conn->reason = "timeout";
		return false;
	}
	if (conn->stage != CONN_RELAYING && conn->stage != CONN_AWAITING)
		return true;
	if (options->lifetime_ms &&
	    clock_now_us() - conn->start_us > (int64_t)options->lifetime_ms * 1000) {
		conn->reason = "lifetime";
		return false;
	}
	if (bytes != conn->seen_bytes) {
		conn->seen_bytes = bytes;
		conn->seen_ms = now_ms;
	}
	if ((ways[RELAY_UP].is_shut || ways[RELAY_DOWN].is_shut) &&
	    (!idle_ms || idle_ms > HALF_CLOSED_MS))
		idle_ms = HALF_CLOSED_MS;
	if (!idle_ms || now_ms - conn->seen_ms < idle_ms)
		return true;
	conn->reason = "idle";
	return false;
}

static void give_up(struct conn *conn)
{
	switch ((enum conn_stage)conn->stage) {
	case CONN_OPENING:
		conn->verdict = RECORD_REFUSED;
		judge_fail(conn, 408, "timeout", "no request came in time");
		break;
	case CONN_RESOLVING:
	case CONN_DIALING:
		judge_fail(conn, 504, "timeout", "the target did not answer in time");
		break;
	case CONN_AWAITING:
		judge_fail(conn, 504, conn->reason, "the target sent no response in time");
		break;
	case CONN_CLOSING:
		conn_end(conn);
		break;
	case CONN_FREE:
	case CONN_RELAYING:
		conn_break(conn);
		break;
	}
}

static void on_sweep(evutil_socket_t fd, short what, void *data)
{
	struct conns *all = data;
	int64_t now_ms = clock_now_ms();

	for (struct conn *conn = all->active, *next; conn; conn = next) {
		next = conn->next;
		if (!is_in_time(conn, now_ms))
			give_up(conn);
	}
}

/* --- entry points */

static void turn_away(struct conns *all, int fd, int status, const char *sentence)
{
	char bytes[ANSWER_MAX];
	size_t n = answer_fail(status, sentence, bytes);
	int64_t now_ms = clock_now_ms();

	all->n_turned_away++;
	if (now_ms - all->logged_ms > 1000) {
		log_warning("%s; %llu turned away so far", sentence,
			    (unsigned long long)all->n_turned_away);
		all->logged_ms = now_ms;
	}
	if (send(fd, bytes, n, MSG_NOSIGNAL) > 0)
		shutdown(fd, SHUT_WR);
	while (recv(fd, conn_scratch, sizeof(conn_scratch), MSG_DONTWAIT) > 0)
		;
	close(fd);
}

static struct conn *take_slot(struct conns *all)
{
	const struct timeval second = { SWEEP_MS / 1000, 0 };
	struct conn *conn = all->free;

	if (conn)
		all->free = conn->next;
	else
		conn = &all->slots[all->n_used++];
	*conn = (struct conn){
		.generation = conn->generation,
		.all = all,
		.next = all->active,
		.stage = CONN_OPENING,
		.way = RECORD_UNKNOWN,
		.verdict = RECORD_VERDICT_COUNT,
		.client = -1,
		.server = -1,
	};
	conn->relay.ways[RELAY_UP].can_read = true;
	if (all->active)
		all->active->previous = conn;
	all->active = conn;
	if (all->n_active++ == 0)
		event_add(&all->sweep, &second);
	return conn;
}

static int64_t real_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void conns_accept(struct conns *conns, int fd, const struct sockaddr_storage *peer,
		  const struct sockaddr_storage *own)
{
	struct conn *conn;
	int r;

	if (!conns->free && conns->n_used == conns->options.n_slots) {
		turn_away(conns, fd, 503, "uidwall-proxy has no room for more connections");
		return;
	}
	conn = take_slot(conns);
	conn->client = fd;
	conn->start_us = clock_now_us();
	conn->start_ms = real_ms();
	conn->deadline_ms = conn->start_us / 1000 + conns->options.first_bytes_ms;
	caller_find(conns->options.owners, fd, peer, own, conns->may_be_redirected, &conn->caller);
	if (conns->lists && conn->caller.is_known)
		conn->list = lists_find(conns->lists, conn->caller.owner.uid,
					conn->caller.owner.cgroup, &conn->user);
	event_assign(&conn->silence, conns->options.base, -1, 0, on_silence, conn);
	if (watch(conn, fd, RELAY_UP) < 0) {
		conn_break(conn);
		return;
	}
	r = usage_take(conns->options.usages, conn->list ? conn->list->service : NULL,
		       conn->caller.is_known ? (int64_t)conn->caller.owner.uid : -1, &conn->usage);
	if (r < 0) {
		conn->verdict = RECORD_REFUSED;
		judge_fail(conn, 503, "too-many",
			   r == -EUSERS ? "this service has as many connections open as it may" :
					  "all connections that there can be are open");
		return;
	}
	judge_read(conn);
}

void conns_set_lists(struct conns *conns, const struct lists *lists)
{
	conns->lists = lists;
	for (size_t i = 0; i < lists_count(lists); i++)
		if (lists_at(lists, i)->transparent)
			conns->may_be_redirected = true;
	for (struct conn *conn = conns->active, *next; conn; conn = next) {
		next = conn->next;
		conn->user = NULL;
		conn->list = conn->caller.is_known ?
				     lists_find(lists, conn->caller.owner.uid,
						conn->caller.owner.cgroup, &conn->user) :
				     NULL;
		if (conn->stage == CONN_FREE || conn->stage == CONN_OPENING ||
		    conn->stage == CONN_CLOSING || judge_again(conn))
			continue;
		conn->verdict = RECORD_CUT;
		conn->reason = "taken-off";
		conn_break(conn);
	}
}

int conns_new(const struct conns_options *options, struct conns **ret_conns)
{
	struct conns *conns = calloc(1, sizeof(*conns));

	if (!conns)
		return -ENOMEM;
	conns->options = *options;
	conns->logged_ms = -1000;
	conns->epoll = epoll_create1(EPOLL_CLOEXEC);
	conns->pool = relay_pool_new(options->n_pipes);
	/* Not touched until used: the kernel gives pages as they are. */
	conns->slots = calloc(options->n_slots, sizeof(*conns->slots));
	event_assign(&conns->events, options->base, conns->epoll, EV_READ | EV_PERSIST, on_events,
		     conns);
	if (!conns->pool || !conns->slots || conns->epoll < 0 ||
	    event_add(&conns->events, NULL) < 0) {
		conns_free(conns);
		return -ENOMEM;
	}
	event_assign(&conns->sweep, options->base, -1, EV_PERSIST, on_sweep, conns);
	event_assign(&conns->resume, options->base, -1, 0, on_resume, conns);
	*ret_conns = conns;
	return 0;
}

void conns_free(struct conns *conns)
{
	if (!conns)
		return;
	while (conns->active)
		conn_end(conns->active);
	if (conns->epoll >= 0) {
		event_del(&conns->events);
		close(conns->epoll);
	}
	relay_pool_free(conns->pool);
	free(conns->slots);
	free(conns);
}
