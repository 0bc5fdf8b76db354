/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_tcp.c - ways out over a TCP connection that the user opens itself. */
#include "way.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECT_MS = 300, FRIEND_MS = 3000 };

/* Connects and sends: the end of most ways. Closes `fd`. */
static int send_to(const struct way_aim *aim, int fd, const union way_address *to)
{
	if (way_connect(fd, to, CONNECT_MS) == 0)
		way_send_marker(fd, aim);
	close(fd);
	return WAY_TRIED;
}

static int plain(const struct way_aim *aim, union way_address to)
{
	return send_to(aim, way_socket(&to, SOCK_STREAM, 0), &to);
}
WAY_EACH_FAMILY(plain)

static int link_local(const struct way_aim *aim)
{
	union way_address to = way_v6(aim->v6_link_local, aim->port);

	to.v6.sin6_scope_id = aim->ifindex;
	return plain(aim, to);
}

static int blocking(const struct way_aim *aim, union way_address to)
{
	struct timeval limit = { 0, CONNECT_MS * 1000 };
	int fd = way_socket(&to, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, &to.any, way_length(&to)) == 0)
		way_send_marker(fd, aim);
	close(fd);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(blocking)

/* Whatever becomes of one attempt, there are more: a reset may come late. */
static int burst(const struct way_aim *aim, union way_address to)
{
	int fds[50];

	for (int i = 0; i < 50; i++) {
		fds[i] = way_socket(&to, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fds[i], &to.any, way_length(&to));
	}
	way_sleep(50);
	for (int i = 0; i < 50; i++) {
		way_send_marker(fds[i], aim);
		connect(fds[i], &to.any, way_length(&to));
	}
	return WAY_TRIED;
}
WAY_EACH_FAMILY(burst)

/* --- fast open: data in the SYN ----------------------------------------------------------------
 */

static int fast_open_fd(const struct way_aim *aim, int fd, const union way_address *to)
{
	sendto(fd, aim->marker, strlen(aim->marker), MSG_FASTOPEN | MSG_DONTWAIT, &to->any,
	       way_length(to));
	way_sleep(50);
	close(fd);
	return WAY_TRIED;
}

static int fast_open(const struct way_aim *aim, union way_address to)
{
	return fast_open_fd(aim, way_socket(&to, SOCK_STREAM, 0), &to);
}
WAY_EACH_FAMILY(fast_open)

static int fast_open_connect(const struct way_aim *aim, union way_address to)
{
	int fd = way_socket(&to, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)) < 0)
		return way_cannot("TCP_FASTOPEN_CONNECT: %s", strerror(errno));
	connect(fd, &to.any, way_length(&to));
	way_send_marker(fd, aim);
	way_sleep(50);
	close(fd);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(fast_open_connect)

/* --- source ports that mean something -----------------------------------------------------------
 */

static int from_port(const struct way_aim *aim, union way_address to, uint16_t port, bool fast)
{
	int fd = way_socket(&to, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)); /* others try it, too */
	way_bind(fd, &to, port);
	return fast ? fast_open_fd(aim, fd, &to) : send_to(aim, fd, &to);
}

static int from_declared(const struct way_aim *aim, union way_address to)
{
	return from_port(aim, to, aim->declared_tcp, false);
}
WAY_EACH_FAMILY(from_declared)

static int from_declared_fast(const struct way_aim *aim, union way_address to)
{
	return from_port(aim, to, aim->declared_tcp, true);
}
WAY_EACH_FAMILY(from_declared_fast)

static int from_friend(const struct way_aim *aim, union way_address to)
{
	return from_port(aim, to, aim->friend_port, false);
}
WAY_EACH_FAMILY(from_friend)

static int from_dns(const struct way_aim *aim, union way_address to)
{
	return from_port(aim, to, 53, false);
}
WAY_EACH_FAMILY(from_dns)

static int from_proxy(const struct way_aim *aim, union way_address to)
{
	return from_port(aim, to, 3128, false);
}
WAY_EACH_FAMILY(from_proxy)

/* A SYN that asks for ECN has more flags than SYN. */
static int ecn_on(const struct way_aim *aim)
{
	return way_sysctl(aim, "net/ipv4/tcp_ecn", "1", "2");
}

/* Accurate ECN asks with one flag more, where reserved bits used to be. */
static int accurate_ecn_on(const struct way_aim *aim)
{
	return way_sysctl(aim, "net/ipv4/tcp_ecn", "3", "2");
}

/* --- ways to a device ----------------------------------------------------------------------------
 */

static int by_device(const struct way_aim *aim, union way_address to)
{
	int fd = way_socket(&to, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, aim->interface, IFNAMSIZ);
	return send_to(aim, fd, &to);
}
WAY_EACH_FAMILY(by_device)

static int by_index(const struct way_aim *aim, union way_address to)
{
	int fd = way_socket(&to, SOCK_STREAM, 0), index = (int)htonl(aim->ifindex);

	setsockopt(fd, IPPROTO_IP, IP_UNICAST_IF, &index, sizeof(index));
	setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_IF, &index, sizeof(index));
	return send_to(aim, fd, &to);
}
WAY_EACH_FAMILY(by_index)

/* Loopback's addresses, but by the uplink; data in the SYN, as an answer never comes. */
static int loopback_outside(const struct way_aim *aim, union way_address to, uint16_t port)
{
	int fd = way_socket(&to, SOCK_STREAM, 0), one = 1;

	to.v4.sin_port = htons(port); /* the same place in both */
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, aim->interface, IFNAMSIZ) < 0)
		return way_cannot("SO_BINDTODEVICE: %s", strerror(errno));
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	return fast_open_fd(aim, fd, &to);
}

static int loopback4_port(const struct way_aim *aim)
{
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };

	return loopback_outside(aim, way_v4(loopback, 0), aim->port);
}

static int loopback4_proxy(const struct way_aim *aim)
{
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };

	return loopback_outside(aim, way_v4(loopback, 0), 3128);
}

static int loopback4_declared(const struct way_aim *aim)
{
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };

	return loopback_outside(aim, way_v4(loopback, 0), aim->declared_tcp);
}

static int loopback4_mapped(const struct way_aim *aim)
{
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };

	return loopback_outside(aim, way_mapped(loopback, 0), 3128);
}

static int loopback6_proxy(const struct way_aim *aim)
{
	return loopback_outside(aim, way_v6(in6addr_loopback, 0), 3128);
}

static int loopback6_declared(const struct way_aim *aim)
{
	return loopback_outside(aim, way_v6(in6addr_loopback, 0), aim->declared_tcp);
}

/* --- near what is allowed ------------------------------------------------------------------------
 */

static int friend_other_port(const struct way_aim *aim)
{
	plain(aim, way_v6(aim->v6_friend, aim->port));
	return plain(aim, way_v4(aim->v4_friend, aim->port));
}

static int resolver_other_port(const struct way_aim *aim)
{
	plain(aim, way_v6(aim->resolver6, aim->port));
	return plain(aim, way_v4(aim->resolver4, aim->port));
}

static int dns_by_tcp(const struct way_aim *aim)
{
	return plain(aim, way_v4(aim->resolver4, 53));
}

/* The same socket, first to the friend, then somewhere else. */
static int after_friend(const struct way_aim *aim, union way_address to)
{
	union way_address friend = way_v4(aim->v4_friend, aim->friend_port);
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	int fd;

	if (to.any.sa_family == AF_INET6)
		friend = IN6_IS_ADDR_V4MAPPED(&to.v6.sin6_addr) ?
				 way_mapped(aim->v4_friend, aim->friend_port) :
				 way_v6(aim->v6_friend, aim->friend_port);
	fd = way_socket(&to, SOCK_STREAM, 0);
	if (way_connect(fd, &friend, FRIEND_MS) < 0)
		way_wrong("the friend does not answer");
	connect(fd, &nobody, sizeof(nobody));
	return send_to(aim, fd, &to);
}
WAY_EACH_FAMILY(after_friend)

/* --- a peer that helps ---------------------------------------------------------------------------
 */

static int talk = -1;

/* The peer calls, from where it is aimed at, again and again: SYNs cross. */
static void call_back(const struct way_aim *aim, int to_way)
{
	uint16_t port;
	union way_address from = way_v4(aim->v4, aim->port), to;

	if (recv(to_way, &port, sizeof(port), 0) != sizeof(port))
		return;
	to = way_v4(aim->local4, port);
	for (int i = 0; i < 400; i++) {
		int fd = way_socket(&to, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
		if (bind(fd, &from.any, way_length(&from)) < 0)
			way_wrong("the peer's port: %s", strerror(errno));
		connect(fd, &to.any, way_length(&to));
		way_sleep(1);
		close(fd);
	}
}

static int call_back_start(const struct way_aim *aim)
{
	talk = way_outsider(aim, call_back);
	return 0;
}

static int cross(const struct way_aim *aim, uint16_t port)
{
	union way_address to = way_v4(aim->v4, aim->port);

	send(talk, &port, sizeof(port), 0);
	for (int i = 0; i < 60; i++) {
		int fd = way_socket(&to, SOCK_STREAM, 0);

		way_bind(fd, &to, port);
		if (way_connect(fd, &to, 5) == 0)
			way_send_marker(fd, aim);
		close(fd);
	}
	return WAY_TRIED;
}

static int cross_undeclared(const struct way_aim *aim)
{
	return cross(aim, way_own_port(aim));
}

/* --- who asks ------------------------------------------------------------------------------------
 */

/* In a child of its own; the parent waits for it. */
static int in_child(const struct way_aim *aim, union way_address to, bool orphan)
{
	pid_t child = fork();

	if (child == 0) {
		if (orphan && fork() > 0)
			_exit(0);
		way_sleep(orphan ? 50 : 0);
		plain(aim, to);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	way_sleep(orphan ? 200 : 0);
	return WAY_TRIED;
}

static int daemonised(const struct way_aim *aim, union way_address to)
{
	return in_child(aim, to, true);
}
WAY_EACH_FAMILY(daemonised)

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return good;
}

/* Root in a user namespace of its own, but in the machine's network. */
static int in_userns(const struct way_aim *aim, union way_address to)
{
	char map[64];

	if (unshare(CLONE_NEWUSER) < 0)
		return way_cannot("no user namespaces: %s", strerror(errno));
	snprintf(map, sizeof(map), "0 %u 1", aim->uid);
	if (!write_text("/proc/self/uid_map", map))
		way_wrong("uid_map: %s", strerror(errno));
	return plain(aim, to);
}
WAY_EACH_FAMILY(in_userns)

/* Takes CAP_NET_ADMIN over the network namespace, which root in a user namespace does not have. */
static int repair(const struct way_aim *aim, union way_address to)
{
	int fd = way_socket(&to, SOCK_STREAM, 0), one = 1, zero = 0;

	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &one, sizeof(one)) < 0)
		return way_cannot("TCP_REPAIR: %s", strerror(errno));
	connect(fd, &to.any, way_length(&to));
	setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &zero, sizeof(zero));
	way_send_marker(fd, aim);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(repair)

/* --- options --------------------------------------------------------------------
 */

/* One connection with each option that a user may set and that might change what rules see. */
static int options(const struct way_aim *aim, union way_address to)
{
	static const struct {
		int level, name, value;
	} each[] = {
		{ SOL_SOCKET, SO_MARK, 1 },
		{ SOL_SOCKET, SO_PRIORITY, 6 },
		{ SOL_SOCKET, SO_DONTROUTE, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ SOL_SOCKET, SO_BUSY_POLL, 1 },
		{ SOL_SOCKET, SO_ZEROCOPY, 1 },
		{ SOL_SOCKET, SO_RCVMARK, 1 },
		{ SOL_SOCKET, SO_REUSEPORT, 1 },
		{ IPPROTO_IP, IP_TRANSPARENT, 1 },
		{ IPPROTO_IP, IP_FREEBIND, 1 },
		{ IPPROTO_IP, IP_TOS, 0x1c },
		{ IPPROTO_IP, IP_TTL, 2 },
		{ IPPROTO_IP, IP_NODEFRAG, 1 },
		{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1 },
		{ IPPROTO_IP, IP_MTU_DISCOVER, 0 },
		{ IPPROTO_IPV6, IPV6_TRANSPARENT, 1 },
		{ IPPROTO_IPV6, IPV6_FREEBIND, 1 },
		{ IPPROTO_IPV6, IPV6_TCLASS, 0x1c },
		{ IPPROTO_IPV6, IPV6_DONTFRAG, 1 },
		{ IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 1 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_CORK, 1 },
		{ IPPROTO_TCP, TCP_MAXSEG, 100 },
		{ IPPROTO_TCP, TCP_SYNCNT, 1 },
		{ IPPROTO_TCP, TCP_WINDOW_CLAMP, 1 },
		{ IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 1 },
		{ IPPROTO_TCP, TCP_TX_DELAY, 1000 },
		{ IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1 },
	};

	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		int fd = way_socket(&to, SOCK_STREAM, 0);

		setsockopt(fd, each[i].level, each[i].name, &each[i].value, sizeof(int));
		if (way_connect(fd, &to, 50) == 0)
			way_send_marker(fd, aim);
		close(fd);
	}
	return WAY_TRIED;
}
WAY_EACH_FAMILY(options)

const struct way ways_tcp[] = {
	WAY_ROWS("tcp-connect", "a plain connection", NULL, plain, "default", 0),
	{ "tcp-link-local", "a connection to a link-local address", NULL, link_local, "default",
	  0 },
	WAY_ROWS("tcp-blocking", "a blocking connect()", NULL, blocking, "default", 0),
	WAY_ROWS("tcp-burst", "fifty at once, each tried again", NULL, burst, "default", 0),
	WAY_ROWS("tcp-fast-open", "data in the SYN: MSG_FASTOPEN", NULL, fast_open, "default", 0),
	WAY_ROWS("tcp-fast-open-connect", "data in the SYN: TCP_FASTOPEN_CONNECT", NULL,
		 fast_open_connect, "default", 0),
	WAY_ROWS("tcp-from-declared", "from a port that the policy declares", NULL, from_declared,
		 "default", 0),
	WAY_ROWS("tcp-from-declared-fast-open", "from a declared port, with data in the SYN", NULL,
		 from_declared_fast, "default", 0),
	WAY_ROWS("tcp-from-declared-ecn", "from a declared port, asking for ECN", ecn_on,
		 from_declared, "default", WAY_ALONE),
	WAY_ROWS("tcp-from-declared-accurate-ecn", "from a declared port, asking for accurate ECN",
		 accurate_ecn_on, from_declared, "default", WAY_ALONE),
	WAY_ROWS("tcp-from-allowed", "from a port that is allowed as a target", NULL, from_friend,
		 "default", 0),
	WAY_ROWS("tcp-from-dns", "from port 53", NULL, from_dns, "default", 0),
	WAY_ROWS("tcp-from-proxy", "from port 3128", NULL, from_proxy, "default", 0),
	WAY_ROWS("tcp-by-device", "SO_BINDTODEVICE", NULL, by_device, "default", 0),
	WAY_ROWS("tcp-by-index", "IP_UNICAST_IF, IPV6_UNICAST_IF", NULL, by_index, "default", 0),
	{ "tcp-loopback-by-uplink", "to 127.0.0.1 by the uplink, data in the SYN", NULL,
	  loopback4_port, "default", 0 },
	{ "tcp-loopback-by-uplink-proxy", "to 127.0.0.1, the proxy's port, by the uplink", NULL,
	  loopback4_proxy, "default", 0 },
	{ "tcp-loopback-by-uplink-declared", "to 127.0.0.1, its own port, by the uplink", NULL,
	  loopback4_declared, "default", 0 },
	{ "tcp-loopback-by-uplink-mapped", "to ::ffff:127.0.0.1, the proxy's port, by the uplink",
	  NULL, loopback4_mapped, "default", 0 },
	{ "tcp-loopback-by-uplink-proxy-v6", "to ::1, the proxy's port, by the uplink", NULL,
	  loopback6_proxy, "default", 0 },
	{ "tcp-loopback-by-uplink-declared-v6", "to ::1, its own port, by the uplink", NULL,
	  loopback6_declared, "default", 0 },
	{ "tcp-allowed-other-port", "to an allowed address, another port", NULL, friend_other_port,
	  "default", 0 },
	{ "tcp-resolver-other-port", "to the resolver, another port than 53", NULL,
	  resolver_other_port, "default", 0 },
	{ "tcp-dns", "to the resolver, port 53: whatever it passes on", NULL, dns_by_tcp, "nothing",
	  0 },
	WAY_ROWS("tcp-after-allowed", "connected to what is allowed, then elsewhere", NULL,
		 after_friend, "default", 0),
	{ "tcp-crossing", "the peer calls at the same time: SYNs cross", call_back_start,
	  cross_undeclared, "default", WAY_LISTENS },
	WAY_ROWS("tcp-daemonised", "from a child whose parent is gone", NULL, daemonised, "default",
		 0),
	WAY_ROWS("tcp-userns", "as root of a user namespace, in the machine's network", NULL,
		 in_userns, "default", 0),
	WAY_ROWS("tcp-repair", "TCP_REPAIR: a connection without a handshake", NULL, repair,
		 "default", 0),
	WAY_ROWS("tcp-options", "with each socket option that a user may set", NULL, options,
		 "default", 0),
	{ 0 },
};
