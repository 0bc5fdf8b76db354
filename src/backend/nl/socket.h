/* SPDX-License-Identifier: GPL-2.0-or-later */
/* socket.h - a netlink socket to nf_tables: questions, dumps and their answers. */
#ifndef UIDWALL_BACKEND_NL_SOCKET_H
#define UIDWALL_BACKEND_NL_SOCKET_H

#include <linux/netlink.h>

#include "base/util.h"

enum {
	NL_MESSAGE_MAX = 1 << 17, /* more than one of our messages ever takes; room asked for it */
	NL_REQUEST_MAX = 256,	  /* a question: header, table and one name */
};

struct nl_sock;

/* 0 or -errno: -EPROTONOSUPPORT where the kernel has no netfilter netlink. */
int nl_sock_open(struct nl_sock **ret_sock);
/* The same with a socket that an earlier process left; taken where it succeeds. */
int nl_sock_adopt(int fd, struct nl_sock **ret_sock);
int nl_sock_fd(const struct nl_sock *sock);
void nl_sock_close(struct nl_sock *sock);
DEFINE_CLEANUP(nl_sock, struct nl_sock *, nl_sock_close)

uint32_t nl_sock_next_seq(struct nl_sock *sock);
uint32_t nl_sock_port(const struct nl_sock *sock); /* by which the kernel knows it */

/* The table that questions and batches are about: IR_TABLE_NAME, unless told otherwise. */
const char *nl_sock_table(const struct nl_sock *sock);
void nl_sock_use_table(struct nl_sock *sock, const char *name); /* a constant */

/* Starts a question about nf_tables in a buffer of NL_REQUEST_MAX bytes. type: NFT_MSG_GET... */
struct nlmsghdr *nl_request_init(void *buffer, uint16_t type, uint16_t flags);

/* Called for each message of an answer, until it returns anything but 0. */
typedef int (*nl_answer_fn)(const struct nlmsghdr *nlh, void *data);

/* Sends a question and hands on its answer: one message, or all of a dump (NLM_F_DUMP). 0, what
 * fn returned, the kernel's -errno (-ENOENT), -EINTR when the rules changed during a dump,
 * or -ETIMEDOUT.
 */
int nl_sock_ask(struct nl_sock *sock, struct nlmsghdr *request, nl_answer_fn fn, void *data);

/* The generation: changes with every commit, of whatever table. */
int nl_sock_generation(struct nl_sock *sock, uint32_t *ret_generation);

/* What one message says about one of ours: an error (-errno) or, error 0, that it was done. */
struct nl_ack {
	uint32_t seq;
	int error;
	const char *text;     /* the kernel's explanation, or NULL */
	uint32_t attr_offset; /* of the attribute it did not like in our message, or 0 */
};

/* Sends n bytes in one piece. The kernel works on it meanwhile: its answers are there then. */
int nl_sock_send(struct nl_sock *sock, void *bytes, size_t n);

/* Hands on all acknowledgements that are there, waiting for the first one. 0, -ENOBUFS when
 * some were lost, -ETIMEDOUT.
 */
int nl_sock_acks(struct nl_sock *sock, void (*fn)(const struct nl_ack *ack, void *data),
		 void *data);

#endif
