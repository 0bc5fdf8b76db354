/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring.h - an io_uring by plain system calls: what is queued there never calls socket() or send().
 */
#ifndef ESCAPE_RING_H
#define ESCAPE_RING_H

#include <linux/io_uring.h>

enum { RING_ENTRIES = 16 };

struct ring {
	int fd;
	unsigned flags; /* IORING_SETUP_... */
	unsigned *sq_tail, *sq_mask, *sq_array, *sq_flags;
	unsigned *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *entries;
	struct io_uring_cqe *results;
	unsigned n_queued; /* not submitted yet */
};

/* A new one, or one of that descriptor. 0 or WAY_CANNOT, with the reason said. */
int ring_open(struct ring *ring, unsigned flags);
int ring_map(struct ring *ring, int fd, const struct io_uring_params *params);

/* The next entry, empty. */
struct io_uring_sqe *ring_entry(struct ring *ring, int operation, int fd);

void ring_submit(struct ring *ring);

/* Result of the next request to end, or -ETIME. */
int ring_wait(struct ring *ring, int ms);

/* Submits what is queued, and the result of its only request. */
int ring_do(struct ring *ring);

/* io_uring_register(). */
int ring_register(const struct ring *ring, unsigned what, void *argument, unsigned n);

#endif
