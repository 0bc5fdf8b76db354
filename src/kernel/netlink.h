/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink.h - one question to the kernel and its answer, over a socket that stays open. */
#ifndef UIDWALL_KERNEL_NETLINK_H
#define UIDWALL_KERNEL_NETLINK_H

#include <linux/netlink.h>

#include "base/util.h"

struct netlink;

/* protocol: NETLINK_ROUTE, NETLINK_SOCK_DIAG. 0 or -errno. */
int netlink_open(int protocol, struct netlink **ret_netlink);
void netlink_close(struct netlink *netlink); /* NULL is fine */
DEFINE_CLEANUP(netlink, struct netlink *, netlink_close)

/* Called for each message of an answer, until it returns anything but 0. */
typedef int (*netlink_fn)(const struct nlmsghdr *nlh, void *data);

/* Sends a question and hands on its answer: one message, or all of a dump (NLM_F_DUMP); fn may be
 * NULL where only the error counts (NLM_F_ACK). 0, what fn returned, the kernel's -errno, -EINTR
 * when what is listed changed during the dump, or -ETIMEDOUT.
 */
int netlink_ask(struct netlink *netlink, struct nlmsghdr *request, netlink_fn fn, void *data);

#endif
