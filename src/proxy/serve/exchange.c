/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exchange.c - one HTTP request and its response, both heads written anew.
 *
 * Bodies pass as they are, but no further than their message goes: a second request that a client
 * sends behind the first one goes nowhere, and what a server sends behind its response neither.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "proxy/parse/answer.h"
#include "proxy/serve/conn.h"

enum { INTERIM_MAX = 16 }; /* 1xx before a response */

static void fail(struct conn *conn, const char *sentence)
{
	judge_fail(conn, 502, "bad-response", sentence);
}

static void fail_to_read(struct conn *conn, const struct head_error *error)
{
	char sentence[HOST_TEXT_MAX + 200];

	snprintf(sentence, sizeof(sentence), "the answer of %s is refused: %s", conn->host.name,
		 error->why ? error->why : "its head or its body has no end");
	fail(conn, sentence);
}

static int frame_down(void *data, const char *bytes, size_t n, size_t *ret_taken)
{
	struct conn *conn = data;

	return head_body(conn->response, bytes, n, ret_taken);
}

static int frame_up(void *data, const char *bytes, size_t n, size_t *ret_taken)
{
	struct conn *conn = data;

	return head_body(conn->request, bytes, n, ret_taken);
}

static void end_request(struct conn *conn)
{
	struct relay_way *up = &conn->relay.ways[RELAY_UP];

	up->has_ended = up->is_quiet = true;
}

/* The site's proxy gets its own field behind the request line; what a client sent for one is gone.
 */
static int put_head(struct conn *conn, const char *written, size_t n)
{
	const char *authorization = conn->all->options.authorization;
	const char *line_end = memchr(written, '\n', n);
	size_t n_line = line_end && authorization ? (size_t)(line_end + 1 - written) : 0;
	int r = relay_put(&conn->relay, RELAY_UP, written, n_line);

	if (r == 0 && n_line)
		r = relay_put(&conn->relay, RELAY_UP, authorization, strlen(authorization));
	return r < 0 ? r : relay_put(&conn->relay, RELAY_UP, written + n_line, n - n_line);
}

void exchange_begin(struct conn *conn)
{
	static _Thread_local char written[HEAD_WRITE_MAX];
	struct head *head = conn->request;
	ssize_t n = head_write(head, conn->all->options.upstream != NULL, written, sizeof(written));
	size_t taken = 0;
	int r;

	conn->stage = CONN_AWAITING;
	conn->relay.ways[RELAY_UP].frame = frame_up;
	conn->relay.ways[RELAY_DOWN].may_read = false;
	r = n < 0 ? (int)n : put_head(conn, written, (size_t)n);
	if (r == 0) {
		const char *body = conn->in + head->length;
		size_t n_body = conn->n_in - head->length;

		r = head_body(head, body, n_body, &taken);
		if (r > 0)
			end_request(conn);
		if (r >= 0 && relay_put(&conn->relay, RELAY_UP, body, taken) < 0)
			r = -ENOMEM;
	}
	if (r < 0) {
		conn->verdict = RECORD_REFUSED;
		judge_fail(conn, 400, "bad-request", "the request's body is no HTTP");
		return;
	}
	conn_forget(conn);
	conn_push(conn);
}

/* Hands on what the server says first; a final response lets the rest follow. */
static int take_response(struct conn *conn)
{
	static _Thread_local char written[HEAD_WRITE_MAX];
	struct head *head = conn->response;
	size_t taken = 0, n_body;
	bool is_interim = head->status < 200;
	ssize_t n = head_write(head, false, written, sizeof(written));
	int r = n < 0 ? (int)n : 0;

	if (is_interim && ++conn->n_interim > INTERIM_MAX)
		return -EBADMSG;
	/* HTTP/1.0 knows none (RFC 9110, 15.2). */
	if (r == 0 && !(is_interim && conn->request->minor == 0)) {
		r = relay_put(&conn->relay, RELAY_DOWN, written, (size_t)n);
		conn->has_answered = true;
	}
	if (r < 0)
		return r;
	n_body = conn->n_in - head->length;
	if (is_interim) {
		memmove(conn->in, conn->in + head->length, n_body);
		conn->n_in = n_body;
		return 0;
	}
	conn->stage = CONN_RELAYING;
	conn->relay.ways[RELAY_DOWN].may_read = true;
	conn->relay.ways[RELAY_DOWN].frame = frame_down;
	r = head_body(head, conn->in + head->length, n_body, &taken);
	if (r > 0)
		conn->relay.ways[RELAY_DOWN].has_ended = true;
	if (r >= 0)
		r = relay_put(&conn->relay, RELAY_DOWN, conn->in + head->length, taken);
	conn_forget(conn);
	return r < 0 ? r : 1;
}

/* 1: a final response's head was there; 0: not yet; -EBADMSG. */
static int look(struct conn *conn, struct head_error *ret_error)
{
	int r;

	if (!conn->response)
		conn->response = malloc(sizeof(*conn->response));
	if (!conn->response)
		return -ENOMEM;
	do {
		conn->response->is_head = conn->is_http_head;
		r = head_read(conn->in, conn->n_in, HEAD_RESPONSE, conn->response, ret_error);
		if (r <= 0)
			return r;
		r = take_response(conn);
	} while (r == 0 && conn->n_in);
	return r;
}

void exchange_read(struct conn *conn)
{
	for (;;) {
		ssize_t n = recv(conn->server, conn_scratch, HEAD_MAX, 0);
		struct head_error error = { 0 };
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			conn->relay.ways[RELAY_DOWN].can_read = false;
			conn_push(conn);
			return;
		}
		if (n < 0) {
			fail(conn, "the connection to the target broke before it answered");
			return;
		}
		if (n == 0) {
			fail(conn, "the target closed the connection without an answer");
			return;
		}
		r = conn_keep(conn, conn_scratch, (size_t)n, 2 * HEAD_MAX);
		r = r < 0 ? r : look(conn, &error);
		if (r < 0) {
			fail_to_read(conn, &error);
			return;
		}
		if (r > 0) {
			conn_push(conn);
			return;
		}
	}
}
