/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shot.h - one attempt to send one packet: who, how, from where to where.
 *
 * A shot is what a program asks for; what of it meets the rules is a struct packet. Shots are plain
 * data: they travel through pipes, into JSON and back.
 */
#ifndef UIDWALL_TESTS_PROOF_SHOT_H
#define UIDWALL_TESTS_PROOF_SHOT_H

#include <jansson.h>
#include <netinet/in.h>

#include "backend/packet.h"
#include "box.h"

enum shot_kind {
	SHOT_TCP, /* connect(), not blocking */
	SHOT_MPTCP,
	SHOT_UDP,
	SHOT_UDPLITE,
	SHOT_PING, /* an echo request by a datagram socket of ICMP's or ICMPv6's */
	SHOT_RAW,  /* a whole packet by a raw socket that somebody opened */
	SHOT_COPY, /* the kernel's copy of such a packet: no socket owns it */
	SHOT_KIND_COUNT
};

/* What is wrong with a raw packet, so that fields are absent. */
enum shot_damage {
	DAMAGE_NONE,
	DAMAGE_FRAGMENT,  /* not the first one, of IPv4: data where a header would be */
	DAMAGE_SHORT,	  /* the payload ends after the ports */
	DAMAGE_NOTHING,	  /* no payload at all */
	DAMAGE_BAD_LENGTH /* UDP: the header's length is none; conntrack does not track it */
};

struct shot {
	uint32_t kind; /* enum shot_kind */
	uint32_t uid;
	struct prefix to;   /* as the program names it: perhaps 0.0.0.0 or :: */
	struct prefix from; /* family ADDR_NONE: the kernel chooses */
	struct prefix via;  /* of an IPv6 routing header; family ADDR_NONE: has none */
	uint32_t sport;	    /* 0: the kernel chooses */
	uint32_t dport;
	uint32_t device;       /* enum box_device: what the socket is bound to */
	uint32_t is_mapped;    /* IPv4 by a socket of IPv6 */
	uint32_t is_connected; /* datagrams: connect() before send() */
	uint32_t ip_options;
	uint32_t recverr; /* asks for errors */
	/* raw packets */
	uint32_t l4proto;
	uint32_t tcp_flags;
	uint32_t mptcp;
	uint32_t icmp_type;
	uint32_t damage; /* enum shot_damage */
};

/* What came of it, as whoever sent it saw it. */
struct sent {
	int not_sent; /* errno of what failed before a packet could be made, or 0 */
	int error;    /* of connect() or send(), or what the socket had to say next; 0: none */
	struct prefix from; /* the source address that the kernel chose */
	uint32_t sport;
};

extern const char *const shot_kind_names[SHOT_KIND_COUNT];

bool shot_is_raw(const struct shot *shot);
/* The device that the socket is bound to, by itself or by a link-local address. */
enum box_device shot_bound(const struct shot *shot);
/* By which the packet leaves; to: what is in its header. */
enum box_device shot_way(const struct shot *shot, const struct sent *sent, const struct prefix *to);
uint8_t shot_protocol(const struct shot *shot);

/* The packet that meets the rules, but for its direction and the time. */
void shot_packet(const struct shot *shot, const struct sent *sent, struct packet *ret_packet);
/* Takes from the fields what a damaged packet does not have. */
void shot_damage_fields(const struct shot *shot, struct eval_packet *fields);

void shot_print(const struct shot *shot, FILE *out); /* in words, one line without its end */
void packet_print(const struct packet *packet, FILE *out);
json_t *shot_to_json(const struct shot *shot);
int shot_from_json(const json_t *json, struct shot *ret_shot); /* 0 or -EINVAL */

#endif
