/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reach.h - a service's chain → what it lets through, as boxes.
 *
 * Packets are those of a socket of the service, without IP options, routing header or a foreign
 * source address: such are refused to every service alike. What monitor mode lets through, for it
 * lets everything through, is no box.
 */
#ifndef UIDWALL_DIFF_REACH_H
#define UIDWALL_DIFF_REACH_H

#include "diff/ranges.h"
#include "plan/ir.h"

/* An IPv4 or IPv6 address as a number. */
__extension__ typedef unsigned __int128 reach_address;
#define REACH_ADDRESS_MAX (~(reach_address)0)

/* What the addresses and ports of a box are about. */
enum reach_plane {
	REACH_TCP4, /* destination address and port */
	REACH_TCP6,
	REACH_UDP4,
	REACH_UDP6,
	REACH_ICMP4, /* destination address, and the type in place of the port */
	REACH_ICMP6,
	REACH_TCP_ANSWERS, /* source port of what is not an initial SYN; any destination */
	REACH_UDP_ANSWERS, /* source port of what answers, as conntrack has it; any destination */
	REACH_PLANES
};

struct reach_plane_desc {
	const char *protocol; /* "tcp" */
	uint8_t family;	      /* enum addr_family; ADDR_NONE: both */
	uint8_t l4proto;      /* IPPROTO_... */
	bool is_answer;
	int guards; /* PROTOCOL_TCP, PROTOCOL_UDP: whose guards hold; -1: none */
};

extern const struct reach_plane_desc reach_planes[REACH_PLANES];

/* Where a box comes from. */
enum reach_source {
	REACH_CONNECT,
	REACH_LISTEN, /* answers, and the service's own ports over loopback */
	REACH_DNS,    /* the chain of the resolvers, which the configuration makes */
	REACH_PROXY,  /* the same of the forward proxies */
	REACH_SOURCES
};

struct reach_box {
	uint8_t plane;	       /* enum reach_plane */
	uint8_t source;	       /* enum reach_source */
	bool is_guarded;       /* others' "from" is asked first, on loopback */
	const char *interface; /* NULL: any */
	int64_t until;	       /* seconds since 1970 at which it ends; INT64_MAX: never */
	reach_address first, last;
	struct ranges ports;
	const struct ir_origin *origin; /* the policy's line */
};

struct reach {
	struct reach_box *boxes; /* in the order of the rules */
	size_t n;
};

/* The chains of a ruleset that all services share; IR_NONE where there is none. */
struct reach_shared {
	uint32_t dns, proxy;
};

struct reach_shared reach_find_shared(const struct ir_ruleset *rules);

/* What the chain lets through; IR_NONE: nothing. Boxes that have ended by `now` are left out. */
void reach_walk(const struct ir_ruleset *rules, uint32_t chain, const struct reach_shared *shared,
		int64_t now, struct arena *arena, struct reach *ret_reach);

/* The interval of a set's element, or of an address and a prefix length. */
reach_address reach_address_from(const uint8_t *bytes, unsigned length);

#endif
