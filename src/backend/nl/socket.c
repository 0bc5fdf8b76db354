/* SPDX-License-Identifier: GPL-2.0-or-later */
/* socket.c - a batch → what the kernel says of each of its messages; questions about nf_tables.
 *
 * The kernel handles a batch inside our sendmsg(): when that returns, it has committed or given
 * up, and what it has to say waits in the receive buffer. Only answers are waited for, with a
 * limit.
 */
#include "backend/nl/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "kernel/netlink.h"
#include "plan/ir.h"

enum {
	ANSWER_TIMEOUT_MS = 2000, /* it is there when send() returns, or it is lost */
	RECEIVE_BUFFER = 8 << 20, /* some thousand errors about one batch; memory only when used */
};

struct nl_sock {
	struct netlink *netlink;
	int send_buffer; /* what SO_SNDBUF was set to */
	const char *table;
};

static void set_option(const struct nl_sock *sock, int option)
{
	int one = 1;

	/* Both exist since Linux 4.12; without them messages are shorter, nothing else. */
	(void)setsockopt(netlink_fd(sock->netlink), SOL_NETLINK, option, &one, sizeof(one));
}

static int open_or_adopt(int fd, struct nl_sock **ret_sock)
{
	AUTO(nl_sock) struct nl_sock *sock = calloc(1, sizeof(*sock));
	int size = RECEIVE_BUFFER, r;

	if (!sock)
		return -ENOMEM;
	sock->table = IR_TABLE_NAME;
	r = fd < 0 ? netlink_open(NETLINK_NETFILTER, ANSWER_TIMEOUT_MS, &sock->netlink) :
		     netlink_adopt(fd, NETLINK_NETFILTER, ANSWER_TIMEOUT_MS, &sock->netlink);
	if (r < 0)
		return r;
	set_option(sock, NETLINK_EXT_ACK);
	set_option(sock, NETLINK_CAP_ACK);
	fd = netlink_fd(sock->netlink);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	*ret_sock = TAKE(sock);
	return 0;
}

int nl_sock_open(struct nl_sock **ret_sock)
{
	return open_or_adopt(-1, ret_sock);
}

int nl_sock_adopt(int fd, struct nl_sock **ret_sock)
{
	return open_or_adopt(fd, ret_sock);
}

int nl_sock_fd(const struct nl_sock *sock)
{
	return netlink_fd(sock->netlink);
}

void nl_sock_close(struct nl_sock *sock)
{
	if (!sock)
		return;
	netlink_close(sock->netlink);
	free(sock);
}

uint32_t nl_sock_next_seq(struct nl_sock *sock)
{
	return netlink_next_seq(sock->netlink);
}

uint32_t nl_sock_port(const struct nl_sock *sock)
{
	return netlink_port(sock->netlink);
}

const char *nl_sock_table(const struct nl_sock *sock)
{
	return sock->table;
}

void nl_sock_use_table(struct nl_sock *sock, const char *name)
{
	sock->table = name;
}

static void parse_ack(const struct nlmsghdr *nlh, struct nl_ack *ret_ack)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);
	size_t offset = sizeof(*error);
	const struct nlattr *attr;

	*ret_ack = (struct nl_ack){ .seq = nlh->nlmsg_seq, .error = error->error };
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		offset += error->msg.nlmsg_len - sizeof(error->msg);
	if (nlh->nlmsg_len < NLMSG_HDRLEN + offset)
		return;
	mnl_attr_for_each(attr, nlh, offset)
	{
		switch (mnl_attr_get_type(attr)) {
		case NLMSGERR_ATTR_MSG:
			if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
				ret_ack->text = mnl_attr_get_str(attr);
			break;
		case NLMSGERR_ATTR_OFFS:
			if (mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
				ret_ack->attr_offset = mnl_attr_get_u32(attr);
			break;
		}
	}
}

static bool is_ack(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_type == NLMSG_ERROR &&
	       nlh->nlmsg_len >= NLMSG_HDRLEN + sizeof(struct nlmsgerr);
}

int nl_sock_send(struct nl_sock *sock, void *bytes, size_t n)
{
	int fd = netlink_fd(sock->netlink);
	int wanted = (int)(n < INT_MAX / 2 - 4096 ? n + 4096 : INT_MAX / 2);

	/* The kernel takes one message in one piece or not at all (EMSGSIZE). */
	if (wanted > sock->send_buffer &&
	    (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof(wanted)) == 0 ||
	     setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof(wanted)) == 0))
		sock->send_buffer = wanted;
	return netlink_send(sock->netlink, bytes, n);
}

int nl_sock_acks(struct nl_sock *sock, void (*fn)(const struct nl_ack *ack, void *data), void *data)
{
	int64_t deadline = netlink_deadline(sock->netlink);
	bool lost = false;

	for (;;) {
		const struct nlmsghdr *nlh;
		int n = netlink_receive(sock->netlink, deadline, &nlh);

		if (n == -ENOBUFS) { /* an error overtook its siblings: read on */
			lost = true;
			deadline = 0;
			continue;
		}
		if (n == -EAGAIN)
			return lost ? -ENOBUFS : 0;
		if (n < 0)
			return n;
		for (; mnl_nlmsg_ok(nlh, n); nlh = mnl_nlmsg_next(nlh, &n)) {
			struct nl_ack ack;

			if (!is_ack(nlh))
				continue;
			parse_ack(nlh, &ack);
			fn(&ack, data);
			deadline = 0; /* the rest is there, or there is none */
		}
	}
}

struct nlmsghdr *nl_request_init(void *buffer, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = NFPROTO_INET;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

int nl_sock_ask(struct nl_sock *sock, struct nlmsghdr *request, nl_answer_fn fn, void *data)
{
	return netlink_ask(sock->netlink, request, fn, data);
}

static int read_generation(const struct nlmsghdr *nlh, void *data)
{
	uint32_t *ret_generation = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh,
			  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) == NFTA_GEN_ID &&
						       mnl_attr_validate(attr, MNL_TYPE_U32) ==
							       0) *ret_generation =
		ntohl(mnl_attr_get_u32(attr));
	return 0;
}

int nl_sock_generation(struct nl_sock *sock, uint32_t *ret_generation)
{
	uint8_t buffer[NL_REQUEST_MAX] = { 0 }; /* what pads attributes, too */
	struct nlmsghdr *nlh = nl_request_init(buffer, NFT_MSG_GETGEN, 0);
	uint32_t generation = 0;
	int r = nl_sock_ask(sock, nlh, read_generation, &generation);

	if (r < 0)
		return r;
	if (!generation)
		return -EPROTO;
	*ret_generation = generation;
	return 0;
}
