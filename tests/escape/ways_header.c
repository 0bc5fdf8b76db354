/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_header.c - ways out by what stands in the header: the address is an allowed one, and an IPv4
 * option or an IPv6 routing header says where the packet really goes, or carries the data.
 */
#include "datagram.h"

#include <errno.h>
#include <netinet/ip.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPV6_FLOWLABEL_MGR
#define IPV6_FLOWLABEL_MGR 32
#define IPV6_FLOWINFO_SEND 33
#endif

enum {
	CONNECT_MS = 300,
	OPTIONS_MAX = 40,
	OPTION_SECURITY = 130,
	OPTION_ROUTER_ALERT = 148,
	ROUTE_SLOTS = 36, /* room for the data in a record route option */
};

/* --- IPv4 options --------------------------------------------------------------------------------
 */

struct options {
	unsigned char bytes[OPTIONS_MAX];
	socklen_t n;
};

typedef struct options make_options(const struct way_aim *aim);

static struct options nops(const struct way_aim *aim)
{
	(void)aim;
	return (struct options){ { IPOPT_NOP, IPOPT_NOP, IPOPT_NOP, IPOPT_EOL }, 4 };
}

static struct options record_route(const struct way_aim *aim)
{
	(void)aim;
	return (struct options){ { IPOPT_RR, 7, 4 }, 8 };
}

/* The slots for the route hold what we put there. */
static struct options data_in_route(const struct way_aim *aim)
{
	struct options o = { { IPOPT_RR, 3 + ROUTE_SLOTS, 4 }, OPTIONS_MAX };

	strncpy((char *)o.bytes + 3, aim->marker, ROUTE_SLOTS);
	return o;
}

static struct options timestamp(const struct way_aim *aim)
{
	(void)aim;
	return (struct options){ { IPOPT_TS, 8, 5, IPOPT_TS_TSONLY }, 8 };
}

static struct options router_alert(const struct way_aim *aim)
{
	(void)aim;
	return (struct options){ { OPTION_ROUTER_ALERT, 4 }, 4 };
}

static struct options security(const struct way_aim *aim)
{
	(void)aim;
	return (struct options){ { OPTION_SECURITY, 11 }, 12 };
}

/* The packet goes to the first hop; the target stands in the option. */
static struct options source_route(unsigned char type, struct in_addr hop)
{
	struct options o = { { type, 7, 4 }, 8 };

	memcpy(o.bytes + 3, &hop, sizeof(hop));
	return o;
}

static struct options loose_by_resolver(const struct way_aim *aim)
{
	return source_route(IPOPT_LSRR, aim->resolver4);
}

static struct options strict_by_resolver(const struct way_aim *aim)
{
	return source_route(IPOPT_SSRR, aim->resolver4);
}

static struct options loose_by_friend(const struct way_aim *aim)
{
	return source_route(IPOPT_LSRR, aim->v4_friend);
}

static int set_ip_options(int fd, const struct options *o)
{
	if (setsockopt(fd, IPPROTO_IP, IP_OPTIONS, o->bytes, o->n) < 0)
		return cannot("IP_OPTIONS");
	return 0;
}

static int send_options(const struct way_aim *aim, const struct datagram *d, make_options *make)
{
	struct options o = make(aim);
	int fd, r = datagram_socket(aim, d, &fd);

	if (!r)
		r = set_ip_options(fd, &o);
	if (r)
		return r;
	datagram_send(aim, d, fd);
	if (errno == ENETUNREACH) /* a strict route needs each hop on the link */
		return cannot("the route");
	return WAY_TRIED;
}

static int send_options_control(const struct way_aim *aim, const struct datagram *d,
				make_options *make)
{
	struct options o = make(aim);
	struct datagram with = *d;
	int fd, r = datagram_socket(aim, d, &fd);

	if (!r) /* which options take a capability is the same both ways */
		r = set_ip_options(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), &o);
	if (r)
		return r;
	with.by = BY_SENDMSG;
	with.with = (struct ancillary){ IPPROTO_IP, IP_RETOPTS, o.bytes, o.n, 0 };
	datagram_send(aim, &with, fd);
	return WAY_TRIED;
}

static int connect_options(const struct way_aim *aim, const struct datagram *d, make_options *make)
{
	union way_address to = datagram_address(aim, d);
	struct options o = make(aim);
	int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	r = set_ip_options(fd, &o);
	if (r)
		return r;
	if (way_connect(fd, &to, CONNECT_MS) == 0)
		way_send_marker(fd, aim);
	close(fd);
	return WAY_TRIED;
}

#define OPTIONS(WAY)                                                                               \
	WAY("options-udp-nop", udp_nop, "an IP option that does nothing, to the resolver",         \
	    send_options, nops, .to = TO_RESOLVER_DNS)                                             \
	WAY("options-udp-nop-mapped", udp_nop_mapped, "the same from an IPv6 socket",              \
	    send_options, nops, .to = TO_RESOLVER_DNS, .form = FORM_MAPPED)                        \
	WAY("options-udp-route", udp_rr, "record route, to the resolver", send_options,            \
	    record_route, .to = TO_RESOLVER_DNS)                                                   \
	WAY("options-udp-data", udp_data, "data in the slots of record route, to the resolver",    \
	    send_options, data_in_route, .to = TO_RESOLVER_DNS)                                    \
	WAY("options-udp-timestamp", udp_timestamp, "timestamps, to the resolver", send_options,   \
	    timestamp, .to = TO_RESOLVER_DNS)                                                      \
	WAY("options-udp-alert", udp_alert, "router alert, to the resolver", send_options,         \
	    router_alert, .to = TO_RESOLVER_DNS)                                                   \
	WAY("options-udp-security", udp_security, "security, to the resolver", send_options,       \
	    security, .to = TO_RESOLVER_DNS)                                                       \
	WAY("options-udp-loose", udp_loose, "a loose source route by the resolver", send_options,  \
	    loose_by_resolver, .port = 53)                                                         \
	WAY("options-udp-loose-mapped", udp_loose_mapped, "the same from an IPv6 socket",          \
	    send_options, loose_by_resolver, .port = 53, .form = FORM_MAPPED)                      \
	WAY("options-udp-strict", udp_strict, "a strict source route by the resolver",             \
	    send_options, strict_by_resolver, .port = 53)                                          \
	WAY("options-udp-control", udp_control, "IP_RETOPTS as ancillary data, to the resolver",   \
	    send_options_control, record_route, .to = TO_RESOLVER_DNS)                             \
	WAY("options-udp-control-loose", udp_control_loose,                                        \
	    "a loose source route as ancillary data", send_options_control, loose_by_resolver,     \
	    .port = 53)                                                                            \
	WAY("options-udp-friend", udp_friend, "record route, to the allowed port", send_options,   \
	    record_route, .to = TO_FRIEND_ALLOWED)                                                 \
	WAY("options-udp-fragments", udp_fragments, "options in each fragment, to the resolver",   \
	    send_options, router_alert, .to = TO_RESOLVER_DNS, .size = 9000)                       \
	WAY("options-ping", ping_rr, "record route on a ping to the resolver", send_options,       \
	    record_route, .to = TO_RESOLVER, .protocol = IPPROTO_ICMP)                             \
	WAY("options-tcp-nop", tcp_nop, "an IP option on a connection to the allowed port",        \
	    connect_options, nops, .to = TO_FRIEND_ALLOWED)                                        \
	WAY("options-tcp-route", tcp_rr, "record route, connecting to the allowed port",           \
	    connect_options, record_route, .to = TO_FRIEND_ALLOWED)                                \
	WAY("options-tcp-mapped", tcp_mapped, "record route from an IPv6 socket", connect_options, \
	    record_route, .to = TO_FRIEND_ALLOWED, .form = FORM_MAPPED)                            \
	WAY("options-tcp-data", tcp_data, "data in the slots of record route", connect_options,    \
	    data_in_route, .to = TO_FRIEND_ALLOWED)                                                \
	WAY("options-tcp-loose", tcp_loose, "a loose source route by the allowed address",         \
	    connect_options, loose_by_friend, .port = 7000)

#define OPTIONS_FUNCTION(name, id, what, send, make, ...)                                          \
	static int id(const struct way_aim *aim)                                                   \
	{                                                                                          \
		return send(aim, &(struct datagram){ __VA_ARGS__ }, make);                         \
	}
OPTIONS(OPTIONS_FUNCTION)

/* --- IPv6 extension headers ----------------------------------------------------------------------
 */

/* RFC 8754: the packet goes to the last segment of the list, the target is segment 0. */
struct routing {
	uint8_t next, length, type, left, last, flags;
	uint16_t tag;
	struct in6_addr segments[2];
};

enum { RH_SOURCE_ROUTE = 0, RH_MOBILE = 2, RH_RPL = 3, RH_SEGMENTS = 4 };

static struct routing routing_by(uint8_t type, struct in6_addr hop)
{
	return (struct routing){
		.length = 4, .type = type, .left = 1, .last = 1, .segments = { [1] = hop }
	};
}

static int set_header(int fd, int name, const void *bytes, size_t n, const char *what)
{
	if (setsockopt(fd, IPPROTO_IPV6, name, bytes, (socklen_t)n) < 0)
		return cannot(what);
	return 0;
}

/* A datagram whose socket has that routing header. */
static int send_routed(const struct way_aim *aim, const struct datagram *d, uint8_t type,
		       struct in6_addr hop)
{
	struct routing header = routing_by(type, hop);
	int fd, r = datagram_socket(aim, d, &fd);

	if (!r)
		r = set_header(fd, IPV6_RTHDR, &header, sizeof(header), "IPV6_RTHDR");
	if (r)
		return r;
	datagram_send(aim, d, fd);
	return WAY_TRIED;
}

static int run_route_udp(const struct way_aim *aim)
{
	return send_routed(aim, &(struct datagram){ .form = FORM_V6, .port = 53 }, RH_SEGMENTS,
			   aim->resolver6);
}

static int run_route_connected(const struct way_aim *aim)
{
	return send_routed(aim, &(struct datagram){ .form = FORM_V6, .port = 53, .by = BY_SEND },
			   RH_SEGMENTS, aim->resolver6);
}

static int run_route_fragments(const struct way_aim *aim)
{
	return send_routed(aim, &(struct datagram){ .form = FORM_V6, .port = 53, .size = 9000 },
			   RH_SEGMENTS, aim->resolver6);
}

static int run_route_ping(const struct way_aim *aim)
{
	return send_routed(aim, &(struct datagram){ .form = FORM_V6, .protocol = IPPROTO_ICMPV6 },
			   RH_SEGMENTS, aim->resolver6);
}

static int run_route_declared(const struct way_aim *aim)
{
	return send_routed(aim,
			   &(struct datagram){ .form = FORM_V6, .source_port = aim->declared_udp },
			   RH_SEGMENTS, aim->resolver6);
}

/* The first hop is this machine: the packet comes back in, and would be sent on. */
static int run_route_self(const struct way_aim *aim)
{
	return send_routed(aim, &(struct datagram){ .form = FORM_V6, .port = aim->declared_udp },
			   RH_SEGMENTS, aim->local6);
}

static int run_route_type_0(const struct way_aim *aim)
{
	return send_routed(aim, &(struct datagram){ .form = FORM_V6 }, RH_SOURCE_ROUTE,
			   aim->resolver6);
}

static int run_route_type_2(const struct way_aim *aim)
{
	return send_routed(aim, &(struct datagram){ .form = FORM_V6 }, RH_MOBILE, aim->resolver6);
}

static int run_route_type_3(const struct way_aim *aim)
{
	return send_routed(aim, &(struct datagram){ .form = FORM_V6 }, RH_RPL, aim->resolver6);
}

static int run_route_tcp(const struct way_aim *aim)
{
	struct routing header = routing_by(RH_SEGMENTS, aim->v6_friend);
	union way_address to = way_v6(aim->v6, aim->friend_port);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = set_header(fd, IPV6_RTHDR, &header, sizeof(header), "IPV6_RTHDR");

	if (r)
		return r;
	way_connect(fd, &to, CONNECT_MS);
	return WAY_TRIED;
}

/* The header as ancillary data of one datagram. */
static int send_control(const struct way_aim *aim, int type, const void *bytes, size_t n,
			const char *what)
{
	struct datagram d = { .form = FORM_V6,
			      .to = TO_RESOLVER_DNS,
			      .by = BY_SENDMSG,
			      .with = { IPPROTO_IPV6, type, bytes, n, 0 } };
	int fd, r = datagram_socket(aim, &d, &fd);

	if (r)
		return r;
	datagram_send(aim, &d, fd);
	if (errno == EINVAL || errno == EPERM)
		return cannot(what); /* or the policy's answer */
	return WAY_TRIED;
}

static int run_route_control(const struct way_aim *aim)
{
	struct routing header = routing_by(RH_SEGMENTS, aim->resolver6);

	return send_control(aim, IPV6_RTHDR, &header, sizeof(header), "IPV6_RTHDR, ancillary");
}

static int run_route_control_2292(const struct way_aim *aim)
{
	struct routing header = routing_by(RH_SOURCE_ROUTE, aim->resolver6);

	return send_control(aim, IPV6_2292RTHDR, &header, sizeof(header),
			    "IPV6_2292RTHDR, ancillary");
}

static const unsigned char padding[8] = { 0, 0, 1, 4 }; /* PadN */

static int send_header(const struct way_aim *aim, int name, const char *what)
{
	struct datagram d = { .form = FORM_V6, .to = TO_RESOLVER_DNS };
	int fd, r = datagram_socket(aim, &d, &fd);

	if (!r)
		r = set_header(fd, name, padding, sizeof(padding), what);
	if (r)
		return r;
	datagram_send(aim, &d, fd);
	return WAY_TRIED;
}

static int run_hop_by_hop(const struct way_aim *aim)
{
	return send_header(aim, IPV6_HOPOPTS, "IPV6_HOPOPTS");
}

static int run_destination(const struct way_aim *aim)
{
	return send_header(aim, IPV6_DSTOPTS, "IPV6_DSTOPTS");
}

static int run_before_routing(const struct way_aim *aim)
{
	return send_header(aim, IPV6_RTHDRDSTOPTS, "IPV6_RTHDRDSTOPTS");
}

static int run_hop_by_hop_control(const struct way_aim *aim)
{
	return send_control(aim, IPV6_HOPOPTS, padding, sizeof(padding), "IPV6_HOPOPTS, ancillary");
}

static int run_destination_control(const struct way_aim *aim)
{
	return send_control(aim, IPV6_DSTOPTS, padding, sizeof(padding), "IPV6_DSTOPTS, ancillary");
}

/* A capability in one's own user namespace is none in the network's. */
static int run_hop_by_hop_userns(const struct way_aim *aim)
{
	if (unshare(CLONE_NEWUSER) < 0)
		return cannot("unshare(CLONE_NEWUSER)");
	return send_header(aim, IPV6_HOPOPTS, "IPV6_HOPOPTS in a user namespace");
}

/* A label leased from the kernel, on the packet to a forbidden address. */
static int run_flow_label(const struct way_aim *aim)
{
	struct {
		struct in6_addr to;
		uint32_t label;
		uint8_t action, share;
		uint16_t flags, expires, linger;
		uint32_t padding;
	} lease = { .to = aim->v6, .share = 1, .flags = 1, .expires = 6, .linger = 6 };
	union way_address to = way_v6(aim->v6, aim->port);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (set_header(fd, IPV6_FLOWLABEL_MGR, &lease, sizeof(lease), "IPV6_FLOWLABEL_MGR") ||
	    set_number(fd, IPPROTO_IPV6, IPV6_FLOWINFO_SEND, 1))
		return WAY_CANNOT;
	to.v6.sin6_flowinfo = lease.label;
	sendto(fd, aim->marker, strlen(aim->marker), 0, &to.any, way_length(&to));
	return WAY_TRIED;
}

#define OPTIONS_ROW(name, id, what, ...) { name, what, NULL, id, "default", 0 },

const struct way ways_header[] = {
	OPTIONS(OPTIONS_ROW){ "route-udp", "a segment routing header by the resolver", NULL,
			      run_route_udp, "default", 0 },
	{ "route-udp-connected", "the same, connect() and send()", NULL, run_route_connected,
	  "default", 0 },
	{ "route-udp-fragments", "a segment routing header in each fragment", NULL,
	  run_route_fragments, "default", 0 },
	{ "route-udp-declared", "a segment routing header from a declared port", NULL,
	  run_route_declared, "default", 0 },
	{ "route-udp-self", "a segment routing header by this machine itself", NULL, run_route_self,
	  "default", 0 },
	{ "route-ping", "a segment routing header on a ping", NULL, run_route_ping, "default", 0 },
	{ "route-tcp", "a segment routing header by the allowed address and port", NULL,
	  run_route_tcp, "default", 0 },
	{ "route-type-0", "a routing header of type 0 (source route)", NULL, run_route_type_0,
	  "default", 0 },
	{ "route-type-2", "a routing header of type 2 (mobility)", NULL, run_route_type_2,
	  "default", 0 },
	{ "route-type-3", "a routing header of type 3 (RPL)", NULL, run_route_type_3, "default",
	  0 },
	{ "route-control", "a segment routing header as ancillary data", NULL, run_route_control,
	  "default", 0 },
	{ "route-control-2292", "a routing header as ancillary data of RFC 2292", NULL,
	  run_route_control_2292, "default", 0 },
	{ "header-hop-by-hop", "hop-by-hop options, to the resolver", NULL, run_hop_by_hop,
	  "default", 0 },
	{ "header-destination", "destination options, to the resolver", NULL, run_destination,
	  "default", 0 },
	{ "header-before-routing", "destination options before a routing header", NULL,
	  run_before_routing, "default", 0 },
	{ "header-hop-by-hop-control", "hop-by-hop options as ancillary data", NULL,
	  run_hop_by_hop_control, "default", 0 },
	{ "header-destination-control", "destination options as ancillary data", NULL,
	  run_destination_control, "default", 0 },
	{ "header-hop-by-hop-userns", "hop-by-hop options, root in a user namespace", NULL,
	  run_hop_by_hop_userns, "default", 0 },
	{ "header-flow-label", "a flow label", NULL, run_flow_label, "default", 0 },
	{ 0 },
};
