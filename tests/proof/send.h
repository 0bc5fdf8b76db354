/* SPDX-License-Identifier: GPL-2.0-or-later */
/* send.h - shots → real sockets of real users. */
#ifndef UIDWALL_TESTS_PROOF_SEND_H
#define UIDWALL_TESTS_PROOF_SEND_H

#include "shot.h"

/* Sends one packet, or gets told that it may not. wait_ms: how long an error may take to come. */
void send_shot(const struct shot *shot, unsigned wait_ms, struct sent *ret_sent);

/* A process of that user, unprivileged but for root's, that sends what it is told. It is made when
 * first needed. Calls of tests/proof/errnos.c run there, too.
 */
typedef void (*worker_fn)(const void *task, size_t n, struct sent *ret_sent);
void worker_run(uint32_t uid, worker_fn fn, const void *task, size_t n, struct sent *ret_sent);
void workers_end(void);

/* One packet by a socket that the calling process opens. */
void socket_send(const struct shot *shot, unsigned wait_ms, struct sent *ret_sent);
/* A socket with all that the shot wants of it, and its target. The socket or -errno. */
int socket_prepare(const struct shot *shot, void *ret_target, unsigned *ret_length);

#endif
