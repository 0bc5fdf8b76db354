/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reach.c - a service's chain → what it lets through, as boxes.
 *
 * The chain is walked with what is known of a packet so far, narrowed by each match; a look-up in a
 * set goes on once for each element. A rule that accepts gives a box. Rules that refuse need no
 * box: those of a service stand behind all that accepts, but for the ones that hold for every
 * service (what a packet of reach.h never meets) and the guards of declared ports, which are
 * noted.
 */
#include "diff/reach.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/rtnetlink.h>

#include "base/addr.h"

const struct reach_plane_desc reach_planes[REACH_PLANES] = {
	[REACH_TCP4] = { "tcp", ADDR_V4, IPPROTO_TCP, false, PROTOCOL_TCP },
	[REACH_TCP6] = { "tcp", ADDR_V6, IPPROTO_TCP, false, PROTOCOL_TCP },
	[REACH_UDP4] = { "udp", ADDR_V4, IPPROTO_UDP, false, PROTOCOL_UDP },
	[REACH_UDP6] = { "udp", ADDR_V6, IPPROTO_UDP, false, PROTOCOL_UDP },
	[REACH_ICMP4] = { "icmp", ADDR_V4, IPPROTO_ICMP, false, -1 },
	[REACH_ICMP6] = { "icmp", ADDR_V6, IPPROTO_ICMPV6, false, -1 },
	[REACH_TCP_ANSWERS] = { "tcp", ADDR_NONE, IPPROTO_TCP, true, -1 },
	[REACH_UDP_ANSWERS] = { "udp", ADDR_NONE, IPPROTO_UDP, true, -1 },
};

/* Which packets of a connection. */
enum turn { EITHER, SPEAKS_FIRST, ANSWERS };

/* What is known of a packet on its way through the rules. */
struct known {
	uint8_t family; /* enum addr_family; ADDR_NONE: either */
	int l4proto;	/* -1: any */
	uint8_t turn;
	uint8_t source;
	const char *interface;
	int64_t until;
	reach_address first, last;
	struct ranges sports, dports; /* n 0: any; for ICMP dports are types */
	const struct ir_origin *origin;
};

struct walk {
	const struct ir_ruleset *rules;
	const struct reach_shared *shared;
	int64_t now;
	struct arena *arena;
	struct reach *reach;
	bool is_guarded[2]; /* by PROTOCOL_TCP and PROTOCOL_UDP: a look at the guards is behind us
			     */
};

static void walk_chain(struct walk *walk, uint32_t chain, const struct known *known);
static void walk_stmts(struct walk *walk, const struct ir_rule *rule, uint32_t i,
		       struct known known);

reach_address reach_address_from(const uint8_t *bytes, unsigned length)
{
	reach_address address = 0;

	for (unsigned i = 0; i < length; i++)
		address = address << 8 | bytes[i];
	return address;
}

static uint64_t number_from(const uint8_t *bytes, unsigned length)
{
	return (uint64_t)reach_address_from(bytes, length);
}

/* --- boxes ------------------------------------------------------------------------------------ */

static void add_box(struct walk *walk, enum reach_plane plane, const struct known *known)
{
	const struct reach_plane_desc *desc = &reach_planes[plane];
	unsigned bits = desc->family == ADDR_V4 ? 32 : 128;
	bool is_whole = known->family == ADDR_NONE || desc->is_answer;
	static const struct number_range any[] = { { 0, UINT16_MAX } };
	struct ranges ports = desc->is_answer ? known->sports : known->dports;

	*ARENA_APPEND(walk->arena, walk->reach->boxes, walk->reach->n) = (struct reach_box){
		.plane = (uint8_t)plane,
		.source = known->source,
		.is_guarded = desc->guards >= 0 && walk->is_guarded[desc->guards],
		.interface = known->interface,
		.until = known->until,
		.first = is_whole ? 0 : known->first,
		.last = is_whole ? REACH_ADDRESS_MAX >> (128 - bits) : known->last,
		.ports = ports.n ? ports : (struct ranges){ any, 1 },
		.origin = known->origin,
	};
}

/* What lets any protocol pass is monitor mode. */
static void accept_known(struct walk *walk, const struct known *known)
{
	if (known->l4proto < 0)
		return;
	for (unsigned i = 0; i < REACH_PLANES; i++) {
		const struct reach_plane_desc *desc = &reach_planes[i];

		if (desc->l4proto == known->l4proto &&
		    desc->is_answer == (known->turn == ANSWERS) &&
		    (desc->family == ADDR_NONE || known->family == ADDR_NONE ||
		     desc->family == known->family))
			add_box(walk, (enum reach_plane)i, known);
	}
}

/* --- matches ----------------------------------------------------------------------------------
 */

/* Whether the value that every packet of reach.h has passes the match. */
static bool match_fixed(const struct ir_stmt *s, const void *value)
{
	bool equal = memcmp(s->value, value, ir_fields[s->field].length) == 0;

	assert(s->op == IR_EQ || s->op == IR_NE);
	return equal == (s->op == IR_EQ);
}

static bool narrow_family(struct known *known, uint8_t family)
{
	if (known->family != ADDR_NONE)
		return known->family == family;
	known->family = family;
	known->first = 0;
	known->last = REACH_ADDRESS_MAX >> (family == ADDR_V4 ? 96 : 0);
	return true;
}

static bool narrow_address(struct known *known, reach_address first, reach_address last)
{
	known->first = first > known->first ? first : known->first;
	known->last = last < known->last ? last : known->last;
	return known->first <= known->last;
}

static bool match_address(struct known *known, const struct ir_stmt *s)
{
	unsigned length = ir_fields[s->field].length, bits = length * 8;
	reach_address first = reach_address_from(s->value, length), last = first;

	assert(s->op == IR_EQ || s->op == IR_PREFIX);
	if (s->op == IR_PREFIX && s->prefix_length < bits)
		last |= (((reach_address)1 << (bits - s->prefix_length)) - 1);
	return narrow_address(known, first, last);
}

static bool narrow_ports(struct walk *walk, struct ranges *ports, struct ranges to)
{
	*ports = ports->n ? ranges_intersect(walk->arena, *ports, to) : to;
	return ports->n > 0;
}

static bool match_number(struct walk *walk, struct ranges *numbers, const struct ir_stmt *s)
{
	unsigned length = ir_fields[s->field].length;
	uint32_t first = (uint32_t)number_from(s->value, length);
	uint32_t last =
		s->op == IR_RANGE ? (uint32_t)number_from(s->value + length, length) : first;

	assert(s->op == IR_EQ || s->op == IR_RANGE);
	return narrow_ports(walk, numbers, ranges_one(walk->arena, first, last));
}

static bool narrow_turn(struct known *known, enum turn turn)
{
	if (known->turn != EITHER && known->turn != turn)
		return false;
	known->turn = (uint8_t)turn;
	return true;
}

static bool match_until(const struct walk *walk, struct known *known, const struct ir_stmt *s)
{
	int64_t until = (int64_t)(number_from(s->value, ir_fields[s->field].length) / 1000000000u);

	assert(s->op == IR_LT);
	known->until = until < known->until ? until : known->until;
	return known->until > walk->now;
}

static bool match_interface(struct known *known, const struct ir_stmt *s)
{
	const char *name = (const char *)s->value;

	assert(s->op == IR_EQ);
	if (known->interface)
		return strncmp(known->interface, name, IR_VALUE_MAX) == 0;
	known->interface = name;
	return true;
}

/* Narrows what is known to what passes the match; false: nothing does. */
static bool match(struct walk *walk, struct known *known, const struct ir_stmt *s)
{
	static const uint8_t none, header_words = 5;
	const uint32_t local = RTN_LOCAL;

	switch ((enum ir_field)s->field) {
	case IR_OIFNAME:
		return match_interface(known, s);
	case IR_NFPROTO: /* NFPROTO_IPV4 and NFPROTO_IPV6 are AF_INET and AF_INET6 */
		return narrow_family(known, s->value[0] == AF_INET ? ADDR_V4 : ADDR_V6);
	case IR_L4PROTO:
		if (known->l4proto >= 0)
			return known->l4proto == s->value[0];
		known->l4proto = s->value[0];
		return true;
	case IR_TIME:
		return match_until(walk, known, s);
	case IR_IP_DADDR:
	case IR_IP6_DADDR:
		return match_address(known, s);
	case IR_TCP_SPORT:
	case IR_UDP_SPORT:
		return match_number(walk, &known->sports, s);
	case IR_TCP_DPORT:
	case IR_UDP_DPORT:
	case IR_ICMP_TYPE:
	case IR_ICMPV6_TYPE:
		return match_number(walk, &known->dports, s);
	case IR_TCP_FLAGS: /* always about being an initial SYN */
		return narrow_turn(known, s->op == IR_MASK_EQ ? SPEAKS_FIRST : ANSWERS);
	case IR_CT_DIRECTION:
		return narrow_turn(known, s->value[0] ? ANSWERS : SPEAKS_FIRST);
	case IR_IP_HDRLENGTH:
		return match_fixed(s, &header_words);
	case IR_EXTHDR_ROUTING:
	case IR_TCPOPT_MPTCP:
		return match_fixed(s, &none);
	case IR_SADDR_TYPE:
		return match_fixed(s, &local);
	case IR_CT_STATUS: /* what was led to the proxy, which is said elsewhere: ways.h */
		return false;
	case IR_SKUID: /* the chain's own uids, all of them */
	case IR_CGROUP_1:
	case IR_CGROUP_2:
	case IR_CGROUP_3:
	case IR_CGROUP_4:
	case IR_CGROUP_5:
	case IR_CGROUP_6:
	case IR_CGROUP_7:
	case IR_CGROUP_8:
	case IR_FIELD_COUNT:
		return true;
	}
	abort();
}

/* --- sets -------------------------------------------------------------------------------------
 */

static struct ranges set_ports(struct walk *walk, const struct ir_set *set)
{
	struct ranges ports = { NULL, 0 };

	for (uint32_t i = 0; i < set->n_elements; i++) {
		const struct ir_element *e = &walk->rules->elements[set->first_element + i];

		ranges_append(walk->arena, &ports, (uint32_t)number_from(e->key, 2),
			      (uint32_t)number_from(e->last, 2));
	}
	return ports;
}

/* Narrows to one element of a set of addresses, or of addresses and ports. */
static bool match_element(struct walk *walk, struct known *known, const struct ir_set *set,
			  const struct ir_element *e)
{
	bool is_v4 = set->key_type == IR_KEY_IPV4 || set->key_type == IR_KEY_IPV4_PORT;
	bool has_port = set->key_type == IR_KEY_IPV4_PORT || set->key_type == IR_KEY_IPV6_PORT;
	unsigned length = is_v4 ? 4 : 16;

	if (!narrow_address(known, reach_address_from(e->key, length),
			    reach_address_from(set->is_interval ? e->last : e->key, length)))
		return false;
	if (e->origin.what && e->origin.place.file)
		known->origin = &e->origin;
	if (has_port) {
		uint32_t port = (uint32_t)number_from(e->key + length, 2);

		return narrow_ports(walk, &known->dports, ranges_one(walk->arena, port, port));
	}
	return true;
}

static void walk_lookup(struct walk *walk, const struct ir_rule *rule, uint32_t i,
			const struct known *known)
{
	const struct ir_stmt *s = &walk->rules->stmts[rule->first_stmt + i];
	const struct ir_set *set = &walk->rules->sets[s->index];
	struct known next = *known;

	switch ((enum ir_key_type)set->key_type) {
	case IR_KEY_PORT:
		if (narrow_ports(walk,
				 s->field == IR_TCP_SPORT || s->field == IR_UDP_SPORT ?
					 &next.sports :
					 &next.dports,
				 set_ports(walk, set)))
			walk_stmts(walk, rule, i + 1, next);
		return;
	case IR_KEY_IPV4:
	case IR_KEY_IPV6:
	case IR_KEY_IPV4_PORT:
	case IR_KEY_IPV6_PORT:
		for (uint32_t j = 0; j < set->n_elements; j++) {
			next = *known;
			if (match_element(walk, &next, set,
					  &walk->rules->elements[set->first_element + j]))
				walk_stmts(walk, rule, i + 1, next);
		}
		return;
	case IR_KEY_UID: /* in guards only */
	case IR_KEY_CGROUP:
	case IR_KEY_TYPE_COUNT:
		return;
	}
	abort();
}

/* --- the walk ---------------------------------------------------------------------------------
 */

static void walk_verdict(struct walk *walk, const struct ir_stmt *s, struct known *known)
{
	switch ((enum ir_verdict)s->op) {
	case IR_ACCEPT:
		accept_known(walk, known);
		return;
	case IR_JUMP:
	case IR_GOTO:
		if (s->index == walk->shared->dns)
			known->source = REACH_DNS;
		else if (s->index == walk->shared->proxy)
			known->source = REACH_PROXY;
		walk_chain(walk, s->index, known);
		return;
	case IR_DROP:
	case IR_RETURN:
		return;
	}
	abort();
}

static void walk_stmts(struct walk *walk, const struct ir_rule *rule, uint32_t i,
		       struct known known)
{
	for (; i < rule->n_stmts; i++) {
		const struct ir_stmt *s = &walk->rules->stmts[rule->first_stmt + i];

		switch ((enum ir_stmt_kind)s->kind) {
		case IR_STMT_MATCH:
			if (!match(walk, &known, s))
				return;
			break;
		case IR_STMT_LOOKUP:
			walk_lookup(walk, rule, i, &known);
			return;
		case IR_STMT_VMAP: /* who may connect to the declared ports of others */
			walk->is_guarded[s->field == IR_UDP_DPORT ? PROTOCOL_UDP : PROTOCOL_TCP] =
				true;
			return;
		case IR_STMT_COUNTER:
		case IR_STMT_STRIP:
			break;
		case IR_STMT_REJECT:
		case IR_STMT_DNAT:
			return;
		case IR_STMT_VERDICT:
			walk_verdict(walk, s, &known);
			return;
		}
	}
}

static void walk_chain(struct walk *walk, uint32_t index, const struct known *known)
{
	const struct ir_chain *chain = &walk->rules->chains[index];

	for (uint32_t i = 0; i < chain->n_rules; i++) {
		const struct ir_rule *rule = &walk->rules->rules[chain->first_rule + i];
		struct known next = *known;

		if (rule->origin.what && rule->origin.place.file) {
			next.origin = &rule->origin;
			if (strcmp(rule->origin.what, "listen") == 0)
				next.source = REACH_LISTEN;
		}
		walk_stmts(walk, rule, 0, next);
	}
}

struct reach_shared reach_find_shared(const struct ir_ruleset *rules)
{
	return (struct reach_shared){ ir_find_chain(rules, "dns"), ir_find_chain(rules, "proxy") };
}

void reach_walk(const struct ir_ruleset *rules, uint32_t chain, const struct reach_shared *shared,
		int64_t now, struct arena *arena, struct reach *ret_reach)
{
	struct walk walk = { rules, shared, now, arena, ret_reach, { false, false } };
	static const struct ir_origin nowhere;
	struct known known = {
		.l4proto = -1,
		.source = REACH_CONNECT,
		.until = INT64_MAX,
		.last = REACH_ADDRESS_MAX,
		.origin = &nowhere,
	};

	*ret_reach = (struct reach){ NULL, 0 };
	if (chain != IR_NONE)
		walk_chain(&walk, chain, &known);
}
