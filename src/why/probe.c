/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.c - who sends what where → the packet, the way it would leave, the verdict on it.
 *
 * Where the kernel has no way, or cannot be asked, the interface is one that fits: then the answer
 * is what the policies say about the address.
 */
#include "why/probe.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>

/* The kernel's default range for source ports (ip_local_port_range). */
enum { EPHEMERAL_FIRST = 32768, EPHEMERAL_LAST = 60999 };

#define NS_PER_S 1000000000

/* --- whose sockets ---------------------------------------------------------------------------- */

void sender_of_uid(const struct why_world *world, uint32_t uid, const char *user,
		   struct sender *ret_sender)
{
	const struct policy_set *set = world->set;
	const struct uid_owner *owner = policy_set_find_owner(set, uid);

	*ret_sender = (struct sender){ .owner = owner, .uid = uid, .user = user };
	if (owner && owner->service != NO_SERVICE)
		ret_sender->service = &set->services[owner->service];
}

/* The lowest uid of a range that no named user takes; false: they take them all. */
static bool first_left(const struct policy_set *set, const struct uid_owner *range,
		       uint32_t *ret_uid)
{
	const struct service *service = &set->services[range->service];

	for (uint64_t uid = range->uids.first; uid <= range->uids.last; uid++)
		if (policy_set_find_uid(set, (uint32_t)uid) == service) {
			*ret_uid = (uint32_t)uid;
			return true;
		}
	return false;
}

bool sender_of_service(const struct why_world *world, const struct service *service,
		       struct sender *ret_sender)
{
	const struct policy_set *set = world->set;
	const uint32_t number = (uint32_t)(service - set->services);
	uint32_t uid;

	for (size_t i = 0; i < set->n_named; i++)
		if (set->named[i].service == number) {
			*ret_sender = (struct sender){
				.service = service,
				.owner = &set->named[i],
				.uid = set->named[i].uids.first,
				.user = policy_claimed_name(service->policy, set->named[i].place),
			};
			return true;
		}
	for (int subuids = 0; subuids <= 1; subuids++)
		for (size_t i = 0; i < set->n_ranges; i++) {
			const struct uid_owner *range = &set->ranges[i];

			if (range->service != number || range->is_subuid != (bool)subuids ||
			    !first_left(set, range, &uid))
				continue;
			*ret_sender =
				(struct sender){ .service = service, .owner = range, .uid = uid };
			return true;
		}
	return false;
}

/* --- the way out ------------------------------------------------------------------------------ */

static void ask_kernel(const struct why_world *world, uint32_t uid, const struct target *target,
		       struct way *way)
{
	unsigned ifindex = *target->zone ? if_nametoindex(target->zone) : 0;
	struct route route;
	int r;

	way->state = WAY_UNKNOWN;
	if (!world->routes)
		return;
	if (*target->zone && !ifindex) {
		way->state = WAY_NONE;
		return;
	}
	r = routes_find_for(world->routes, uid, NULL, &target->to, ifindex, &route);
	if (r == 0) {
		way->state = WAY_FOUND;
		memcpy(way->oifname, route.oifname, sizeof(way->oifname));
	} else if (routes_is_unreachable(r)) {
		way->state = WAY_NONE;
	}
}

static bool try_interface(struct probe *probe, const char *interface)
{
	if (!interface || strlen(interface) >= sizeof(probe->way.oifname))
		return false;
	strcpy(probe->way.oifname, interface);
	return crossing_passes(&probe->crossing);
}

/* An interface by which it would pass, of those that policies name; any, where there is none. */
static void guess_interface(const struct why_world *world, const struct target *target,
			    struct probe *probe)
{
	const struct policy *policy =
		probe->crossing.service ? probe->sender.service->policy : NULL;

	if (prefix_is_loopback(&target->to) && try_interface(probe, "lo"))
		return;
	if (prefix_is_loopback(&target->to) || try_interface(probe, target->zone))
		return;
	for (size_t i = 0; policy && i < policy->n_connect; i++)
		if (crossing_is_near(&probe->crossing, &policy->connect[i]) &&
		    try_interface(probe, policy->connect[i].interface))
			return;
	for (size_t i = 0; policy && i < world->set->config.n_resolvers; i++)
		if (try_interface(probe, world->set->config.resolvers[i].interface))
			return;
	strcpy(probe->way.oifname, target->zone);
}

static void find_way(const struct why_world *world, const struct target *target,
		     struct probe *probe)
{
	probe->crossing.oifname = probe->way.oifname;
	ask_kernel(world, probe->sender.uid, target, &probe->way);
	if (probe->way.state != WAY_FOUND)
		guess_interface(world, target, probe);
}

/* --- packets ---------------------------------------------------------------------------------- */

/* A source port that nobody declared, as the kernel picks one; the first where there is none. */
static uint16_t free_port(const struct ir_ruleset *rules, uint8_t protocol, bool *ret_is_declared)
{
	const char *name = protocol == PROTOCOL_TCP ? "tcp-listeners" : "udp-listeners";
	uint32_t index = ir_find_set(rules, name), port = EPHEMERAL_FIRST;
	const struct ir_set *set = index == IR_NONE ? NULL : &rules->sets[index];

	for (uint32_t i = 0; set && i < set->n_elements; i++) {
		const struct ir_element *e = &rules->elements[set->first_element + i];
		uint32_t first = (uint32_t)e->key[0] << 8 | e->key[1];
		uint32_t last = (uint32_t)e->last[0] << 8 | e->last[1];

		if (port < first)
			break;
		if (port <= last)
			port = last + 1;
	}
	*ret_is_declared = port > EPHEMERAL_LAST;
	return (uint16_t)(*ret_is_declared ? EPHEMERAL_FIRST : port);
}

static void set_protocol(const struct target *target, struct packet *packet)
{
	bool v6 = target->to.family == ADDR_V6;

	switch ((enum policy_protocol)target->protocol) {
	case PROTOCOL_TCP:
		packet->l4proto = IPPROTO_TCP;
		packet->tcp_flags = TH_SYN;
		return;
	case PROTOCOL_UDP:
		packet->l4proto = IPPROTO_UDP;
		return;
	case PROTOCOL_ICMP:
		packet->l4proto = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		packet->icmp_type = v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
		return;
	}
}

static void evaluate(const struct why_world *world, const struct packet *packet,
		     struct eval_result *ret_result)
{
	struct eval_packet fields;

	packet_fields(packet, &fields);
	eval_packet(world->rules, &fields, NULL, NULL, ret_result);
}

static void set_crossing(const struct why_world *world, const struct sender *sender,
			 const struct target *target, bool is_answer, struct crossing *crossing)
{
	const struct service *service = sender->service;

	*crossing = (struct crossing){
		.set = world->set,
		.service = service && service->state != POLICY_OFF ? service : NULL,
		.is_shared = sender->owner && sender->owner->service == NO_SERVICE,
		.uid = sender->uid,
		.user = sender->user,
		.protocol = target->protocol,
		.to = target->to,
		.is_answer = is_answer,
		.now = world->now,
	};
}

static void run(const struct why_world *world, const struct sender *sender,
		const struct target *target, bool is_answer, struct probe *probe)
{
	bool is_declared = false;
	uint16_t other = free_port(world->rules, target->protocol, &is_declared);
	struct crossing *crossing = &probe->crossing;

	*probe = (struct probe){ .sender = *sender };
	set_crossing(world, sender, target, is_answer, crossing);
	crossing->sport = is_answer ? target->port : other;
	crossing->dport = is_answer ? other : target->port;
	probe->is_odd = is_declared && !is_answer && !crossing->service;
	find_way(world, target, probe);
	probe->packet = (struct packet){
		.uid = sender->uid,
		.to = target->to,
		.sport = crossing->sport,
		.dport = crossing->dport,
		.oifname = probe->way.oifname,
		.time_ns = world->now * NS_PER_S,
	};
	set_protocol(target, &probe->packet);
	if (is_answer && target->protocol == PROTOCOL_TCP)
		probe->packet.tcp_flags = TH_SYN | TH_ACK;
	if (world->rules->uses_conntrack)
		probe->packet.direction = is_answer ? PACKET_REPLY : PACKET_ORIGINAL;
	evaluate(world, &probe->packet, &probe->result);
}

void probe_call(const struct why_world *world, const struct sender *sender,
		const struct target *target, struct probe *ret_probe)
{
	run(world, sender, target, false, ret_probe);
}

void probe_answer(const struct why_world *world, const struct sender *sender,
		  const struct target *target, struct probe *ret_probe)
{
	run(world, sender, target, true, ret_probe);
}

bool probe_is_refused_for(const struct why_world *world, const struct probe *probe, uint32_t uid)
{
	struct packet packet = probe->packet;
	struct eval_result result;

	packet.uid = uid;
	evaluate(world, &packet, &result);
	return eval_is_refused(&result);
}
