/* SPDX-License-Identifier: GPL-2.0-or-later */
/* caller.c - accept(2)'s address, the original destination from conntrack, the owner from
 * sock_diag.
 *
 * The client's socket knows nothing of a redirection: its four-tuple has the destination that it
 * asked for, which SO_ORIGINAL_DST tells (net/netfilter/nf_conntrack_proto.c; needs no privilege).
 *
 * A four-tuple can be used again by somebody else once our end of it is gone (reset by the peer),
 * but not before. So the owner is looked up first, and our end looked at afterwards.
 */
#include "proxy/serve/caller.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h do not go with netinet/in.h. */
enum { SO_ORIGINAL_DST = 80, IP6T_SO_ORIGINAL_DST = 80 };

static bool get_address(const struct sockaddr_storage *address, struct prefix *ret_prefix,
			uint16_t *ret_port)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	if (address->ss_family == AF_INET) {
		*ret_prefix = (struct prefix){ .family = ADDR_V4, .length = 32 };
		memcpy(ret_prefix->bytes, &v4->sin_addr, 4);
		*ret_port = ntohs(v4->sin_port);
		return true;
	}
	if (address->ss_family != AF_INET6)
		return false;
	*ret_port = ntohs(v6->sin6_port);
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		*ret_prefix = (struct prefix){ .family = ADDR_V4, .length = 32 };
		memcpy(ret_prefix->bytes, v6->sin6_addr.s6_addr + 12, 4);
	} else {
		*ret_prefix = (struct prefix){ .family = ADDR_V6, .length = 128 };
		memcpy(ret_prefix->bytes, &v6->sin6_addr, 16);
	}
	return true;
}

static bool same(const struct prefix *a, const struct prefix *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Where conntrack says that the connection went before it was led here. */
static void find_original(int fd, struct caller *caller)
{
	struct sockaddr_storage address;
	socklen_t n = sizeof(address);
	struct prefix to;
	uint16_t port;
	int r;

	if (caller->to.family == ADDR_V4)
		r = getsockopt(fd, SOL_IP, SO_ORIGINAL_DST, &address, &n);
	else
		r = getsockopt(fd, SOL_IPV6, IP6T_SO_ORIGINAL_DST, &address, &n);
	if (r < 0 || !get_address(&address, &to, &port))
		return; /* without conntrack, or not in it: nobody redirected it */
	caller->is_redirected = port != caller->to_port || !same(&to, &caller->to);
	caller->to = to;
	caller->to_port = port;
}

static bool still_stands(int fd)
{
	struct tcp_info info;
	socklen_t n = sizeof(info.tcpi_state); /* the first byte: the rest costs */

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 &&
	       (info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT);
}

void caller_find(struct owners *owners, int fd, const struct sockaddr_storage *peer,
		 const struct sockaddr_storage *own, bool may_be_redirected,
		 struct caller *ret_caller)
{
	*ret_caller = (struct caller){ 0 };
	if (!get_address(peer, &ret_caller->from, &ret_caller->from_port) ||
	    !get_address(own, &ret_caller->to, &ret_caller->to_port))
		return;
	if (may_be_redirected)
		find_original(fd, ret_caller);
	ret_caller->is_known =
		owners_find(owners, &ret_caller->from, ret_caller->from_port, &ret_caller->to,
			    ret_caller->to_port, &ret_caller->owner) == 0 &&
		still_stands(fd);
}
