/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay.c - bytes from one socket to the other: copied at first, spliced through a pipe once a flow
 * turns out to be long.
 *
 * Short transfers are cheaper by recv() and send() into one buffer that all share; a pipe is two
 * descriptors and 16 pages, and pays only from some hundred kilobytes on (docs/performance.md). A
 * flow that pauses gives its pipe back, so that idle connections hold no memory at all.
 */
#include "proxy/out/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

enum {
	BUFFER = 64 * 1024,
	PIPE_SIZE = 256 * 1024,
	SMALL = 4096,		   /* read at once while many slow receivers hold much */
	HELD_MUCH = 64 << 20,	   /* bytes, of all connections */
	FULL_READS_FOR_SPLICE = 3, /* in a row */
	TURN = 1 << 20, /* bytes that one connection moves before others have their turn */
};

struct relay_pool {
	int (*pipes)[2]; /* free ones */
	unsigned n_free, n_open, n_max;
	size_t held; /* bytes, in all */
	char buffer[BUFFER];
};

struct relay_pool *relay_pool_new(unsigned n_pipes)
{
	struct relay_pool *pool = malloc(sizeof(*pool));

	if (!pool)
		return NULL;
	*pool = (struct relay_pool){ .n_max = n_pipes };
	pool->pipes = calloc(n_pipes + 1, sizeof(*pool->pipes));
	if (!pool->pipes) {
		free(pool);
		return NULL;
	}
	return pool;
}

void relay_pool_free(struct relay_pool *pool)
{
	if (!pool)
		return;
	while (pool->n_free) {
		pool->n_free--;
		close(pool->pipes[pool->n_free][0]);
		close(pool->pipes[pool->n_free][1]);
	}
	free(pool->pipes);
	free(pool);
}

/* --- pipes and what is held */

static bool take_pipe(struct relay_pool *pool, struct relay_way *way)
{
	if (pool->n_free) {
		memcpy(way->pipe, pool->pipes[--pool->n_free], sizeof(way->pipe));
		return true;
	}
	if (pool->n_open >= pool->n_max || pipe2(way->pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
		way->pipe[0] = way->pipe[1] = -1;
		return false;
	}
	/* Refused to who has many large pipes already (pipe(7), pipe-user-pages-soft): it works as
	 * it is.
	 */
	fcntl(way->pipe[1], F_SETPIPE_SZ, PIPE_SIZE);
	pool->n_open++;
	return true;
}

/* One that still holds bytes cannot be used again. */
static void give_pipe(struct relay_pool *pool, struct relay_way *way)
{
	if (way->pipe[0] < 0)
		return;
	if (way->n_piped == 0) {
		memcpy(pool->pipes[pool->n_free++], way->pipe, sizeof(way->pipe));
	} else {
		close(way->pipe[0]);
		close(way->pipe[1]);
		pool->n_open--;
	}
	way->pipe[0] = way->pipe[1] = -1;
	way->n_piped = 0;
}

static int hold(struct relay_pool *pool, struct relay_way *way, const void *bytes, size_t n)
{
	size_t left = way->n_held - way->held_at;
	char *more;

	if (n == 0)
		return 0;
	more = malloc(left + n);
	if (!more)
		return -ENOMEM;
	if (left)
		memcpy(more, way->held + way->held_at, left);
	memcpy(more + left, bytes, n);
	free(way->held);
	pool->held += n;
	way->held = more;
	way->n_held = (uint32_t)(left + n);
	way->held_at = 0;
	return 0;
}

static void drop_held(struct relay_pool *pool, struct relay_way *way)
{
	pool->held -= way->n_held - way->held_at;
	free(way->held);
	way->held = NULL;
	way->n_held = way->held_at = 0;
}

int relay_put(struct relay *relay, unsigned way, const void *bytes, size_t n)
{
	return hold(relay->pool, &relay->ways[way], bytes, n);
}

void relay_init(struct relay *relay, struct relay_pool *pool, int client, int server)
{
	*relay = (struct relay){ .pool = pool, .fds = { client, server } };
	for (size_t i = 0; i < ARRAY_SIZE(relay->ways); i++)
		relay->ways[i] = (struct relay_way){
			.pipe = { -1, -1 },
			.may_read = true,
			.can_read = true,
			.can_write = true,
		};
}

void relay_done(struct relay *relay)
{
	for (size_t i = 0; relay->pool && i < ARRAY_SIZE(relay->ways); i++) {
		give_pipe(relay->pool, &relay->ways[i]);
		drop_held(relay->pool, &relay->ways[i]);
	}
	relay->pool = NULL;
}

/* --- one step each: 1 it did something, 0 it cannot now, -errno */

static int blocked(bool *can)
{
	if (errno == EAGAIN) {
		*can = false;
		return 0;
	}
	return errno == EINTR ? 1 : -errno;
}

static int write_held(struct relay_pool *pool, struct relay_way *way, int to)
{
	ssize_t n = send(to, way->held + way->held_at, way->n_held - way->held_at, MSG_NOSIGNAL);

	if (n < 0)
		return blocked(&way->can_write);
	way->bytes += (uint64_t)n;
	way->held_at += (uint32_t)n;
	pool->held -= (size_t)n;
	if (way->held_at == way->n_held)
		drop_held(pool, way);
	return 1;
}

static int write_pipe(struct relay_way *way, int to)
{
	ssize_t n = splice(way->pipe[0], NULL, to, NULL, way->n_piped,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n < 0)
		return blocked(&way->can_write);
	way->bytes += (uint64_t)n;
	way->n_piped -= (uint32_t)n;
	return 1;
}

static int fill_pipe(struct relay_pool *pool, struct relay_way *way, int from)
{
	ssize_t n = splice(from, NULL, way->pipe[1], NULL, PIPE_SIZE,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n > 0) {
		way->n_piped = (uint32_t)n;
		return 1;
	}
	give_pipe(pool, way);
	if (n == 0) {
		way->has_ended = true;
		return 1;
	}
	return blocked(&way->can_read);
}

/* Reads into the buffer, and writes what may pass straight away. */
static int copy(struct relay *relay, struct relay_way *way, int from, int to)
{
	struct relay_pool *pool = relay->pool;
	size_t max = pool->held > HELD_MUCH ? SMALL : BUFFER, taken;
	ssize_t n = recv(from, pool->buffer, max, 0), sent;
	int r, more;

	if (n < 0) {
		way->n_full = 0;
		return blocked(&way->can_read);
	}
	if (n == 0) {
		way->has_ended = true;
		return 1;
	}
	way->n_full = (size_t)n < BUFFER ? 0 : way->n_full + 1;
	taken = (size_t)n;
	if (way->frame) {
		r = way->frame(relay->frame_data, pool->buffer, (size_t)n, &taken);
		if (r < 0)
			return r;
		if (r > 0)
			way->has_ended = way->is_quiet = true;
	}
	/* The end goes out with the last bytes, in one segment. */
	more = way->is_last && !way->frame && !relay->ways[way == relay->ways].is_shut ? MSG_MORE :
											 0;
	sent = taken ? send(to, pool->buffer, taken, MSG_NOSIGNAL | more) : 0;
	if (sent < 0) {
		r = blocked(&way->can_write);
		if (r < 0)
			return r;
		sent = 0;
	}
	way->bytes += (uint64_t)sent;
	r = hold(pool, way, pool->buffer + sent, taken - (size_t)sent);
	return r < 0 ? r : 1;
}

static int step(struct relay *relay, struct relay_way *way, int from, int to)
{
	const struct relay_way *other = &relay->ways[way == relay->ways];
	struct relay_pool *pool = relay->pool;

	if (way->held)
		return way->can_write ? write_held(pool, way, to) : 0;
	if (way->n_piped)
		return way->can_write ? write_pipe(way, to) : 0;
	if (way->has_ended) {
		if (way->is_shut)
			return 0;
		way->is_shut = true;
		/* The second one to end is followed by close(), which says the same. */
		if (!way->is_quiet && !other->is_shut && shutdown(to, SHUT_WR) < 0 &&
		    errno != ENOTCONN)
			return -errno;
		return 0;
	}
	if (!way->may_read || !way->can_read)
		return 0;
	if (way->pipe[0] >= 0 ||
	    (way->n_full >= FULL_READS_FOR_SPLICE && !way->frame && take_pipe(pool, way)))
		return fill_pipe(pool, way, from);
	return copy(relay, way, from, to);
}

static int push(struct relay *relay, unsigned direction)
{
	struct relay_way *way = &relay->ways[direction];
	uint64_t before = way->bytes;
	int r;

	do {
		r = step(relay, way, relay->fds[direction], relay->fds[!direction]);
	} while (r > 0 && way->bytes - before < TURN);
	if (r == 0 && way->n_piped == 0)
		give_pipe(relay->pool, way);
	return r;
}

int relay_push(struct relay *relay)
{
	int up = push(relay, RELAY_UP), down;

	if (up < 0)
		return up;
	down = push(relay, RELAY_DOWN);
	if (down < 0)
		return down;
	if (relay->ways[RELAY_UP].is_shut && relay->ways[RELAY_DOWN].is_shut)
		return RELAY_ENDED;
	return up || down ? RELAY_GOES_ON : RELAY_WAITS;
}
