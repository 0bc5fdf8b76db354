/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_family.c - ways out by other kinds of sockets than TCP and UDP, and past the network that
 * the wall stands in: namespaces, interfaces, raw sockets.
 *
 * What a kernel does not have it cannot leak: a row for each family is there so that the test
 * speaks up on a kernel that has it.
 */
#include "datagram.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECT_MS = 300, PROTOCOL_TEST = 253 /* RFC 3692: for experiments */ };

static int fd = -1;

/* --- other families and protocols ----------------------------------------------------------------
 */

/* Numbers of linux/socket.h and linux/in.h, for headers that are older than the family. */
enum {
	FAMILY_SMC = 43,
	FAMILY_XDP = 44,
	FAMILY_MCTP = 45,
	PROTOCOL_L2TP = 115,
	PROTOCOL_HOMA = 146,
	PROTOCOL_SMC = 256,
	PROTOCOL_QUIC = 261,
};

static int try_family(const struct way_aim *aim, int family, int type, int protocol)
{
	union way_address to =
		family == AF_INET6 ? way_v6(aim->v6, aim->port) : way_v4(aim->v4, aim->port);

	fd = socket(family, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return cannot("socket");
	if (way_connect(fd, &to, CONNECT_MS) == 0)
		way_send_marker(fd, aim);
	sendto(fd, aim->marker, strlen(aim->marker), MSG_DONTWAIT, &to.any, way_length(&to));
	return WAY_TRIED;
}

#define FAMILIES(WAY)                                                                              \
	WAY("family-sctp-v4", sctp_v4, AF_INET, SOCK_STREAM, IPPROTO_SCTP)                         \
	WAY("family-sctp-v6", sctp_v6, AF_INET6, SOCK_STREAM, IPPROTO_SCTP)                        \
	WAY("family-sctp-many", sctp_many, AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP)                  \
	WAY("family-dccp-v4", dccp_v4, AF_INET, SOCK_DCCP, IPPROTO_DCCP)                           \
	WAY("family-dccp-v6", dccp_v6, AF_INET6, SOCK_DCCP, IPPROTO_DCCP)                          \
	WAY("family-l2tp-v4", l2tp_v4, AF_INET, SOCK_DGRAM, PROTOCOL_L2TP)                         \
	WAY("family-l2tp-v6", l2tp_v6, AF_INET6, SOCK_DGRAM, PROTOCOL_L2TP)                        \
	WAY("family-homa", homa, AF_INET, SOCK_DGRAM, PROTOCOL_HOMA)                               \
	WAY("family-quic", quic, AF_INET, SOCK_DGRAM, PROTOCOL_QUIC)                               \
	WAY("family-smc", smc, FAMILY_SMC, SOCK_STREAM, 0)                                         \
	WAY("family-smc-inet", smc_inet, AF_INET, SOCK_STREAM, PROTOCOL_SMC)                       \
	WAY("family-rds", rds, AF_RDS, SOCK_SEQPACKET, 0)                                          \
	WAY("family-tipc", tipc, AF_TIPC, SOCK_RDM, 0)                                             \
	WAY("family-rxrpc-v4", rxrpc_v4, AF_RXRPC, SOCK_DGRAM, AF_INET)                            \
	WAY("family-rxrpc-v6", rxrpc_v6, AF_RXRPC, SOCK_DGRAM, AF_INET6)                           \
	WAY("family-kcm", kcm, AF_KCM, SOCK_DGRAM, 0)                                              \
	WAY("family-pppox", pppox, AF_PPPOX, SOCK_DGRAM, 1)                                        \
	WAY("family-llc", llc, AF_LLC, SOCK_DGRAM, 0)                                              \
	WAY("family-mctp", mctp, FAMILY_MCTP, SOCK_DGRAM, 0)                                       \
	WAY("family-phonet", phonet, AF_PHONET, SOCK_DGRAM, 0)                                     \
	WAY("family-appletalk", appletalk, AF_APPLETALK, SOCK_DGRAM, 0)                            \
	WAY("family-x25", x25, AF_X25, SOCK_SEQPACKET, 0)                                          \
	WAY("family-can", can, AF_CAN, SOCK_RAW, 1)                                                \
	WAY("family-802154", wpan, AF_IEEE802154, SOCK_DGRAM, 0)                                   \
	WAY("family-xdp", xdp, FAMILY_XDP, SOCK_RAW, 0)                                            \
	WAY("family-packet", packet, AF_PACKET, SOCK_DGRAM, 0)                                     \
	WAY("raw-v4", raw_v4, AF_INET, SOCK_RAW, PROTOCOL_TEST)                                    \
	WAY("raw-v6", raw_v6, AF_INET6, SOCK_RAW, PROTOCOL_TEST)                                   \
	WAY("raw-header", raw_header, AF_INET, SOCK_RAW, IPPROTO_RAW)                              \
	WAY("raw-icmp", raw_icmp, AF_INET, SOCK_RAW, IPPROTO_ICMP)

#define FUNCTION(name, id, family, type, protocol)                                                 \
	static int id(const struct way_aim *aim)                                                   \
	{                                                                                          \
		return try_family(aim, family, type, protocol);                                    \
	}
FAMILIES(FUNCTION)

/* --- raw sockets of root, handed over ------------------------------------------------------------
 */

static int open_raw(const struct way_aim *aim)
{
	(void)aim;
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, PROTOCOL_TEST);
	return 0;
}

static int use_raw(const struct way_aim *aim)
{
	union way_address to = way_v4(aim->v4, 0);

	sendto(fd, aim->marker, strlen(aim->marker), 0, &to.any, way_length(&to));
	return WAY_TRIED;
}

static int open_header(const struct way_aim *aim)
{
	(void)aim;
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	return 0;
}

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	char data[32];
};

static struct packet make_packet(const struct way_aim *aim)
{
	struct packet p = { .ip = { .version = 4,
				    .ihl = 5,
				    .ttl = 64,
				    .protocol = IPPROTO_UDP,
				    .tot_len = htons(sizeof(p)),
				    .saddr = aim->local4.s_addr,
				    .daddr = aim->v4.s_addr },
			    .udp = { .dest = htons(aim->port), .len = htons(sizeof(p) - 20) } };

	snprintf(p.data, sizeof(p.data), "%s", aim->marker);
	return p;
}

static int use_header(const struct way_aim *aim)
{
	union way_address to = way_v4(aim->v4, 0);
	struct packet p = make_packet(aim);

	sendto(fd, &p, sizeof(p), 0, &to.any, way_length(&to));
	return WAY_TRIED;
}

/* From the sink's own address: what the kernel answers goes there, with the packet in it. */
static int use_header_foreign(const struct way_aim *aim)
{
	union way_address to = way_v4(aim->v4, 0);
	struct packet p = make_packet(aim);

	p.ip.saddr = aim->v4_friend.s_addr;
	sendto(fd, &p, sizeof(p), 0, &to.any, way_length(&to));
	return WAY_TRIED;
}

/* A transparent proxy's socket, which may have any source. */
static int open_transparent(const struct way_aim *aim)
{
	(void)aim;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return set_number(fd, IPPROTO_IP, IP_TRANSPARENT, 1);
}

static int use_transparent(const struct way_aim *aim)
{
	bind_to(fd, way_v4(aim->v4_friend, 0));
	datagram_send(aim, &(struct datagram){ 0 }, fd);
	return WAY_TRIED;
}

static int open_transparent_tcp(const struct way_aim *aim)
{
	(void)aim;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return set_number(fd, IPPROTO_IP, IP_TRANSPARENT, 1);
}

static int use_transparent_tcp(const struct way_aim *aim)
{
	union way_address to = way_v4(aim->v4, aim->port);

	bind_to(fd, way_v4(aim->v4_friend, 0));
	way_connect(fd, &to, CONNECT_MS);
	return WAY_TRIED;
}

/* No packet of this one comes by the output hook. */
static int open_packet(const struct way_aim *aim)
{
	struct sockaddr_ll link = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_IP),
				    .sll_ifindex = (int)aim->ifindex };

	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
	if (fd < 0 || bind(fd, (struct sockaddr *)&link, sizeof(link)) < 0)
		way_wrong("AF_PACKET: %s", strerror(errno));
	return 0;
}

static int use_packet(const struct way_aim *aim)
{
	struct sockaddr_ll link = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_IP),
				    .sll_ifindex = (int)aim->ifindex,
				    .sll_halen = ETH_ALEN };
	struct packet p = make_packet(aim);

	memset(link.sll_addr, 0xff, ETH_ALEN);
	sendto(fd, &p, sizeof(p), 0, (struct sockaddr *)&link, sizeof(link));
	return WAY_TRIED;
}

/* --- other networks ------------------------------------------------------------------------------
 */

static int write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);

	if (file < 0 || write(file, text, strlen(text)) < 0)
		return cannot(path);
	close(file);
	return 0;
}

/* Root in namespaces of one's own. */
static int become_root(const struct way_aim *aim, int namespaces)
{
	char map[32];

	prctl(PR_SET_DUMPABLE, 1); /* else /proc/self is root's */
	if (unshare(CLONE_NEWUSER | namespaces) < 0)
		return cannot("unshare");
	snprintf(map, sizeof(map), "0 %u 1", aim->uid);
	return write_file("/proc/self/uid_map", map);
}

static int run_ip(const char *const *arguments)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		execvp("ip", (char *const *)arguments);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		way_wrong("ip: %s", strerror(errno));
	return status;
}

/* A network of one's own has no way out. */
static int run_netns(const struct way_aim *aim)
{
	static const char *const up[] = { "ip", "link", "set", "lo", "up", NULL };
	struct datagram d = { .form = FORM_V4 };
	int r = become_root(aim, CLONE_NEWNET);

	if (!r)
		r = datagram_socket(aim, &d, &fd);
	if (r || run_ip(up))
		return WAY_CANNOT;
	datagram_send(aim, &d, fd);
	return errno ? cannot("a network of one's own") : WAY_TRIED;
}

/* A socket of the old network, used in the new one. */
static int run_netns_kept(const struct way_aim *aim)
{
	struct datagram d = { .form = FORM_V4 };
	int r = datagram_socket(aim, &d, &fd);

	if (!r)
		r = become_root(aim, CLONE_NEWNET);
	if (r)
		return r;
	datagram_send(aim, &d, fd);
	return WAY_TRIED;
}

static int run_netns_back(const struct way_aim *aim)
{
	int old = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), r;

	if (old < 0)
		return cannot("/proc/self/ns/net");
	r = become_root(aim, CLONE_NEWNET);
	if (r)
		return r;
	if (setns(old, CLONE_NEWNET) < 0)
		return cannot("setns to the old network");
	return datagram_run(aim, &(struct datagram){ .form = FORM_V4 });
}

/* An interface that reaches into the old network: `pid` is a process there. */
static int add_interface(const struct way_aim *aim, const char *kind)
{
	static const char *const veth[] = { "ip",   "link", "add",  "way0",  "type", "veth",
					    "peer", "name", "way1", "netns", "1",    NULL };
	const char *const macvlan[] = { "ip",	"link", "add",	   "link", aim->interface,
					"way0", "type", "macvlan", NULL };
	int r = become_root(aim, strcmp(kind, "veth") == 0 ? CLONE_NEWNET : 0);

	if (r)
		return r;
	if (run_ip(strcmp(kind, "veth") == 0 ? veth : macvlan))
		return WAY_CANNOT; /* ip says why */
	return datagram_run(aim, &(struct datagram){ .form = FORM_V4 });
}

static int run_veth(const struct way_aim *aim)
{
	return add_interface(aim, "veth");
}

static int run_macvlan(const struct way_aim *aim)
{
	return add_interface(aim, "macvlan");
}

static int run_raw_userns(const struct way_aim *aim)
{
	int r = become_root(aim, 0);

	return r ? r : try_family(aim, AF_INET, SOCK_RAW, IPPROTO_RAW);
}

static int run_packet_userns(const struct way_aim *aim)
{
	int r = become_root(aim, 0);

	return r ? r : try_family(aim, AF_PACKET, SOCK_DGRAM, 0);
}

static int run_tun(const struct way_aim *aim)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	struct packet p = make_packet(aim);

	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return cannot("/dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return cannot("TUNSETIFF");
	return write(fd, &p, sizeof(p)) < 0 ? cannot("writing to a tun device") : WAY_TRIED;
}

#define ROW(name, id, family, type, protocol)                                                      \
	{ name, #family ", " #type ", " #protocol, NULL, id, "default", 0 },

const struct way ways_family[] = {
	FAMILIES(ROW){ "raw-inherited", "a raw socket of root's, handed over", open_raw, use_raw,
		       "unit", 0 },
	{ "raw-inherited-header", "a raw socket of root's that takes whole packets", open_header,
	  use_header, "unit", 0 },
	{ "raw-inherited-foreign", "the same, from another's address: the error goes there",
	  open_header, use_header_foreign, "unit", 0 },
	{ "raw-inherited-transparent", "a socket of root's with IP_TRANSPARENT, another's address",
	  open_transparent, use_transparent, "unit", 0 },
	{ "raw-inherited-transparent-tcp", "the same, TCP", open_transparent_tcp,
	  use_transparent_tcp, "unit", 0 },
	{ "packet-inherited", "a packet socket of root's, handed over", open_packet, use_packet,
	  "nothing", 0 },
	{ "netns-own", "a network namespace of one's own", NULL, run_netns, "default", 0 },
	{ "netns-kept", "a socket kept from before the network namespace", NULL, run_netns_kept,
	  "default", 0 },
	{ "netns-back", "back into the old network namespace", NULL, run_netns_back, "default", 0 },
	{ "netns-veth", "a pair of interfaces into the old network", NULL, run_veth, "default", 0 },
	{ "netns-macvlan", "an interface on top of the uplink", NULL, run_macvlan, "default", 0 },
	{ "raw-userns", "a raw socket, root in a user namespace", NULL, run_raw_userns, "default",
	  0 },
	{ "packet-userns", "a packet socket, root in a user namespace", NULL, run_packet_userns,
	  "default", 0 },
	{ "tun-device", "an interface of one's own", NULL, run_tun, "default", 0 },
	{ 0 },
};
