/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.c - JSON request → frame → the daemon → frames → JSON answer.
 *
 * The daemon may refuse before it has read the whole request. Writing then fails with EPIPE while
 * its reason already waits to be read, so a failed write does not end the call.
 */
#include "wire/client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/diag.h"
#include "wire/frame.h"

enum { ERROR_TEXT_MAX = 4096 };

struct call {
	const char *path;
	int fd;
	int64_t deadline_ms;
	char **ret_error;
};

PRINTF(3, 4) static int fail(struct call *call, int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(call->ret_error, format, args) < 0)
		*call->ret_error = NULL;
	va_end(args);
	return r;
}

static int fail_late(struct call *call)
{
	return fail(call, -ETIMEDOUT, "no answer from uidwalld at %s in time", call->path);
}

static int call_connect(struct call *call)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int64_t left_ms = call->deadline_ms - clock_now_ms();
	struct timeval patience = { left_ms / 1000, left_ms % 1000 * 1000 };

	if (strlen(call->path) >= sizeof(address.sun_path))
		return fail(call, -ENAMETOOLONG, "%s: too long for a socket's path", call->path);
	strcpy(address.sun_path, call->path);
	call->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (call->fd < 0)
		return fail(call, -errno, "cannot make a socket: %s", strerror(errno));
	/* connect() waits SO_SNDTIMEO long while the listener's queue is full, then says EAGAIN. */
	if (left_ms <= 0 ||
	    setsockopt(call->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return fail_late(call);
	if (connect(call->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	if (errno == EAGAIN || errno == EINTR)
		return fail_late(call);
	if (errno == ENOENT || errno == ECONNREFUSED)
		return fail(call, -errno, "uidwalld does not run (nothing listens on %s)",
			    call->path);
	return fail(call, -errno, "cannot reach uidwalld at %s: %s", call->path, strerror(errno));
}

/* Waits until the socket can be read (POLLIN) or written (POLLOUT). 0, -ETIMEDOUT or -errno. */
static int call_wait(struct call *call, short events)
{
	struct pollfd p = { .fd = call->fd, .events = events };

	for (;;) {
		int64_t left_ms = call->deadline_ms - clock_now_ms();
		int r = left_ms <= 0 ? 0 : poll(&p, 1, (int)left_ms);

		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int call_write(struct call *call, const uint8_t *bytes, size_t n)
{
	while (n) {
		ssize_t sent = send(call->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		int r;

		if (sent >= 0) {
			bytes += sent;
			n -= (size_t)sent;
		} else if (errno == EAGAIN) {
			r = call_wait(call, POLLOUT);
			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

static int call_read(struct call *call, uint8_t *bytes, size_t n)
{
	while (n) {
		ssize_t got = recv(call->fd, bytes, n, MSG_DONTWAIT);
		int r;

		if (got > 0) {
			bytes += got;
			n -= (size_t)got;
		} else if (got == 0) {
			return -ECONNRESET;
		} else if (errno == EAGAIN) {
			r = call_wait(call, POLLIN);
			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* Reads one frame; the bytes are malloc'd with a NUL behind them. */
static int call_read_frame(struct call *call, char **ret_bytes, uint32_t *ret_length)
{
	AUTO(mem) char *bytes = NULL;
	uint8_t header[FRAME_HEADER];
	uint32_t length;
	int r;

	r = call_read(call, header, sizeof(header));
	if (r < 0)
		return r;
	length = frame_get_length(header);
	if (length > FRAME_ANSWER_MAX)
		return -EPROTO;
	bytes = malloc((size_t)length + 1);
	if (!bytes)
		return -ENOMEM;
	r = call_read(call, (uint8_t *)bytes, length);
	if (r < 0)
		return r;
	bytes[length] = '\0';
	*ret_bytes = TAKE(bytes);
	*ret_length = length;
	return 0;
}

static int call_send_request(struct call *call, json_t *request)
{
	AUTO(mem) char *text = json_dumps(request, JSON_COMPACT);
	uint8_t header[FRAME_HEADER];
	int r;

	if (!text)
		return -EINVAL;
	if (strlen(text) > FRAME_REQUEST_MAX)
		return -E2BIG;
	frame_put_length(header, (uint32_t)strlen(text));
	r = call_write(call, header, sizeof(header));
	if (r == 0)
		r = call_write(call, (uint8_t *)text, strlen(text));
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

/* The empty frame and the payload, or the daemon's error text. */
static int call_read_answer(struct call *call, json_t **ret_answer)
{
	AUTO(mem) char *bytes = NULL;
	json_error_t error;
	uint32_t length = 0;
	int r;

	r = call_read_frame(call, &bytes, &length);
	if (r == 0 && length > 0) {
		AUTO(arena) struct arena *arena = arena_new();

		return fail(call, -EREMOTEIO, "%s",
			    text_printable(arena, bytes, length, ERROR_TEXT_MAX));
	}
	if (r == 0) {
		mem_free(TAKE(bytes));
		r = call_read_frame(call, &bytes, &length);
	}
	if (r < 0)
		return r;
	*ret_answer = json_loadb(bytes, length, 0, &error);
	return *ret_answer ? 0 : -EPROTO;
}

static int call_explain(struct call *call, int r)
{
	if (r == 0 || *call->ret_error)
		return r;
	switch (r) {
	case -ETIMEDOUT:
		return fail_late(call);
	case -ECONNRESET:
		return fail(call, r, "uidwalld at %s hung up without an answer", call->path);
	case -EPROTO:
		return fail(call, r, "what answered at %s is not uidwalld, or of another version",
			    call->path);
	case -E2BIG:
		return fail(call, r, "the request is larger than %d bytes", FRAME_REQUEST_MAX);
	default:
		return fail(call, r, "talking to uidwalld at %s failed: %s", call->path,
			    strerror(-r));
	}
}

int client_call(const char *path, json_t *request, int timeout_ms, json_t **ret_answer,
		char **ret_error)
{
	struct call call = { path, -1, clock_now_ms() + timeout_ms, ret_error };
	int r;

	*ret_error = NULL;
	r = call_connect(&call);
	if (r == 0)
		r = call_send_request(&call, request);
	if (r == 0)
		r = call_read_answer(&call, ret_answer);
	fd_close(call.fd);
	return call_explain(&call, r);
}

bool client_is_unreachable(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED || r == -EACCES || r == -ETIMEDOUT ||
	       r == -ENOTSOCK || r == -EPROTOTYPE || r == -ENOTDIR;
}
