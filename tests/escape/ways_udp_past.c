/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_udp_past.c - ways out by UDP sockets with a past: on a declared port, spoken to from
 * outside, opened before the policy, opened by somebody else.
 */
#include "datagram.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HEAR_MS = 2000,
	OTHER_PORT = -10000, /* no attempt's, and none that the kernel picks */
};

static int fd = -1, talk = -1;

static uint16_t other_port(const struct way_aim *aim)
{
	return (uint16_t)(aim->port + OTHER_PORT);
}

static int socket_udp(int family)
{
	int s = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0)
		way_wrong("socket: %s", strerror(errno));
	return s;
}

static void send_to(int s, const struct way_aim *aim, union way_address to)
{
	sendto(s, aim->marker, strlen(aim->marker), 0, &to.any, way_length(&to));
}

static void say_to(int s, union way_address to)
{
	sendto(s, "x", 1, 0, &to.any, way_length(&to));
}

static void reconnect(int s, union way_address to)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	connect(s, &none, sizeof(none));
	connect(s, &to.any, way_length(&to));
}

/* --- a declared port answers, and does not speak first ------------------------------------------
 */

static int run_declared_v4(const struct way_aim *aim)
{
	return datagram_run(aim, &(struct datagram){ .source_port = aim->declared_udp });
}

static int run_declared_v6(const struct way_aim *aim)
{
	return datagram_run(
		aim, &(struct datagram){ .form = FORM_V6, .source_port = aim->declared_udp });
}

static int run_declared_mapped(const struct way_aim *aim)
{
	return datagram_run(aim, &(struct datagram){ .form = FORM_MAPPED,
						     .by = BY_SEND,
						     .source_port = aim->declared_udp });
}

static int run_declared_dns(const struct way_aim *aim)
{
	return datagram_run(aim,
			    &(struct datagram){ .source_port = aim->declared_udp, .port = 53 });
}

static int run_declared_fragments(const struct way_aim *aim)
{
	return datagram_run(aim,
			    &(struct datagram){ .source_port = aim->declared_udp, .size = 9000 });
}

static int run_declared_lite(const struct way_aim *aim)
{
	return datagram_run(aim, &(struct datagram){ .source_port = aim->declared_udp,
						     .protocol = IPPROTO_UDPLITE });
}

/* The number is declared, for TCP. */
static int run_declared_for_tcp(const struct way_aim *aim)
{
	return datagram_run(aim, &(struct datagram){ .source_port = aim->declared_tcp });
}

/* --- an outsider speaks first --------------------------------------------------------------------
 */

static uint16_t ask_port; /* of the box */
static bool ask_v6;

/* Asks until somebody hears it: the first may come before the socket is there. */
static void play_asker(const struct way_aim *aim, int end)
{
	union way_address from =
		ask_v6 ? way_v6(aim->v6_friend, aim->port) : way_v4(aim->v4_friend, aim->port);
	union way_address to =
		ask_v6 ? way_v6(aim->local6, ask_port) : way_v4(aim->local4, ask_port);
	int s = socket_udp(from.any.sa_family), one = 1;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)); /* the echo's is there */
	if (bind(s, &from.any, way_length(&from)) < 0)
		way_wrong("bind in the sink: %s", strerror(errno));
	while (way_hear(end, HEAR_MS)) {
		say_to(s, to);
		way_say(end, 'a');
	}
}

static int ask(const struct way_aim *aim, uint16_t port, bool v6)
{
	ask_port = port;
	ask_v6 = v6;
	talk = way_outsider(aim, play_asker);
	return 0;
}

static int ask_undeclared_v4(const struct way_aim *aim)
{
	return ask(aim, other_port(aim), false);
}

static int ask_undeclared_v6(const struct way_aim *aim)
{
	return ask(aim, other_port(aim), true);
}

static int ask_declared_v4(const struct way_aim *aim)
{
	return ask(aim, aim->declared_udp, false);
}

static int ask_declared_v6(const struct way_aim *aim)
{
	return ask(aim, aim->declared_udp, true);
}

/* Takes the question; `fd` is on its port then. */
static void hear_question(void)
{
	union way_address local = { .any.sa_family = ask_v6 ? AF_INET6 : AF_INET };
	char byte;

	fd = socket_udp(local.any.sa_family);
	if (ask_v6)
		local.v6.sin6_port = htons(ask_port);
	else
		local.v4.sin_port = htons(ask_port);
	if (bind(fd, &local.any, way_length(&local)) < 0)
		way_wrong("bind: %s", strerror(errno));
	way_say(talk, 'a');
	if (!way_hear(talk, HEAR_MS) || !way_readable(fd, HEAR_MS) || recv(fd, &byte, 1, 0) != 1)
		way_wrong("the outsider's question does not arrive");
}

static int answer_asker(const struct way_aim *aim)
{
	hear_question();
	send_to(fd, aim,
		ask_v6 ? way_v6(aim->v6_friend, aim->port) : way_v4(aim->v4_friend, aim->port));
	return WAY_TRIED;
}

static int answer_other_peer(const struct way_aim *aim)
{
	hear_question();
	send_to(fd, aim, ask_v6 ? way_v6(aim->v6, aim->port) : way_v4(aim->v4, aim->port));
	return WAY_TRIED;
}

static int answer_other_port(const struct way_aim *aim)
{
	hear_question();
	send_to(fd, aim,
		ask_v6 ? way_v6(aim->v6_friend, other_port(aim)) :
			 way_v4(aim->v4_friend, other_port(aim)));
	return WAY_TRIED;
}

/* --- older than the policy -----------------------------------------------------------------------
 */

static int older(const struct way_aim *aim, union way_address to)
{
	fd = socket_udp(to.any.sa_family);
	connect(fd, &to.any, way_length(&to));
	way_send_marker(fd, aim);
	way_readable(fd, HEAR_MS); /* the sink's echo: both directions have been seen */
	way_wait();
	way_send_marker(fd, aim);
	way_send_marker(fd, aim); /* the first may only bring an error of before */
	return WAY_TRIED;
}

WAY_EACH_FAMILY(older)

/* The declared port spoke first, before there was a policy. */
static int run_older_declared(const struct way_aim *aim)
{
	union way_address to = way_v4(aim->v4, aim->port);

	fd = socket_udp(AF_INET);
	bind_to(fd, way_v4((struct in_addr){ 0 }, aim->declared_udp));
	send_to(fd, aim, to);
	way_readable(fd, HEAR_MS);
	way_wait();
	send_to(fd, aim, to);
	return WAY_TRIED;
}

/* The first piece was handed to the kernel before, the last one closes the datagram after. */
static int cork_older(const struct way_aim *aim, union way_address to)
{
	int one = 1, zero = 0;

	fd = socket_udp(to.any.sa_family);
	connect(fd, &to.any, way_length(&to));
	setsockopt(fd, IPPROTO_UDP, UDP_CORK, &one, sizeof(one));
	way_send_marker(fd, aim);
	way_wait();
	setsockopt(fd, IPPROTO_UDP, UDP_CORK, &zero, sizeof(zero));
	return WAY_TRIED;
}
WAY_EACH_FAMILY(cork_older)

static int more_older(const struct way_aim *aim, union way_address to)
{
	fd = socket_udp(to.any.sa_family);
	connect(fd, &to.any, way_length(&to));
	send(fd, aim->marker, strlen(aim->marker), MSG_MORE);
	way_wait();
	way_send_marker(fd, aim);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(more_older)

/* --- aimed anew ----------------------------------------------------------------------------------
 */

static int reaim(const struct way_aim *aim, union way_address first, union way_address then)
{
	fd = socket_udp(first.any.sa_family);
	connect(fd, &first.any, way_length(&first));
	send(fd, "x", 1, 0);
	reconnect(fd, then);
	way_send_marker(fd, aim);
	return WAY_TRIED;
}

static int run_reaim_v4(const struct way_aim *aim)
{
	return reaim(aim, way_v4(aim->resolver4, 53), way_v4(aim->v4, aim->port));
}

static int run_reaim_v6(const struct way_aim *aim)
{
	return reaim(aim, way_v6(aim->resolver6, 53), way_v6(aim->v6, aim->port));
}

static int run_reaim_mapped(const struct way_aim *aim)
{
	return reaim(aim, way_v6(aim->resolver6, 53), way_mapped(aim->v4, aim->port));
}

/* Connected to the resolver all the time; each datagram goes where it says. */
static int past_connected(const struct way_aim *aim, union way_address to)
{
	bool v4 = to.any.sa_family == AF_INET;
	union way_address resolver = v4 ? way_v4(aim->resolver4, 53) : way_v6(aim->resolver6, 53);

	fd = socket_udp(to.any.sa_family);
	connect(fd, &resolver.any, way_length(&resolver));
	send(fd, "x", 1, 0);
	send_to(fd, aim, to);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(past_connected)

/* --- opened by somebody else ---------------------------------------------------------------------
 */

static int open_as_root(const struct way_aim *aim)
{
	(void)aim;
	fd = socket_udp(AF_INET6);
	return 0;
}

static int open_declared_as_root(const struct way_aim *aim)
{
	fd = socket_udp(AF_INET6);
	bind_to(fd, way_v6(in6addr_any, aim->declared_udp));
	return 0;
}

static int open_resolver_as_root(const struct way_aim *aim)
{
	union way_address resolver = way_v6(aim->resolver6, 53);

	fd = socket_udp(AF_INET6);
	connect(fd, &resolver.any, way_length(&resolver));
	return 0;
}

static void play_owner(const struct way_aim *aim, int end)
{
	(void)aim;
	way_send_fd(end, socket_udp(AF_INET6));
	way_hear(end, HEAR_MS);
}

static int open_as_other(const struct way_aim *aim)
{
	talk = way_other_user(aim, aim->other_uid, play_owner);
	return 0;
}

static int open_as_subuid(const struct way_aim *aim)
{
	talk = way_other_user(aim, aim->subuid, play_owner);
	return 0;
}

static int use_v4(const struct way_aim *aim)
{
	reconnect(fd, way_mapped(aim->v4, aim->port));
	way_send_marker(fd, aim);
	return WAY_TRIED;
}

static int use_v6(const struct way_aim *aim)
{
	reconnect(fd, way_v6(aim->v6, aim->port));
	way_send_marker(fd, aim);
	return WAY_TRIED;
}

static int use_passed(const struct way_aim *aim)
{
	fd = way_receive_fd(talk);
	if (fd < 0)
		way_wrong("nobody hands a socket over");
	return use_v6(aim);
}

/* Two users on one port: SO_REUSEADDR asks nobody for leave over UDP. */
static int share_port(const struct way_aim *aim)
{
	int one = 1;

	fd = socket_udp(AF_INET6);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	bind_to(fd, way_v6(in6addr_any, other_port(aim)));
	return 0;
}

static int use_shared_port(const struct way_aim *aim)
{
	return datagram_run(aim, &(struct datagram){ .form = FORM_V6,
						     .source_port = other_port(aim),
						     .set = { { SOL_SOCKET, SO_REUSEADDR, 1 } } });
}

/* --- a user namespace, in which one is root ------------------------------------------------------
 */

static int run_userns(const struct way_aim *aim)
{
	static const char *const files[] = { "/proc/self/setgroups", "/proc/self/gid_map",
					     "/proc/self/uid_map" };
	char texts[3][32] = { "deny" };

	snprintf(texts[1], sizeof(texts[1]), "0 %u 1", aim->gid);
	snprintf(texts[2], sizeof(texts[2]), "0 %u 1", aim->uid);
	prctl(PR_SET_DUMPABLE, 1); /* else /proc/self is root's */
	if (unshare(CLONE_NEWUSER) < 0)
		return cannot("unshare(CLONE_NEWUSER)");
	for (int i = 0; i < 3; i++) {
		int file = open(files[i], O_WRONLY | O_CLOEXEC);

		if (file < 0 || write(file, texts[i], strlen(texts[i])) < 0)
			return cannot(files[i]);
		close(file);
	}
	datagram_run(aim, &(struct datagram){ .form = FORM_V4 });
	return datagram_run(aim, &(struct datagram){ .form = FORM_V6 });
}

const struct way ways_udp_past[] = {
	{ "udp-declared-v4", "a declared port speaks first", NULL, run_declared_v4, "default", 0 },
	{ "udp-declared-v6", "a declared port speaks first", NULL, run_declared_v6, "default", 0 },
	{ "udp-declared-mapped", "a declared port speaks first, to ::ffff:a.b.c.d", NULL,
	  run_declared_mapped, "default", 0 },
	{ "udp-declared-dns", "a declared port asks a resolver that is not ours", NULL,
	  run_declared_dns, "default", 0 },
	{ "udp-declared-fragments", "a declared port speaks first, in fragments", NULL,
	  run_declared_fragments, "default", 0 },
	{ "udp-declared-lite", "a port declared for UDP, over UDP-Lite", NULL, run_declared_lite,
	  "default", 0 },
	{ "udp-declared-for-tcp", "a port declared for TCP, over UDP", NULL, run_declared_for_tcp,
	  "default", 0 },
	{ "udp-answer-undeclared-v4", "an outsider speaks first to a port that is not declared",
	  ask_undeclared_v4, answer_asker, "default", 0 },
	{ "udp-answer-undeclared-v6", "an outsider speaks first to a port that is not declared",
	  ask_undeclared_v6, answer_asker, "default", 0 },
	{ "udp-answer-other-peer-v4", "a declared port answers somebody who did not ask",
	  ask_declared_v4, answer_other_peer, "default", 0 },
	{ "udp-answer-other-peer-v6", "a declared port answers somebody who did not ask",
	  ask_declared_v6, answer_other_peer, "default", 0 },
	{ "udp-answer-other-port", "a declared port answers another port of who asked",
	  ask_declared_v4, answer_other_port, "default", 0 },
	WAY_ROWS("udp-older", "a socket older than the policy", NULL, older, "default", WAY_OLDER),
	{ "udp-older-declared", "a declared port that spoke first before the policy", NULL,
	  run_older_declared, "default", WAY_OLDER },
	WAY_ROWS("udp-cork-older", "corked before the policy, uncorked after", NULL, cork_older,
		 "default", WAY_OLDER),
	WAY_ROWS("udp-more-older", "MSG_MORE before the policy, the end after", NULL, more_older,
		 "default", WAY_OLDER),
	{ "udp-reaim-v4", "connected to the resolver, then elsewhere", NULL, run_reaim_v4,
	  "default", 0 },
	{ "udp-reaim-v6", "connected to the resolver, then elsewhere", NULL, run_reaim_v6,
	  "default", 0 },
	{ "udp-reaim-mapped", "connected to the resolver over IPv6, then to ::ffff:a.b.c.d", NULL,
	  run_reaim_mapped, "default", 0 },
	WAY_ROWS("udp-past-connected", "sendto() past the resolver that the socket is connected to",
		 NULL, past_connected, "default", 0),
	{ "udp-inherited-v4", "a socket of a root master, aimed anew", open_as_root, use_v4, "unit",
	  0 },
	{ "udp-inherited-v6", "a socket of a root master, aimed anew", open_as_root, use_v6, "unit",
	  0 },
	{ "udp-inherited-resolver", "a root master's, connected to the resolver, aimed anew",
	  open_resolver_as_root, use_v6, "unit", 0 },
	{ "udp-inherited-declared-v4", "a root master's on a declared port, aimed anew",
	  open_declared_as_root, use_v4, "default", 0 },
	{ "udp-inherited-declared-v6", "a root master's on a declared port, aimed anew",
	  open_declared_as_root, use_v6, "default", 0 },
	{ "udp-passed", "a socket of another user's in the unit, handed over", open_as_other,
	  use_passed, "unit", 0 },
	{ "udp-passed-outside", "a socket of another user's outside the unit, handed over",
	  open_as_other, use_passed, "nothing", WAY_OUTSIDE },
	{ "udp-subuid", "a socket opened by a subordinate id", open_as_subuid, use_passed,
	  "default", 0 },
	{ "udp-shared-port", "another user's port, shared by SO_REUSEADDR", share_port,
	  use_shared_port, "default", 0 },
	{ "udp-userns", "root in a user namespace of one's own", NULL, run_userns, "default", 0 },
	{ 0 },
};
