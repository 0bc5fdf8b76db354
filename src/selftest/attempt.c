/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attempt.c - one attempt with a socket of this process → what was seen. */
#include "selftest/attempt.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

enum { MESSAGE_MAX = 512 };

/* An attempt that goes on. */
struct attempt {
	const struct job *job;
	struct seen *seen;
	int fd;
	int64_t since; /* us */
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

void attempt_end(struct seen *seen, enum seen_end end, enum seen_stage stage, int error,
		 int64_t since)
{
	seen->end = (uint8_t)end;
	seen->stage = (uint8_t)stage;
	seen->error = error;
	seen->us = (uint32_t)(clock_now_us() - since);
}

uint16_t attempt_source_port(int fd)
{
	union address own = { 0 };
	socklen_t length = sizeof(own);

	if (getsockname(fd, &own.any, &length) < 0)
		return 0;
	return ntohs(own.any.sa_family == AF_INET ? own.v4.sin_port : own.v6.sin6_port);
}

/* --- steps, each 0 or -1 when the attempt is over -----------------------------------------------
 */

static int fail(struct attempt *a, enum seen_stage stage, int error)
{
	attempt_end(a->seen, SEEN_ERROR, stage, error, a->since);
	return -1;
}

static int open_socket(struct attempt *a, int type, int protocol)
{
	int family = a->job->to.family == ADDR_V4 ? AF_INET : AF_INET6;

	a->fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	return a->fd < 0 ? fail(a, STAGE_SOCKET, errno) : 0;
}

/* Waits for the socket until the attempt's time is over. */
static int await(struct attempt *a, short events, enum seen_stage stage)
{
	struct pollfd p = { .fd = a->fd, .events = events };
	int ready;

	do {
		int64_t left = JOB_TIMEOUT_MS - (clock_now_us() - a->since) / 1000;

		ready = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (ready < 0 && errno == EINTR);
	if (ready > 0)
		return 0;
	attempt_end(a->seen, SEEN_SILENCE, stage, 0, a->since);
	return -1;
}

static int connect_socket(struct attempt *a)
{
	const struct prefix *to = &a->job->to;
	union address address = { 0 };
	socklen_t length = to->family == ADDR_V4 ? sizeof(address.v4) : sizeof(address.v6);
	int r, error = 0;
	socklen_t n = sizeof(error);

	if (to->family == ADDR_V4) {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = htons(a->job->port);
		memcpy(&address.v4.sin_addr, to->bytes, 4);
	} else {
		address.v6.sin6_family = AF_INET6;
		address.v6.sin6_port = htons(a->job->port);
		memcpy(&address.v6.sin6_addr, to->bytes, 16);
	}
	r = connect(a->fd, &address.any, length);
	error = r < 0 ? errno : 0;
	a->seen->sport = attempt_source_port(a->fd);
	if (error == EINPROGRESS) {
		if (await(a, POLLOUT, STAGE_CONNECT) < 0)
			return -1;
		getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &n);
	}
	return error ? fail(a, STAGE_CONNECT, error) : 0;
}

static int send_message(struct attempt *a, const void *message, size_t n)
{
	ssize_t sent = send(a->fd, message, n, MSG_NOSIGNAL);

	a->seen->sport = attempt_source_port(a->fd); /* an echo request's id is there only now */
	return sent < 0 ? fail(a, STAGE_SEND, errno) : 0;
}

static int await_answer(struct attempt *a)
{
	char bytes[MESSAGE_MAX];

	if (await(a, POLLIN, STAGE_ANSWER) < 0)
		return -1;
	if (recv(a->fd, bytes, sizeof(bytes), 0) < 0)
		return fail(a, STAGE_ANSWER, errno);
	attempt_end(a->seen, SEEN_ANSWER, STAGE_ANSWER, 0, a->since);
	return 0;
}

/* --- the ways -----------------------------------------------------------------------------------
 */

/* Connects, sends nothing, closes. */
static void try_tcp(struct attempt *a)
{
	if (open_socket(a, SOCK_STREAM, 0) == 0 && connect_socket(a) == 0)
		attempt_end(a->seen, SEEN_ANSWER, STAGE_CONNECT, 0, a->since);
}

static void try_datagram(struct attempt *a, int protocol, const void *message, size_t n)
{
	if (open_socket(a, SOCK_DGRAM, protocol) == 0 && connect_socket(a) == 0 &&
	    send_message(a, message, n) == 0)
		await_answer(a);
}

/* A socket that takes no privilege; net.ipv4.ping_group_range says whose groups may have one. */
static void try_ping(struct attempt *a)
{
	static const struct icmphdr echo4 = { .type = ICMP_ECHO };
	static const struct icmp6_hdr echo6 = { .icmp6_type = ICMP6_ECHO_REQUEST };

	if (a->job->to.family == ADDR_V4)
		try_datagram(a, IPPROTO_ICMP, &echo4, sizeof(echo4));
	else
		try_datagram(a, IPPROTO_ICMPV6, &echo6, sizeof(echo6));
}

/* A query for the IPv4 address of JOB_NAME, behind the two bytes of length that TCP wants. */
static size_t make_query(unsigned char *out)
{
	static const unsigned char head[] = { 0, 0, 'u', 'w', 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
	static const unsigned char tail[] = { 0, 0, 1, 0, 1 }; /* the root; type A, class IN */
	size_t n = sizeof(head);

	memcpy(out, head, sizeof(head));
	for (const char *label = JOB_NAME; *label;) {
		size_t length = strcspn(label, ".");

		out[n++] = (unsigned char)length;
		memcpy(out + n, label, length);
		n += length;
		label += length + (label[length] == '.');
	}
	memcpy(out + n, tail, sizeof(tail));
	n += sizeof(tail);
	out[1] = (unsigned char)(n - 2);
	return n;
}

static void try_dns_tcp(struct attempt *a, const unsigned char *query, size_t n)
{
	if (open_socket(a, SOCK_STREAM, 0) == 0 && connect_socket(a) == 0 &&
	    send_message(a, query, n) == 0)
		await_answer(a);
}

void attempt_run(const struct job *job, struct seen *ret_seen)
{
	struct attempt a = { .job = job, .seen = ret_seen, .fd = -1, .since = clock_now_us() };
	unsigned char query[MESSAGE_MAX];
	size_t n = make_query(query);

	*ret_seen = (struct seen){ .end = SEEN_LOST };
	switch ((enum job_way)job->way) {
	case JOB_TCP:
		try_tcp(&a);
		break;
	case JOB_UDP:
		try_datagram(&a, 0, JOB_TEXT, strlen(JOB_TEXT));
		break;
	case JOB_PING:
		try_ping(&a);
		break;
	case JOB_DNS_UDP:
		try_datagram(&a, 0, query + 2, n - 2);
		break;
	case JOB_DNS_TCP:
		try_dns_tcp(&a, query, n);
		break;
	case JOB_HTTP:
	case JOB_HTTPS:
	case JOB_PROXY_HTTP:
	case JOB_PROXY_HTTPS:
	case JOB_WAYS:
		break; /* not with a socket of ours */
	}
	fd_close(a.fd);
}
