/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_mptcp.c - ways out over MPTCP, whose further subflows the kernel opens by itself.
 *
 * A peer that is allowed announces an address that is not, and the box's kernel joins it: the SYN
 * has no owner. Announced are addresses of this attempt's, on the peer's port.
 */
#include "way.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECT_MS = 3000, JOIN_MS = 300 };

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static int talk = -1, kept4 = -1, kept6 = -1;

/* --- the peer -----------------------------------------------------------------------------------
 */

/* An address of the attempt's to all that are connected, until the way has ended. The kernel keeps
 * eight at most.
 */
static void announcer(const struct way_aim *aim, int to_way)
{
	char address[INET6_ADDRSTRLEN], add[256], take_back[256];
	unsigned id = 1 + aim->port % 250u;

	setsid(); /* not ended with the way, but by what it leaves */
	close(STDOUT_FILENO);
	switch (way_hear(to_way, 60000)) {
	case '4':
		inet_ntop(AF_INET, &aim->v4, address, sizeof(address));
		break;
	case '6':
		inet_ntop(AF_INET6, &aim->v6, address, sizeof(address));
		break;
	default:
		return;
	}
	snprintf(add, sizeof(add), "ip mptcp endpoint add %s id %u dev eth0 signal", address, id);
	snprintf(take_back, sizeof(take_back), "ip mptcp endpoint delete id %u", id);
	way_say(to_way, system(add) == 0 ? 'y' : 'n');
	way_hear(to_way, 10000);
	if (system(take_back) != 0)
		way_wrong("%s fails", take_back);
}

static int announcer_start(const struct way_aim *aim)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

	if (fd < 0)
		return way_cannot("MPTCP: %s", strerror(errno));
	close(fd);
	talk = way_outsider(aim, announcer);
	return 0;
}

static void announce(const union way_address *like)
{
	way_say(talk, like->any.sa_family == AF_INET ? '4' : '6');
	if (way_hear(talk, 2000) != 'y')
		way_wrong("the peer cannot announce an address");
	way_sleep(JOIN_MS);
}

/* --- connections of the user's
 * ---------------------------------------------------------------------- */

static int mptcp_socket(const union way_address *like)
{
	return way_socket(like, SOCK_STREAM, IPPROTO_MPTCP);
}

static int plain(const struct way_aim *aim, union way_address to)
{
	int fd = mptcp_socket(&to);

	if (fd < 0)
		return way_cannot("MPTCP: %s", strerror(errno));
	if (way_connect(fd, &to, CONNECT_MS) == 0)
		way_send_marker(fd, aim);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(plain)

static int fast_open(const struct way_aim *aim, union way_address to)
{
	int fd = mptcp_socket(&to);

	if (fd < 0)
		return way_cannot("MPTCP: %s", strerror(errno));
	sendto(fd, aim->marker, strlen(aim->marker), MSG_FASTOPEN | MSG_DONTWAIT, &to.any,
	       way_length(&to));
	way_sleep(50);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(fast_open)

static int from_declared(const struct way_aim *aim, union way_address to)
{
	int fd = mptcp_socket(&to);

	if (fd < 0)
		return way_cannot("MPTCP: %s", strerror(errno));
	way_bind(fd, &to, aim->declared_tcp);
	if (way_connect(fd, &to, CONNECT_MS) == 0)
		way_send_marker(fd, aim);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(from_declared)

static int older(const struct way_aim *aim, union way_address to)
{
	int fd = mptcp_socket(&to);

	if (fd < 0)
		return way_cannot("MPTCP: %s", strerror(errno));
	way_connect(fd, &to, CONNECT_MS);
	way_wait();
	way_send_marker(fd, aim);
	way_sleep(50);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(older)

/* --- to a friend, who then announces others
 * ----------------------------------------------------------- */

static union way_address friend(const struct way_aim *aim, const union way_address *like)
{
	return like->any.sa_family == AF_INET ? way_v4(aim->v4_friend, aim->friend_port) :
						way_v6(aim->v6_friend, aim->friend_port);
}

/* Data on the connection, as a peer may ask for it on any subflow. */
static void talk_on(const struct way_aim *aim, int fd)
{
	for (int i = 0; i < 20; i++) {
		way_send_marker(fd, aim);
		way_sleep(5);
	}
}

static int join_with(const struct way_aim *aim, int fd, const union way_address *to)
{
	if (way_connect(fd, to, CONNECT_MS) < 0)
		way_wrong("the friend does not answer");
	way_send_marker(fd, aim);
	way_sleep(20);
	announce(to);
	talk_on(aim, fd);
	return WAY_TRIED;
}

static int join(const struct way_aim *aim, union way_address like)
{
	union way_address to = friend(aim, &like);

	return join_with(aim, mptcp_socket(&to), &to);
}
WAY_BOTH_FAMILIES(join)

static int join_older(const struct way_aim *aim, union way_address like)
{
	union way_address to = friend(aim, &like);
	int fd = mptcp_socket(&to);

	if (way_connect(fd, &to, CONNECT_MS) < 0)
		way_wrong("the friend does not answer");
	way_send_marker(fd, aim);
	way_wait();
	announce(&to);
	talk_on(aim, fd);
	return WAY_TRIED;
}
WAY_BOTH_FAMILIES(join_older)

/* The subflow is older, too. */
static int joined_older(const struct way_aim *aim, union way_address like)
{
	union way_address to = friend(aim, &like);
	int fd = mptcp_socket(&to);

	if (way_connect(fd, &to, CONNECT_MS) < 0)
		way_wrong("the friend does not answer");
	way_send_marker(fd, aim);
	way_sleep(20);
	announce(&to);
	way_wait();
	talk_on(aim, fd);
	return WAY_TRIED;
}
WAY_BOTH_FAMILIES(joined_older)

/* --- with a socket of root's
 * --------------------------------------------------------------------------- */

static int roots_sockets(const struct way_aim *aim)
{
	kept4 = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	kept6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	return announcer_start(aim);
}

static int join_roots(const struct way_aim *aim, union way_address like)
{
	union way_address to = friend(aim, &like);

	return join_with(aim, like.any.sa_family == AF_INET ? kept4 : kept6, &to);
}
WAY_BOTH_FAMILIES(join_roots)

/* --- to a declared port, from somebody who announces others
 * ------------------------------------------------ */

static int caller = -1;

static void call(const struct way_aim *aim, int to_way)
{
	bool is_v6 = way_hear(to_way, 60000) == '6';
	union way_address from = is_v6 ? way_v6(aim->v6_friend, aim->friend_port) :
					 way_v4(aim->v4_friend, aim->friend_port);
	union way_address to = is_v6 ? way_v6(aim->local6, aim->declared_tcp) :
				       way_v4(aim->local4, aim->declared_tcp);
	int fd = mptcp_socket(&from), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, &from.any, way_length(&from)) < 0 || way_connect(fd, &to, CONNECT_MS) < 0)
		way_wrong("the friend cannot connect: %s", strerror(errno));
	send(fd, "hello", 5, MSG_NOSIGNAL);
	way_say(to_way, 'c');
	way_sleep(5000);
}

static int caller_start(const struct way_aim *aim)
{
	int r = announcer_start(aim);

	caller = way_outsider(aim, call);
	return r;
}

static int caller_start_cookies(const struct way_aim *aim)
{
	int r = way_sysctl(aim, "net/ipv4/tcp_syncookies", "2", "1");

	return r ? r : caller_start(aim);
}

static int join_back(const struct way_aim *aim, union way_address like)
{
	int fd = mptcp_socket(&like), connection, one = 1;
	char bytes[16];

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	way_bind(fd, &like, aim->declared_tcp);
	listen(fd, 8);
	way_say(caller, like.any.sa_family == AF_INET ? '4' : '6');
	connection = way_readable(fd, CONNECT_MS) ? accept4(fd, NULL, NULL, SOCK_CLOEXEC) : -1;
	if (connection < 0 || way_hear(caller, CONNECT_MS) != 'c')
		way_wrong("the friend does not connect");
	way_readable(connection, CONNECT_MS);
	recv(connection, bytes, sizeof(bytes), MSG_DONTWAIT);
	way_send_marker(connection, aim);
	way_sleep(20);
	announce(&like);
	talk_on(aim, connection);
	return WAY_TRIED;
}
WAY_BOTH_FAMILIES(join_back)

const struct way ways_mptcp[] = {
	WAY_ROWS("mptcp", "a plain MPTCP connection", NULL, plain, "default", 0),
	WAY_ROWS("mptcp-fast-open", "MPTCP with data in the SYN", NULL, fast_open, "default", 0),
	WAY_ROWS("mptcp-from-declared", "MPTCP from a declared port", NULL, from_declared,
		 "default", 0),
	WAY_ROWS("mptcp-older", "an MPTCP connection older than the policy", NULL, older, "default",
		 WAY_OLDER),
	WAY_TWO_ROWS("mptcp-join", "an allowed peer announces another address: the kernel joins it",
		     announcer_start, join, "default", WAY_ALONE),
	WAY_TWO_ROWS("mptcp-join-older",
		     "a connection older than the policy joins what an allowed peer announces",
		     announcer_start, join_older, "default", WAY_OLDER),
	WAY_TWO_ROWS("mptcp-joined-older", "a connection that joined it before the policy",
		     announcer_start, joined_older, "default", WAY_OLDER),
	WAY_TWO_ROWS("mptcp-join-root", "a socket of root's joins what an allowed peer announces",
		     roots_sockets, join_roots, "unit", WAY_ALONE),
	WAY_TWO_ROWS("mptcp-join-back", "who connects to a declared port announces an address",
		     caller_start, join_back, "default", WAY_ALONE),
	WAY_TWO_ROWS("mptcp-join-back-cookies", "the same, where all answers are SYN cookies",
		     caller_start_cookies, join_back, "default", WAY_ALONE),
	{ 0 },
};
