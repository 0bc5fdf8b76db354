/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_group.c - ways out to everybody on the link: multicast, broadcast, and the reports that the
 * kernel sends when a group is joined.
 */
#include "datagram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MDNS_PORT = 5353, REPORTS_MS = 1300, ECHO_HEADER = 8 };

/* What the socket asks for before it sends. */
enum ask {
	ASK_NOTHING = 0,
	ASK_DEVICE = 1,	   /* SO_BINDTODEVICE */
	ASK_INTERFACE = 2, /* IP_MULTICAST_IF, IPV6_MULTICAST_IF */
	ASK_PKTINFO = 4,   /* the interface as ancillary data */
	ASK_CONNECT = 8,
	ASK_PING = 16,
	ASK_DECLARED = 32, /* from a declared port */
	ASK_MDNS = 64,	   /* to its port */
	ASK_LITE = 128,
};

static union way_address address_of(const struct way_aim *aim, const char *text, int ask)
{
	uint16_t port = ask & ASK_MDNS ? MDNS_PORT : aim->port;
	struct in6_addr v6;
	struct in_addr v4;
	union way_address address;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return way_v4(v4, port);
	if (inet_pton(AF_INET6, text, &v6) != 1)
		way_wrong("'%s' is no address", text);
	address = way_v6(v6, port);
	if (!IN6_IS_ADDR_V4MAPPED(&v6))
		address.v6.sin6_scope_id = aim->ifindex;
	return address;
}

static int protocol_of(const union way_address *to, int ask)
{
	if (ask & ASK_LITE)
		return IPPROTO_UDPLITE;
	if (!(ask & ASK_PING))
		return 0;
	return to->any.sa_family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

static int prepare_socket(const struct way_aim *aim, const union way_address *to, int ask, int fd)
{
	struct ip_mreqn interface = { .imr_ifindex = (int)aim->ifindex };

	if (set_number(fd, SOL_SOCKET, SO_BROADCAST, 1))
		return WAY_CANNOT;
	if (ask & ASK_DEVICE && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, aim->interface,
					   (socklen_t)strlen(aim->interface)) < 0)
		return cannot("SO_BINDTODEVICE");
	if (ask & ASK_INTERFACE) {
		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof(interface));
		if (to->any.sa_family == AF_INET6)
			set_number(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)aim->ifindex);
	}
	if (ask & ASK_DECLARED) {
		union way_address any = { .any.sa_family = to->any.sa_family };

		any.v4.sin_port = htons(aim->declared_udp); /* where the IPv6 one has it, too */
		bind_to(fd, any);
	}
	return 0;
}

static void send_with_interface(const struct way_aim *aim, union way_address *to, int fd,
				struct iovec bytes)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)aim->ifindex };
	char control[CMSG_SPACE(sizeof(info))] = { 0 };
	struct cmsghdr *c = (void *)control;
	struct msghdr m = { .msg_name = &to->any,
			    .msg_namelen = way_length(to),
			    .msg_iov = &bytes,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	sendmsg(fd, &m, 0);
}

static int send_group(const struct way_aim *aim, const char *text, int ask)
{
	union way_address to = address_of(aim, text, ask);
	char bytes[128] = { to.any.sa_family == AF_INET ? ICMP_ECHO : (char)ICMP6_ECHO_REQUEST };
	size_t head = ask & ASK_PING ? ECHO_HEADER : 0, n = head + strlen(aim->marker);
	int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, protocol_of(&to, ask)), r;

	if (fd < 0)
		return cannot("socket");
	memcpy(bytes + head, aim->marker, strlen(aim->marker));
	r = prepare_socket(aim, &to, ask, fd);
	if (r)
		return r;
	if (ask & ASK_CONNECT) {
		connect(fd, &to.any, way_length(&to));
		send(fd, bytes, n, 0);
	} else if (ask & ASK_PKTINFO) {
		send_with_interface(aim, &to, fd, (struct iovec){ bytes, n });
	} else {
		sendto(fd, bytes, n, 0, &to.any, way_length(&to));
	}
	return WAY_TRIED;
}

#define GROUPS(WAY)                                                                                \
	WAY("multicast-mdns-v4", mdns_v4, "multicast DNS", "224.0.0.251", ASK_MDNS)                \
	WAY("multicast-mdns-v6", mdns_v6, "multicast DNS", "ff02::fb", ASK_MDNS)                   \
	WAY("multicast-all-v4", all_v4, "all hosts of the link", "224.0.0.1", ASK_INTERFACE)       \
	WAY("multicast-all-v6", all_v6, "all nodes of the link", "ff02::1", ASK_NOTHING)           \
	WAY("multicast-scoped-v4", scoped_v4, "a group of the site", "239.255.7.7", ASK_NOTHING)   \
	WAY("multicast-interface-v4", interface_v4, "IP_MULTICAST_IF", "239.255.7.7",              \
	    ASK_INTERFACE)                                                                         \
	WAY("multicast-device-v4", mcast_device_v4, "SO_BINDTODEVICE", "239.255.7.7", ASK_DEVICE)  \
	WAY("multicast-pktinfo-v4", mcast_pktinfo, "IP_PKTINFO", "239.255.7.7", ASK_PKTINFO)       \
	WAY("multicast-mapped", mcast_mapped, "a group written ::ffff:a.b.c.d",                    \
	    "::ffff:239.255.7.7", ASK_INTERFACE)                                                   \
	WAY("multicast-connected", mcast_connected, "connect(), send()", "239.255.7.7",            \
	    ASK_CONNECT | ASK_DEVICE)                                                              \
	WAY("multicast-site-v6", site_v6, "a group of the site", "ff05::7:7", ASK_NOTHING)         \
	WAY("multicast-global-v6", global_v6, "a group of the world", "ff0e::7:7", ASK_INTERFACE)  \
	WAY("multicast-device-v6", mcast_device_v6, "SO_BINDTODEVICE", "ff02::7:7", ASK_DEVICE)    \
	WAY("multicast-declared-v4", mcast_declared_v4, "from a declared port", "224.0.0.251",     \
	    ASK_DECLARED)                                                                          \
	WAY("multicast-declared-v6", mcast_declared_v6, "from a declared port", "ff02::fb",        \
	    ASK_DECLARED)                                                                          \
	WAY("multicast-lite", mcast_lite, "UDP-Lite", "ff02::fb", ASK_LITE)                        \
	WAY("multicast-ping-v4", mcast_ping_v4, "a ping to all hosts", "224.0.0.1",                \
	    ASK_PING | ASK_DEVICE)                                                                 \
	WAY("multicast-ping-v6", mcast_ping_v6, "a ping to all nodes", "ff02::1", ASK_PING)        \
	WAY("broadcast-device", broadcast_device, "SO_BINDTODEVICE", "255.255.255.255",            \
	    ASK_DEVICE)                                                                            \
	WAY("broadcast-pktinfo", broadcast_pktinfo, "IP_PKTINFO", "255.255.255.255", ASK_PKTINFO)  \
	WAY("broadcast-connected", broadcast_connected, "connect(), send()", "255.255.255.255",    \
	    ASK_CONNECT | ASK_DEVICE)                                                              \
	WAY("broadcast-mapped", broadcast_mapped, "::ffff:255.255.255.255",                        \
	    "::ffff:255.255.255.255", ASK_DEVICE)                                                  \
	WAY("broadcast-declared", broadcast_declared, "from a declared port", "255.255.255.255",   \
	    ASK_DECLARED | ASK_DEVICE)                                                             \
	WAY("broadcast-subnet", broadcast_subnet, "the subnet's", "192.0.2.255", ASK_NOTHING)      \
	WAY("broadcast-ping", broadcast_ping, "a ping to everybody", "255.255.255.255",            \
	    ASK_PING | ASK_DEVICE)

#define FUNCTION(name, id, what, address, ask)                                                     \
	static int id(const struct way_aim *aim)                                                   \
	{                                                                                          \
		return send_group(aim, address, ask);                                              \
	}
GROUPS(FUNCTION)

/* --- groups joined -------------------------------------------------------------------------------
 */

/* The kernel reports to the link which sources we want to hear in a group: the sources are ours to
 * name, and no socket is the reports' owner.
 */
static int run_join_v6(const struct way_aim *aim)
{
	struct group_source_req join = { .gsr_interface = aim->ifindex };
	union way_address group, source = { .v6 = { .sin6_family = AF_INET6 } };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	group = address_of(aim, "ff05::7:7", ASK_NOTHING);
	memcpy(source.v6.sin6_addr.s6_addr, aim->marker, strnlen(aim->marker, 16));
	memcpy(&join.gsr_group, &group, sizeof(group));
	memcpy(&join.gsr_source, &source, sizeof(source));
	if (setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, &join, sizeof(join)) < 0)
		return cannot("MCAST_JOIN_SOURCE_GROUP");
	way_sleep(REPORTS_MS);
	return WAY_TRIED;
}

static int run_join_v4(const struct way_aim *aim)
{
	enum { SOURCES = 4 };
	struct ip_msfilter *filter = calloc(1, IP_MSFILTER_SIZE(SOURCES));
	struct ip_mreqn group = { .imr_ifindex = (int)aim->ifindex };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	if (!filter)
		way_wrong("out of memory");
	inet_pton(AF_INET, "239.255.7.7", &group.imr_multiaddr);
	if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return cannot("IP_ADD_MEMBERSHIP");
	filter->imsf_multiaddr = group.imr_multiaddr;
	filter->imsf_interface = aim->local4;
	filter->imsf_fmode = MCAST_INCLUDE;
	filter->imsf_numsrc = SOURCES;
	memcpy(filter->imsf_slist, aim->marker,
	       strnlen(aim->marker, SOURCES * sizeof(struct in_addr)));
	r = setsockopt(fd, IPPROTO_IP, IP_MSFILTER, filter, IP_MSFILTER_SIZE(SOURCES));
	free(filter);
	if (r < 0)
		return cannot("IP_MSFILTER");
	way_sleep(REPORTS_MS);
	return WAY_TRIED;
}

#define ROW(name, id, what, address, ask) { name, what, NULL, id, "default", 0 },

const struct way ways_group[] = {
	GROUPS(ROW){ "join-v4", "data as the sources of a multicast group joined", NULL,
		     run_join_v4, "nothing", 0 },
	{ "join-v6", "data as the sources of a multicast group joined", NULL, run_join_v6,
	  "nothing", 0 },
	{ 0 },
};
