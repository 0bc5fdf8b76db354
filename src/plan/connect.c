/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connect.c - the endpoints of "connect" → rules and named sets.
 *
 * A handful of endpoints is a rule each, in the order of the file. Longer lists become sets, of
 * three kinds: single ports of single addresses (hash), prefixes that share their ports (interval),
 * and the ports of one endpoint (interval). Each element's comment names its line.
 */
#include "plan/connect.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include <linux/netfilter.h>

/* An endpoint for one family: "localhost" is two. */
struct target {
	const struct endpoint *endpoint;
	struct prefix to;
	const char *interface; /* NULL: any */
	bool is_done;	       /* in a set already */
};

static struct target *collect_targets(struct build *b, const struct policy *policy,
				      bool (*is_picked)(const struct endpoint *endpoint,
							const void *data),
				      const void *data, size_t *ret_n)
{
	static const struct prefix loopback[] = {
		{ ADDR_V4, 32, { 127, 0, 0, 1 } },
		{ ADDR_V6, 128, { [15] = 1 } },
	};
	struct target *targets = NULL;
	size_t n = 0;

	for (size_t i = 0; i < policy->n_connect; i++) {
		const struct endpoint *e = &policy->connect[i];
		bool localhost = e->to.family == ADDR_NONE;

		if (is_picked && !is_picked(e, data))
			continue;
		for (size_t j = 0; j < (localhost ? ARRAY_SIZE(loopback) : 1); j++) {
			struct target *t = ARENA_APPEND(b->scratch, targets, n);

			t->endpoint = e;
			t->to = localhost ? loopback[j] : e->to;
			/* SO_BINDTODEVICE sends packets to 127.0.0.1 out by the uplink */
			t->interface = prefix_is_loopback(&t->to) ? "lo" : e->interface;
		}
	}
	*ret_n = n;
	return targets;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Whether two targets can share the rule of a set, the address (and port) aside. */
static bool same_kind(const struct target *a, const struct target *b)
{
	return a->endpoint->protocol == b->endpoint->protocol && a->to.family == b->to.family &&
	       a->endpoint->until == b->endpoint->until && same_text(a->interface, b->interface);
}

static bool same_ports(const struct target *a, const struct target *b)
{
	return a->endpoint->n_ports == b->endpoint->n_ports &&
	       (a->endpoint->n_ports == 0 ||
		memcmp(a->endpoint->ports, b->endpoint->ports,
		       a->endpoint->n_ports * sizeof(*a->endpoint->ports)) == 0);
}

static void add_protocol(struct build *b, const struct target *t)
{
	static const uint8_t numbers[] = {
		[PROTOCOL_TCP] = IPPROTO_TCP,
		[PROTOCOL_UDP] = IPPROTO_UDP,
		[PROTOCOL_ICMP] = IPPROTO_ICMP,
	};
	bool v6 = t->to.family == ADDR_V6;
	uint8_t protocol = t->endpoint->protocol;

	if (protocol == PROTOCOL_ICMP && v6) {
		add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_ICMPV6);
		add_match_byte(b, IR_ICMPV6_TYPE, IR_EQ, ICMP6_ECHO_REQUEST);
	} else {
		add_match_byte(b, IR_L4PROTO, IR_EQ, numbers[protocol]);
		if (protocol == PROTOCOL_ICMP)
			add_match_byte(b, IR_ICMP_TYPE, IR_EQ, ICMP_ECHO);
	}
}

static enum ir_field dport_field(const struct target *t)
{
	return t->endpoint->protocol == PROTOCOL_TCP ? IR_TCP_DPORT : IR_UDP_DPORT;
}

static void add_tail(struct build *b, const struct target *t)
{
	if (t->interface)
		add_match_interface(b, t->interface);
	add_match_until(b, t->endpoint->until);
	add_verdict(b, IR_ACCEPT, IR_NONE);
}

/* What a rule about such a target says, the address and the ports aside. */
static const char *describe(struct build *b, const struct target *t)
{
	return arena_printf(b->scratch, "%u %u %s %lld", t->endpoint->protocol, t->to.family,
			    t->interface ? t->interface : "", (long long)t->endpoint->until);
}

/* --- a rule each --------------------------------------------------------------------------------
 */

static void plan_single(struct build *b, const struct policy *policy, const struct target *t,
			struct service_sets *sets)
{
	struct ir_origin origin = policy_origin(policy, t->endpoint->place, "connect");
	struct port_match ports = { .n = 1 };
	char to[PREFIX_TEXT_MAX];

	format_prefix(&t->to, to);
	if (t->endpoint->n_ports)
		ports = port_match_make(b, sets,
					arena_printf(b->scratch, "%s to %s", describe(b, t), to),
					t->endpoint->ports, t->endpoint->n_ports);
	for (size_t i = 0; i < ports.n; i++) {
		build_rule(b, origin);
		add_protocol(b, t);
		if (t->endpoint->n_ports)
			add_port_match(b, &ports, i, dport_field(t));
		add_match_address(b, &t->to);
		add_tail(b, t);
	}
}

/* --- a set of address and port
 * -------------------------------------------------------------------- */

static bool has_single_ports(const struct target *t)
{
	for (size_t i = 0; i < t->endpoint->n_ports; i++)
		if (t->endpoint->ports[i].first != t->endpoint->ports[i].last)
			return false;
	return t->endpoint->n_ports > 0 && prefix_is_host(&t->to);
}

static void add_pair_element(struct build *b, const struct policy *policy, const struct target *t,
			     uint32_t port)
{
	struct ir_element *e = build_element(b);
	size_t length = t->to.family == ADDR_V4 ? 4 : 16;

	memcpy(e->key, t->to.bytes, length);
	e->key[length] = (uint8_t)(port >> 8);
	e->key[length + 1] = (uint8_t)port;
	memcpy(e->last, e->key, sizeof(e->last));
	e->origin = policy_origin(policy, t->endpoint->place, "connect");
}

static void plan_pairs(struct build *b, const struct policy *policy, struct target *targets,
		       size_t n, size_t first, struct service_sets *sets)
{
	const struct target *t = &targets[first];
	bool v4 = t->to.family == ADDR_V4;
	size_t pairs = 0;
	uint32_t set;

	for (size_t i = first; i < n; i++)
		if (!targets[i].is_done && has_single_ports(&targets[i]) &&
		    same_kind(t, &targets[i]))
			pairs += targets[i].endpoint->n_ports;
	if (pairs <= PLAN_HANDFUL)
		return;
	set = build_set(b, service_set_name(sets, "pairs %s", describe(b, t)),
			v4 ? IR_KEY_IPV4_PORT : IR_KEY_IPV6_PORT, false, false);
	for (size_t i = first; i < n; i++) {
		if (targets[i].is_done || !has_single_ports(&targets[i]) ||
		    !same_kind(t, &targets[i]))
			continue;
		for (size_t j = 0; j < targets[i].endpoint->n_ports; j++)
			add_pair_element(b, policy, &targets[i],
					 targets[i].endpoint->ports[j].first);
		targets[i].is_done = true;
	}
	build_set_finish(b);
	build_rule(b, policy_origin(policy, (struct place){ 0 }, "connect"));
	add_match_byte(b, IR_NFPROTO, IR_EQ, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	add_protocol(b, t);
	add_lookup(b, v4 ? IR_IP_DADDR : IR_IP6_DADDR, dport_field(t), set);
	add_tail(b, t);
}

/* --- a set of prefixes
 * ---------------------------------------------------------------------------- */

static void add_prefix_element(struct build *b, const struct policy *policy, const struct target *t)
{
	struct ir_element *e = build_element(b);

	memcpy(e->key, t->to.bytes, sizeof(t->to.bytes));
	prefix_last(&t->to, e->last);
	e->origin = policy_origin(policy, t->endpoint->place, "connect");
}

static bool in_prefix_group(const struct target *t, const struct target *other)
{
	return !other->is_done && other->to.length > 0 && same_kind(t, other) &&
	       same_ports(t, other);
}

static void plan_prefixes(struct build *b, const struct policy *policy, struct target *targets,
			  size_t n, size_t first, struct service_sets *sets)
{
	const struct target *t = &targets[first];
	bool v4 = t->to.family == ADDR_V4;
	struct port_match ports = { .n = 1 };
	const char *meaning;
	size_t members = 0;
	uint32_t set;

	for (size_t i = first; i < n; i++)
		members += in_prefix_group(t, &targets[i]);
	if (members <= PLAN_HANDFUL || !in_prefix_group(t, t))
		return;
	/* With the ports: they may be a set of their own, which is looked up a moment later. */
	meaning = arena_printf(b->scratch, "prefixes %s ports %08x", describe(b, t),
			       ports_digest(t->endpoint->ports, t->endpoint->n_ports));
	set = build_set(b, service_set_name(sets, "%s", meaning), v4 ? IR_KEY_IPV4 : IR_KEY_IPV6,
			false, true);
	for (size_t i = first; i < n; i++)
		if (in_prefix_group(t, &targets[i])) {
			add_prefix_element(b, policy, &targets[i]);
			if (i != first)
				targets[i].is_done = true;
		}
	targets[first].is_done = true;
	build_set_finish(b);
	if (t->endpoint->n_ports)
		ports = port_match_make(b, sets, meaning, t->endpoint->ports, t->endpoint->n_ports);
	for (size_t i = 0; i < ports.n; i++) {
		build_rule(b, policy_origin(policy, (struct place){ 0 }, "connect"));
		add_match_byte(b, IR_NFPROTO, IR_EQ, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
		add_protocol(b, t);
		if (t->endpoint->n_ports)
			add_port_match(b, &ports, i, dport_field(t));
		add_lookup(b, v4 ? IR_IP_DADDR : IR_IP6_DADDR, IR_FIELD_COUNT, set);
		add_tail(b, t);
	}
}

void plan_connect_some(struct build *b, const struct policy *policy, struct service_sets *sets,
		       bool (*is_picked)(const struct endpoint *endpoint, const void *data),
		       const void *data)
{
	size_t n;
	struct target *targets = collect_targets(b, policy, is_picked, data, &n);

	for (size_t i = 0; n > PLAN_HANDFUL && i < n; i++)
		if (!targets[i].is_done && has_single_ports(&targets[i]))
			plan_pairs(b, policy, targets, n, i, sets);
	for (size_t i = 0; n > PLAN_HANDFUL && i < n; i++)
		if (!targets[i].is_done)
			plan_prefixes(b, policy, targets, n, i, sets);
	for (size_t i = 0; i < n; i++)
		if (!targets[i].is_done)
			plan_single(b, policy, &targets[i], sets);
}

void plan_connect(struct build *b, const struct policy *policy, struct service_sets *sets)
{
	plan_connect_some(b, policy, sets, NULL, NULL);
}
