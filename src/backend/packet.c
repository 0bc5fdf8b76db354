/* SPDX-License-Identifier: GPL-2.0-or-later */
/* packet.c - a packet in words → fields, present or absent as the kernel has them in its output
 * hook.
 *
 * What exists only for some packets is absent for the others: no ports in ICMP, no IPv4 header in
 * IPv6, no direction without conntrack. The existence of a TCP option or of an extension header is
 * never absent, it is 0 (nft_exthdr.c, NFT_EXTHDR_F_PRESENT) - for TCP and for IPv6, that is.
 */
#include "backend/packet.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/rtnetlink.h>

enum { WORDS_OF_IP_HEADER = 5 };

static void set_network(const struct packet *packet, struct eval_packet *fields)
{
	uint32_t type = packet->is_foreign ? RTN_UNICAST : RTN_LOCAL;
	bool v4 = packet->to.family == ADDR_V4;

	eval_set_number(fields, IR_NFPROTO, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	eval_set(fields, v4 ? IR_IP_DADDR : IR_IP6_DADDR, packet->to.bytes);
	eval_set(fields, IR_SADDR_TYPE, &type); /* in host order */
	if (v4)
		eval_set_number(fields, IR_IP_HDRLENGTH,
				WORDS_OF_IP_HEADER + packet->has_ip_options);
	else
		eval_set_number(fields, IR_EXTHDR_ROUTING, packet->has_routing_header);
}

static void set_transport(const struct packet *packet, struct eval_packet *fields)
{
	eval_set_number(fields, IR_L4PROTO, packet->l4proto);
	switch (packet->l4proto) {
	case IPPROTO_TCP:
		eval_set_number(fields, IR_TCP_SPORT, packet->sport);
		eval_set_number(fields, IR_TCP_DPORT, packet->dport);
		eval_set_number(fields, IR_TCP_FLAGS, packet->tcp_flags);
		eval_set_number(fields, IR_TCPOPT_MPTCP, packet->has_mptcp);
		break;
	case IPPROTO_UDP:
		eval_set_number(fields, IR_UDP_SPORT, packet->sport);
		eval_set_number(fields, IR_UDP_DPORT, packet->dport);
		break;
	case IPPROTO_ICMP:
		eval_set_number(fields, IR_ICMP_TYPE, packet->icmp_type);
		break;
	case IPPROTO_ICMPV6:
		eval_set_number(fields, IR_ICMPV6_TYPE, packet->icmp_type);
		break;
	}
}

void packet_fields(const struct packet *packet, struct eval_packet *ret_fields)
{
	char oifname[IFNAMSIZ] = { 0 };

	*ret_fields = (struct eval_packet){ 0 };
	if (packet->uid != PACKET_NO_OWNER)
		eval_set_number(ret_fields, IR_SKUID, (uint64_t)packet->uid);
	for (size_t i = 0; i < packet->n_groups && i < IR_CGROUP_LEVELS; i++)
		eval_set_number(ret_fields, IR_CGROUP_1 + (enum ir_field)i, packet->groups[i]);
	strncpy(oifname, packet->oifname, sizeof(oifname) - 1);
	eval_set(ret_fields, IR_OIFNAME, oifname);
	eval_set_number(ret_fields, IR_TIME, (uint64_t)packet->time_ns);
	set_network(packet, ret_fields);
	set_transport(packet, ret_fields);
	ret_fields->nat = packet->nat;
	ret_fields->is_bound = packet->is_bound;
	if (packet->direction == PACKET_UNTRACKED)
		return;
	eval_set_number(ret_fields, IR_CT_STATUS, 0);
	eval_set_number(ret_fields, IR_CT_DIRECTION,
			packet->direction == PACKET_ORIGINAL ? IP_CT_DIR_ORIGINAL :
							       IP_CT_DIR_REPLY);
}

/* Of a first segment. A reset ends the connection, but that to a packet with a routing header,
 * which comes from another address than the one that the program named.
 */
static int reset_errno(const struct packet *packet)
{
	const uint8_t handshake = packet->tcp_flags & (TH_SYN | TH_ACK);

	if (packet->has_routing_header)
		return ETIMEDOUT;
	return handshake == TH_SYN ? ECONNREFUSED : ECONNRESET;
}

/* ping_v6_sendmsg() does not look at what became of the packet: send() succeeds. An answer to it
 * waits for the next call, where the socket is connected or asked for errors (IPV6_RECVERR), as
 * ping(8) does.
 */
int packet_errno(const struct packet *packet, const struct eval_result *result)
{
	switch ((enum eval_verdict)result->verdict) {
	case EVAL_ACCEPT:
		return 0;
	case EVAL_RESET:
		return reset_errno(packet);
	case EVAL_DROP:
		if (packet->l4proto == IPPROTO_ICMPV6)
			return 0;
		return packet->l4proto == IPPROTO_TCP ? ETIMEDOUT : EPERM;
	case EVAL_PROHIBITED:
		return packet->l4proto == IPPROTO_ICMPV6 ? EACCES : EPERM;
	}
	abort();
}
