/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forecast.c - what the evaluator says that becomes of a shot and of the kernel's answers to it. */
#include "forecast.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>

#include <linux/rtnetlink.h>

enum { ANSWERS_MAX = 4 };

/* A packet on its way to the rules, and what the kernel's answer to it depends on. */
struct traveller {
	struct packet packet;
	struct prefix from;
	uint32_t damage;
	uint32_t kind;
	bool is_led;	       /* to the proxy: to one, whatever its target */
	enum box_device bound; /* of the socket, which the way of a reset heeds */
	struct eval_packet fields;
};

/* --- connection tracking ---------------------------------------------------------------------- */

static bool flow_equal(const struct flow *a, const struct flow *b)
{
	return prefix_compare(&a->from, &b->from) == 0 && prefix_compare(&a->to, &b->to) == 0 &&
	       a->sport == b->sport && a->dport == b->dport && a->l4proto == b->l4proto;
}

static struct flow flow_of(const struct traveller *t)
{
	return (struct flow){ t->from,	       t->packet.to,	  t->packet.sport,
			      t->packet.dport, t->packet.l4proto, NULL };
}

static bool is_tracked(const struct flows *flows, const struct traveller *t)
{
	const uint8_t opening = TH_FIN | TH_SYN | TH_RST | TH_ACK;
	bool is_syn = flows->tracks_syns && t->packet.l4proto == IPPROTO_TCP &&
		      (t->packet.tcp_flags & opening) == TH_SYN;

	return flows->tracked && (is_syn || t->packet.l4proto == IPPROTO_UDP) &&
	       t->damage == DAMAGE_NONE &&
	       t->packet.uid != PACKET_NO_OWNER; /* nf_dup_ipv4.c: the copy is not tracked */
}

/* The way back of a known flow is found first: nf_conntrack_hash_insert() puts it in front, which
 * shows where both ways are the same, from a port to itself.
 */
static enum packet_direction find_direction(const struct flows *flows, const struct traveller *t)
{
	struct flow there = flow_of(t);
	struct flow back = { there.to, there.from, there.dport, there.sport, there.l4proto, NULL };

	if (!is_tracked(flows, t))
		return PACKET_UNTRACKED;
	/* What came the other way got another port, where the ways would have been the same. */
	for (size_t i = 0; i < flows->n; i++)
		if (flows->list[i].led && flow_equal(&flows->list[i], &there))
			return PACKET_ORIGINAL;
	for (size_t i = 0; i < flows->n; i++)
		if (!flows->list[i].led && flow_equal(&flows->list[i], &back))
			return PACKET_REPLY; /* of one that was led away the proxy's would be one */
	return PACKET_ORIGINAL;
}

/* What NAT does to it. */
static void set_nat(const struct flows *flows, struct traveller *t)
{
	struct flow flow = flow_of(t);

	for (size_t i = 0; i < flows->n; i++)
		if (flow_equal(&flows->list[i], &flow)) {
			t->fields.led = flows->list[i].led;
			t->fields.nat = t->fields.led ? EVAL_NAT_LATER : EVAL_NAT_NONE;
		}
}

/* A flow is known once its first packet has left. */
static void remember(struct flows *flows, const struct traveller *t, const struct ir_stmt *led,
		     struct arena *arena)
{
	struct flow flow = flow_of(t);

	flow.led = led;

	if (!is_tracked(flows, t) || t->packet.direction == PACKET_REPLY)
		return;
	for (size_t i = 0; i < flows->n; i++)
		if (flow_equal(&flows->list[i], &flow))
			return;
	*ARENA_APPEND(arena, flows->list, flows->n) = flow;
}

/* --- answers ---------------------------------------------------------------------------------- */

static bool is_v4(const struct traveller *t)
{
	return t->packet.to.family == ADDR_V4;
}

static bool is_by_lo(const struct traveller *t)
{
	return strcmp(t->packet.oifname, "lo") == 0;
}

/* Nobody answers what goes to many. A copy is on its way to one neighbour, wherever it goes; the
 * last address of loopback is a broadcast on loopback only.
 */
static bool goes_to_many(const struct traveller *t)
{
	if (t->is_led)
		return false;
	if (is_v4(t) &&
	    (t->kind == SHOT_COPY || (prefix_is_loopback(&t->packet.to) && !is_by_lo(t))))
		return false;
	return box_is_for_many(&t->packet.to);
}

/* nf_reject_ipv4.c, nf_reject_ipv6.c: no reset for a reset, for a fragment, or to many. */
static bool gets_reset(const struct traveller *t)
{
	return !(t->packet.tcp_flags & TH_RST) && t->damage == DAMAGE_NONE && !goes_to_many(t);
}

/* What icmp_pointers[] of icmp.c calls an error, the unassigned types among them. */
static bool is_error_v4(uint8_t type)
{
	static const uint8_t others[] = { ICMP_ECHOREPLY, ICMP_ECHO };

	return memchr(others, type, sizeof(others)) == NULL &&
	       (type < ICMP_TIMESTAMP || type > NR_ICMP_TYPES);
}

/* nf_send_unreach(): protocols whose checksum it cannot tell to be wrong. */
static bool skips_checksum(uint8_t l4proto)
{
	switch (l4proto) {
	case IPPROTO_GRE:
	case IPPROTO_AH:
	case IPPROTO_ESP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
	case IPPROTO_DCCP:
		return true;
	}
	return false;
}

/* Sockets compute the checksum of a datagram with a routing header themselves, over the address
 * at which it will end; what is compared is the one to which it goes first.
 */
static bool has_checksum(const struct traveller *t)
{
	bool ports = t->packet.l4proto == IPPROTO_TCP || t->packet.l4proto == IPPROTO_UDP;

	switch ((enum shot_damage)t->damage) {
	case DAMAGE_NONE:
		return t->kind != SHOT_UDP || !t->packet.has_routing_header;
	case DAMAGE_BAD_LENGTH:
		return true;
	case DAMAGE_FRAGMENT:
		return false;
	case DAMAGE_SHORT:
		return !ports;
	case DAMAGE_NOTHING:
		return is_v4(t) && !ports;
	}
	abort();
}

/* No error about an error, to many, or about a part of a packet (icmp.c, net/ipv6/icmp.c). */
static bool gets_error(const struct traveller *t)
{
	uint8_t type = t->packet.icmp_type;

	if (goes_to_many(t) || t->damage == DAMAGE_FRAGMENT)
		return false;
	/* it would come from where the copy went: from many */
	if (is_by_lo(t) && box_is_for_many(&t->packet.to))
		return false;
	if (!is_v4(t) && t->damage == DAMAGE_NOTHING)
		return false;
	/* an answer to an answer of a neighbour: it goes by the device that has our address, and
	 * the neighbour is on eth0
	 */
	if (!is_v4(t) && box_is_link_local(&t->from) && !box_is_own(&t->from) &&
	    box_home(&t->packet.to) != BOX_ETH0)
		return false;
	if (is_v4(t) && t->bound == BOX_LO && !box_is_own(&t->packet.to))
		return false;
	if (t->packet.l4proto == IPPROTO_ICMP && is_v4(t) &&
	    (is_error_v4(type) || t->damage == DAMAGE_NOTHING))
		return false;
	if (t->packet.l4proto == IPPROTO_ICMPV6 && !is_v4(t) && !(type & ICMP6_INFOMSG_MASK))
		return false;
	return skips_checksum(t->packet.l4proto) || has_checksum(t);
}

static void make_fields(struct traveller *t)
{
	packet_fields(&t->packet, &t->fields);
}

/* Turns the traveller into the answer. */
static void make_reset(struct traveller *t)
{
	struct prefix from = t->from;
	uint16_t sport = t->packet.sport;

	t->packet.tcp_flags = t->packet.tcp_flags & TH_ACK ? TH_RST : TH_RST | TH_ACK;
	t->packet.sport = t->packet.dport;
	t->packet.dport = sport;
	t->packet.has_mptcp = false;
	t->from = t->packet.to;
	t->packet.to = from;
}

static void make_error(struct traveller *t)
{
	struct prefix from = t->from;
	bool v4 = is_v4(t), by_lo = is_by_lo(t);

	t->packet.l4proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	t->packet.icmp_type = v4 ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH;
	t->packet.tcp_flags = 0;
	t->packet.sport = t->packet.dport = 0;
	t->from = by_lo && box_is_own(&t->packet.to) ? t->packet.to : *box_own(1);
	t->packet.to = from;
}

/* Loopback addresses do not leave the machine (__mkroute_output()). */
static bool has_way(const struct traveller *answer, enum box_device way)
{
	return way == BOX_LO || !is_v4(answer) || !prefix_is_loopback(&answer->from) ||
	       box_is_for_many(&answer->from); /* which is no source at all */
}

/* A reset to a copy that went to many comes from them: neither local nor foreign. */
static void set_source_of_many(struct traveller *t)
{
	bool multicast = is_v4(t) ? t->from.bytes[0] >> 4 == 0xe : true;
	uint32_t type = multicast ? RTN_MULTICAST : RTN_BROADCAST;

	if (box_is_for_many(&t->from))
		eval_set(&t->fields, IR_SADDR_TYPE, &type);
}

static bool make_answer(struct traveller *t, enum eval_verdict verdict)
{
	/* ip_route_me_harder() */
	bool by_socket = verdict == EVAL_RESET && is_v4(t) && t->kind != SHOT_COPY;
	enum box_device bound = by_socket ? t->bound : BOX_ANY, way;

	if (verdict == EVAL_RESET && gets_reset(t))
		make_reset(t);
	else if (verdict == EVAL_PROHIBITED && gets_error(t))
		make_error(t);
	else
		return false;
	way = box_way(&t->packet.to, bound);
	t->damage = DAMAGE_NONE;
	t->kind = SHOT_COPY;
	t->packet.uid = PACKET_NO_OWNER;
	/* an error belongs to the flow that it is about, on the way back: nf_ct_attach() */
	if (t->packet.direction != PACKET_UNTRACKED)
		t->packet.direction =
			t->packet.direction == PACKET_ORIGINAL ? PACKET_REPLY : PACKET_ORIGINAL;
	t->packet.has_ip_options = t->packet.has_routing_header = false;
	t->packet.is_foreign = !box_is_own(&t->from);
	t->packet.oifname = box_devices[way];
	make_fields(t);
	set_source_of_many(t);
	return has_way(t, way);
}

/* --- the way through the rules ---------------------------------------------------------------- */

static void start(const struct shot *shot, const struct sent *sent, const struct flows *flows,
		  struct traveller *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	shot_packet(shot, sent, &ret->packet);
	ret->from = sent->from;
	ret->kind = shot->kind;
	ret->is_led = false;
	ret->bound = shot_bound(shot);
	ret->damage = shot_is_raw(shot) ? shot->damage : DAMAGE_NONE;
	ret->packet.time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	ret->packet.direction = (uint8_t)find_direction(flows, ret);
	ret->packet.is_bound = ret->bound != BOX_ANY;
	make_fields(ret);
	set_nat(flows, ret);
	shot_damage_fields(shot, &ret->fields);
}

static void add_count(uint32_t counter, void *data)
{
	((struct forecast *)data)->counts[counter]++;
}

/* What is for this machine alone does not get out (ip6_finish_output2()). */
static bool leaves(const struct packet *packet)
{
	return packet->to.family != ADDR_V6 || packet->to.bytes[0] != 0xff ||
	       (packet->to.bytes[1] & 0xf) > 1 || strcmp(packet->oifname, "lo") == 0;
}

static void add_frame(struct forecast *forecast, const struct traveller *t,
		      const struct ir_stmt *led)
{
	const struct packet *packet = &t->packet;
	struct frame *frame = &forecast->frames[forecast->n_frames++];
	bool whole = t->damage != DAMAGE_FRAGMENT;
	bool ports = whole && t->fields.present & (1U << IR_TCP_SPORT | 1U << IR_UDP_SPORT);
	bool icmp = whole && t->fields.present & (1U << IR_ICMP_TYPE | 1U << IR_ICMPV6_TYPE);

	*frame = (struct frame){
		.to = packet->to,
		.l4proto = packet->l4proto,
		.sport = ports ? packet->sport : 0,
		.dport = ports ? packet->dport : 0,
		.tcp_flags =
			whole && (t->fields.present & 1U << IR_TCP_FLAGS) ? packet->tcp_flags : 0,
		.icmp_type = icmp ? packet->icmp_type : 0,
	};
	for (uint8_t i = BOX_LO; i < BOX_DEVICE_COUNT; i++)
		if (strcmp(box_devices[i], packet->oifname) == 0)
			frame->device = i;
	if (led) {
		memcpy(frame->to.bytes, led->value, sizeof(frame->to.bytes));
		frame->dport = led->port;
		frame->device = BOX_LO;
	}
}

void forecast_verdict(const struct ir_ruleset *ruleset, const struct shot *shot,
		      const struct sent *sent, const struct flows *flows, struct packet *ret_packet,
		      struct eval_result *ret_result)
{
	struct traveller t;

	start(shot, sent, flows, &t);
	eval_packet(ruleset, &t.fields, NULL, NULL, ret_result);
	*ret_packet = t.packet;
}

void forecast_make(const struct ir_ruleset *ruleset, const struct shot *shot,
		   const struct sent *sent, struct flows *flows, struct arena *arena,
		   struct forecast *forecast)
{
	struct traveller t;
	struct eval_result result;

	forecast->n_seen = forecast->n_frames = 0;
	memset(forecast->counts, 0, ruleset->n_counters * sizeof(*forecast->counts));
	start(shot, sent, flows, &t);
	for (unsigned i = 0; i < ANSWERS_MAX; i++) {
		eval_packet(ruleset, &t.fields, add_count, forecast, &result);
		forecast->n_seen++;
		if (i == 0) {
			forecast->packet = t.packet;
			forecast->result = result;
			forecast->error = packet_errno(&t.packet, &result);
		}
		if (result.verdict == EVAL_ACCEPT) {
			if (leaves(&t.packet))
				add_frame(forecast, &t, result.led);
			remember(flows, &t, result.led, arena);
			return;
		}
		t.is_led = result.led;
		if (!make_answer(&t, result.verdict))
			return;
	}
}
