/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_loopback.c - ways to a neighbour's port on this machine, by every spelling of it; and to the
 * metadata address, which clouds put on the link.
 */
#include "datagram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECT_MS = 200, HEAR_MS = 2000, PROXY_PORT = 3128, HTTP_PORT = 80 };

/* Addresses that the text of a row stands for. */
#define OWN_V4 "own v4"
#define OWN_V4_MAPPED "own v4, mapped"
#define OWN_V6 "own v6"
#define OWN_LINK_LOCAL "own link-local"
#define SINK_V4 "the sink's v4"
#define SINK_V6 "the sink's v6"

/* What the socket asks for. */
enum { ASK_LO = 1, ASK_BROADCAST = 2, ASK_SOURCE = 4, ASK_PING = 8, ASK_LITE = 16 };

static union way_address link_local(const struct way_aim *aim)
{
	union way_address found = { 0 };
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0)
		way_wrong("getifaddrs: %s", strerror(errno));
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		const struct sockaddr_in6 *a = (void *)i->ifa_addr;

		if (a && a->sin6_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&a->sin6_addr) &&
		    strcmp(i->ifa_name, aim->interface) == 0)
			found.v6 = *a;
	}
	freeifaddrs(all);
	if (!found.any.sa_family)
		way_wrong("no link-local address on %s", aim->interface);
	return found;
}

static union way_address address_of(const struct way_aim *aim, const char *text, uint16_t port)
{
	union way_address address;
	struct in6_addr v6;
	struct in_addr v4;

	if (strcmp(text, OWN_V4) == 0)
		return way_v4(aim->local4, port);
	if (strcmp(text, OWN_V4_MAPPED) == 0)
		return way_mapped(aim->local4, port);
	if (strcmp(text, OWN_V6) == 0)
		return way_v6(aim->local6, port);
	if (strcmp(text, SINK_V4) == 0)
		return way_v4(aim->v4, port);
	if (strcmp(text, SINK_V6) == 0)
		return way_v6(aim->v6, port);
	if (strcmp(text, OWN_LINK_LOCAL) == 0) {
		address = link_local(aim);
		address.v6.sin6_port = htons(port);
		return address;
	}
	if (inet_pton(AF_INET, text, &v4) == 1)
		return way_v4(v4, port);
	if (inet_pton(AF_INET6, text, &v6) != 1)
		way_wrong("'%s' is no address", text);
	address = way_v6(v6, port);
	if (IN6_IS_ADDR_MULTICAST(&v6))
		address.v6.sin6_scope_id = if_nametoindex("lo");
	return address;
}

static int ask_for(int fd, int ask)
{
	if (ask & ASK_LO && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) < 0)
		return cannot("SO_BINDTODEVICE");
	if (ask & ASK_SOURCE)
		bind_to(fd, way_v4((struct in_addr){ htonl(INADDR_LOOPBACK + 4) }, 0));
	return ask & ASK_BROADCAST ? set_number(fd, SOL_SOCKET, SO_BROADCAST, 1) : 0;
}

static int connect_to(const struct way_aim *aim, union way_address to, int ask)
{
	int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), r = ask_for(fd, ask);

	if (r)
		return r;
	r = way_connect(fd, &to, CONNECT_MS);
	if (r == -ENETUNREACH)
		return way_cannot("no route that way");
	if (r == 0)
		way_send_marker(fd, aim);
	close(fd);
	return WAY_TRIED;
}

static int send_to(const struct way_aim *aim, union way_address to, int ask)
{
	bool v4 = to.any.sa_family == AF_INET;
	int protocol = ask & ASK_LITE ? IPPROTO_UDPLITE : 0, fd, r;
	char bytes[64] = { v4 ? 8 : (char)128 }; /* an echo request, for a ping */
	size_t head = ask & ASK_PING ? 8 : 0, n = head + strlen(aim->marker);

	if (ask & ASK_PING)
		protocol = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return cannot("socket");
	r = ask_for(fd, ask);
	if (r)
		return r;
	memcpy(bytes + head, aim->marker, strlen(aim->marker));
	if (sendto(fd, bytes, n, 0, &to.any, way_length(&to)) < 0 && errno == ENETUNREACH)
		return way_cannot("no route that way");
	close(fd);
	return WAY_TRIED;
}

/* Each spelling, over TCP and UDP. */
#define SPELLINGS(WAY)                                                                             \
	WAY("127.0.0.1", one, "127.0.0.1", 0)                                                      \
	WAY("127.0.0.2", two, "127.0.0.2", 0)                                                      \
	WAY("127.255.255.254", last, "127.255.255.254", 0)                                         \
	WAY("0.0.0.0", zero, "0.0.0.0", 0)                                                         \
	WAY("::1", one_v6, "::1", 0)                                                               \
	WAY("::", zero_v6, "::", 0)                                                                \
	WAY("::ffff:127.0.0.1", one_mapped, "::ffff:127.0.0.1", 0)                                 \
	WAY("::ffff:127.9.9.9", nine_mapped, "::ffff:127.9.9.9", 0)                                \
	WAY("::ffff:0.0.0.0", zero_mapped, "::ffff:0.0.0.0", 0)                                    \
	WAY("own-v4", own_v4, OWN_V4, 0)                                                           \
	WAY("own-v4-mapped", own_v4_mapped, OWN_V4_MAPPED, 0)                                      \
	WAY("own-v6", own_v6, OWN_V6, 0)                                                           \
	WAY("own-link-local", own_link_local, OWN_LINK_LOCAL, 0)                                   \
	WAY("device-127.0.0.1", device_one, "127.0.0.1", ASK_LO)                                   \
	WAY("device-own-v4", device_own_v4, OWN_V4, ASK_LO)                                        \
	WAY("device-own-v6", device_own_v6, OWN_V6, ASK_LO)                                        \
	WAY("device-sink-v4", device_sink_v4, SINK_V4, ASK_LO)                                     \
	WAY("source-127.0.0.5", source_five, "127.0.0.1", ASK_SOURCE)                              \
	WAY("metadata-v4", metadata_v4, "169.254.169.254", 0)                                      \
	WAY("metadata-mapped", metadata_mapped, "::ffff:169.254.169.254", 0)                       \
	WAY("metadata-v6", metadata_v6, "fd00:ec2::254", 0)

/* What TCP does not go to. */
#define DATAGRAMS(WAY)                                                                             \
	WAY("broadcast", broadcast, "127.255.255.255", ASK_BROADCAST)                              \
	WAY("broadcast-all", broadcast_all, "255.255.255.255", ASK_BROADCAST | ASK_LO)             \
	WAY("multicast-v4", multicast_v4, "224.0.0.1", ASK_LO)                                     \
	WAY("multicast-mapped", multicast_mapped, "::ffff:224.0.0.1", ASK_LO)                      \
	WAY("multicast-v6", multicast_v6, "ff02::1", 0)                                            \
	WAY("multicast-interface-v6", multicast_interface_v6, "ff01::1", 0)                        \
	WAY("lite-v4", lite_v4, "127.0.0.1", ASK_LITE)                                             \
	WAY("lite-v6", lite_v6, "::1", ASK_LITE)                                                   \
	WAY("ping-v4", ping_v4, "127.0.0.1", ASK_PING)                                             \
	WAY("ping-v6", ping_v6, "::1", ASK_PING)                                                   \
	WAY("ping-own-v6", ping_own_v6, OWN_V6, ASK_PING)

#define TCP_FUNCTION(name, id, address, ask)                                                       \
	static int tcp_##id(const struct way_aim *aim)                                             \
	{                                                                                          \
		return connect_to(aim, address_of(aim, address, aim->port), ask);                  \
	}
#define UDP_FUNCTION(name, id, address, ask)                                                       \
	static int udp_##id(const struct way_aim *aim)                                             \
	{                                                                                          \
		return send_to(aim, address_of(aim, address, aim->port), ask);                     \
	}
SPELLINGS(TCP_FUNCTION)
SPELLINGS(UDP_FUNCTION)
DATAGRAMS(UDP_FUNCTION)

/* --- the proxy's port on other addresses than the proxy's
 * -----------------------------------------
 */

static const char *served;

/* Another user's server on the port that the policy opens on 127.0.0.1 and ::1. */
static void play_server(const struct way_aim *aim, int talk)
{
	union way_address at = address_of(aim, served, PROXY_PORT);
	int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	bind_to(fd, at);
	listen(fd, 1);
	way_say(talk, 'l');
	way_hear(talk, HEAR_MS);
}

static int serve(const struct way_aim *aim, const char *address)
{
	served = address;
	if (way_hear(way_other_user(aim, aim->other_uid, play_server), HEAR_MS) != 'l')
		way_wrong("the server does not come up");
	return 0;
}

#define PROXIES(WAY)                                                                               \
	WAY("127.0.0.2", two, "127.0.0.2")                                                         \
	WAY("own-v4", own_v4, OWN_V4)                                                              \
	WAY("own-v6", own_v6, OWN_V6)                                                              \
	WAY("own-link-local", own_link_local, OWN_LINK_LOCAL)

#define PROXY_FUNCTIONS(name, id, address)                                                         \
	static int serve_##id(const struct way_aim *aim)                                           \
	{                                                                                          \
		return serve(aim, address);                                                        \
	}                                                                                          \
	static int proxy_##id(const struct way_aim *aim)                                           \
	{                                                                                          \
		return connect_to(aim, address_of(aim, address, PROXY_PORT), 0);                   \
	}
PROXIES(PROXY_FUNCTIONS)

static int run_proxy_udp(const struct way_aim *aim)
{
	return send_to(aim, address_of(aim, "127.0.0.1", PROXY_PORT), 0);
}

static int run_metadata_http(const struct way_aim *aim)
{
	return send_to(aim, address_of(aim, "169.254.169.254", HTTP_PORT), 0);
}

#define TCP_ROW(name, id, address, ask)                                                            \
	{ "loopback-tcp-" name, "a neighbour's TCP port: " name, NULL, tcp_##id, "default", 0 },
#define UDP_ROW(name, id, address, ask)                                                            \
	{ "loopback-udp-" name, "a neighbour's UDP port: " name, NULL, udp_##id, "default", 0 },
#define PROXY_ROW(name, id, address)                                                               \
	{ "loopback-proxy-" name,                                                                  \
	  "the proxy's port on another address: " name,                                            \
	  serve_##id,                                                                              \
	  proxy_##id,                                                                              \
	  "default",                                                                               \
	  0 },

const struct way ways_loopback[] = {
	SPELLINGS(TCP_ROW) SPELLINGS(UDP_ROW) DATAGRAMS(UDP_ROW)
		PROXIES(PROXY_ROW){ "loopback-proxy-udp", "the proxy's port, over UDP", NULL,
				    run_proxy_udp, "default", 0 },
	{ "metadata-http", "port 80 of the metadata address, over UDP", NULL, run_metadata_http,
	  "default", 0 },
	{ 0 },
};
