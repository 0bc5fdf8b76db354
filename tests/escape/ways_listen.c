/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_listen.c - ways out to somebody who connects from outside.
 *
 * The answer to a SYN has an owner, whoever opened the listener; as a SYN cookie it has none, and
 * the first connections fill a short backlog, so that any listener's answers become cookies. What
 * is sent over the connection then has an owner again, until it is an orphan's.
 */
#include "handmade.h"
#include "way.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ACCEPT_MS = 1500, FLOOD = 20, AFTER_MS = 900, QUEUE = 100000 };

static int talk = -1, kept4 = -1, kept6 = -1;

/* --- the peer: connects from the addresses that the attempt aims at
 * ------------------------------------ */

enum { CALL_FLOODS = 1, CALL_HAS_DATA = 2, CALL_IS_SHUT = 4 };

struct call {
	bool is_v6;
	unsigned how;
	uint16_t port;
};

/* Half-open connections, whose answers fall into a hole, until the listener is full. */
static void flood(const union way_address *from, const union way_address *to)
{
	struct handmade h;
	union way_address each = *from;

	for (int i = 0; i < FLOOD; i++) {
		each.v4.sin_port = htons((uint16_t)(HOLE_FIRST + 1 + i)); /* as in IPv6's */
		handmade_open(&h, &each, to);
		handmade_send(&h, HANDMADE_SYN, 1000, NULL);
		close(h.raw);
	}
	way_sleep(20);
}

static int call_from(const union way_address *from)
{
	int fd = way_socket(from, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, &from->any, way_length(from)) < 0)
		way_wrong("the peer's address: %s", strerror(errno));
	return fd;
}

/* Its window is shut until told 'r'. */
static void call_shut(union way_address from, const union way_address *to, const char *data,
		      int to_way)
{
	struct handmade h;

	from.v4.sin_port = htons(HOLE_FIRST);
	handmade_open(&h, &from, to);
	way_say(to_way, handmade_connect(&h, data, ACCEPT_MS) ? 'c' : 'n');
	if (way_hear(to_way, 60000) == 'r')
		handmade_acknowledge(&h, 60000, AFTER_MS);
	way_say(to_way, 'e');
}

static void call(const struct call *call, const union way_address *from,
		 const union way_address *to, int to_way)
{
	int fd;

	if (call->how & CALL_FLOODS)
		flood(from, to);
	if (call->how & CALL_IS_SHUT) {
		call_shut(*from, to, call->how & CALL_HAS_DATA ? "hello" : NULL, to_way);
		return;
	}
	fd = call_from(from);
	if (call->how & CALL_HAS_DATA)
		sendto(fd, "hello\n", 6, MSG_FASTOPEN | MSG_DONTWAIT, &to->any, way_length(to));
	else
		way_connect(fd, to, ACCEPT_MS);
	send(fd, "hello\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
	way_say(to_way, 'c');
}

static void caller(const struct way_aim *aim, int to_way)
{
	struct call c;

	while (way_readable(to_way, 60000) && recv(to_way, &c, sizeof(c), 0) == sizeof(c)) {
		union way_address from = c.is_v6 ? way_v6(aim->v6, 0) : way_v4(aim->v4, 0);
		union way_address to =
			c.is_v6 ? way_v6(aim->local6, c.port) : way_v4(aim->local4, c.port);

		call(&c, &from, &to, to_way);
	}
	way_sleep(3000); /* its connections stay open */
}

static int caller_start(const struct way_aim *aim)
{
	talk = way_outsider(aim, caller);
	return 0;
}

/* --- the listener
 * ------------------------------------------------------------------------------------------ */

static int listener(const union way_address *like, int protocol, uint16_t port, int backlog)
{
	int fd = way_socket(like, SOCK_STREAM, protocol), one = 1;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	way_bind(fd, like, port);
	listen(fd, backlog);
	return fd;
}

static void ask_for_call(const union way_address *like, uint16_t port, unsigned how)
{
	struct call call = { like->any.sa_family == AF_INET6, how, port };

	send(talk, &call, sizeof(call), MSG_NOSIGNAL);
}

static int accept_one(int fd)
{
	return way_readable(fd, ACCEPT_MS) ? accept4(fd, NULL, NULL, SOCK_CLOEXEC) : -1;
}

static int answer(const struct way_aim *aim, int fd)
{
	int connection = accept_one(fd);

	if (connection >= 0)
		way_send_marker(connection, aim);
	way_sleep(100);
	return WAY_TRIED;
}

static int plain(const struct way_aim *aim, union way_address like)
{
	int fd = listener(&like, 0, way_own_port(aim), 16);

	ask_for_call(&like, way_own_port(aim), 0);
	return answer(aim, fd);
}
WAY_BOTH_FAMILIES(plain)

static int mptcp(const struct way_aim *aim, union way_address like)
{
	int fd = listener(&like, IPPROTO_MPTCP, way_own_port(aim), 16);

	ask_for_call(&like, way_own_port(aim), 0);
	return answer(aim, fd);
}
WAY_BOTH_FAMILIES(mptcp)

static int declared(const struct way_aim *aim, union way_address like)
{
	int fd = listener(&like, 0, aim->declared_tcp, 16);

	ask_for_call(&like, aim->declared_tcp, 0);
	return answer(aim, fd);
}
WAY_BOTH_FAMILIES(declared)

static int deferred(const struct way_aim *aim, union way_address like)
{
	int fd = listener(&like, 0, way_own_port(aim), 16), seconds = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
	ask_for_call(&like, way_own_port(aim), 0);
	return answer(aim, fd);
}
WAY_BOTH_FAMILIES(deferred)

static int flooded(const struct way_aim *aim, union way_address like)
{
	int fd = listener(&like, 0, way_own_port(aim), 1);

	ask_for_call(&like, way_own_port(aim), CALL_FLOODS);
	return answer(aim, fd);
}
WAY_BOTH_FAMILIES(flooded)

static int cookies_on(const struct way_aim *aim)
{
	int r = way_sysctl(aim, "net/ipv4/tcp_syncookies", "2", "1");

	return r ? r : caller_start(aim);
}

/* --- fast open: data comes with the SYN, and the answer need not wait
 * ---------------------------------------- */

static int fast_listener(const struct way_aim *aim, const union way_address *like, unsigned how)
{
	int fd = listener(like, 0, way_own_port(aim), 16), queue = 16, one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue));
	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &one, sizeof(one));
	ask_for_call(like, way_own_port(aim), CALL_HAS_DATA | how);
	return fd;
}

static int fast_open(const struct way_aim *aim, union way_address like)
{
	return answer(aim, fast_listener(aim, &like, 0));
}
WAY_BOTH_FAMILIES(fast_open)

/* --- what stays when the process has closed it
 * ---------------------------------------------------------------- */

/* A refusal resets the sender's socket. Not if it drops resets: then it sends again and again. */
static int ignore_resets(int fd)
{
	static struct sock_filter filter[] = {
		{ BPF_LD | BPF_B | BPF_ABS, 0, 0,
		  13 }, /* TCP's flags; a filter begins at its header */
		{ BPF_JMP | BPF_JSET | BPF_K, 0, 1, 4 },
		{ BPF_RET | BPF_K, 0, 0, 0 },
		{ BPF_RET | BPF_K, 0, 0, 0xffffffff },
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return way_cannot("SO_ATTACH_FILTER: %s", strerror(errno));
	return 0;
}

/* Sends and is gone: what is sent again has no owner. */
static void send_and_die(const struct way_aim *aim, int connection, size_t n)
{
	char bytes[16];

	recv(connection, bytes, sizeof(bytes),
	     MSG_DONTWAIT); /* unread data would make it a reset */
	for (size_t sent = 0; connection >= 0 && sent < n; sent += strlen(aim->marker))
		way_send_marker(connection, aim);
	kill(getpid(), SIGKILL);
}

static int answer_and_leave(const struct way_aim *aim, int fd)
{
	pid_t child;

	if (ignore_resets(fd) != 0) /* what it accepts inherits the filter */
		return WAY_CANNOT;
	child = fork();
	if (child == 0)
		send_and_die(aim, accept_one(fd), 1);
	close(fd);
	waitpid(child, NULL, 0);
	way_sleep(AFTER_MS);
	return WAY_TRIED;
}

/* The peer's window is shut, so that nothing is sent while there is an owner. */
static int queue_and_leave(const struct way_aim *aim, int fd)
{
	pid_t child = fork();

	if (child == 0)
		send_and_die(aim, accept_one(fd), QUEUE);
	close(fd);
	waitpid(child, NULL, 0);
	if (way_hear(talk, 2000) == 'c')
		way_say(talk, 'r');
	way_hear(talk, 2000);
	return WAY_TRIED;
}

static int plain_shut(const struct way_aim *aim, union way_address like)
{
	int fd = listener(&like, 0, way_own_port(aim), 1);

	ask_for_call(&like, way_own_port(aim), CALL_IS_SHUT);
	return queue_and_leave(aim, fd);
}
WAY_BOTH_FAMILIES(plain_shut)

static int flooded_shut(const struct way_aim *aim, union way_address like)
{
	int fd = listener(&like, 0, way_own_port(aim), 1);

	ask_for_call(&like, way_own_port(aim), CALL_FLOODS | CALL_IS_SHUT);
	return queue_and_leave(aim, fd);
}
WAY_BOTH_FAMILIES(flooded_shut)

static int plain_filtered(const struct way_aim *aim, union way_address like)
{
	int fd = listener(&like, 0, way_own_port(aim), 1);

	ask_for_call(&like, way_own_port(aim), 0);
	return answer_and_leave(aim, fd);
}
WAY_BOTH_FAMILIES(plain_filtered)

static int fast_open_orphan(const struct way_aim *aim, union way_address like)
{
	return queue_and_leave(aim, fast_listener(aim, &like, CALL_IS_SHUT));
}
WAY_BOTH_FAMILIES(fast_open_orphan)

/* --- root's listener
 * -------------------------------------------------------------------------------------------- */

static int roots_listeners(const struct way_aim *aim)
{
	kept4 = listener(&(union way_address){ .any.sa_family = AF_INET }, 0, way_own_port(aim),
			 16);
	kept6 = listener(&(union way_address){ .any.sa_family = AF_INET6 }, 0, way_own_port(aim),
			 16);
	return caller_start(aim);
}

static int roots(const union way_address *like, const struct way_aim *aim, unsigned how)
{
	ask_for_call(like, way_own_port(aim), how);
	return like->any.sa_family == AF_INET ? kept4 : kept6;
}

/* Who accepts owns the connection. */
static int from_root(const struct way_aim *aim, union way_address like)
{
	return answer(aim, roots(&like, aim, 0));
}
WAY_BOTH_FAMILIES(from_root)

static int from_root_orphan(const struct way_aim *aim, union way_address like)
{
	return answer_and_leave(aim, roots(&like, aim, 0));
}
WAY_BOTH_FAMILIES(from_root_orphan)

static int from_root_shut(const struct way_aim *aim, union way_address like)
{
	return queue_and_leave(aim, roots(&like, aim, CALL_IS_SHUT));
}
WAY_BOTH_FAMILIES(from_root_shut)

static int accepted4 = -1, accepted6 = -1;

static int root_accepts(const struct way_aim *aim)
{
	union way_address v4 = { .any.sa_family = AF_INET }, v6 = { .any.sa_family = AF_INET6 };

	roots_listeners(aim);
	accepted4 = accept_one(roots(&v4, aim, 0));
	accepted6 = accept_one(roots(&v6, aim, 0));
	if (accepted4 < 0 || accepted6 < 0)
		way_wrong("root's listener gets no connection");
	return 0;
}

static int accepted(const struct way_aim *aim, union way_address like)
{
	way_send_marker(like.any.sa_family == AF_INET ? accepted4 : accepted6, aim);
	way_sleep(50);
	return WAY_TRIED;
}
WAY_BOTH_FAMILIES(accepted)

/* --- older than the policy
 * ---------------------------------------------------------------------------------------- */

static int older(const struct way_aim *aim, union way_address like)
{
	int fd = listener(&like, 0, way_own_port(aim), 16), connection;

	ask_for_call(&like, way_own_port(aim), 0);
	connection = accept_one(fd);
	way_wait();
	way_send_marker(connection, aim);
	way_sleep(50);
	return WAY_TRIED;
}
WAY_BOTH_FAMILIES(older)

/* Nobody has accepted it yet when the policy comes, so that it has no owner. */
static int older_waiting(const struct way_aim *aim, union way_address like)
{
	int fd = listener(&like, 0, way_own_port(aim), 16);

	ask_for_call(&like, way_own_port(aim), 0);
	way_hear(talk, 1000);
	way_wait();
	return answer(aim, fd);
}
WAY_BOTH_FAMILIES(older_waiting)

static int older_shut(const struct way_aim *aim, union way_address like)
{
	int fd = listener(&like, 0, way_own_port(aim), 16);

	ask_for_call(&like, way_own_port(aim), CALL_IS_SHUT);
	way_readable(talk, 1000);
	way_wait();
	return queue_and_leave(aim, fd);
}
WAY_BOTH_FAMILIES(older_shut)

const struct way ways_listen[] = {
	WAY_TWO_ROWS("listen", "a bind shell: a listener on a port that is not declared",
		     caller_start, plain, "default", WAY_LISTENS),
	WAY_TWO_ROWS("listen-mptcp", "a bind shell over MPTCP", caller_start, mptcp, "default",
		     WAY_LISTENS),
	WAY_TWO_ROWS("listen-defer", "a bind shell with TCP_DEFER_ACCEPT", caller_start, deferred,
		     "default", WAY_LISTENS),
	WAY_TWO_ROWS("listen-fast-open", "a bind shell with fast open", caller_start, fast_open,
		     "default", WAY_LISTENS),
	WAY_TWO_ROWS(
		"listen-fast-open-orphan",
		"a bind shell with fast open, whose process leaves before the peer's window opens",
		caller_start, fast_open_orphan, "unit", WAY_LISTENS),
	WAY_TWO_ROWS("listen-orphan",
		     "a bind shell, whose process leaves before the peer's window opens",
		     caller_start, plain_shut, "default", WAY_LISTENS),
	WAY_TWO_ROWS("listen-flood", "a bind shell with a full backlog", caller_start, flooded,
		     "default", WAY_LISTENS),
	WAY_TWO_ROWS(
		"listen-flood-orphan",
		"a bind shell with a full backlog, whose process leaves before the window opens",
		caller_start, flooded_shut, "default", WAY_LISTENS),
	WAY_TWO_ROWS("listen-cookies", "a bind shell where all answers are SYN cookies", cookies_on,
		     plain, "default", WAY_LISTENS | WAY_ALONE),
	WAY_TWO_ROWS("listen-cookies-orphan",
		     "a bind shell with SYN cookies, whose process leaves before the window opens",
		     cookies_on, plain_shut, "unit", WAY_LISTENS | WAY_ALONE),
	WAY_TWO_ROWS("listen-cookies-retransmit",
		     "a bind shell with SYN cookies, which drops resets, and whose process leaves",
		     cookies_on, plain_filtered, "unit", WAY_LISTENS | WAY_ALONE),
	WAY_TWO_ROWS("listen-root", "root's listener on a port not declared; the user accepts",
		     roots_listeners, from_root, "default", WAY_LISTENS),
	WAY_TWO_ROWS("listen-root-orphan",
		     "root's listener; the user accepts and leaves before the window opens",
		     roots_listeners, from_root_shut, "unit", WAY_LISTENS),
	WAY_TWO_ROWS("listen-root-retransmit",
		     "root's listener; the user accepts, drops resets and leaves", roots_listeners,
		     from_root_orphan, "unit", WAY_LISTENS),
	WAY_TWO_ROWS("listen-root-accepted",
		     "a connection that root accepted on a port not declared", root_accepts,
		     accepted, "unit", WAY_LISTENS),
	WAY_TWO_ROWS("listen-declared", "whoever connects to a declared port is answered",
		     caller_start, declared, "nothing", WAY_LISTENS),
	WAY_TWO_ROWS("listen-older", "a bind shell's connection, older than the policy",
		     caller_start, older, "default", WAY_LISTENS | WAY_OLDER),
	WAY_TWO_ROWS("listen-older-waiting",
		     "a bind shell's connection, older than the policy, accepted after",
		     caller_start, older_waiting, "default", WAY_LISTENS | WAY_OLDER),
	WAY_TWO_ROWS("listen-older-orphan",
		     "a bind shell's connection, older; the process leaves before the window opens",
		     caller_start, older_shut, "default", WAY_LISTENS | WAY_OLDER),
	{ 0 },
};
