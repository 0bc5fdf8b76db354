/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connection.c - bytes of a connection → request → answer → bytes.
 *
 * Who calls is said twice by the kernel: SO_PEERCRED is the effective ids of whoever connected,
 * SCM_CREDENTIALS, which SO_PASSCRED attaches to every message, the real ids of whoever sent it.
 * Where they differ, a set-user-ID program was made to speak for its user, or a connection was
 * handed on: the call is refused (unix(7); net/unix/af_unix.c, maybe_add_creds()).
 *
 * No descriptor that a client sends gets in: there is no room for one behind the credentials in the
 * control buffer, so the kernel drops them and says MSG_CTRUNC.
 */
#include "runtime/connection.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	READS_PER_TURN = 32, /* then others get theirs */
	QUIET_SECONDS = 10,  /* between two lines about refusals */
	TURN_US = 2000,	     /* of answers, until whoever has come meanwhile is let in */
};

/* Whatever becomes of it next. */
static void leave_hold(struct connection *c)
{
	struct timeval now;

	if (c->state != CONNECTION_HELD)
		return;
	event_base_gettimeofday_cached(c->owner->options.base, &now);
	c->owner->counts.released = now.tv_sec;
	c->owner->counts.held--;
}

void connection_close(struct connection *c)
{
	leave_hold(c);
	c->owner->n_waiting -= c->state == CONNECTION_WAITING;
	event_del(&c->io);
	event_del(&c->deadline);
	close(c->fd);
	free(c->request);
	free(c->body);
	*c = (struct connection){ .owner = c->owner, .fd = -1 };
}

/* Refusals are anybody's to cause, so they must not fill the log. */
void connection_count_refusal(struct connection_owner *owner, uint64_t *counter, uid_t uid,
			      const char *why)
{
	struct timeval now;

	++*counter;
	++owner->n_logged;
	event_base_gettimeofday_cached(owner->options.base, &now);
	if (owner->logged && now.tv_sec - owner->logged < QUIET_SECONDS)
		return;
	log_notice("control socket: uid %u: %s (%llu such lines in all)", uid, why,
		   (unsigned long long)owner->n_logged);
	owner->logged = now.tv_sec;
}

void connection_dismiss(int fd, const char *text)
{
	char frame[FRAME_HEADER + 128];
	size_t n = strlen(text);

	assert(n <= sizeof(frame) - FRAME_HEADER);
	frame_put_length((uint8_t *)frame, (uint32_t)n);
	memcpy(frame + FRAME_HEADER, text, n);
	if (send(fd, frame, FRAME_HEADER + n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

/* --- answering */

static void set_deadline(struct connection *c)
{
	int ms = c->owner->options.deadline_ms;
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	event_add(&c->deadline, &t);
}

/* 1 when all is written, 0 when the client has to read first, -errno. */
static int write_some(struct connection *c)
{
	while (c->n_written < c->n_head + c->n_body) {
		struct iovec parts[2];
		struct msghdr message = { .msg_iov = parts };
		size_t done = c->n_written;
		ssize_t n;

		if (done < c->n_head)
			parts[message.msg_iovlen++] =
				(struct iovec){ c->head + done, c->n_head - done };
		done = done < c->n_head ? 0 : done - c->n_head;
		if (done < c->n_body)
			parts[message.msg_iovlen++] =
				(struct iovec){ c->body + done, c->n_body - done };
		n = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0)
			c->n_written += (size_t)n;
		else if (errno == EAGAIN)
			return 0;
		else if (errno != EINTR)
			return -errno;
	}
	return 1;
}

static void on_writable(evutil_socket_t fd, short what, void *data)
{
	if (write_some(data) != 0)
		connection_close(data);
}

static void start_writing(struct connection *c)
{
	c->state = CONNECTION_WRITING;
	event_del(&c->io);
	if (write_some(c) != 0) {
		connection_close(c);
		return;
	}
	event_assign(&c->io, c->owner->options.base, c->fd, EV_WRITE | EV_PERSIST, on_writable, c);
	event_add(&c->io, NULL);
	set_deadline(c);
}

/* One frame with the text, which is never empty. */
static void answer_error(struct connection *c, const char *text)
{
	c->body = strdup(text && *text ? text : "it failed, and there was no memory to say why");
	c->n_body = c->body ? strlen(c->body) : 0;
	if (!c->body) {
		connection_close(c);
		return;
	}
	frame_put_length(c->head, (uint32_t)c->n_body);
	c->n_head = FRAME_HEADER;
	start_writing(c);
}

static void answer_payload(struct connection *c, struct writer *answer)
{
	frame_put_length(c->head, 0);
	frame_put_length(c->head + FRAME_HEADER, (uint32_t)answer->n);
	c->n_head = 2 * FRAME_HEADER;
	c->body = TAKE(answer->bytes);
	c->n_body = answer->n;
	start_writing(c);
}

static void refuse(struct connection *c, const char *text)
{
	connection_count_refusal(c->owner, &c->owner->counts.refused, c->caller.uid, text);
	answer_error(c, text);
}

/* Whoever is held says nothing more, so this is its end. */
static void on_held(evutil_socket_t fd, short what, void *data)
{
	char byte;

	if (recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	    (errno != EAGAIN && errno != EINTR))
		connection_close(data);
}

static void hold(struct connection *c)
{
	c->owner->before_hold(c);
	c->state = CONNECTION_HELD;
	c->owner->counts.held++;
	event_del(&c->io);
	event_del(&c->deadline);
	event_assign(&c->io, c->owner->options.base, c->fd, EV_READ | EV_PERSIST, on_held, c);
	event_add(&c->io, NULL);
}

static void answer_request(struct connection *c)
{
	struct server_options *options = &c->owner->options;
	AUTO(mem) char *error = NULL;
	struct writer answer;
	int r;

	int64_t start = clock_now_us();

	c->owner->counts.calls++;
	writer_init(&answer, FRAME_ANSWER_MAX);
	r = options->answer(options->data, &c->caller, c->request, c->length, &answer, &error);
	c->owner->spent_us += clock_now_us() - start;
	if (r == SERVER_HOLD)
		hold(c);
	else if (r == 0 && answer.lacked_memory)
		answer_error(c, "out of memory for the answer; what was asked for may have been "
				"done all the same: \"uidwall status\" tells");
	else if (r == 0 && answer.failed)
		answer_error(c, "the answer is too large");
	else if (r < 0)
		answer_error(c, error);
	else
		answer_payload(c, &answer);
	writer_done(&answer);
}

/* The loop's idea of the time is the same for all that it calls in one turn. */
bool connection_has_time(struct connection_owner *owner)
{
	struct timeval now;

	event_base_gettimeofday_cached(owner->options.base, &now);
	if (now.tv_sec != owner->turn.tv_sec || now.tv_usec != owner->turn.tv_usec) {
		owner->turn = now;
		owner->spent_us = 0;
	}
	return owner->spent_us < TURN_US;
}

void connection_answer(struct connection *c)
{
	c->owner->n_waiting--;
	c->state = CONNECTION_READING;
	answer_request(c);
}

static void wait_for_turn(struct connection *c)
{
	const struct timeval at_once = { 0 };

	c->state = CONNECTION_WAITING;
	c->owner->n_waiting++;
	event_del(&c->io);
	event_del(&c->deadline);
	/* libevent takes a timer that is about to be called off again when it is added once more */
	if (!evtimer_pending(c->owner->next_turn, NULL))
		event_add(c->owner->next_turn, &at_once);
}

void connection_wake(struct connection *c)
{
	leave_hold(c);
	wait_for_turn(c);
}

/* The listener's queue is in the order of coming, and one user can fill it: whoever waits in it
 * must not wait for all answers to those before. So requests are taken in, and answered in turn by
 * user.
 */
static void answer_or_wait(struct connection *c)
{
	if (!c->owner->n_waiting && connection_has_time(c->owner))
		answer_request(c);
	else
		wait_for_turn(c);
}

/* --- asking */

/* NULL when the message came from who connected, and brought nothing but bytes. */
static const char *check_control(const struct connection *c, struct msghdr *message)
{
	const char *why =
		"the kernel does not say who sends (a socket unit needs PassCredentials=)";
	struct ucred sender;

	for (struct cmsghdr *m = CMSG_FIRSTHDR(message); m; m = CMSG_NXTHDR(message, m)) {
		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_CREDENTIALS ||
		    m->cmsg_len != CMSG_LEN(sizeof(sender)))
			continue;
		memcpy(&sender, CMSG_DATA(m), sizeof(sender));
		if (sender.uid == c->caller.uid && sender.gid == c->caller.gid &&
		    sender.pid == c->caller.pid)
			why = NULL;
		else if (sender.pid)
			why = "who sends is not who connected";
	}
	if (message->msg_flags & MSG_CTRUNC)
		return "descriptors are not taken";
	return why;
}

/* Like recv(); refuses by itself (then -ECANCELED, and c may be closed). */
static ssize_t receive(struct connection *c, void *bytes, size_t n)
{
	struct iovec part = { bytes, n };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))]; /* and not one byte more */
	} control;
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const char *why;

	if (got <= 0)
		return got < 0 ? -errno : 0;
	why = check_control(c, &message);
	if (why) {
		refuse(c, why);
		return -ECANCELED;
	}
	return got;
}

/* The header is complete: 0, or -ECANCELED when refused. */
static int take_length(struct connection *c)
{
	uint32_t length = frame_get_length(c->header);

	if (length > FRAME_REQUEST_MAX) {
		refuse(c, "the request is larger than 65536 bytes");
		return -ECANCELED;
	}
	if (length == 0) {
		refuse(c, "the request is empty");
		return -ECANCELED;
	}
	c->request = malloc(length);
	c->length = length;
	if (!c->request) {
		refuse(c, "out of memory");
		return -ECANCELED;
	}
	return 0;
}

/* One read. 1: complete, 0: more to come, -errno. */
static int read_some(struct connection *c)
{
	bool in_header = c->n_read < FRAME_HEADER;
	size_t done = in_header ? c->n_read : c->n_read - FRAME_HEADER;
	ssize_t n = in_header ? receive(c, c->header + done, FRAME_HEADER - done) :
				receive(c, c->request + done, c->length - done);

	if (n == 0)
		return -ECONNRESET;
	if (n < 0)
		return (int)n;
	c->n_read += (size_t)n;
	if (in_header && c->n_read == FRAME_HEADER)
		return take_length(c);
	return !in_header && c->n_read == FRAME_HEADER + c->length;
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	struct connection *c = data;

	for (int i = 0; i < READS_PER_TURN; i++) {
		int r = read_some(c);

		if (r == -EAGAIN || r == -ECANCELED)
			return;
		if (r == -EINTR || r == 0)
			continue;
		if (r < 0)
			connection_close(c);
		else
			answer_or_wait(c);
		return;
	}
}

static void on_deadline(evutil_socket_t fd, short what, void *data)
{
	struct connection *c = data;

	if (c->state == CONNECTION_WRITING) {
		c->owner->counts.late++;
		connection_close(c);
		return;
	}
	connection_count_refusal(c->owner, &c->owner->counts.late, c->caller.uid,
				 "the request did not come in time");
	answer_error(c, "the request did not come in time");
}

void connection_start(struct connection *c, int fd, const struct server_caller *caller)
{
	struct event_base *base = c->owner->options.base;

	c->state = CONNECTION_READING;
	c->fd = fd;
	c->caller = *caller;
	event_assign(&c->io, base, fd, EV_READ | EV_PERSIST, on_readable, c);
	evtimer_assign(&c->deadline, base, on_deadline, c);
	/* Most requests are here already, and most of those who flood are gone again: neither needs
	 * an event.
	 */
	on_readable(fd, EV_READ, c);
	if (c->state != CONNECTION_READING)
		return;
	event_add(&c->io, NULL);
	set_deadline(c);
}
