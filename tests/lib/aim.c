/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aim.c - policies → packets at the edges of what they say. */
#include "lib/aim.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>

#define NS_A_SECOND 1000000000

/* --- edges ------------------------------------------------------------------------------------ */

static void add_address(struct aim *aim, const struct prefix *like, const uint8_t *bytes, int step)
{
	unsigned length = like->family == ADDR_V4 ? 4 : 16;
	struct prefix *address = ARENA_APPEND(aim->arena, aim->addresses, aim->n_addresses);

	address->family = like->family;
	address->length = (uint8_t)(length * 8);
	memcpy(address->bytes, bytes, length);
	for (unsigned i = length; step && i-- > 0;) {
		uint8_t old = address->bytes[i];

		address->bytes[i] = (uint8_t)(old + step);
		if (old != (step > 0 ? 0xff : 0))
			break;
	}
}

static void add_prefix(struct aim *aim, const struct prefix *prefix)
{
	uint8_t last[16];

	prefix_last(prefix, last);
	for (int step = -1; step <= 0; step++)
		add_address(aim, prefix, prefix->bytes, step);
	for (int step = 0; step <= 1; step++)
		add_address(aim, prefix, last, step);
}

static void add_port(struct aim *aim, int64_t port)
{
	if (port >= 0 && port <= UINT16_MAX)
		*ARENA_APPEND(aim->arena, aim->ports, aim->n_ports) = (uint32_t)port;
}

static void add_ports(struct aim *aim, const struct number_range *ports, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		add_port(aim, (int64_t)ports[i].first - 1);
		add_port(aim, ports[i].first);
		add_port(aim, ports[i].last);
		add_port(aim, (int64_t)ports[i].last + 1);
	}
}

static void add_uid(struct aim *aim, uint32_t uid)
{
	*ARENA_APPEND(aim->arena, aim->uids, aim->n_uids) = uid;
}

static void add_uids(struct aim *aim, struct number_range uids)
{
	add_uid(aim, uids.first - 1);
	add_uid(aim, uids.first);
	add_uid(aim, uids.last);
	add_uid(aim, uids.last + 1);
}

static void add_interface(struct aim *aim, const char *name)
{
	if (name)
		*ARENA_APPEND(aim->arena, aim->interfaces, aim->n_interfaces) = name;
}

static void aim_at_policy(struct aim *aim, const struct policy *policy)
{
	*ARENA_APPEND(aim->arena, aim->policies, aim->n_policies) = policy;
	for (size_t i = 0; i < policy->n_subjects; i++)
		add_uids(aim, policy->subjects[i].uids);
	for (size_t i = 0; i < policy->n_connect; i++) {
		const struct endpoint *e = &policy->connect[i];

		add_ports(aim, e->ports, e->n_ports);
		add_interface(aim, e->interface);
		if (e->to.family != ADDR_NONE)
			add_prefix(aim, &e->to);
	}
	for (size_t i = 0; i < policy->n_listen; i++) {
		add_ports(aim, policy->listen[i].ports, policy->listen[i].n_ports);
		for (size_t j = 0; j < policy->listen[i].n_from; j++)
			add_uid(aim, policy->listen[i].from[j].uid);
	}
}

void aim_at(struct aim *aim, const struct policy_set *set, struct arena *arena)
{
	static const struct prefix loopback[] = { { ADDR_V4, 32, { 127, 0, 0, 1 } },
						  { ADDR_V6, 128, { [15] = 1 } } };

	aim->arena = arena;
	add_prefix(aim, &loopback[0]);
	add_prefix(aim, &loopback[1]);
	add_interface(aim, "lo");
	add_interface(aim, "eth0");
	add_port(aim, 53);
	add_port(aim, 40000);
	for (size_t i = 0; i < set->n_services; i++)
		aim_at_policy(aim, set->services[i].policy);
	for (size_t i = 0; i < set->n_ranges; i++)
		add_uids(aim, set->ranges[i].uids);
	for (size_t i = 0; i < set->config.n_resolvers; i++) {
		add_prefix(aim, &set->config.resolvers[i].address);
		add_interface(aim, set->config.resolvers[i].interface);
	}
	for (size_t i = 0; i < set->config.n_proxies; i++) {
		add_prefix(aim, &set->config.proxies[i].address);
		add_port(aim, set->config.proxies[i].port);
	}
	for (size_t i = 0; i < set->config.n_proxy_ports; i++)
		add_port(aim, set->config.proxy_ports[i].port);
}

/* --- packets ----------------------------------------------------------------------------------
 */

static uint32_t pick(struct random *random, const uint32_t *numbers, size_t n)
{
	return numbers[random_below(random, (uint32_t)n)];
}

static void choose_protocol(struct packet *packet, struct random *random)
{
	static const uint8_t flags[] = {
		TH_SYN, TH_ACK, TH_SYN | TH_ACK, TH_FIN | TH_ACK, TH_RST, 0
	};
	bool v4 = packet->to.family == ADDR_V4;

	switch (random_below(random, 8)) {
	case 0:
		packet->l4proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		packet->icmp_type = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
		if (random_chance(random, 4))
			packet->icmp_type = (uint8_t)random_below(random, 256);
		break;
	case 1:
	case 2:
		packet->l4proto = IPPROTO_UDP;
		packet->direction = random_chance(random, 4) ? PACKET_REPLY : PACKET_ORIGINAL;
		break;
	case 3:
		packet->l4proto = IPPROTO_UDPLITE;
		packet->direction = PACKET_ORIGINAL;
		break;
	default:
		packet->l4proto = IPPROTO_TCP;
		packet->tcp_flags = TH_SYN;
		if (random_chance(random, 3))
			packet->tcp_flags = flags[random_below(random, ARRAY_SIZE(flags))];
	}
}

/* At or next to either end. */
static uint16_t near_port(struct random *random, const struct number_range *ports, size_t n)
{
	const struct number_range *range = &ports[random_below(random, (uint32_t)n)];
	uint32_t port = random_chance(random, 2) ? range->first : range->last;

	return (uint16_t)(port + (random_chance(random, 6) ? random_below(random, 3) - 1 : 0));
}

static void aim_at_endpoint(const struct endpoint *e, struct random *random, struct packet *packet)
{
	static const uint8_t numbers[] = { [PROTOCOL_TCP] = IPPROTO_TCP,
					   [PROTOCOL_UDP] = IPPROTO_UDP,
					   [PROTOCOL_ICMP] = IPPROTO_ICMP };

	if (e->to.family == ADDR_NONE)
		packet->oifname = "lo";
	if (e->to.family != ADDR_NONE && !random_chance(random, 6)) {
		packet->to = e->to;
		packet->to.length = (uint8_t)prefix_max_length(&e->to);
		if (random_chance(random, 2))
			prefix_last(&e->to, packet->to.bytes);
	}
	packet->l4proto = numbers[e->protocol];
	if (e->protocol == PROTOCOL_ICMP && packet->to.family == ADDR_V6)
		packet->l4proto = IPPROTO_ICMPV6;
	if (e->protocol == PROTOCOL_ICMP)
		packet->icmp_type = packet->to.family == ADDR_V6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	packet->tcp_flags = e->protocol == PROTOCOL_TCP ? TH_SYN : 0;
	if (e->n_ports)
		packet->dport = near_port(random, e->ports, e->n_ports);
	if (prefix_is_loopback(&packet->to))
		packet->oifname = "lo";
	else if (e->interface && !random_chance(random, 4))
		packet->oifname = e->interface;
}

static void aim_at_listener(const struct listener *l, struct random *random, struct packet *packet)
{
	bool answers = random_chance(random, 2);

	packet->l4proto = l->protocol == PROTOCOL_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	packet->tcp_flags = l->protocol != PROTOCOL_TCP ? 0 : answers ? TH_ACK : TH_SYN;
	packet->direction = answers ? PACKET_REPLY : PACKET_ORIGINAL;
	*(answers ? &packet->sport : &packet->dport) = near_port(random, l->ports, l->n_ports);
	if (!answers && !random_chance(random, 4))
		packet->oifname = "lo";
}

/* What one policy says, or nearly that. */
static void aim_closely(const struct aim *aim, struct random *random, struct packet *packet)
{
	const struct policy *policy =
		aim->policies[random_below(random, (uint32_t)aim->n_policies)];
	uint32_t n = (uint32_t)(policy->n_connect + policy->n_listen), i = random_below(random, n);

	if (policy->n_subjects && !random_chance(random, 6))
		packet->uid = policy->subjects[random_below(random, (uint32_t)policy->n_subjects)]
				      .uids.first;
	if (!n)
		return;
	if (i < policy->n_connect)
		aim_at_endpoint(&policy->connect[i], random, packet);
	else
		aim_at_listener(&policy->listen[i - policy->n_connect], random, packet);
}

struct packet aim_packet(const struct aim *aim, struct random *random, int64_t now)
{
	struct packet packet = {
		.uid = pick(random, aim->uids, aim->n_uids),
		.to = aim->addresses[random_below(random, (uint32_t)aim->n_addresses)],
		.dport = (uint16_t)pick(random, aim->ports, aim->n_ports),
		.sport = (uint16_t)pick(random, aim->ports, aim->n_ports),
		.oifname = aim->interfaces[random_below(random, (uint32_t)aim->n_interfaces)],
		.time_ns = now * NS_A_SECOND,
	};

	if (random_chance(random, 3))
		packet.oifname = "other0";
	if (prefix_is_loopback(&packet.to) && !random_chance(random, 4))
		packet.oifname = "lo";
	choose_protocol(&packet, random);
	if (aim->n_policies && !random_chance(random, 4))
		aim_closely(aim, random, &packet);
	return packet;
}

bool aim_opens(const struct packet *packet)
{
	if (packet->l4proto == IPPROTO_TCP)
		return (packet->tcp_flags & (TH_SYN | TH_ACK)) == TH_SYN;
	return packet->direction != PACKET_REPLY;
}

/* --- verdicts ---------------------------------------------------------------------------------
 */

static const char *look_up(const struct ir_ruleset *rules, const char *map, uint32_t uid)
{
	uint32_t number = ir_find_set(rules, map);
	uint8_t key[4] = { (uint8_t)(uid >> 24), (uint8_t)(uid >> 16), (uint8_t)(uid >> 8),
			   (uint8_t)uid };

	for (uint32_t i = 0; number != IR_NONE && i < rules->sets[number].n_elements; i++) {
		const struct ir_element *e =
			&rules->elements[rules->sets[number].first_element + i];

		if (memcmp(e->key, key, 4) <= 0 && memcmp(e->last, key, 4) >= 0)
			return rules->chains[e->chain].name;
	}
	return NULL;
}

const char *aim_chain(const struct ir_ruleset *rules, uint32_t uid)
{
	const char *chain = look_up(rules, "services", uid);

	return chain ? chain : look_up(rules, "ranges", uid);
}

bool aim_is_allowed(const struct ir_ruleset *rules, const struct packet *packet)
{
	struct eval_packet fields;
	struct eval_result result;

	packet_fields(packet, &fields);
	eval_packet(rules, &fields, NULL, NULL, &result);
	if (eval_is_refused(&result) || result.led)
		return false;
	for (unsigned i = 0; i < result.n_steps; i++)
		if (strcmp(rules->chains[result.steps[i].chain].name, "observe") == 0)
			return false;
	return true;
}
