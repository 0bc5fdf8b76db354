/* SPDX-License-Identifier: GPL-2.0-or-later */
/* asking.c - request → frame → the daemon → frames → answer, without waiting for any of it. */
#include "proxy/daemon/asking.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "wire/frame.h"

enum {
	STEP_MS = 10000,	 /* for asking, and for the answer from its first byte on */
	ERROR_TEXT_MAX = 4096,	 /* the daemon's words */
	READ_BYTES = 256 * 1024, /* then others get their turn */
};

struct asking {
	struct event_base *base;
	const char *path;
	asking_fn fn;
	void *data;
	int fd;
	struct event io, timer;
	bool is_patient;
	int failure; /* told by the timer; 0: it is a deadline */
	char *out, *in;
	size_t n_out, n_sent, n_in, capacity;
};

static void hang_up(struct asking *asking)
{
	event_del(&asking->timer);
	if (asking->fd >= 0) {
		event_del(&asking->io);
		close(asking->fd);
	}
	asking->fd = -1;
	free(TAKE(asking->out));
	free(TAKE(asking->in));
	asking->n_out = asking->n_sent = asking->n_in = asking->capacity = 0;
	asking->failure = 0;
}

/* fn may ask anew. */
static void finish(struct asking *asking, int r, const char *bytes, size_t n)
{
	AUTO(mem) char *in = TAKE(asking->in);

	hang_up(asking);
	asking->fn(asking->data, r, bytes ? bytes : "", n);
}

static void set_timer(struct asking *asking, int ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	event_add(&asking->timer, &t);
}

/* How many bytes the answer has, as far as it is known by now; -EPROTO: it is none. */
static int64_t answer_length(const struct asking *asking)
{
	const uint8_t *in = (const uint8_t *)asking->in;
	uint32_t length;

	if (asking->n_in < FRAME_HEADER)
		return FRAME_HEADER;
	length = frame_get_length(in);
	if (length)
		return length <= ERROR_TEXT_MAX ? FRAME_HEADER + (int64_t)length : -EPROTO;
	if (asking->n_in < (size_t)2 * FRAME_HEADER)
		return (int64_t)2 * FRAME_HEADER;
	length = frame_get_length(in + FRAME_HEADER);
	return length <= FRAME_ANSWER_MAX ? (int64_t)2 * FRAME_HEADER + length : -EPROTO;
}

static void finish_answer(struct asking *asking)
{
	bool is_error = frame_get_length((const uint8_t *)asking->in) > 0;
	size_t skip = is_error ? FRAME_HEADER : 2 * FRAME_HEADER;

	asking->in[asking->n_in] = '\0';
	finish(asking, is_error ? -EREMOTEIO : 0, asking->in + skip, asking->n_in - skip);
}

/* Room as the answer comes in, not as it announces itself. */
static int make_room(struct asking *asking)
{
	size_t capacity = asking->capacity ? 2 * asking->capacity : 4096;
	char *grown;

	if (asking->n_in + 1 < asking->capacity)
		return 0;
	grown = realloc(asking->in, capacity);
	if (!grown)
		return -ENOMEM;
	asking->in = grown;
	asking->capacity = capacity;
	return 0;
}

/* 1: there is more, 0: nothing more now, -errno; -ECANCELED: it is over. */
static int read_some(struct asking *asking)
{
	int64_t length = answer_length(asking);
	size_t n;
	ssize_t got;

	if (length < 0)
		return (int)length;
	if (make_room(asking) < 0)
		return -ENOMEM;
	n = (size_t)length - asking->n_in;
	if (n > asking->capacity - 1 - asking->n_in)
		n = asking->capacity - 1 - asking->n_in;
	got = recv(asking->fd, asking->in + asking->n_in, n, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN ? 0 : errno == EINTR ? 1 : -errno;
	if (got == 0)
		return -ECONNRESET;
	if (!asking->n_in)
		set_timer(asking, STEP_MS);
	asking->n_in += (size_t)got;
	/* A header may have said that there is more. */
	length = answer_length(asking);
	if (length < 0)
		return (int)length;
	if ((size_t)length > asking->n_in)
		return 1;
	finish_answer(asking);
	return -ECANCELED;
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	struct asking *asking = data;
	const size_t before = asking->n_in;
	int r = 1;

	while (r > 0 && asking->n_in - before < READ_BYTES)
		r = read_some(asking);
	if (r < 0 && r != -ECANCELED)
		finish(asking, r, NULL, 0);
}

static void start_reading(struct asking *asking)
{
	event_del(&asking->io);
	event_assign(&asking->io, asking->base, asking->fd, EV_READ | EV_PERSIST, on_readable,
		     asking);
	event_add(&asking->io, NULL);
	if (asking->is_patient)
		event_del(&asking->timer);
	else
		set_timer(asking, STEP_MS);
}

/* 0 or -errno. The daemon may refuse before it has read all: its reason already waits then. */
static int write_some(struct asking *asking)
{
	ssize_t n;

	do
		n = send(asking->fd, asking->out + asking->n_sent, asking->n_out - asking->n_sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		asking->n_sent += (size_t)n;
	else if (errno == EPIPE || errno == ECONNRESET)
		asking->n_sent = asking->n_out;
	else if (errno != EAGAIN)
		return -errno;
	return 0;
}

static void on_writable(evutil_socket_t fd, short what, void *data)
{
	struct asking *asking = data;
	int r = write_some(asking);

	if (r < 0)
		finish(asking, r, NULL, 0);
	else if (asking->n_sent == asking->n_out)
		start_reading(asking);
}

static void on_timer(evutil_socket_t fd, short what, void *data)
{
	struct asking *asking = data;

	finish(asking, asking->failure ? asking->failure : -ETIMEDOUT, NULL, 0);
}

static int dial(struct asking *asking)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO(fd) int fd = -1;

	if (strlen(asking->path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, asking->path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* A unix socket connects at once, or says EAGAIN where the queue is full. */
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	asking->fd = fd;
	fd = -1;
	return 0;
}

static int take_request(struct asking *asking, const char *request, size_t n)
{
	if (n > FRAME_REQUEST_MAX)
		return -E2BIG;
	asking->out = malloc(FRAME_HEADER + n);
	if (!asking->out)
		return -ENOMEM;
	frame_put_length((uint8_t *)asking->out, (uint32_t)n);
	memcpy(asking->out + FRAME_HEADER, request, n);
	asking->n_out = FRAME_HEADER + n;
	return 0;
}

void asking_start(struct asking *asking, const char *request, size_t n, bool is_patient)
{
	int r;

	hang_up(asking);
	asking->is_patient = is_patient;
	r = take_request(asking, request, n);
	if (r == 0)
		r = dial(asking);
	if (r == 0) {
		event_assign(&asking->io, asking->base, asking->fd, EV_WRITE | EV_PERSIST,
			     on_writable, asking);
		r = write_some(asking);
	}
	if (r < 0) {
		asking->failure = r;
		set_timer(asking, 0);
	} else if (asking->n_sent == asking->n_out) {
		start_reading(asking); /* as always: requests are small */
	} else {
		event_add(&asking->io, NULL);
		set_timer(asking, STEP_MS);
	}
}

bool asking_is_busy(const struct asking *asking)
{
	return asking->fd >= 0 || asking->failure;
}

int asking_new(struct event_base *base, const char *path, asking_fn fn, void *data,
	       struct asking **ret_asking)
{
	struct asking *asking = calloc(1, sizeof(*asking));

	if (!asking)
		return -ENOMEM;
	*asking = (struct asking){ .base = base, .path = path, .fn = fn, .data = data, .fd = -1 };
	evtimer_assign(&asking->timer, base, on_timer, asking);
	*ret_asking = asking;
	return 0;
}

void asking_free(struct asking *asking)
{
	if (!asking)
		return;
	hang_up(asking);
	free(asking);
}
