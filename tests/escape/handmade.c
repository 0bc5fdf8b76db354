/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handmade.c - a TCP peer without the kernel's TCP: it can shut its window from the first segment
 * on. */
#include "handmade.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SEGMENT_MAX = 65536, CHECKSUM_AT = 16, DATA_MAX = 16 };

struct __attribute__((packed)) segment {
	uint16_t source, destination;
	uint32_t sequence, acknowledged;
	uint8_t length, flags;
	uint16_t window, checksum, urgent;
};

void handmade_open(struct handmade *h, const union way_address *from, const union way_address *to)
{
	union way_address bound = *from;
	int offset = CHECKSUM_AT;

	*h = (struct handmade){ .raw = way_socket(to, SOCK_RAW, IPPROTO_TCP),
				.from = *from,
				.to = *to,
				.next = 12345 };
	bound.v4.sin_port = 0; /* the same place in both */
	if (h->raw < 0 || bind(h->raw, &bound.any, way_length(&bound)) < 0)
		way_wrong("the peer's raw socket: %s", strerror(errno));
	if (to->any.sa_family == AF_INET6)
		setsockopt(h->raw, IPPROTO_IPV6, IPV6_CHECKSUM, &offset, sizeof(offset));
}

/* A segment, and after it, for the checksum alone, the addresses. */
struct __attribute__((packed)) summed {
	struct segment head;
	char data[DATA_MAX];
	struct in_addr from, to;
	uint16_t protocol, length;
};

static uint16_t checksum(const struct summed *s)
{
	uint16_t words[sizeof(*s) / 2];
	uint32_t sum = 0;

	memcpy(words, s, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

void handmade_send(struct handmade *h, unsigned flags, unsigned window, const char *data)
{
	size_t n = data ? strlen(data) : 0;
	struct summed s = {
		.head = { .source = h->from.v4.sin_port,
			  .destination = h->to.v4.sin_port,
			  .sequence = htonl(h->next),
			  .acknowledged = htonl(flags & HANDMADE_ACK ? h->expected : 0),
			  .length = sizeof(s.head) / 4 << 4,
			  .flags = (uint8_t)flags,
			  .window = htons((uint16_t)window) },
		.from = h->from.v4.sin_addr,
		.to = h->to.v4.sin_addr,
		.protocol = htons(IPPROTO_TCP),
		.length = htons((uint16_t)(sizeof(s.head) + n)),
	};
	union way_address to = h->to;

	if (data)
		memcpy(s.data, data, n < DATA_MAX ? n : DATA_MAX);
	to.v4.sin_port = 0;
	if (h->to.any.sa_family == AF_INET) /* for IPv6 the kernel does it */
		s.head.checksum = checksum(&s);
	sendto(h->raw, &s, sizeof(s.head) + n, 0, &to.any, way_length(&to));
	h->next += (uint32_t)n + (flags & (HANDMADE_SYN | HANDMADE_FIN) ? 1 : 0);
}

/* The next segment of this connection; its length, or -1. */
static int receive(struct handmade *h, struct segment *ret_segment, int ms)
{
	static uint8_t bytes[SEGMENT_MAX];

	while (way_readable(h->raw, ms)) {
		ssize_t n = recv(h->raw, bytes, sizeof(bytes), 0);
		/* raw IPv4 sockets get the IP header, too */
		size_t at = h->to.any.sa_family == AF_INET ? (bytes[0] & 15u) * 4 : 0;

		if (n < (ssize_t)(at + sizeof(*ret_segment)))
			continue;
		memcpy(ret_segment, bytes + at, sizeof(*ret_segment));
		if (ret_segment->source == h->to.v4.sin_port &&
		    ret_segment->destination == h->from.v4.sin_port)
			return (int)((size_t)n - at - (ret_segment->length >> 4) * 4u);
	}
	return -1;
}

bool handmade_connect(struct handmade *h, const char *data, int ms)
{
	struct segment s;

	handmade_send(h, HANDMADE_SYN, 0, data);
	while (receive(h, &s, ms) >= 0) {
		if (s.flags != (HANDMADE_SYN | HANDMADE_ACK))
			continue;
		h->expected = ntohl(s.sequence) + 1;
		handmade_send(h, HANDMADE_ACK, 0, NULL);
		return true;
	}
	return false;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void handmade_acknowledge(struct handmade *h, unsigned window, int ms)
{
	int64_t end = now_ms() + ms;
	struct segment s;

	handmade_send(h, HANDMADE_ACK, window, NULL);
	while (now_ms() < end) {
		int n = receive(h, &s, 50);

		if (n < 0)
			continue;
		if (ntohl(s.sequence) == h->expected)
			h->expected += (uint32_t)n + (s.flags & HANDMADE_FIN ? 1 : 0);
		handmade_send(h, HANDMADE_ACK, window, NULL);
	}
}
