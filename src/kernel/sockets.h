/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.h - the sockets of this network namespace, listed and closed (sock_diag(7)).
 *
 * Anybody may list, closing needs CAP_NET_ADMIN.
 */
#ifndef UIDWALL_KERNEL_SOCKETS_H
#define UIDWALL_KERNEL_SOCKETS_H

#include <linux/inet_diag.h>

#include "base/addr.h"

struct sockets;

int sockets_open(struct sockets **ret_sockets); /* 0 or -errno */
void sockets_close(struct sockets *sockets);	/* NULL is fine */
DEFINE_CLEANUP(sockets, struct sockets *, sockets_close)

/* Whether this kernel can close sockets of others (CONFIG_INET_DIAG_DESTROY). */
bool sockets_can_destroy(const struct sockets *sockets);

struct live_socket {
	uint8_t l4proto;	/* IPPROTO_TCP, IPPROTO_UDP, ... */
	uint8_t state;		/* TCP_ESTABLISHED ... of netinet/tcp.h, also for the others */
	uint32_t uid;		/* of the socket's inode; of an orphan, of who had it, if known */
	uint32_t inode;		/* 0: no program has it (any more, or not accepted yet) */
	struct prefix from, to; /* IPv4-mapped addresses as IPv4 */
	uint16_t sport, dport;	/* 0 for RAW sockets, whose l4proto is what they carry */
	unsigned ifindex;	/* bound to this device; 0: to none */
	uint64_t cgroup;	/* the number of its control group; 0: not told */
	bool is_mptcp;		/* a subflow of an MPTCP connection, told to CAP_NET_ADMIN only */
	/* as the kernel names it */
	uint8_t family;
	uint8_t diag_protocol; /* as l4proto, but IPPROTO_RAW for RAW sockets */
	struct inet_diag_sockid id;
};

/* Calls fn for each connected socket of the protocol until it returns anything but 0. Those that
 * only listen, have no peer, or are in TIME_WAIT are left out. 0, what fn returned, -ENOENT (this
 * kernel lists no sockets of the protocol), -EINTR (begin again), or another -errno.
 */
int sockets_list(struct sockets *sockets, uint8_t l4proto,
		 int (*fn)(const struct live_socket *socket, void *data), void *data);

/* The same for TCP sockets that listen; `to` counts for nothing. */
int sockets_list_listening(struct sockets *sockets,
			   int (*fn)(const struct live_socket *socket, void *data), void *data);

/* Closed by its program, and still sending what was left. */
bool sockets_is_orphan(const struct live_socket *socket);

/* Whether `uid` can be believed: before Linux 6.17 orphans are listed as root's. */
bool sockets_knows_owner(const struct sockets *sockets, const struct live_socket *socket);
bool sockets_forget_owners(const char *release); /* uname -r */

const char *sockets_state_name(const struct live_socket *socket); /* "established", "syn-sent" */

/* The program gets ECONNABORTED. 0, -ENOENT (it is gone already), -EOPNOTSUPP, another -errno. */
int sockets_destroy(struct sockets *sockets, const struct live_socket *socket);

#endif
