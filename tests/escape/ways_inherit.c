/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_inherit.c - ways out through sockets and programs of somebody else.
 *
 * The kernel's "owner" of a packet is whoever opened the socket's file, not who sends. So a socket
 * of root's that a worker kept is root's; what tells whose it is, is the control group it was made
 * in.
 */
#include "way.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECT_MS = 300 };

/* What prepare() left. `kept` is for the family that run() wants. */
static int kept4 = -1, kept6 = -1, talk = -1;

static int kept(const union way_address *to)
{
	return to->any.sa_family == AF_INET ? kept4 : kept6;
}

static int connect_and_send(const struct way_aim *aim, int fd, const union way_address *to)
{
	if (way_connect(fd, to, CONNECT_MS) == 0)
		way_send_marker(fd, aim);
	close(fd);
	return WAY_TRIED;
}

/* --- a socket of root's --------------------------------------------------------------------------
 */

static int make_sockets(const struct way_aim *aim)
{
	(void)aim;
	kept4 = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	kept6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return 0;
}

static int use_socket(const struct way_aim *aim, union way_address to)
{
	return connect_and_send(aim, kept(&to), &to);
}
WAY_EACH_FAMILY(use_socket)

static int make_connections(const struct way_aim *aim)
{
	union way_address v4 = way_v4(aim->v4, aim->port), v6 = way_v6(aim->v6, aim->port);

	make_sockets(aim);
	way_connect(kept4, &v4, CONNECT_MS);
	way_connect(kept6, &v6, CONNECT_MS); /* both fail within the unit, as they should */
	return 0;
}

static int use_connection(const struct way_aim *aim, union way_address to)
{
	way_send_marker(kept(&to), aim);
	way_sleep(50);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(use_connection)

/* --- a prefork master's listener, which a worker aims outwards
 * ------------------------------------- */

static int make_listener(int family, uint16_t port)
{
	union way_address any = { .any.sa_family = (sa_family_t)family };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	way_bind(fd, &any, port);
	listen(fd, 16);
	return fd;
}

static int make_declared_listeners(const struct way_aim *aim)
{
	kept4 = make_listener(AF_INET, aim->declared_tcp);
	kept6 = make_listener(AF_INET6, aim->declared_tcp);
	return 0;
}

/* For IPv4-mapped targets the listener must not be for IPv6 alone. */
static int make_declared_dual(const struct way_aim *aim)
{
	union way_address any = { .any.sa_family = AF_INET6 };

	kept6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	way_bind(kept6, &any, aim->declared_tcp);
	listen(kept6, 16);
	return 0;
}

static int make_other_listeners(const struct way_aim *aim)
{
	kept4 = make_listener(AF_INET, way_own_port(aim));
	kept6 = make_listener(AF_INET6, way_own_port(aim));
	return 0;
}

static int re_aim(const struct way_aim *aim, union way_address to)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	connect(kept(&to), &nobody, sizeof(nobody));
	return connect_and_send(aim, kept(&to), &to);
}
WAY_EACH_FAMILY(re_aim)

/* shutdown() takes a listener back to where it was before listen(), too. */
static int re_aim_shutdown(const struct way_aim *aim, union way_address to)
{
	shutdown(kept(&to), SHUT_RDWR);
	return connect_and_send(aim, kept(&to), &to);
}
WAY_EACH_FAMILY(re_aim_shutdown)

/* With data in the SYN. */
static int re_aim_fast(const struct way_aim *aim, union way_address to)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	connect(kept(&to), &nobody, sizeof(nobody));
	sendto(kept(&to), aim->marker, strlen(aim->marker), MSG_FASTOPEN | MSG_DONTWAIT, &to.any,
	       way_length(&to));
	way_sleep(50);
	return WAY_TRIED;
}
WAY_BOTH_FAMILIES(re_aim_fast)

/* --- datagram, raw and packet sockets of root's
 * --------------------------------------------------- */

static int make_udp_other(const struct way_aim *aim)
{
	(void)aim;
	kept4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	kept6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return 0;
}

static int make_udp_declared(const struct way_aim *aim)
{
	make_udp_other(aim);
	way_bind(kept4, &(union way_address){ .any.sa_family = AF_INET }, aim->declared_udp);
	way_bind(kept6, &(union way_address){ .any.sa_family = AF_INET6 }, aim->declared_udp);
	return 0;
}

static int use_udp(const struct way_aim *aim, union way_address to)
{
	sendto(kept(&to), aim->marker, strlen(aim->marker), 0, &to.any, way_length(&to));
	return WAY_TRIED;
}
WAY_BOTH_FAMILIES(use_udp)

static int make_raw(const struct way_aim *aim)
{
	(void)aim;
	kept4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 253); /* RFC 3692: for experiments */
	kept6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 253);
	return 0;
}

static int use_raw(const struct way_aim *aim, union way_address to)
{
	to.v6.sin6_port = 0; /* the same place in both; raw IPv6 sockets refuse another */
	sendto(kept(&to), aim->marker, strlen(aim->marker), 0, &to.any, way_length(&to));
	return WAY_TRIED;
}

WAY_BOTH_FAMILIES(use_raw)

static int make_packet(const struct way_aim *aim)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IP),
				  .sll_ifindex = (int)aim->ifindex };

	kept4 = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
	if (kept4 < 0 || bind(kept4, (struct sockaddr *)&to, sizeof(to)) < 0)
		return way_cannot("AF_PACKET: %s", strerror(errno));
	return 0;
}

/* Below IP: no hook of the firewall's sees it. */
static int use_packet(const struct way_aim *aim)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
		char data[64];
	} packet = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP } };
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IP),
				  .sll_ifindex = (int)aim->ifindex,
				  .sll_halen = ETH_ALEN,
				  .sll_addr = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

	packet.ip.tot_len = htons(sizeof(packet));
	packet.ip.saddr = aim->local4.s_addr;
	packet.ip.daddr = aim->v4.s_addr;
	packet.udp.dest = htons(aim->port);
	packet.udp.len = htons(sizeof(packet) - sizeof(packet.ip));
	snprintf(packet.data, sizeof(packet.data), "%s", aim->marker);
	sendto(kept4, &packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to));
	return WAY_TRIED;
}

/* --- handed over by another user's process
 * --------------------------------------------------------- */

/* A process that opens what it is asked for and lets it go. */
static void hand_over(const struct way_aim *aim, int to_way)
{
	char what;

	while ((what = way_hear(to_way, 5000))) {
		union way_address to =
			what == '4' ? way_v4(aim->v4, aim->port) : way_v6(aim->v6, aim->port);
		int fd = way_socket(&to, SOCK_STREAM, 0);

		way_send_fd(to_way, fd);
		close(fd);
	}
}

static int neighbour_start(const struct way_aim *aim)
{
	talk = way_other_user(aim, aim->other_uid, hand_over);
	return 0;
}

static int take_over(const struct way_aim *aim, union way_address to)
{
	int fd;

	way_say(talk, to.any.sa_family == AF_INET ? '4' : '6');
	fd = way_receive_fd(talk);
	if (fd < 0)
		way_wrong("nobody hands a socket over");
	return connect_and_send(aim, fd, &to);
}
WAY_EACH_FAMILY(take_over)

/* --- set-user-ID programs ----------------------------------------------------------------------
 */

static char helper_path[4096];

/* The program itself, as one that belongs to `uid` and runs as it. */
static int install_helper(const struct way_aim *aim, uid_t uid)
{
	char command[9000];

	snprintf(helper_path, sizeof(helper_path), "%s/helper-%u", aim->folder, aim->port);
	snprintf(command, sizeof(command), "exec install -m 4755 -o %u /proc/%d/exe '%s'", uid,
		 getpid(), helper_path);
	if (system(command) != 0)
		way_wrong("%s: cannot be made", helper_path);
	return 0;
}

static int install_roots(const struct way_aim *aim)
{
	return install_helper(aim, 0);
}

static int install_strangers(const struct way_aim *aim)
{
	return install_helper(aim, aim->other_uid);
}

/* What the set-user-ID program does: some network service for its caller, as ping or mount have. */
int helper_main(char **argv)
{
	struct way_aim aim = { .marker = argv[3] };
	union way_address to = { 0 };
	int fd;

	for (size_t i = 0; i < sizeof(to.v6) && argv[2][2 * i] && argv[2][2 * i + 1]; i++) {
		char byte[] = { argv[2][2 * i], argv[2][2 * i + 1], 0 };

		((uint8_t *)&to)[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
	fd = way_socket(&to, SOCK_STREAM, 0);
	return connect_and_send(&aim, fd, &to);
}

static int run_helper(const struct way_aim *aim, union way_address to)
{
	char hex[2 * sizeof(to) + 1];
	pid_t child = fork();

	for (size_t i = 0; i < sizeof(to); i++)
		snprintf(hex + 2 * i, 3, "%02x", ((uint8_t *)&to)[i]);
	if (child == 0) {
		execl(helper_path, "attacker", "helper", hex, aim->marker, NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(run_helper)

/* --- subordinate ids -----------------------------------------------------------------------------
 */

static bool write_map(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd;
	bool good;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return good;
}

/* What newuidmap and newgidmap, which are root's, do for whoever has a line in /etc/subuid. */
static void map_ids(const struct way_aim *aim, int to_way)
{
	char text[128];
	pid_t pid;

	if (recv(to_way, &pid, sizeof(pid), 0) != sizeof(pid))
		return;
	snprintf(text, sizeof(text), "0 %u 1\n1 %u 65535\n", aim->uid, aim->subuid);
	way_say(to_way,
		write_map(pid, "uid_map", text) && write_map(pid, "gid_map", text) ? 'y' : 'n');
}

static int mapper_start(const struct way_aim *aim)
{
	talk = way_other_user(aim, 0, map_ids);
	return 0;
}

static int enter_userns(const struct way_aim *aim)
{
	pid_t pid = getpid();

	(void)aim;
	if (unshare(CLONE_NEWUSER) < 0)
		return way_cannot("no user namespaces: %s", strerror(errno));
	send(talk, &pid, sizeof(pid), 0);
	if (way_hear(talk, 2000) != 'y')
		way_wrong("subordinate ids are not mapped");
	return 0;
}

static int as_subuid(const struct way_aim *aim, union way_address to)
{
	int r = enter_userns(aim);

	if (r != 0)
		return r;
	if (setresuid(1000, 1000, 1000) < 0)
		way_wrong("becoming a subordinate id: %s", strerror(errno));
	return connect_and_send(aim, way_socket(&to, SOCK_STREAM, 0), &to);
}
WAY_EACH_FAMILY(as_subuid)

/* Only the id for files, which is the one that sockets remember. */
static int as_fsuid(const struct way_aim *aim, union way_address to)
{
	int r = enter_userns(aim);

	if (r != 0)
		return r;
	setfsuid(65535);
	return connect_and_send(aim, way_socket(&to, SOCK_STREAM, 0), &to);
}
WAY_EACH_FAMILY(as_fsuid)

/* A user namespace within, in which an id of the outer one has another name. */
static int as_nested(const struct way_aim *aim, union way_address to)
{
	int r = enter_userns(aim), ready[2], status;
	pid_t child;
	char go;

	if (r != 0)
		return r;
	if (pipe(ready) < 0)
		way_wrong("pipe: %s", strerror(errno));
	child = fork();
	if (child == 0) {
		close(ready[1]);
		if (unshare(CLONE_NEWUSER) < 0)
			_exit(WAY_CANNOT);
		if (read(ready[0], &go, 1) != 1 || setresuid(7, 7, 7) < 0)
			_exit(3);
		_exit(connect_and_send(aim, way_socket(&to, SOCK_STREAM, 0), &to));
	}
	for (int i = 0; i < 100 && !write_map(child, "uid_map", "0 1 1\n7 2000 1\n"); i++)
		way_sleep(10);
	if (write(ready[1], "g", 1) != 1 || waitpid(child, &status, 0) < 0)
		way_wrong("the namespace within: %s", strerror(errno));
	return WEXITSTATUS(status);
}
WAY_EACH_FAMILY(as_nested)

const struct way ways_inherit[] = {
	WAY_ROWS("inherit-socket", "a socket that root opened", make_sockets, use_socket, "unit",
		 0),
	WAY_ROWS("inherit-socket-outside", "a socket that root opened outside the unit",
		 make_sockets, use_socket, "nothing", WAY_OUTSIDE),
	WAY_ROWS("inherit-connection", "a connection that root made", make_connections,
		 use_connection, "unit", 0),
	WAY_ROWS("inherit-connection-outside", "a connection that root made outside the unit",
		 make_connections, use_connection, "nothing", WAY_OUTSIDE),
	WAY_TWO_ROWS("re-aim", "root's listener on a declared port, aimed outwards",
		     make_declared_listeners, re_aim, "default", 0),
	{ "re-aim-mapped", "the same, listening for both, to ::ffff:a.b.c.d", make_declared_dual,
	  re_aim_mapped, "default", 0 },
	WAY_TWO_ROWS("re-aim-outside", "root's listener from outside the unit, on a declared port",
		     make_declared_listeners, re_aim, "default", WAY_OUTSIDE),
	WAY_TWO_ROWS("re-aim-shutdown", "the same, taken back by shutdown()",
		     make_declared_listeners, re_aim_shutdown, "default", 0),
	{ "re-aim-shutdown-mapped", "the same, listening for both, to ::ffff:a.b.c.d",
	  make_declared_dual, re_aim_shutdown_mapped, "default", 0 },
	WAY_TWO_ROWS("re-aim-fast-open", "the same, with data in the SYN", make_declared_listeners,
		     re_aim_fast, "default", 0),
	WAY_TWO_ROWS("re-aim-undeclared", "root's listener on another port, aimed outwards",
		     make_other_listeners, re_aim, "unit", 0),
	WAY_TWO_ROWS("inherit-udp-declared", "root's UDP socket on a declared port",
		     make_udp_declared, use_udp, "default", 0),
	WAY_TWO_ROWS("inherit-udp", "root's UDP socket on no declared port", make_udp_other,
		     use_udp, "unit", 0),
	WAY_TWO_ROWS("inherit-udp-outside", "root's UDP socket from outside the unit",
		     make_udp_other, use_udp, "nothing", WAY_OUTSIDE),
	WAY_TWO_ROWS("inherit-raw", "root's raw socket", make_raw, use_raw, "unit", 0),
	{ "inherit-packet", "root's packet socket: below IP, where no rule looks", make_packet,
	  use_packet, "nothing", 0 },
	WAY_ROWS("inherit-passed", "a socket that another user's process in the unit hands over",
		 neighbour_start, take_over, "unit", 0),
	WAY_ROWS("inherit-passed-outside",
		 "a socket that another user's process elsewhere hands over", neighbour_start,
		 take_over, "nothing", WAY_OUTSIDE),
	WAY_ROWS("set-uid-root", "a set-user-ID program of root's", install_roots, run_helper,
		 "unit", 0),
	WAY_ROWS("set-uid-other", "a set-user-ID program of another user's", install_strangers,
		 run_helper, "unit", 0),
	WAY_ROWS("subuid", "a subordinate id, as newuidmap gives them", mapper_start, as_subuid,
		 "default", 0),
	WAY_ROWS("subuid-fsuid", "a subordinate id for files only", mapper_start, as_fsuid,
		 "default", 0),
	WAY_ROWS("subuid-nested", "a subordinate id in a user namespace within", mapper_start,
		 as_nested, "default", 0),
	{ 0 },
};
