/* SPDX-License-Identifier: GPL-2.0-or-later */
/* socket.c - a shot → an ordinary socket of whoever calls, with the options it asks for. */
#include "send.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

static const struct {
	int type;
	int protocol;
} kinds[] = {
	[SHOT_TCP] = { SOCK_STREAM, IPPROTO_TCP }, [SHOT_MPTCP] = { SOCK_STREAM, IPPROTO_MPTCP },
	[SHOT_UDP] = { SOCK_DGRAM, IPPROTO_UDP },  [SHOT_UDPLITE] = { SOCK_DGRAM, IPPROTO_UDPLITE },
	[SHOT_PING] = { SOCK_DGRAM, 0 },
};

static bool is_v6_socket(const struct shot *shot)
{
	return shot->to.family == ADDR_V6 || shot->is_mapped;
}

static socklen_t make_address(const struct shot *shot, const struct prefix *address, uint32_t port,
			      struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (!is_v6_socket(shot)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		memcpy(&v4->sin_addr, address->bytes, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	if (address->family == ADDR_V4) {
		memset(&v6->sin6_addr.s6_addr[10], 0xff, 2);
		memcpy(&v6->sin6_addr.s6_addr[12], address->bytes, 4);
	} else {
		memcpy(&v6->sin6_addr, address->bytes, 16);
	}
	if (box_is_link_local(address))
		v6->sin6_scope_id = if_nametoindex(box_devices[shot_bound(shot)]);
	return sizeof(*v6);
}

static void read_address(const struct sockaddr_storage *address, struct prefix *ret, uint32_t *port)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

	*ret = (struct prefix){ .family = ADDR_V4, .length = 32 };
	if (address->ss_family == AF_INET) {
		memcpy(ret->bytes, &v4->sin_addr, 4);
		*port = ntohs(v4->sin_port);
		return;
	}
	*port = ntohs(v6->sin6_port);
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		memcpy(ret->bytes, &v6->sin6_addr.s6_addr[12], 4);
		return;
	}
	*ret = (struct prefix){ .family = ADDR_V6, .length = 128 };
	memcpy(ret->bytes, &v6->sin6_addr, 16);
}

static void set_option(int fd, int level, int option)
{
	int one = 1;

	(void)setsockopt(fd, level, option, &one, sizeof(one));
}

/* A segment routing header (RFC 8754), which takes no privilege; connect() puts the target in. */
static int set_routing_header(int fd, const struct prefix *via)
{
	struct {
		uint8_t next, length, type, left, last, flags;
		uint16_t tag;
		uint8_t segments[2][16];
	} header = { .length = 4, .type = 4, .left = 1, .last = 1 };

	memcpy(header.segments[1], via->bytes, 16);
	return setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &header, sizeof(header));
}

static int set_options(int fd, const struct shot *shot)
{
	const char *device = box_devices[shot->device];

	set_option(fd, SOL_SOCKET, SO_BROADCAST);
	set_option(fd, SOL_SOCKET, SO_REUSEADDR);
	set_option(fd, SOL_SOCKET, SO_REUSEPORT);
	if (device &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) < 0)
		return -errno;
	if (shot->ip_options && setsockopt(fd, IPPROTO_IP, IP_OPTIONS, "\1\1\1\0", 4) < 0)
		return -errno;
	if (shot->via.family != ADDR_NONE && set_routing_header(fd, &shot->via) < 0)
		return -errno;
	if (shot->recverr) {
		set_option(fd, IPPROTO_IP, IP_RECVERR);
		if (is_v6_socket(shot))
			set_option(fd, IPPROTO_IPV6, IPV6_RECVERR);
	}
	if (is_v6_socket(shot))
		set_option(fd, IPPROTO_IPV6, IPV6_FREEBIND);
	return 0;
}

int socket_prepare(const struct shot *shot, void *ret_target, unsigned *ret_length)
{
	int protocol = kinds[shot->kind].protocol;
	struct sockaddr_storage local;
	AUTO(fd) int fd = -1;
	socklen_t length;
	int r;

	if (shot->kind == SHOT_PING)
		protocol = is_v6_socket(shot) ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	fd = socket(is_v6_socket(shot) ? AF_INET6 : AF_INET,
		    kinds[shot->kind].type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return -errno;
	r = set_options(fd, shot);
	if (r < 0)
		return r;
	if (shot->from.family != ADDR_NONE || shot->sport) {
		length = make_address(shot, &shot->from, shot->sport, &local);
		if (bind(fd, (struct sockaddr *)&local, length) < 0)
			return -errno;
	}
	*ret_length = make_address(shot, &shot->to, shot->dport, ret_target);
	r = fd;
	fd = -1;
	return r;
}

/* Which source address the kernel would choose, asked of a socket that sends nothing. */
static void find_source(const struct shot *shot, struct sent *sent)
{
	struct shot probe = *shot;
	struct sockaddr_storage address;
	unsigned length;
	uint32_t port;
	AUTO(fd) int fd = -1;

	probe.kind = SHOT_UDP;
	probe.sport = 0;
	probe.dport = 9;
	fd = socket_prepare(&probe, &address, &length);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, length) < 0)
		return;
	length = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &length) == 0)
		read_address(&address, &sent->from, &port);
}

static void find_local(int fd, const struct shot *shot, struct sent *sent)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) == 0)
		read_address(&address, &sent->from, &sent->sport);
	if (prefix_is_unspecified(&sent->from))
		find_source(shot, sent);
}

static int wait_for_error(int fd, unsigned wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t length = sizeof(error);

	poll(&p, 1, (int)wait_ms);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	return error;
}

static void send_tcp(int fd, const struct sockaddr *to, socklen_t length, unsigned wait_ms,
		     struct sent *sent)
{
	if (connect(fd, to, length) == 0)
		return;
	sent->error = errno == EINPROGRESS ? wait_for_error(fd, wait_ms) : errno;
}

static void send_datagram(int fd, const struct shot *shot, const struct sockaddr *to,
			  socklen_t length, struct sent *sent)
{
	uint8_t echo[8] = { shot->to.family == ADDR_V4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST };
	ssize_t n;

	if (shot->is_connected && connect(fd, to, length) < 0) {
		sent->not_sent = errno;
		return;
	}
	n = shot->is_connected ? send(fd, echo, sizeof(echo), 0) :
				 sendto(fd, echo, sizeof(echo), 0, to, length);
	sent->error = n < 0 ? errno : wait_for_error(fd, 0);
}

void socket_send(const struct shot *shot, unsigned wait_ms, struct sent *ret_sent)
{
	struct sockaddr_storage to;
	AUTO(fd) int fd = -1;
	unsigned length;

	*ret_sent = (struct sent){ 0 };
	fd = socket_prepare(shot, &to, &length);
	if (fd < 0)
		ret_sent->not_sent = -fd;
	else if (kinds[shot->kind].type == SOCK_STREAM)
		send_tcp(fd, (struct sockaddr *)&to, length, wait_ms, ret_sent);
	else
		send_datagram(fd, shot, (struct sockaddr *)&to, length, ret_sent);
	if (fd >= 0)
		find_local(fd, shot, ret_sent);
}
