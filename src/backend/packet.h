/* SPDX-License-Identifier: GPL-2.0-or-later */
/* packet.h - a packet of this machine in words → the fields that the evaluator looks at. */
#ifndef UIDWALL_BACKEND_PACKET_H
#define UIDWALL_BACKEND_PACKET_H

#include "backend/eval.h"
#include "base/addr.h"

enum { PACKET_NO_OWNER = -1 };

enum packet_direction { PACKET_UNTRACKED, PACKET_ORIGINAL, PACKET_REPLY };

struct packet {
	int64_t uid;		/* fsuid of whoever opened the socket, or PACKET_NO_OWNER */
	const uint64_t *groups; /* of the socket: its control groups, from level 1 down */
	size_t n_groups;
	struct prefix to;      /* one address; says whether it is IPv4 or IPv6 */
	uint8_t l4proto;       /* IPPROTO_... */
	uint16_t sport, dport; /* TCP and UDP */
	uint8_t tcp_flags;     /* TH_...; 0 for anything but TCP */
	bool has_mptcp;	       /* an MPTCP option */
	uint8_t icmp_type;     /* ICMP and ICMPv6 */
	const char *oifname;   /* the interface by which it leaves, "lo" */
	bool is_foreign;       /* its source address is none of this machine's */
	bool has_ip_options, has_routing_header;
	uint8_t direction; /* enum packet_direction: what conntrack says, where the rules use it */
	uint8_t nat;	   /* enum eval_nat */
	bool is_bound;	   /* its socket is, to the interface */
	int64_t time_ns;   /* since 1970 */
};

void packet_fields(const struct packet *packet, struct eval_packet *ret_fields);

/* What the program sees of it: 0 where it is accepted, or refused without a word; else what
 * connect(), send() or, on a connection, the next call fails with. As measured on Linux 6.18, call
 * by call: docs/decisions/evaluator.md; tests/proof holds it to the kernel.
 */
int packet_errno(const struct packet *packet, const struct eval_result *result);

#endif
