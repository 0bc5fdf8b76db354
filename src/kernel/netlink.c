/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink.c - a question → the messages of its answer; every wait has an end. */
#include "kernel/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include <libmnl/libmnl.h>

#include "base/clock.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14, asm-generic/socket.h */
#endif

enum {
	ANSWER_MAX = 1 << 16, /* the kernel dumps in pieces of at most 32 KiB */
	SEND_TRIES = 20,
	SEND_PAUSE_MS = 10,
	DRAIN_MAX = 100000, /* pieces */
};

struct netlink {
	struct mnl_socket *mnl;
	int timeout_ms;
	uint32_t seq;
	uint8_t *answer; /* ANSWER_MAX bytes */
};

static int netlink_new(int timeout_ms, struct netlink **ret_netlink)
{
	AUTO(netlink) struct netlink *netlink = calloc(1, sizeof(*netlink));

	if (!netlink)
		return -ENOMEM;
	netlink->timeout_ms = timeout_ms;
	netlink->answer = malloc(ANSWER_MAX);
	if (!netlink->answer)
		return -ENOMEM;
	*ret_netlink = TAKE(netlink);
	return 0;
}

int netlink_open(int protocol, int timeout_ms, struct netlink **ret_netlink)
{
	AUTO(netlink) struct netlink *netlink = NULL;
	int r = netlink_new(timeout_ms, &netlink);

	if (r < 0)
		return r;
	netlink->mnl = mnl_socket_open2(protocol, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!netlink->mnl || mnl_socket_bind(netlink->mnl, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	*ret_netlink = TAKE(netlink);
	return 0;
}

static bool option_is(int fd, int option, int wanted)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 && value == wanted;
}

/* Which network namespace a socket is in; 0: not known. */
static uint64_t space_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
}

/* A dump that was under way goes on while it is read. */
static void drain(struct netlink *netlink)
{
	const struct nlmsghdr *unused;
	int n = 0;

	for (unsigned i = 0; i < DRAIN_MAX && n != -EAGAIN; i++)
		n = netlink_receive(netlink, 0, &unused);
}

int netlink_adopt(int fd, int protocol, int timeout_ms, struct netlink **ret_netlink)
{
	AUTO(fd) int here = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	AUTO(netlink) struct netlink *netlink = NULL;
	int r;

	if (here < 0)
		return -errno;
	if (!option_is(fd, SO_DOMAIN, AF_NETLINK) || !option_is(fd, SO_PROTOCOL, protocol))
		return -EPROTOTYPE;
	if (space_of(fd) != space_of(here))
		return -EXDEV;
	r = netlink_new(timeout_ms, &netlink);
	if (r < 0)
		return r;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return -errno;
	netlink->mnl = mnl_socket_fdopen(fd);
	if (!netlink->mnl)
		return -errno;
	drain(netlink);
	*ret_netlink = TAKE(netlink);
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	if (netlink->mnl)
		mnl_socket_close(netlink->mnl);
	free(netlink->answer);
	free(netlink);
}

int netlink_fd(const struct netlink *netlink)
{
	return mnl_socket_get_fd(netlink->mnl);
}

uint32_t netlink_port(const struct netlink *netlink)
{
	return mnl_socket_get_portid(netlink->mnl);
}

uint32_t netlink_next_seq(struct netlink *netlink)
{
	if (++netlink->seq == 0) /* 0 marks what nobody asked for */
		netlink->seq = 1;
	return netlink->seq;
}

int netlink_send(struct netlink *netlink, const void *bytes, size_t n)
{
	struct timespec pause = { .tv_nsec = SEND_PAUSE_MS * 1000000L };

	for (unsigned i = 0;; i++) {
		if (mnl_socket_sendto(netlink->mnl, bytes, n) >= 0)
			return 0;
		/* No memory for the copy; the kernel has not begun with it before that. */
		if ((errno != EINTR && errno != EAGAIN && errno != ENOBUFS) || i == SEND_TRIES)
			return -errno;
		nanosleep(&pause, NULL);
	}
}

int64_t netlink_deadline(const struct netlink *netlink)
{
	return clock_now_ms() + netlink->timeout_ms;
}

int netlink_receive(struct netlink *netlink, int64_t deadline, const struct nlmsghdr **ret_first)
{
	struct pollfd poll_fd = { .fd = netlink_fd(netlink), .events = POLLIN };

	*ret_first = (void *)netlink->answer;
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(netlink->mnl, netlink->answer, ANSWER_MAX);
		int64_t left;

		if (n >= 0)
			return (int)n;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || !deadline)
			return -errno;
		left = deadline - clock_now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		(void)poll(&poll_fd, 1, (int)left);
	}
}

/* An answer on its way. */
struct answer {
	netlink_fn fn;
	void *data;
	bool is_dump;
	int result; /* what fn returned, or the first error; nothing is handed on after that */
};

static void keep_first(int *result, int r)
{
	if (!*result)
		*result = r;
}

/* Handles one message: whether it was the last one. A dump given up half-way is read to its end all
 * the same: until then the kernel starts no other one for this socket (EBUSY).
 */
static bool handle(struct answer *answer, const struct nlmsghdr *nlh)
{
	/* The error comes first in both; in the end of a dump it is why the dump ended. */
	const int *error = mnl_nlmsg_get_payload(nlh);
	bool has_error = mnl_nlmsg_get_payload_len(nlh) >= sizeof(*error);

	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		keep_first(&answer->result, -EINTR);
	if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR) {
		keep_first(&answer->result, has_error ? *error : -EPROTO);
		return true;
	}
	if (!answer->result && answer->fn)
		answer->result = answer->fn(nlh, answer->data);
	return !answer->is_dump;
}

int netlink_ask(struct netlink *netlink, struct nlmsghdr *request, netlink_fn fn, void *data)
{
	int64_t deadline = netlink_deadline(netlink);
	struct answer answer = {
		.fn = fn,
		.data = data,
		.is_dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP,
	};
	int n;

	request->nlmsg_seq = netlink_next_seq(netlink);
	n = netlink_send(netlink, request, request->nlmsg_len);
	while (n >= 0) {
		const struct nlmsghdr *nlh;

		n = netlink_receive(netlink, deadline, &nlh);
		if (n < 0)
			break;
		for (; mnl_nlmsg_ok(nlh, n); nlh = mnl_nlmsg_next(nlh, &n))
			if (nlh->nlmsg_seq == request->nlmsg_seq && handle(&answer, nlh))
				return answer.result;
		n = 0; /* what mnl_nlmsg_next() left of it */
	}
	return n;
}
