/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge.c - a connection's first bytes → who asks for what → the verdict.
 *
 * Explicit: an HTTP request says where to. Redirected: a ClientHello's server name or an HTTP Host
 * says so, and the address that the client looked up is not believed. What is neither goes by its
 * original address, on ports that the service's hosts name: it must be one that a listed name has.
 * Such a client may wait for the server to speak first; if it then speaks first after all, it is
 * judged by what it says.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "proxy/parse/answer.h"
#include "proxy/serve/conn.h"
#include "proxy/parse/hello.h"
#include "proxy/parse/opening.h"

enum {
	SILENCE_MS = 300,	     /* after which the other side may be who speaks first */
	KEPT_MAX = 2 * CONN_SCRATCH, /* an opening is shorter, or refused for its length */
	PORT_HTTP = 80,
	PORT_HTTPS = 443,
};

/* --- refusals */

static bool is_tls(const struct conn *conn)
{
	return conn->way == RECORD_TLS;
}

/* Whether the client understands a response. */
static bool speaks_http(const struct conn *conn)
{
	return !conn->caller.is_redirected || conn->way == RECORD_PLAIN_HTTP;
}

static void say(struct conn *conn, const char *bytes, size_t n)
{
	if (speaks_http(conn) && !conn->has_answered)
		conn_answer(conn, bytes, conn->is_http_head ? answer_head_length(bytes, n) : n);
	else if (is_tls(conn) && !conn->has_answered)
		conn_answer(conn, answer_tls_alert, sizeof(answer_tls_alert));
	else
		conn_break(conn);
}

void judge_refuse(struct conn *conn, const char *reason, const char *why)
{
	char bytes[ANSWER_MAX], entry[HOST_ENTRY_MAX] = "";
	bool has_entry = conn->list && conn->list->proxy && conn->host.name[0];

	conn->verdict = RECORD_REFUSED;
	conn->reason = reason;
	if (has_entry)
		host_format_entry(&conn->host, conn->port, entry);
	say(conn, bytes,
	    answer_refuse(
		    &(struct answer_refusal){
			    .service = conn->list ? conn->list->service : NULL,
			    .file = conn->list ? conn->list->file : NULL,
			    .user = conn->user,
			    .uid = conn->caller.is_known ? (int64_t)conn->caller.owner.uid : -1,
			    .host = conn->host.name,
			    .port = conn->port,
			    .why = why,
			    .line = conn->line,
			    .entry = has_entry ? entry : NULL,
		    },
		    bytes));
}

void judge_fail(struct conn *conn, int status, const char *reason, const char *sentence)
{
	char bytes[ANSWER_MAX];

	if (conn->verdict != RECORD_REFUSED)
		conn->verdict = RECORD_FAILED;
	conn->reason = reason;
	say(conn, bytes, answer_fail(status, sentence, bytes));
}

/* --- who */

/* false: refused, and said so. */
static bool may_ask(struct conn *conn)
{
	struct conns *all = conn->all;

	conn->verdict = RECORD_REFUSED;
	if (!conn->caller.is_known)
		judge_refuse(conn, "no-owner", "no process holds this connection (any more)");
	else if (!all->lists)
		judge_fail(conn, 503, "no-lists", all->options.trouble(all->options.data));
	else if (!conn->list)
		judge_refuse(conn, "no-policy", "no policy governs this user");
	else if (!conn->list->proxy && conn->list->mode == LIST_ENFORCE)
		judge_refuse(conn, "proxy-off", "its policy lets it reach no proxy");
	else
		return true;
	return false;
}

/* --- where to */

static void decide(struct conn *conn)
{
	struct host_decision decision =
		host_list_decide(conn->list->hosts, &conn->host, conn->port);

	conn->line = decision.line;
	conn->would_be_refused = decision.verdict != HOST_ALLOWED || !conn->list->proxy;
	if (decision.verdict != HOST_ALLOWED && conn->list->mode == LIST_ENFORCE) {
		judge_refuse(conn, host_verdict_name(decision.verdict),
			     host_verdict_words(decision.verdict));
		return;
	}
	conn->verdict = conn->would_be_refused ? RECORD_WOULD_REFUSE : RECORD_ALLOWED;
	if (conn->would_be_refused)
		conn->reason =
			conn->list->proxy ? host_verdict_name(decision.verdict) : "proxy-off";
	way_out(conn);
}

/* No name to judge by: refused, or, in monitor mode, let through to where it was going. */
static void without_name(struct conn *conn, const char *reason, const char *why)
{
	if (!may_ask(conn))
		return;
	if (conn->list->mode == LIST_ENFORCE) {
		judge_refuse(conn, reason, why);
		return;
	}
	conn->verdict = RECORD_WOULD_REFUSE;
	conn->would_be_refused = true;
	conn->reason = reason;
	conn->port = conn->caller.to_port;
	way_dial(conn, &conn->caller.to, 1);
}

/* --- explicit requests, and redirected ones of HTTP */

static void bad_request(struct conn *conn, const struct head_error *error)
{
	if (!may_ask(conn))
		return;
	conn->verdict = RECORD_REFUSED;
	judge_fail(conn, error->status, "bad-request", error->why);
}

/* These bytes, which may be some of those that are kept, and no others. */
static int keep_only(struct conn *conn, const char *bytes, size_t n)
{
	if (conn->n_in) {
		memmove(conn->in, bytes, n);
		conn->n_in = n;
		return 0;
	}
	return n ? conn_keep(conn, bytes, n, SIZE_MAX) : 0;
}

/* -ENOMEM, or 0: the connection went on from here. */
static int take_request(struct conn *conn, const struct head *head, const char *bytes, size_t n)
{
	conn->host = head->host;
	conn->port = conn->caller.is_redirected ? conn->caller.to_port : head->port;
	if (head->is_connect) {
		conn->way = RECORD_CONNECT;
		if (keep_only(conn, bytes + head->length, n - head->length) < 0)
			return -ENOMEM;
	} else {
		conn->way = conn->caller.is_redirected ? RECORD_PLAIN_HTTP : RECORD_HTTP;
		conn->is_http_head = head->is_head;
		conn->request = malloc(sizeof(*conn->request));
		if (!conn->request)
			return -ENOMEM;
		*conn->request = *head;
		conn->request->port = conn->port; /* what is judged is what is asked for */
	}
	if (may_ask(conn))
		decide(conn);
	return 0;
}

/* 1: more is needed. */
static int judge_http(struct conn *conn, const char *bytes, size_t n)
{
	static _Thread_local struct head head; /* large, and needed for no longer than this */
	struct head_error error;
	enum head_kind kind = conn->caller.is_redirected ? HEAD_TRANSPARENT : HEAD_EXPLICIT;
	int r = head_read(bytes, n, kind, &head, &error);

	if (r < 0) {
		conn->way = conn->caller.is_redirected ? RECORD_PLAIN_HTTP : RECORD_HTTP;
		bad_request(conn, &error);
		return 0;
	}
	if (r == 0)
		return 1;
	/* All but CONNECT are written anew from these bytes later on. */
	if (!head.is_connect && bytes != conn->in) {
		r = conn_keep(conn, bytes, n, SIZE_MAX);
		if (r == 0)
			r = head_read(conn->in, n, kind, &head, &error) > 0 ? 0 : -EBADMSG;
	}
	if (r >= 0)
		r = take_request(conn, &head, bytes, n);
	if (r < 0)
		judge_fail(conn, 503, "no-memory", "uidwall-proxy has no memory left");
	return 0;
}

/* --- redirected: TLS, or by address */

static int judge_tls(struct conn *conn, const char *bytes, size_t n)
{
	const char *why = "";
	struct hello hello;
	int r = hello_read((const uint8_t *)bytes, n, &hello, &why);

	if (r == 0)
		return 1;
	conn->way = RECORD_TLS;
	conn->port = conn->caller.to_port;
	if (bytes != conn->in && conn_keep(conn, bytes, n, SIZE_MAX) < 0) {
		conn_break(conn);
		return 0;
	}
	if (r < 0)
		without_name(conn, "bad-hello", why);
	else if (!hello.name[0])
		without_name(conn, "no-name", "its TLS hello names no server (SNI)");
	else if (host_parse(hello.name, strlen(hello.name), &conn->host, &why) < 0)
		without_name(conn, "bad-name", why);
	else if (may_ask(conn))
		decide(conn);
	return 0;
}

static void judge_other(struct conn *conn);

static void on_resolved(void *data, const struct resolution *resolution)
{
	struct conn *conn = data;

	conn_answered(conn);
	judge_other(conn);
}

/* By address: one that a listed name with this port has, or has had. Names that are not known yet
 * are asked for, one after the other.
 */
static void judge_other(struct conn *conn)
{
	const struct host_list *hosts = conn->list->hosts;
	struct resolver *resolver = conn->all->options.resolver;
	const char *name, *why;
	size_t at = 0;

	while ((name = host_list_next_name(hosts, conn->port, &at))) {
		if (resolver_had(resolver, name, &conn->caller.to)) {
			host_parse(name, strlen(name), &conn->host, &why);
			decide(conn);
			return;
		}
	}
	for (at = 0; (name = host_list_next_name(hosts, conn->port, &at));) {
		if (resolver_known(resolver, name))
			continue;
		if (conn_ask(conn, name, on_resolved) == 0)
			return;
	}
	without_name(conn, "not-its-address",
		     "this address belongs to none of its hosts with this port");
}

static int judge_by_address(struct conn *conn, const char *bytes, size_t n)
{
	conn->way = RECORD_OTHER;
	conn->port = conn->caller.to_port;
	if (n && bytes != conn->in && conn_keep(conn, bytes, n, SIZE_MAX) < 0) {
		conn_break(conn);
		return 0;
	}
	if (!may_ask(conn))
		return 0;
	if (conn->port == PORT_HTTP || conn->port == PORT_HTTPS)
		without_name(conn, "not-tls-or-http", "this is neither TLS nor HTTP");
	else
		judge_other(conn);
	return 0;
}

static int judge_opening(struct conn *conn, const char *bytes, size_t n)
{
	if (!conn->caller.is_redirected)
		return judge_http(conn, bytes, n);
	switch (opening_tell((const uint8_t *)bytes, n)) {
	case OPENING_TLS:
		return judge_tls(conn, bytes, n);
	case OPENING_HTTP:
		return judge_http(conn, bytes, n);
	case OPENING_OTHER:
		return judge_by_address(conn, bytes, n);
	case OPENING_MORE:
	case OPENING_MAX:
		break;
	}
	return 1;
}

/* It spoke first though it was let through as one that listens: what it says counts. */
static void speaks_after_all(struct conn *conn)
{
	conn->is_silent = false;
	conn_part(conn);
	conn->address = (struct prefix){ 0 };
	conn->host = (struct host){ 0 };
	conn->stage = CONN_OPENING;
	conn->deadline_ms = clock_now_ms() + conn->all->options.first_bytes_ms;
}

static void wait_for_more(struct conn *conn)
{
	const struct timeval silence = { 0, SILENCE_MS * 1000 };

	/* A listener of some protocol; a web server's clients speak first. */
	if (conn->caller.is_redirected && conn->n_in == 0 && conn->caller.to_port != PORT_HTTP &&
	    conn->caller.to_port != PORT_HTTPS)
		event_add(&conn->silence, &silence);
}

void judge_silence(struct conn *conn)
{
	if (conn->stage != CONN_OPENING || conn->n_in)
		return;
	conn->is_silent = true;
	judge_by_address(conn, NULL, 0);
}

void judge_read(struct conn *conn)
{
	const char *bytes;
	ssize_t n;

	for (;;) {
		n = recv(conn->client, conn_scratch, CONN_SCRATCH - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			conn->relay.ways[RELAY_UP].can_read = false;
			wait_for_more(conn);
			return;
		}
		if (n <= 0) {
			conn_end(conn);
			return;
		}
		event_del(&conn->silence);
		if (conn->is_silent)
			speaks_after_all(conn);
		bytes = conn_scratch;
		if (conn->n_in) {
			if (conn_keep(conn, conn_scratch, (size_t)n, KEPT_MAX) < 0)
				break;
			bytes = conn->in;
			n = (ssize_t)conn->n_in;
		}
		if (judge_opening(conn, bytes, (size_t)n) == 0)
			return; /* it went on from there, and may be gone */
		if (bytes != conn->in && conn_keep(conn, bytes, (size_t)n, KEPT_MAX) < 0)
			break;
	}
	conn_break(conn);
}

bool judge_again(struct conn *conn)
{
	struct host_decision decision;
	uint32_t line;

	if (!conn->list)
		return false;
	if (conn->list->mode != LIST_ENFORCE)
		return true;
	if (!conn->list->proxy || !conn->host.name[0])
		return false;
	decision = host_list_decide(conn->list->hosts, &conn->host, conn->port);
	conn->line = decision.line;
	return decision.verdict == HOST_ALLOWED &&
	       (!conn->address.family || conn->all->options.upstream ||
		host_list_admits(conn->list->hosts, &conn->address, conn->port, &line));
}
