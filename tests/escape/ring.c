/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring.c - requests → io_uring (io_uring(7)); one thread on our side, so no more order than it asks
 * for. */
#include "ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "way.h"

enum { IDLE_MS = 2000, RESULT_MS = 1000 };

static void *map(int fd, size_t size, off_t offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);

	if (p == MAP_FAILED)
		way_wrong("mmap of a ring: %s", strerror(errno));
	return p;
}

int ring_map(struct ring *ring, int fd, const struct io_uring_params *params)
{
	const struct io_sqring_offsets *sq = &params->sq_off;
	const struct io_cqring_offsets *cq = &params->cq_off;
	char *queue, *results;

	queue = map(fd, sq->array + params->sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	results = map(fd, cq->cqes + params->cq_entries * sizeof(struct io_uring_cqe),
		      IORING_OFF_CQ_RING);
	*ring = (struct ring){
		.fd = fd,
		.flags = params->flags,
		.sq_tail = (unsigned *)(queue + sq->tail),
		.sq_mask = (unsigned *)(queue + sq->ring_mask),
		.sq_array = (unsigned *)(queue + sq->array),
		.sq_flags = (unsigned *)(queue + sq->flags),
		.cq_head = (unsigned *)(results + cq->head),
		.cq_tail = (unsigned *)(results + cq->tail),
		.cq_mask = (unsigned *)(results + cq->ring_mask),
		.results = (struct io_uring_cqe *)(results + cq->cqes),
		.entries =
			map(fd, params->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES),
	};
	return 0;
}

int ring_open(struct ring *ring, unsigned flags)
{
	struct io_uring_params params = { .flags = flags, .sq_thread_idle = IDLE_MS };
	int fd = (int)syscall(SYS_io_uring_setup, RING_ENTRIES, &params);

	if (fd < 0)
		return way_cannot("io_uring_setup: %s", strerror(errno));
	return ring_map(ring, fd, &params);
}

struct io_uring_sqe *ring_entry(struct ring *ring, int operation, int fd)
{
	unsigned at = (*ring->sq_tail + ring->n_queued++) & *ring->sq_mask;
	struct io_uring_sqe *entry = &ring->entries[at];

	memset(entry, 0, sizeof(*entry));
	entry->opcode = (uint8_t)operation;
	entry->fd = fd;
	ring->sq_array[at] = at;
	return entry;
}

void ring_submit(struct ring *ring)
{
	unsigned n = ring->n_queued, how = 0;

	__atomic_store_n(ring->sq_tail, *ring->sq_tail + n, __ATOMIC_RELEASE);
	ring->n_queued = 0;
	if (ring->flags & IORING_SETUP_SQPOLL) {
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!(*ring->sq_flags & IORING_SQ_NEED_WAKEUP))
			return;
		how = IORING_ENTER_SQ_WAKEUP;
	}
	if (syscall(SYS_io_uring_enter, ring->fd, n, 0, how, NULL, 0) < 0)
		way_wrong("io_uring_enter: %s", strerror(errno));
}

int ring_wait(struct ring *ring, int ms)
{
	unsigned head = *ring->cq_head;
	int result;

	if (head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) &&
	    (!way_readable(ring->fd, ms) ||
	     head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE)))
		return -ETIME;
	result = ring->results[head & *ring->cq_mask].res;
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return result;
}

int ring_do(struct ring *ring)
{
	ring_submit(ring);
	return ring_wait(ring, RESULT_MS);
}

int ring_register(const struct ring *ring, unsigned what, void *argument, unsigned n)
{
	return (int)syscall(SYS_io_uring_register, ring->fd, what, argument, n);
}
