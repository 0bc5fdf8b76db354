/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_ip.c - ways out by ping sockets, and by source addresses: which interface, whose address.
 *
 * The answer to a packet goes to its source address. So a foreign one sends out whatever the kernel
 * answers by itself, a reset, an echo reply, an error with the packet in it.
 */
#include "datagram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

enum { EXT_ECHO = 42, EXT_ECHO_V6 = 160, CLOSED_PORT = 9, CONNECT_MS = 300, LARGE = 9000 };

/* --- ping sockets --------------------------------------------------------------------------------
 */

#define PINGS(WAY)                                                                                 \
	WAY("ping-v4", ping_v4, "a ping socket, data in the echo", .protocol = IPPROTO_ICMP)       \
	WAY("ping-v6", ping_v6, "a ping socket, data in the echo", .form = FORM_V6,                \
	    .protocol = IPPROTO_ICMPV6)                                                            \
	WAY("ping-resolver-v4", ping_resolver_v4, "pinging the resolver", .to = TO_RESOLVER,       \
	    .protocol = IPPROTO_ICMP)                                                              \
	WAY("ping-resolver-v6", ping_resolver_v6, "pinging the resolver", .form = FORM_V6,         \
	    .to = TO_RESOLVER, .protocol = IPPROTO_ICMPV6)                                         \
	WAY("ping-friend-v4", ping_friend_v4, "pinging an address with an allowed port",           \
	    .to = TO_FRIEND, .protocol = IPPROTO_ICMP)                                             \
	WAY("ping-friend-v6", ping_friend_v6, "pinging an address with an allowed port",           \
	    .form = FORM_V6, .to = TO_FRIEND, .protocol = IPPROTO_ICMPV6)                          \
	WAY("ping-connected-v4", ping_connected_v4, "connect(), send()", .by = BY_SEND,            \
	    .protocol = IPPROTO_ICMP)                                                              \
	WAY("ping-connected-v6", ping_connected_v6, "connect(), send()", .form = FORM_V6,          \
	    .by = BY_SEND, .protocol = IPPROTO_ICMPV6)                                             \
	WAY("ping-fragments-v4", ping_fragments_v4, "an echo larger than a frame", .size = LARGE,  \
	    .protocol = IPPROTO_ICMP)                                                              \
	WAY("ping-fragments-v6", ping_fragments_v6, "an echo larger than a frame",                 \
	    .form = FORM_V6, .size = LARGE, .protocol = IPPROTO_ICMPV6)                            \
	WAY("ping-device", ping_device, "SO_BINDTODEVICE", .bound_device = true,                   \
	    .protocol = IPPROTO_ICMP)                                                              \
	WAY("ping-link-local", ping_link_local, "a link-local address", .form = FORM_V6,           \
	    .to = TO_LINK_LOCAL, .protocol = IPPROTO_ICMPV6)                                       \
	WAY("ping-ttl", ping_ttl, "IP_TTL 1", .protocol = IPPROTO_ICMP,                            \
	    .set = { { IPPROTO_IP, IP_TTL, 1 } })

#define FUNCTION(name, id, what, ...)                                                              \
	static int id(const struct way_aim *aim)                                                   \
	{                                                                                          \
		return datagram_run(aim, &(struct datagram){ __VA_ARGS__ });                       \
	}
PINGS(FUNCTION)

/* What the kernel itself never sends fails already where it looks for the route. */
static int send_if_valid(int fd, const void *bytes, size_t n, union way_address to,
			 const char *what)
{
	if (sendto(fd, bytes, n, 0, &to.any, way_length(&to)) < 0 &&
	    (errno == EINVAL || errno == ENETUNREACH))
		return cannot(what);
	return WAY_TRIED;
}

/* RFC 8335: which interfaces are there? */
static int run_ext_echo_v4(const struct way_aim *aim)
{
	struct datagram d = { .protocol = IPPROTO_ICMP };
	union way_address to = datagram_address(aim, &d);
	unsigned char bytes[64] = { EXT_ECHO };
	int fd, r = datagram_socket(aim, &d, &fd);

	if (r)
		return r;
	bytes[7] = 1; /* local */
	memcpy(bytes + 8, aim->marker, strlen(aim->marker));
	return send_if_valid(fd, bytes, sizeof(bytes), to, "an extended echo");
}

static int run_ext_echo_v6(const struct way_aim *aim)
{
	struct datagram d = { .form = FORM_V6, .protocol = IPPROTO_ICMPV6 };
	union way_address to = datagram_address(aim, &d);
	unsigned char bytes[64] = { EXT_ECHO_V6 };
	int fd, r = datagram_socket(aim, &d, &fd);

	if (r)
		return r;
	bytes[7] = 1;
	memcpy(bytes + 8, aim->marker, strlen(aim->marker));
	return send_if_valid(fd, bytes, sizeof(bytes), to, "an extended echo");
}

/* --- one's own addresses and interfaces ----------------------------------------------------------
 */

static int run_pktinfo_v4(const struct way_aim *aim)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)aim->ifindex, .ipi_spec_dst = aim->local4 };

	return datagram_run(aim, &(struct datagram){ .by = BY_SENDMSG,
						     .with = { IPPROTO_IP, IP_PKTINFO, &info,
							       sizeof(info), 0 } });
}

static int run_pktinfo_v6(const struct way_aim *aim)
{
	struct in6_pktinfo info = { .ipi6_ifindex = aim->ifindex, .ipi6_addr = aim->local6 };

	return datagram_run(aim, &(struct datagram){ .form = FORM_V6,
						     .by = BY_SENDMSG,
						     .with = { IPPROTO_IPV6, IPV6_PKTINFO, &info,
							       sizeof(info), 0 } });
}

static int run_pktinfo_mapped(const struct way_aim *aim)
{
	struct in6_pktinfo info = { .ipi6_ifindex = aim->ifindex,
				    .ipi6_addr = way_mapped(aim->local4, 0).v6.sin6_addr };

	return datagram_run(aim, &(struct datagram){ .form = FORM_MAPPED,
						     .by = BY_SENDMSG,
						     .with = { IPPROTO_IPV6, IPV6_PKTINFO, &info,
							       sizeof(info), 0 } });
}

/* A loopback address as the source, out of the uplink. */
static int run_loopback_source(const struct way_aim *aim)
{
	struct datagram d = { .bound_device = true };
	int fd, r = datagram_socket(aim, &d, &fd);

	if (r)
		return r;
	bind_to(fd, way_v4((struct in_addr){ htonl(INADDR_LOOPBACK) }, 0));
	return send_if_valid(fd, aim->marker, strlen(aim->marker), datagram_address(aim, &d),
			     "a loopback source on the uplink");
}

/* What a policy opens on loopback is not open on the uplink; the address says nothing. */
static int run_loopback_target(const struct way_aim *aim)
{
	struct datagram d = { .bound_device = true };
	union way_address to = way_v4((struct in_addr){ htonl(INADDR_LOOPBACK) }, aim->port);
	int fd, r = datagram_socket(aim, &d, &fd);

	if (r)
		return r;
	sendto(fd, aim->marker, strlen(aim->marker), 0, &to.any, way_length(&to));
	return WAY_TRIED;
}

static int run_own_port_target(const struct way_aim *aim)
{
	struct datagram d = { .bound_device = true };
	union way_address to =
		way_v4((struct in_addr){ htonl(INADDR_LOOPBACK) }, aim->declared_udp);
	int fd, r = datagram_socket(aim, &d, &fd);

	if (r)
		return r;
	sendto(fd, aim->marker, strlen(aim->marker), 0, &to.any, way_length(&to));
	return WAY_TRIED;
}

/* --- foreign sources -----------------------------------------------------------------------------
 */

/* The kernel asks whether an IPv4 source is ours where it looks for the route. */
static int run_foreign_v4(const struct way_aim *aim)
{
	struct datagram d = { .set = { { IPPROTO_IP, IP_FREEBIND, 1 } } };
	union way_address to = datagram_address(aim, &d);
	int fd, r = datagram_socket(aim, &d, &fd);

	if (r)
		return r;
	bind_to(fd, way_v4(aim->v4_friend, 0));
	return send_if_valid(fd, aim->marker, strlen(aim->marker), to, "a foreign IPv4 source");
}

static int run_transparent(const struct way_aim *aim)
{
	return datagram_run(aim,
			    &(struct datagram){ .set = { { IPPROTO_IP, IP_TRANSPARENT, 1 } } });
}

/* A socket of the protocol, bound to the sink's own address. */
static int foreign(const struct way_aim *aim, int type, int protocol, int *ret_fd)
{
	*ret_fd = socket(AF_INET6, type | SOCK_CLOEXEC, protocol);
	if (*ret_fd < 0)
		return cannot("socket");
	if (set_number(*ret_fd, IPPROTO_IPV6, IPV6_FREEBIND, 1))
		return WAY_CANNOT;
	bind_to(*ret_fd, way_v6(aim->v6, 0));
	return 0;
}

static int send_foreign(const struct way_aim *aim, const struct datagram *d)
{
	int fd, r = foreign(aim, SOCK_DGRAM, d->protocol, &fd);

	if (r)
		return r;
	datagram_send(aim, d, fd);
	return WAY_TRIED;
}

static int run_foreign_v6(const struct way_aim *aim)
{
	return send_foreign(aim, &(struct datagram){ .form = FORM_V6 });
}

static int run_foreign_resolver(const struct way_aim *aim)
{
	return send_foreign(aim, &(struct datagram){ .form = FORM_V6, .to = TO_RESOLVER_DNS });
}

static int run_foreign_ping(const struct way_aim *aim)
{
	return send_foreign(aim, &(struct datagram){ .form = FORM_V6, .protocol = IPPROTO_ICMPV6 });
}

static int run_foreign_pktinfo(const struct way_aim *aim)
{
	struct in6_pktinfo info = { .ipi6_addr = aim->v6 };

	return datagram_run(aim, &(struct datagram){ .form = FORM_V6,
						     .to = TO_RESOLVER_DNS,
						     .by = BY_SENDMSG,
						     .set = { { IPPROTO_IPV6, IPV6_FREEBIND, 1 } },
						     .with = { IPPROTO_IPV6, IPV6_PKTINFO, &info,
							       sizeof(info), 0 } });
}

/* To ourselves; the error that nobody listens goes to the sink, with the data in it. */
static int run_foreign_unreachable(const struct way_aim *aim)
{
	union way_address to = way_v6(aim->local6, CLOSED_PORT);
	int fd, r = foreign(aim, SOCK_DGRAM, 0, &fd);

	if (r)
		return r;
	sendto(fd, aim->marker, strlen(aim->marker), 0, &to.any, way_length(&to));
	return WAY_TRIED;
}

/* To our own declared port, which the policy allows over loopback: the error goes out. */
static int run_foreign_declared(const struct way_aim *aim)
{
	union way_address to = way_v6(aim->local6, aim->declared_udp);
	int fd, r = foreign(aim, SOCK_DGRAM, 0, &fd);

	if (r)
		return r;
	sendto(fd, aim->marker, strlen(aim->marker), 0, &to.any, way_length(&to));
	return WAY_TRIED;
}

/* We ping ourselves; the reply goes to the sink. */
static int run_foreign_echo(const struct way_aim *aim)
{
	struct icmp6_hdr echo = { .icmp6_type = ICMP6_ECHO_REQUEST };
	union way_address to = way_v6(aim->local6, 0);
	char bytes[128];
	int fd, r = foreign(aim, SOCK_DGRAM, IPPROTO_ICMPV6, &fd);

	if (r)
		return r;
	memcpy(bytes, &echo, sizeof(echo));
	memcpy(bytes + sizeof(echo), aim->marker, strlen(aim->marker));
	sendto(fd, bytes, sizeof(echo) + strlen(aim->marker), 0, &to.any, way_length(&to));
	return WAY_TRIED;
}

static int run_foreign_tcp(const struct way_aim *aim)
{
	union way_address to = way_v6(aim->v6_friend, aim->friend_port);
	int fd, r = foreign(aim, SOCK_STREAM, 0, &fd);

	if (r)
		return r;
	way_connect(fd, &to, CONNECT_MS);
	return WAY_TRIED;
}

static int run_any_source_link_local(const struct way_aim *aim)
{
	struct in6_pktinfo info = { .ipi6_addr = aim->v6_link_local, .ipi6_ifindex = aim->ifindex };

	return datagram_run(aim, &(struct datagram){ .form = FORM_V6,
						     .to = TO_RESOLVER_DNS,
						     .by = BY_SENDMSG,
						     .set = { { IPPROTO_IPV6, IPV6_FREEBIND, 1 } },
						     .with = { IPPROTO_IPV6, IPV6_PKTINFO, &info,
							       sizeof(info), 0 } });
}

#define ROW(name, id, what, ...) { name, what, NULL, id, "default", 0 },

const struct way ways_ip[] = {
	PINGS(ROW){ "ping-extended-v4", "an extended echo (RFC 8335)", NULL, run_ext_echo_v4,
		    "default", 0 },
	{ "ping-extended-v6", "an extended echo (RFC 8335)", NULL, run_ext_echo_v6, "default", 0 },
	{ "source-pktinfo-v4", "IP_PKTINFO: interface and source", NULL, run_pktinfo_v4, "default",
	  0 },
	{ "source-pktinfo-v6", "IPV6_PKTINFO: interface and source", NULL, run_pktinfo_v6,
	  "default", 0 },
	{ "source-pktinfo-mapped", "IPV6_PKTINFO: interface, to ::ffff:a.b.c.d", NULL,
	  run_pktinfo_mapped, "default", 0 },
	{ "source-loopback", "from 127.0.0.1, out of the uplink", NULL, run_loopback_source,
	  "default", 0 },
	{ "uplink-loopback", "to 127.0.0.1, out of the uplink", NULL, run_loopback_target,
	  "default", 0 },
	{ "uplink-loopback-declared", "to a declared port of 127.0.0.1, out of the uplink", NULL,
	  run_own_port_target, "default", 0 },
	{ "source-foreign-v4", "IP_FREEBIND, another's address as the source", NULL, run_foreign_v4,
	  "default", 0 },
	{ "source-transparent", "IP_TRANSPARENT", NULL, run_transparent, "default", 0 },
	{ "source-foreign-v6", "IPV6_FREEBIND, another's address as the source", NULL,
	  run_foreign_v6, "default", 0 },
	{ "source-foreign-resolver", "another's address as the source, to the resolver", NULL,
	  run_foreign_resolver, "default", 0 },
	{ "source-foreign-pktinfo", "the same by IPV6_PKTINFO", NULL, run_foreign_pktinfo,
	  "default", 0 },
	{ "source-foreign-link-local", "another's link-local address, to the resolver", NULL,
	  run_any_source_link_local, "default", 0 },
	{ "source-foreign-ping", "another's address as the source of a ping", NULL,
	  run_foreign_ping, "default", 0 },
	{ "source-foreign-tcp", "another's address as the source, to the allowed port", NULL,
	  run_foreign_tcp, "default", 0 },
	{ "source-foreign-unreachable", "to ourselves; the error goes out with the data", NULL,
	  run_foreign_unreachable, "default", 0 },
	{ "source-foreign-declared", "to our declared port; the error goes out with the data", NULL,
	  run_foreign_declared, "default", 0 },
	{ "source-foreign-echo", "pinging ourselves; the reply goes out with the data", NULL,
	  run_foreign_echo, "default", 0 },
	{ 0 },
};
