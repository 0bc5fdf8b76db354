/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_older.c - ways out over TCP connections that are older than the policy.
 *
 * way_wait() is where it comes into force. What the box sent before does not count; the sink looks
 * at what comes after. The peer is the sink's own echo where it need not be special, else peer_*().
 */
#include "way.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECT_MS = 3000, QUEUE = 400000, AFTER_MS = 600, HOLE = 9 };

static int talk = -1;

/* --- the peer
 * -------------------------------------------------------------------------------------- */

/* Drops all that comes from now on, so that nothing is acknowledged. */
static void go_deaf(int fd)
{
	struct sock_filter drop = { BPF_RET | BPF_K, 0, 0, 0 };
	struct sock_fprog program = { 1, &drop };

	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static void read_all(int fd)
{
	static char bytes[65536];

	while (way_readable(fd, 1000) && recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
}

static int peer_listen(const union way_address *at)
{
	int fd = way_socket(at, SOCK_STREAM, 0), one = 1, small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (bind(fd, &at->any, way_length(at)) < 0 || listen(fd, 8) < 0)
		way_wrong("the peer cannot listen: %s", strerror(errno));
	return fd;
}

/* A small window, which it opens by reading when told 'r'; told 'd', it goes deaf. */
static void peer(const struct way_aim *aim, int to_way)
{
	union way_address v4 = way_v4(aim->v4, aim->port), v6 = way_v6(aim->v6, aim->port);
	int listeners[] = { peer_listen(&v4), peer_listen(&v6) }, fd;

	way_say(to_way, 'l');
	fd = accept4(listeners[way_hear(to_way, 5000) == '6'], NULL, NULL, SOCK_CLOEXEC);
	for (;;) {
		switch (way_hear(to_way, 60000)) {
		case 'd':
			go_deaf(fd);
			way_say(to_way, 'd');
			break;
		case 'r':
			read_all(fd);
			break;
		default:
			way_sleep(3000);
			return;
		}
	}
}

static int peer_start(const struct way_aim *aim)
{
	talk = way_outsider(aim, peer);
	if (way_hear(talk, 2000) != 'l')
		way_wrong("no peer");
	return 0;
}

/* A connection to the peer. */
static int connect_peer(const union way_address *to)
{
	bool is_v6 = to->any.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&to->v6.sin6_addr);
	int fd = way_socket(to, SOCK_STREAM, 0);

	if (talk >= 0)
		way_say(talk, is_v6 ? '6' : '4');
	if (way_connect(fd, to, CONNECT_MS) < 0)
		way_wrong("no connection without a policy");
	return fd;
}

/* Markers until nothing more fits. */
static void fill(const struct way_aim *aim, int fd)
{
	size_t n = strlen(aim->marker), sent = 0;

	while (sent < QUEUE && send(fd, aim->marker, n, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		sent += n;
	way_sleep(50);
}

static void peer_reads(void)
{
	way_say(talk, 'r');
	way_sleep(AFTER_MS);
}

/* --- connections kept
 * ------------------------------------------------------------------------------- */

static int idle(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);

	way_wait();
	way_send_marker(fd, aim);
	way_sleep(50);
	way_send_marker(fd, aim);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(idle)

static int used(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);
	pid_t child = fork();

	for (int i = 0; child == 0; i++) {
		way_send_marker(fd, aim);
		way_sleep(1);
	}
	way_wait();
	way_sleep(200);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(used)

static int closed_after(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);

	way_wait();
	way_send_marker(fd, aim);
	close(fd);
	way_sleep(AFTER_MS);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(closed_after)

static int fin_after(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);

	(void)aim;
	way_wait();
	shutdown(fd, SHUT_WR);
	way_sleep(AFTER_MS);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(fin_after)

static int reset_after(const struct way_aim *aim, union way_address to)
{
	struct linger now = { 1, 0 };
	int fd = connect_peer(&to);

	way_wait();
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	way_send_marker(fd, aim);
	close(fd);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(reset_after)

/* Only its receiving half is left of it: it still answers. */
static int half_closed(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);

	shutdown(fd, SHUT_RD);
	way_wait();
	way_send_marker(fd, aim);
	way_sleep(50);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(half_closed)

static int corked(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to), one = 1, zero = 0;

	setsockopt(fd, IPPROTO_TCP, TCP_CORK, &one, sizeof(one));
	way_send_marker(fd, aim); /* the kernel waits for 200 ms at most: once more after */
	way_wait();
	way_send_marker(fd, aim);
	setsockopt(fd, IPPROTO_TCP, TCP_CORK, &zero, sizeof(zero));
	way_sleep(50);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(corked)

static int more(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);
	char echo[100];

	send(fd, aim->marker, strlen(aim->marker), MSG_MORE | MSG_NOSIGNAL);
	way_wait();
	send(fd, aim->marker, strlen(aim->marker), MSG_MORE | MSG_NOSIGNAL);
	recv(fd, echo, sizeof(echo), MSG_DONTWAIT); /* unread data would make it a reset */
	close(fd);				    /* pushes what waits */
	way_sleep(AFTER_MS);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(more)

static int urgent(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);

	way_wait();
	send(fd, aim->marker, strlen(aim->marker), MSG_OOB | MSG_NOSIGNAL);
	way_sleep(50);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(urgent)

/* The kernel sends one every second; they carry nothing but the connection's being alive. */
static int kept_alive(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to), one = 1;

	(void)aim;
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &one, sizeof(one));
	way_wait();
	way_sleep(1500);
	return WAY_TRIED;
}
WAY_BOTH_FAMILIES(kept_alive)

/* --- data that waits in the kernel
 * ------------------------------------------------------------------ */

static int window_shut(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);

	fill(aim, fd);
	way_wait();
	peer_reads();
	return WAY_TRIED;
}
WAY_EACH_FAMILY(window_shut)

static int unacknowledged(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);

	way_say(talk, 'd');
	way_hear(talk, 1000);
	way_send_marker(fd, aim);
	way_wait();
	way_sleep(1200); /* sent again after 200, 400 and 800 ms */
	return WAY_TRIED;
}
WAY_EACH_FAMILY(unacknowledged)

static int zero_copy(const struct way_aim *aim, union way_address to)
{
	static char pages[1 << 16];
	int fd = connect_peer(&to), one = 1;

	for (size_t i = 0; i + strlen(aim->marker) < sizeof(pages); i += strlen(aim->marker))
		memcpy(pages + i, aim->marker, strlen(aim->marker));
	setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	send(fd, pages, sizeof(pages), MSG_ZEROCOPY | MSG_DONTWAIT | MSG_NOSIGNAL);
	way_sleep(50);
	way_wait();
	peer_reads();
	return WAY_TRIED;
}
WAY_EACH_FAMILY(zero_copy)

/* A child sleeps in the kernel in the middle of it. */
static int sendfile_pending(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);
	pid_t child = fork();

	if (child == 0) {
		int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

		for (;;)
			if (sendfile(fd, file, &(off_t){ 0 }, QUEUE) < 0)
				_exit(0);
	}
	way_sleep(50);
	way_wait();
	way_say(talk, 'r');
	way_send_marker(fd, aim);
	way_sleep(AFTER_MS);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(sendfile_pending)

static int splice_pending(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to), ends[2];

	if (pipe(ends) < 0)
		way_wrong("pipe: %s", strerror(errno));
	for (int i = 0; i < 50; i++)
		if (write(ends[1], aim->marker, strlen(aim->marker)) < 0)
			way_wrong("pipe: %s", strerror(errno));
	splice(ends[0], NULL, fd, NULL, 60, SPLICE_F_MORE);
	way_wait();
	splice(ends[0], NULL, fd, NULL, 60, 0);
	way_sleep(100);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(splice_pending)

/* So slowly that most of it waits in the kernel when the policy comes. */
static int paced(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);
	uint32_t rate = 40000;

	setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate));
	fill(aim, fd);
	way_wait();
	way_sleep(1500);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(paced)

/* --- what an exited process left behind
 * --------------------------------------------------------------- */

static int orphan_queued(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);

	fill(aim, fd);
	close(fd);
	way_wait();
	peer_reads();
	return WAY_TRIED;
}
WAY_EACH_FAMILY(orphan_queued)

static int orphan_unacknowledged(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);

	way_say(talk, 'd');
	way_hear(talk, 1000);
	way_send_marker(fd, aim);
	close(fd);
	way_wait();
	way_sleep(1200);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(orphan_unacknowledged)

static int orphan_killed(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);
	pid_t child = fork();

	if (child == 0) {
		fill(aim, fd);
		kill(getpid(), SIGKILL);
	}
	close(fd);
	waitpid(child, NULL, 0);
	way_wait();
	peer_reads();
	return WAY_TRIED;
}
WAY_EACH_FAMILY(orphan_killed)

static int orphan_paced(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);
	uint32_t rate = 40000;

	setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate));
	fill(aim, fd);
	close(fd);
	way_wait();
	way_sleep(1500);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(orphan_paced)

/* Nobody reads, so the kernel asks again and again whether there is room. */
static int orphan_probes(const struct way_aim *aim, union way_address to)
{
	int fd = connect_peer(&to);

	fill(aim, fd);
	close(fd);
	way_wait();
	way_sleep(1500);
	return WAY_TRIED;
}
WAY_BOTH_FAMILIES(orphan_probes)

/* --- connections that have not got so far
 * -------------------------------------------------------------- */

static int syn_sent(const struct way_aim *aim, union way_address to)
{
	int fd = way_socket(&to, SOCK_STREAM, 0);

	(void)aim;
	to.v4.sin_port = htons(HOLE); /* the same place in both; the sink answers nothing there */
	way_connect(fd, &to, 20);
	way_wait();
	way_sleep(1500); /* the SYN is sent again after a second */
	return WAY_TRIED;
}
WAY_EACH_FAMILY(syn_sent)

/* From a port that the policy will declare, as if it were an answer. */
static int from_declared(const struct way_aim *aim, union way_address to)
{
	int fd = way_socket(&to, SOCK_STREAM, 0);

	way_bind(fd, &to, aim->declared_tcp);
	if (way_connect(fd, &to, CONNECT_MS) < 0)
		way_wrong("no connection without a policy");
	way_wait();
	way_send_marker(fd, aim);
	way_sleep(50);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(from_declared)

/* --- root's
 * ------------------------------------------------------------------------------------------ */

static int roots4 = -1, roots6 = -1;

static int roots_connections(const struct way_aim *aim)
{
	union way_address v4 = way_v4(aim->v4, aim->port), v6 = way_v6(aim->v6, aim->port);

	roots4 = way_socket(&v4, SOCK_STREAM, 0);
	roots6 = way_socket(&v6, SOCK_STREAM, 0);
	if (way_connect(roots4, &v4, CONNECT_MS) < 0 || way_connect(roots6, &v6, CONNECT_MS) < 0)
		way_wrong("root cannot connect");
	return 0;
}

static int roots(const struct way_aim *aim, union way_address to)
{
	way_wait();
	way_send_marker(to.any.sa_family == AF_INET ? roots4 : roots6, aim);
	way_sleep(50);
	return WAY_TRIED;
}
WAY_BOTH_FAMILIES(roots)

static int roots_with_peer(const struct way_aim *aim)
{
	union way_address v4 = way_v4(aim->v4, aim->port);

	peer_start(aim);
	roots4 = connect_peer(&v4);
	return 0;
}

static int roots_orphan(const struct way_aim *aim)
{
	fill(aim, roots4);
	close(roots4);
	way_wait();
	peer_reads();
	return WAY_TRIED;
}

const struct way ways_older[] = {
	WAY_ROWS("older-idle", "a connection older than the policy, used after", NULL, idle,
		 "default", WAY_OLDER),
	WAY_ROWS("older-used", "used all the time", NULL, used, "default", WAY_OLDER),
	WAY_ROWS("older-closed", "used once more and closed", NULL, closed_after, "default",
		 WAY_OLDER),
	WAY_ROWS("older-fin", "its end alone", NULL, fin_after, "default", WAY_OLDER),
	WAY_ROWS("older-reset", "used once more and reset", NULL, reset_after, "default",
		 WAY_OLDER),
	WAY_ROWS("older-half-closed", "one half of it shut", NULL, half_closed, "default",
		 WAY_OLDER),
	WAY_ROWS("older-corked", "data corked before, let go after", NULL, corked, "default",
		 WAY_OLDER),
	WAY_ROWS("older-more", "MSG_MORE before, close() after", NULL, more, "default", WAY_OLDER),
	WAY_ROWS("older-urgent", "urgent data", NULL, urgent, "default", WAY_OLDER),
	WAY_TWO_ROWS("older-keepalive", "keepalives", NULL, kept_alive, "default", WAY_OLDER),
	WAY_ROWS("older-window", "data that waits until the peer opens its window", peer_start,
		 window_shut, "default", WAY_OLDER),
	WAY_ROWS("older-retransmit", "data that was not acknowledged", peer_start, unacknowledged,
		 "default", WAY_OLDER),
	WAY_ROWS("older-zerocopy", "MSG_ZEROCOPY, waiting for the window", peer_start, zero_copy,
		 "default", WAY_OLDER),
	WAY_ROWS("older-sendfile", "asleep in sendfile()", peer_start, sendfile_pending, "default",
		 WAY_OLDER),
	WAY_ROWS("older-splice", "splice() before and after", NULL, splice_pending, "default",
		 WAY_OLDER),
	WAY_ROWS("older-paced", "data held back by SO_MAX_PACING_RATE", NULL, paced, "default",
		 WAY_OLDER),
	WAY_ROWS("older-orphan", "closed before, data waits until the peer opens its window",
		 peer_start, orphan_queued, "default", WAY_OLDER),
	WAY_ROWS("older-orphan-retransmit", "closed before, data was not acknowledged", peer_start,
		 orphan_unacknowledged, "default", WAY_OLDER),
	WAY_ROWS("older-orphan-killed", "the process was killed before, data waits", peer_start,
		 orphan_killed, "default", WAY_OLDER),
	WAY_ROWS("older-orphan-paced", "closed before, data held back by pacing", peer_start,
		 orphan_paced, "default", WAY_OLDER),
	WAY_TWO_ROWS("older-orphan-probes", "closed before: window probes", peer_start,
		     orphan_probes, "default", WAY_OLDER),
	WAY_ROWS("older-syn-sent", "a SYN sent before, and again after", NULL, syn_sent, "default",
		 WAY_OLDER),
	WAY_ROWS("older-from-declared", "from a port that the policy comes to declare", NULL,
		 from_declared, "nothing", WAY_OLDER),
	WAY_TWO_ROWS("older-root", "a connection of root's, used after", roots_connections, roots,
		     "unit", WAY_OLDER),
	{ "older-root-orphan", "a connection of root's, closed before, data waits for the window",
	  roots_with_peer, roots_orphan, "unit", WAY_OLDER },
	{ 0 },
};
