/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h - which attempts' packets leave, on whatever interface, loopback included.
 *
 * ECONNREFUSED alone does not say who refused: the wall, another firewall, or the far side. Nor
 * does silence say that anything left.
 */
#ifndef UIDWALL_SELFTEST_WATCH_H
#define UIDWALL_SELFTEST_WATCH_H

#include "selftest/job.h"

struct watch;

/* Looks out for what the n jobs send; they have to live as long as the watch. Needs CAP_NET_RAW.
 * 0 or -errno.
 */
int watch_open(const struct job *jobs, size_t n, struct watch **ret_watch);
void watch_close(struct watch *watch); /* NULL is fine */
DEFINE_CLEANUP(watch, struct watch *, watch_close)

int watch_fd(const struct watch *watch);

/* Reads what has come; for when watch_fd() is readable. */
void watch_read(struct watch *watch);

/* This moment, for watch_judge(). */
size_t watch_mark(struct watch *watch);

/* Fills in seen->left and seen->by, once the job is over that began at `since`: before that, the
 * same ports may have been another's.
 */
void watch_judge(struct watch *watch, const struct job *job, size_t since, struct seen *seen);

#endif
