/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_udp.c - ways out by one datagram: every call, every way to write an address, every socket
 * option that a user may set.
 *
 * A list has a line for each way; it becomes the functions, and then the table.
 */
#include "datagram.h"

#include <linux/net_tstamp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#ifndef IP_UNICAST_IF
#define IP_UNICAST_IF 50
#endif
#ifndef IPV6_UNICAST_IF
#define IPV6_UNICAST_IF 76
#endif
#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX 101
#endif
#ifndef UDPLITE_SEND_CSCOV
#define UDPLITE_SEND_CSCOV 10
#endif
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

enum {
	ENCAP_ESP_IN_UDP = 2,
	SEGMENT = 1200,
	SEGMENTED = 5000,
	FRAGMENTED = 9000, /* many pieces of an Ethernet frame's size */
	LARGEST = 65507,
	LARGEST_V6 = 65487, /* a fragmented one has no room for a jumbogram's option */
};

static const struct sock_txtime txtime = { .clockid = CLOCK_MONOTONIC };

/* Each call, in each form; connected or not. */
#define CALLS(WAY)                                                                                 \
	WAY("udp-sendto-v4", sendto_v4, "a datagram", .form = FORM_V4)                             \
	WAY("udp-sendto-v6", sendto_v6, "a datagram over IPv6", .form = FORM_V6)                   \
	WAY("udp-sendto-mapped", sendto_mapped, "to ::ffff:a.b.c.d", .form = FORM_MAPPED)          \
	WAY("udp-sendmsg-v4", sendmsg_v4, "sendmsg()", .form = FORM_V4, .by = BY_SENDMSG)          \
	WAY("udp-sendmsg-v6", sendmsg_v6, "sendmsg()", .form = FORM_V6, .by = BY_SENDMSG)          \
	WAY("udp-sendmsg-mapped", sendmsg_mapped, "sendmsg() to ::ffff:a.b.c.d",                   \
	    .form = FORM_MAPPED, .by = BY_SENDMSG)                                                 \
	WAY("udp-sendmmsg-v4", sendmmsg_v4, "two by sendmmsg()", .form = FORM_V4,                  \
	    .by = BY_SENDMMSG)                                                                     \
	WAY("udp-sendmmsg-v6", sendmmsg_v6, "two by sendmmsg()", .form = FORM_V6,                  \
	    .by = BY_SENDMMSG)                                                                     \
	WAY("udp-connected-v4", connected_v4, "connect(), send()", .form = FORM_V4, .by = BY_SEND) \
	WAY("udp-connected-v6", connected_v6, "connect(), send()", .form = FORM_V6, .by = BY_SEND) \
	WAY("udp-connected-mapped", connected_mapped, "connect() to ::ffff:a.b.c.d, send()",       \
	    .form = FORM_MAPPED, .by = BY_SEND)                                                    \
	WAY("udp-write", write_v4, "connect(), write()", .form = FORM_V4, .by = BY_WRITE)          \
	WAY("udp-writev", writev_v6, "connect(), writev()", .form = FORM_V6, .by = BY_WRITEV)      \
	WAY("udp-splice-v4", splice_v4, "splice() from a pipe", .form = FORM_V4, .by = BY_SPLICE)  \
	WAY("udp-splice-v6", splice_v6, "splice() from a pipe", .form = FORM_V6, .by = BY_SPLICE)  \
	WAY("udp-sendfile-v4", sendfile_v4, "sendfile()", .form = FORM_V4, .by = BY_SENDFILE)      \
	WAY("udp-sendfile-v6", sendfile_v6, "sendfile()", .form = FORM_V6, .by = BY_SENDFILE)      \
	WAY("udp-more-v4", more_v4, "two pieces, MSG_MORE", .form = FORM_V4, .by = BY_MORE)        \
	WAY("udp-more-v6", more_v6, "two pieces, MSG_MORE", .form = FORM_V6, .by = BY_MORE)        \
	WAY("udp-cork-v4", cork_v4, "two pieces, UDP_CORK", .form = FORM_V4, .by = BY_CORK)        \
	WAY("udp-cork-v6", cork_v6, "two pieces, UDP_CORK", .form = FORM_V6, .by = BY_CORK)        \
	WAY("udp-cork-mapped", cork_mapped, "two pieces to ::ffff:a.b.c.d, UDP_CORK",              \
	    .form = FORM_MAPPED, .by = BY_CORK)

/* Other ports of what is allowed, and the allowed ports of others. */
#define TARGETS(WAY)                                                                               \
	WAY("udp-dns-v4", dns_v4, "port 53 of an address that is no resolver", .port = 53)         \
	WAY("udp-dns-v6", dns_v6, "port 53 of an address that is no resolver", .form = FORM_V6,    \
	    .port = 53)                                                                            \
	WAY("udp-dns-mapped", dns_mapped, "port 53 of ::ffff:a.b.c.d", .form = FORM_MAPPED,        \
	    .port = 53)                                                                            \
	WAY("udp-resolver-port-v4", resolver_port_v4, "another port of the resolver",              \
	    .to = TO_RESOLVER)                                                                     \
	WAY("udp-resolver-port-v6", resolver_port_v6, "another port of the resolver",              \
	    .form = FORM_V6, .to = TO_RESOLVER)                                                    \
	WAY("udp-friend-port-v4", friend_port_v4, "another port of an allowed address",            \
	    .to = TO_FRIEND)                                                                       \
	WAY("udp-friend-port-v6", friend_port_v6, "another port of an allowed address",            \
	    .form = FORM_V6, .to = TO_FRIEND)                                                      \
	WAY("udp-friend-port-mapped", friend_port_mapped, "another port of ::ffff:a.b.c.d",        \
	    .form = FORM_MAPPED, .to = TO_FRIEND)                                                  \
	WAY("udp-link-local", link_local, "a link-local address", .form = FORM_V6,                 \
	    .to = TO_LINK_LOCAL)                                                                   \
	WAY("udp-link-local-connected", link_local_connected, "a link-local address, connect()",   \
	    .form = FORM_V6, .to = TO_LINK_LOCAL, .by = BY_SEND)                                   \
	WAY("udp-link-local-dns", link_local_dns, "port 53 of a link-local address",               \
	    .form = FORM_V6, .to = TO_LINK_LOCAL, .port = 53)

/* A protocol that has ports, and is another one. */
#define LITE(WAY)                                                                                  \
	WAY("udplite-v4", lite_v4, "UDP-Lite", .protocol = IPPROTO_UDPLITE)                        \
	WAY("udplite-v6", lite_v6, "UDP-Lite", .form = FORM_V6, .protocol = IPPROTO_UDPLITE)       \
	WAY("udplite-mapped", lite_mapped, "UDP-Lite to ::ffff:a.b.c.d", .form = FORM_MAPPED,      \
	    .protocol = IPPROTO_UDPLITE)                                                           \
	WAY("udplite-resolver-v4", lite_resolver_v4, "UDP-Lite to port 53 of the resolver",        \
	    .to = TO_RESOLVER_DNS, .protocol = IPPROTO_UDPLITE)                                    \
	WAY("udplite-resolver-v6", lite_resolver_v6, "UDP-Lite to port 53 of the resolver",        \
	    .form = FORM_V6, .to = TO_RESOLVER_DNS, .protocol = IPPROTO_UDPLITE)                   \
	WAY("udplite-resolver-mapped", lite_resolver_mapped,                                       \
	    "UDP-Lite to port 53 of the resolver", .form = FORM_MAPPED, .to = TO_RESOLVER_DNS,     \
	    .protocol = IPPROTO_UDPLITE)                                                           \
	WAY("udplite-friend-v4", lite_friend_v4, "UDP-Lite to the allowed port",                   \
	    .to = TO_FRIEND_ALLOWED, .protocol = IPPROTO_UDPLITE)                                  \
	WAY("udplite-friend-v6", lite_friend_v6, "UDP-Lite to the allowed port", .form = FORM_V6,  \
	    .to = TO_FRIEND_ALLOWED, .protocol = IPPROTO_UDPLITE)                                  \
	WAY("udplite-coverage", lite_coverage, "UDP-Lite, a checksum of the header alone",         \
	    .to = TO_RESOLVER_DNS, .protocol = IPPROTO_UDPLITE,                                    \
	    .set = { { IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, 8 } })                                 \
	WAY("udplite-fragments", lite_fragments, "UDP-Lite, larger than a frame",                  \
	    .to = TO_RESOLVER_DNS, .protocol = IPPROTO_UDPLITE, .size = FRAGMENTED)

/* Datagrams that become several packets. Fragments but the first have no ports. */
#define SIZES(WAY)                                                                                 \
	WAY("udp-fragments-v4", fragments_v4, "fragments", .size = FRAGMENTED)                     \
	WAY("udp-fragments-v6", fragments_v6, "fragments", .form = FORM_V6, .size = FRAGMENTED)    \
	WAY("udp-fragments-mapped", fragments_mapped, "fragments to ::ffff:a.b.c.d",               \
	    .form = FORM_MAPPED, .size = FRAGMENTED)                                               \
	WAY("udp-largest-v4", largest_v4, "the largest datagram", .size = LARGEST)                 \
	WAY("udp-largest-v6", largest_v6, "the largest datagram", .form = FORM_V6,                 \
	    .size = LARGEST_V6)                                                                    \
	WAY("udp-fragments-cork", fragments_cork, "fragments under UDP_CORK", .by = BY_CORK,       \
	    .size = FRAGMENTED)                                                                    \
	WAY("udp-fragments-dns", fragments_dns, "fragments to port 53 of no resolver", .port = 53, \
	    .size = FRAGMENTED)                                                                    \
	WAY("udp-fragments-mtu", fragments_mtu, "fragments of IPV6_MTU 1280", .form = FORM_V6,     \
	    .size = FRAGMENTED, .set = { { IPPROTO_IPV6, IPV6_MTU, 1280 } })                       \
	WAY("udp-segments-v4", segments_v4, "UDP_SEGMENT", .size = SEGMENTED,                      \
	    .set = { { IPPROTO_UDP, UDP_SEGMENT, SEGMENT } })                                      \
	WAY("udp-segments-v6", segments_v6, "UDP_SEGMENT", .form = FORM_V6, .size = SEGMENTED,     \
	    .set = { { IPPROTO_UDP, UDP_SEGMENT, SEGMENT } })                                      \
	WAY("udp-segments-mapped", segments_mapped, "UDP_SEGMENT to ::ffff:a.b.c.d",               \
	    .form = FORM_MAPPED, .size = SEGMENTED,                                                \
	    .set = { { IPPROTO_UDP, UDP_SEGMENT, SEGMENT } })                                      \
	WAY("udp-zerocopy-v4", zerocopy_v4, "MSG_ZEROCOPY", .size = FRAGMENTED,                    \
	    .flags = MSG_ZEROCOPY, .set = { { SOL_SOCKET, SO_ZEROCOPY, 1 } })                      \
	WAY("udp-zerocopy-v6", zerocopy_v6, "MSG_ZEROCOPY", .form = FORM_V6, .size = FRAGMENTED,   \
	    .flags = MSG_ZEROCOPY, .set = { { SOL_SOCKET, SO_ZEROCOPY, 1 } })                      \
	WAY("udp-zerocopy-segments", zerocopy_segments, "MSG_ZEROCOPY and UDP_SEGMENT",            \
	    .size = SEGMENTED, .flags = MSG_ZEROCOPY,                                              \
	    .set = { { SOL_SOCKET, SO_ZEROCOPY, 1 }, { IPPROTO_UDP, UDP_SEGMENT, SEGMENT } })

/* What the user may ask of the path. */
#define PATHS(WAY)                                                                                 \
	WAY("udp-device-v4", device_v4, "SO_BINDTODEVICE", .bound_device = true)                   \
	WAY("udp-device-v6", device_v6, "SO_BINDTODEVICE", .form = FORM_V6, .bound_device = true)  \
	WAY("udp-device-mapped", device_mapped, "SO_BINDTODEVICE, to ::ffff:a.b.c.d",              \
	    .form = FORM_MAPPED, .bound_device = true)                                             \
	WAY("udp-unicast-if-v4", unicast_if_v4, "IP_UNICAST_IF",                                   \
	    .set = { { IPPROTO_IP, IP_UNICAST_IF, SET_IFINDEX } })                                 \
	WAY("udp-unicast-if-v6", unicast_if_v6, "IPV6_UNICAST_IF", .form = FORM_V6,                \
	    .set = { { IPPROTO_IPV6, IPV6_UNICAST_IF, SET_IFINDEX } })                             \
	WAY("udp-dontroute-device", dontroute_device, "SO_DONTROUTE on the uplink",                \
	    .bound_device = true, .set = { { SOL_SOCKET, SO_DONTROUTE, 1 } })                      \
	WAY("udp-msg-dontroute", msg_dontroute, "MSG_DONTROUTE on the uplink",                     \
	    .bound_device = true, .flags = MSG_DONTROUTE)                                          \
	WAY("udp-msg-confirm-v4", msg_confirm_v4, "MSG_CONFIRM", .flags = MSG_CONFIRM)             \
	WAY("udp-msg-confirm-v6", msg_confirm_v6, "MSG_CONFIRM", .form = FORM_V6, .by = BY_SEND,   \
	    .flags = MSG_CONFIRM)                                                                  \
	WAY("udp-mtu-probe", mtu_probe, "IP_PMTUDISC_PROBE",                                       \
	    .set = { { IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE } })                         \
	WAY("udp-mtu-omit", mtu_omit, "IP_PMTUDISC_OMIT, fragments", .size = FRAGMENTED,           \
	    .set = { { IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT } })                          \
	WAY("udp-mtu-probe-v6", mtu_probe_v6, "IPV6_PMTUDISC_PROBE", .form = FORM_V6,              \
	    .set = { { IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE } })                   \
	WAY("udp-ttl-1", ttl_1, "IP_TTL 1", .set = { { IPPROTO_IP, IP_TTL, 1 } })                  \
	WAY("udp-hops-1", hops_1, "IPV6_UNICAST_HOPS 1", .form = FORM_V6,                          \
	    .set = { { IPPROTO_IPV6, IPV6_UNICAST_HOPS, 1 } })                                     \
	WAY("udp-ttl-control", ttl_control, "IP_TTL as ancillary data", .by = BY_SENDMSG,          \
	    .with = { IPPROTO_IP, IP_TTL, .number = 1 })                                           \
	WAY("udp-hops-control", hops_control, "IPV6_HOPLIMIT as ancillary data", .form = FORM_V6,  \
	    .by = BY_SENDMSG, .with = { IPPROTO_IPV6, IPV6_HOPLIMIT, .number = 1 })

/* What it may ask of the packet. */
#define PACKETS(WAY)                                                                               \
	WAY("udp-tos", tos, "IP_TOS", .set = { { IPPROTO_IP, IP_TOS, 0xb8 } })                     \
	WAY("udp-tos-control", tos_control, "IP_TOS as ancillary data", .by = BY_SENDMSG,          \
	    .with = { IPPROTO_IP, IP_TOS, .number = 0xb8 })                                        \
	WAY("udp-tclass", tclass, "IPV6_TCLASS", .form = FORM_V6,                                  \
	    .set = { { IPPROTO_IPV6, IPV6_TCLASS, 0xb8 } })                                        \
	WAY("udp-tclass-control", tclass_control, "IPV6_TCLASS as ancillary data",                 \
	    .form = FORM_V6, .by = BY_SENDMSG,                                                     \
	    .with = { IPPROTO_IPV6, IPV6_TCLASS, .number = 0xb8 })                                 \
	WAY("udp-no-checksum-v4", no_checksum_v4, "SO_NO_CHECK",                                   \
	    .set = { { SOL_SOCKET, SO_NO_CHECK, 1 } })                                             \
	WAY("udp-no-checksum-v6", no_checksum_v6, "UDP_NO_CHECK6_TX", .form = FORM_V6,             \
	    .set = { { IPPROTO_UDP, UDP_NO_CHECK6_TX, 1 } })                                       \
	WAY("udp-priority", priority, "SO_PRIORITY", .set = { { SOL_SOCKET, SO_PRIORITY, 6 } })    \
	WAY("udp-broadcast-flag", broadcast_flag, "SO_BROADCAST",                                  \
	    .set = { { SOL_SOCKET, SO_BROADCAST, 1 } })                                            \
	WAY("udp-encap-v4", encap_v4, "UDP_ENCAP",                                                 \
	    .set = { { IPPROTO_UDP, UDP_ENCAP, ENCAP_ESP_IN_UDP } })                               \
	WAY("udp-encap-v6", encap_v6, "UDP_ENCAP", .form = FORM_V6,                                \
	    .set = { { IPPROTO_UDP, UDP_ENCAP, ENCAP_ESP_IN_UDP } })                               \
	WAY("udp-mark", mark, "SO_MARK", .set = { { SOL_SOCKET, SO_MARK, 1 } })                    \
	WAY("udp-reuse", reuse, "SO_REUSEADDR and SO_REUSEPORT",                                   \
	    .set = { { SOL_SOCKET, SO_REUSEADDR, 1 }, { SOL_SOCKET, SO_REUSEPORT, 1 } })

#define ALL(WAY) CALLS(WAY) TARGETS(WAY) LITE(WAY) SIZES(WAY) PATHS(WAY) PACKETS(WAY)

#define FUNCTION(name, id, what, ...)                                                              \
	static int id(const struct way_aim *aim)                                                   \
	{                                                                                          \
		return datagram_run(aim, &(struct datagram){ __VA_ARGS__ });                       \
	}
ALL(FUNCTION)

/* When to send, in the time of a clock: what a queue keeps until then is older than the policy. */
static int run_txtime(const struct way_aim *aim)
{
	struct datagram d = { .by = BY_SEND };
	int fd, r = datagram_socket(aim, &d, &fd);

	if (r)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)) < 0)
		return cannot("SO_TXTIME");
	datagram_send(aim, &d, fd);
	return WAY_TRIED;
}

#define ROW(name, id, what, ...) { name, what, NULL, id, "default", 0 },
const struct way ways_udp[] = {
	ALL(ROW){ "udp-txtime", "SO_TXTIME", NULL, run_txtime, "default", 0 },
	{ 0 },
};
