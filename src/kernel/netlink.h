/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink.h - questions to the kernel and their answers, over a socket that stays open. */
#ifndef UIDWALL_KERNEL_NETLINK_H
#define UIDWALL_KERNEL_NETLINK_H

#include <linux/netlink.h>

#include "base/util.h"

struct netlink;

/* protocol: NETLINK_ROUTE, ...; timeout_ms: for each answer, as a whole. 0 or -errno. */
int netlink_open(int protocol, int timeout_ms, struct netlink **ret_netlink);
/* The same with a socket that an earlier process left; what waits in it is thrown away. The fd is
 * taken where it succeeds.
 */
int netlink_adopt(int fd, int protocol, int timeout_ms, struct netlink **ret_netlink);
void netlink_close(struct netlink *netlink); /* NULL is fine */
DEFINE_CLEANUP(netlink, struct netlink *, netlink_close)

int netlink_fd(const struct netlink *netlink);
uint32_t netlink_port(const struct netlink *netlink); /* by which the kernel knows it */
uint32_t netlink_next_seq(struct netlink *netlink);

/* Called for each message of an answer, until it returns anything but 0. */
typedef int (*netlink_fn)(const struct nlmsghdr *nlh, void *data);

/* Sends a question and hands on its answer: one message, or all of a dump (NLM_F_DUMP); fn may be
 * NULL where only the error counts (NLM_F_ACK). 0, what fn returned, the kernel's -errno, -EINTR
 * when what is listed changed during the dump, or -ETIMEDOUT.
 */
int netlink_ask(struct netlink *netlink, struct nlmsghdr *request, netlink_fn fn, void *data);

/* What netlink_ask() is made of, for whoever sends more than one question at once. */

/* Sends n bytes in one piece. */
int netlink_send(struct netlink *netlink, const void *bytes, size_t n);

/* When an answer that is waited for from now on is late, as clock_now_ms(). */
int64_t netlink_deadline(const struct netlink *netlink);

/* Reads the next piece, into memory that holds it until the next one: its length in bytes, or
 * -errno. deadline 0: only what is there already (-EAGAIN).
 */
int netlink_receive(struct netlink *netlink, int64_t deadline, const struct nlmsghdr **ret_first);

#endif
