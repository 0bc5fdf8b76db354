/* SPDX-License-Identifier: GPL-2.0-or-later */
/* socket.c - requests → answers, over one netlink socket that stays open.
 *
 * The kernel handles a batch inside our sendmsg(): when that returns, it has committed or given
 * up, and what it has to say waits in the receive buffer. Only answers are waited for, with a
 * limit.
 */
#include "backend/nl/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

enum {
	ANSWER_TIMEOUT_MS = 10000,
	RECEIVE_BUFFER = 8 << 20, /* some thousand errors about one batch; memory only when used */
	ANSWER_MAX = 1 << 16,	  /* the kernel dumps in pieces of at most 32 KiB */
	SEND_TRIES = 20,
	SEND_PAUSE_MS = 10,
};

struct nl_sock {
	struct mnl_socket *mnl;
	uint32_t seq;
	int send_buffer; /* what SO_SNDBUF was set to */
	uint8_t *answer; /* ANSWER_MAX bytes */
};

static void set_option(struct nl_sock *sock, int option)
{
	int one = 1;

	/* Both exist since Linux 4.12; without them messages are shorter, nothing else. */
	(void)mnl_socket_setsockopt(sock->mnl, option, &one, sizeof(one));
}

int nl_sock_open(struct nl_sock **ret_sock)
{
	AUTO(nl_sock) struct nl_sock *sock = calloc(1, sizeof(*sock));
	int size = RECEIVE_BUFFER, fd;

	if (!sock)
		return -ENOMEM;
	sock->answer = malloc(ANSWER_MAX);
	if (!sock->answer)
		return -ENOMEM;
	sock->mnl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!sock->mnl || mnl_socket_bind(sock->mnl, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	set_option(sock, NETLINK_EXT_ACK);
	set_option(sock, NETLINK_CAP_ACK);
	fd = mnl_socket_get_fd(sock->mnl);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	*ret_sock = TAKE(sock);
	return 0;
}

void nl_sock_close(struct nl_sock *sock)
{
	if (!sock)
		return;
	if (sock->mnl)
		mnl_socket_close(sock->mnl);
	free(sock->answer);
	free(sock);
}

uint32_t nl_sock_next_seq(struct nl_sock *sock)
{
	if (++sock->seq == 0) /* 0 marks what nobody asked for */
		sock->seq = 1;
	return sock->seq;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Reads the next piece: its length, or -errno. deadline 0: only what is there already. */
static ssize_t receive(struct nl_sock *sock, uint64_t deadline)
{
	struct pollfd poll_fd = { .fd = mnl_socket_get_fd(sock->mnl), .events = POLLIN };

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(sock->mnl, sock->answer, ANSWER_MAX);
		uint64_t now;

		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		if (!deadline)
			return -EAGAIN;
		now = now_ms();
		if (now >= deadline)
			return -ETIMEDOUT;
		(void)poll(&poll_fd, 1, (int)(deadline - now));
	}
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
	int fd = mnl_socket_get_fd(sock->mnl);
	struct timespec pause = { .tv_nsec = SEND_PAUSE_MS * 1000000L };
	int wanted = (int)(n < INT_MAX / 2 - 4096 ? n + 4096 : INT_MAX / 2);

	/* The kernel takes one message in one piece or not at all (EMSGSIZE). */
	if (wanted > sock->send_buffer &&
	    (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof(wanted)) == 0 ||
	     setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof(wanted)) == 0))
		sock->send_buffer = wanted;
	for (unsigned i = 0;; i++) {
		if (mnl_socket_sendto(sock->mnl, bytes, n) >= 0)
			return 0;
		/* No memory for the copy; a commit has not begun before that. */
		if ((errno != EINTR && errno != EAGAIN && errno != ENOBUFS) || i == SEND_TRIES)
			return -errno;
		nanosleep(&pause, NULL);
	}
}

int nl_sock_acks(struct nl_sock *sock, void (*fn)(const struct nl_ack *ack, void *data), void *data)
{
	uint64_t deadline = now_ms() + ANSWER_TIMEOUT_MS;
	bool lost = false;

	for (;;) {
		ssize_t received = receive(sock, deadline);
		const struct nlmsghdr *nlh = (void *)sock->answer;
		int n = (int)received;

		if (received == -ENOBUFS) { /* an error overtook its siblings: read on */
			lost = true;
			deadline = 0;
			continue;
		}
		if (received == -EAGAIN)
			return lost ? -ENOBUFS : 0;
		if (received < 0)
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

/* An answer on its way. */
struct answer {
	nl_answer_fn fn;
	void *data;
	bool dump;
	int result; /* what fn returned, or the first error; nothing is handed on after that */
};

/* Handles one message: whether it was the last one. A dump given up half-way is read to its end all
 * the same: until then the kernel starts no other one for this socket (EBUSY).
 */
static bool handle_answer(struct answer *answer, const struct nlmsghdr *nlh)
{
	struct nl_ack ack;

	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR && !answer->result)
		answer->result = -EINTR;
	if (nlh->nlmsg_type == NLMSG_DONE)
		return true;
	if (is_ack(nlh)) {
		parse_ack(nlh, &ack);
		if (!answer->result)
			answer->result = ack.error;
		return true;
	}
	if (!answer->result)
		answer->result = answer->fn(nlh, answer->data);
	return !answer->dump;
}

int nl_sock_ask(struct nl_sock *sock, struct nlmsghdr *request, nl_answer_fn fn, void *data)
{
	struct answer answer = {
		.fn = fn,
		.data = data,
		.dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP,
	};
	uint64_t deadline = now_ms() + ANSWER_TIMEOUT_MS;
	int r;

	request->nlmsg_seq = nl_sock_next_seq(sock);
	r = nl_sock_send(sock, request, request->nlmsg_len);
	while (r == 0) {
		ssize_t received = receive(sock, deadline);
		const struct nlmsghdr *nlh = (void *)sock->answer;
		int n = (int)received;

		if (received < 0)
			return n;
		for (; mnl_nlmsg_ok(nlh, n); nlh = mnl_nlmsg_next(nlh, &n))
			if (nlh->nlmsg_seq == request->nlmsg_seq && handle_answer(&answer, nlh))
				return answer.result;
	}
	return r;
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
	uint8_t buffer[NL_REQUEST_MAX];
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
