/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c - the table of a worker's connections: slots, time limits, and lists that change under
 * them. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/parse/answer.h"
#include "proxy/serve/conn.h"

enum {
	SWEEP_MS = 1000,
	HALF_CLOSED_MS = 300000, /* idle, when one side has ended */
};

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

static void on_silence(evutil_socket_t fd, short what, void *data)
{
	judge_silence(data);
}

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
	recv(fd, conn_scratch, sizeof(conn_scratch), MSG_DONTWAIT);
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
	if (conn_watch(conn, fd, RELAY_UP) < 0) {
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
		/* It does not get a slot to read its answer in: others may need it. */
		if (conn->stage == CONN_CLOSING)
			conn_end(conn);
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
	event_assign(&conns->events, options->base, conns->epoll, EV_READ | EV_PERSIST,
		     conns_on_events, conns);
	if (!conns->pool || !conns->slots || conns->epoll < 0 ||
	    event_add(&conns->events, NULL) < 0) {
		conns_free(conns);
		return -ENOMEM;
	}
	event_assign(&conns->sweep, options->base, -1, EV_PERSIST, on_sweep, conns);
	event_assign(&conns->resume, options->base, -1, 0, conns_on_resume, conns);
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
