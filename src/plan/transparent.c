/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transparent.c - "transparent": which connections are led to the built-in proxy, and the rules.
 *
 *     opening (NAT) ─ initial SYN ─► ways ─ meta skuid vmap @way-services ───┐
 *                                         ─ socket cgroupv2 vmap @way-units ─┼─► way-NAME ─► dnat
 *                                         ─ meta skuid vmap @way-ranges ─────┘      └─► as it is
 *     output  (filter) ... svc-NAME ─ led there ─► accept
 *     leaving (filter) ─ led away, and not by lo ─► strayed ─► drop
 *     arriving (filter) ─ from another port than it began with ─► shifted ─► reset
 *
 * The kernel asks NAT chains about the first packet of a connection only, conntrack does the rest.
 * All that follows was tried on Linux 6.18: docs/decisions/transparent.md.
 */
#include "plan/transparent.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>

#include "plan/connect.h"
#include "plan/ports.h"
#include "policy/values.h"

static const struct number_range web[] = { { 80, 80 }, { 443, 443 } };
static const struct number_range domain = { 53, 53 };

static struct ir_origin shared_origin(const char *what)
{
	return (struct ir_origin){ .what = what };
}

/* --- who is led, and where -------------------------------------------------------------------- */

void plan_find_proxy(const struct policy_set *set, struct plan_shared *shared)
{
	const struct config *config = &set->config;

	for (size_t i = config->proxy_is_external || set->lacks_nat ? 0 : config->n_proxies;
	     i-- > 0;) {
		const struct proxy_address *proxy = &config->proxies[i];

		shared->led_to[proxy->address.family == ADDR_V6] = proxy;
	}
	/* Several: with one alone NAT would have to change source ports, see plan_arriving(). */
	shared->led_ports = config_transparent_ports(config);
}

bool plan_is_led(const struct policy *policy, const struct plan_shared *shared)
{
	return policy->transparent && policy->proxy && (shared->led_to[0] || shared->led_to[1]);
}

static bool is_led(const struct service *service, const struct plan_shared *shared)
{
	return (service->state == POLICY_GOOD || service->state == POLICY_LAST_GOOD) &&
	       plan_is_led(service->policy, shared);
}

/* The filter's chains are called with the interface by which the packet would have left before it
 * was led away, so this cannot say "lo", and without conntrack's word it would open the proxy's
 * address on the wire.
 */
void plan_led_rules(struct build *b, const struct policy *policy, const struct plan_shared *shared)
{
	for (size_t i = 0; plan_is_led(policy, shared) && i < ARRAY_SIZE(shared->led_to); i++) {
		const struct proxy_address *proxy = shared->led_to[i];

		if (!proxy)
			continue;
		build_rule(b, policy_origin(policy, policy->transparent_place, "transparent"));
		add_match_address(b, &proxy->address);
		add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
		add_match_ports(b, IR_TCP_DPORT, shared->led_ports);
		add_match_masked(b, IR_CT_STATUS, IR_MASK_NE, IPS_DST_NAT, 0);
		add_match_byte(b, IR_CT_DIRECTION, IR_EQ, IP_CT_DIR_ORIGINAL);
		add_verdict(b, IR_ACCEPT, IR_NONE);
	}
}

/* --- one service ------------------------------------------------------------------------------ */

struct led_port {
	uint16_t port;
	struct ir_origin origin;
};

struct led_ports {
	struct led_port *list; /* in the order of the file, after the web's */
	size_t n;
};

static void add_led_port(struct build *b, struct led_ports *ports, uint16_t port,
			 struct ir_origin origin)
{
	for (size_t i = 0; i < ports->n; i++)
		if (ports->list[i].port == port)
			return;
	*ARENA_APPEND(b->scratch, ports->list, ports->n) = (struct led_port){ port, origin };
}

static struct led_ports find_led_ports(struct build *b, const struct policy *policy)
{
	struct led_ports ports = { NULL, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(web); i++)
		add_led_port(b, &ports, (uint16_t)web[i].first,
			     policy_origin(policy, policy->transparent_place, "transparent"));
	for (size_t i = 0; i < policy->n_hosts; i++)
		if (policy->hosts[i].port)
			add_led_port(b, &ports, policy->hosts[i].port,
				     policy_origin(policy, policy->hosts[i].place, "hosts"));
	return ports;
}

static bool has_led_port(const struct led_ports *ports, struct number_range range)
{
	for (size_t i = 0; i < ports->n; i++)
		if (ports->list[i].port >= range.first && ports->list[i].port <= range.last)
			return true;
	return false;
}

/* Whether an endpoint of "connect" is one that would be led away. */
static bool is_exempt(const struct endpoint *e, const void *data)
{
	const struct led_ports *ports = data;

	if (e->protocol != PROTOCOL_TCP || e->to.family == ADDR_NONE || prefix_is_loopback(&e->to))
		return false;
	for (size_t i = 0; i < e->n_ports; i++)
		if (has_led_port(ports, e->ports[i]))
			return true;
	return false;
}

static void add_family(struct build *b, unsigned v6)
{
	add_match_byte(b, IR_NFPROTO, IR_EQ, v6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
}

static void plan_led_port(struct build *b, const struct led_port *port,
			  const struct plan_shared *shared)
{
	for (unsigned v6 = 0; v6 < ARRAY_SIZE(shared->led_to); v6++) {
		if (!shared->led_to[v6])
			continue;
		build_rule(b, port->origin);
		add_family(b, v6);
		add_match_ports(b, IR_TCP_DPORT, (struct number_range){ port->port, port->port });
		add_dnat(b, &shared->led_to[v6]->address, shared->led_ports);
	}
}

/* Many ports are a set, whose elements name their lines. */
static void plan_led_set(struct build *b, const struct policy *policy, struct service_sets *sets,
			 const struct led_port *ports, size_t n, const struct plan_shared *shared)
{
	uint32_t set = build_set(b, service_set_name(sets, "led"), IR_KEY_PORT, false, false);

	for (size_t i = 0; i < n; i++) {
		struct ir_element *e = build_element(b);
		uint16_t port = htons(ports[i].port);

		memcpy(e->key, &port, sizeof(port));
		memcpy(e->last, &port, sizeof(port));
		e->origin = ports[i].origin;
	}
	build_set_finish(b);
	for (unsigned v6 = 0; v6 < ARRAY_SIZE(shared->led_to); v6++) {
		if (!shared->led_to[v6])
			continue;
		build_rule(b, policy_origin(policy, (struct place){ 0 }, "hosts"));
		add_family(b, v6);
		add_lookup(b, IR_TCP_DPORT, IR_FIELD_COUNT, set);
		add_dnat(b, &shared->led_to[v6]->address, shared->led_ports);
	}
}

/* What stays as it is comes first: loopback and this machine's own addresses, which is what goes by
 * lo; the endpoints of "connect"; the resolvers, where "hosts" names their port.
 */
static uint32_t plan_way(struct build *b, const struct policy *policy,
			 const struct plan_shared *shared)
{
	const char *name = name_way_chain(shared->names, policy->service);
	struct service_sets sets = { .names = shared->names, .chain = name };
	struct led_ports ports = find_led_ports(b, policy);
	uint32_t chain = build_chain(b, name, IR_HOOK_NONE);

	build_rule(b, policy_origin(policy, policy->transparent_place,
				    "transparent: not on this machine"));
	add_match_interface(b, "lo");
	add_verdict(b, IR_ACCEPT, IR_NONE);
	plan_connect_some(b, policy, &sets, is_exempt, &ports);
	if (policy->dns && shared->dns != IR_NONE && has_led_port(&ports, domain)) {
		build_rule(b, policy_origin(policy, policy->dns_place, "dns"));
		add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
		add_match_ports(b, IR_TCP_DPORT, domain);
		add_verdict(b, IR_JUMP, shared->dns);
	}
	for (size_t i = 0; i < ports.n; i++)
		if (i < ARRAY_SIZE(web) || ports.n - ARRAY_SIZE(web) <= PLAN_HANDFUL)
			plan_led_port(b, &ports.list[i], shared);
	if (ports.n - ARRAY_SIZE(web) > PLAN_HANDFUL)
		plan_led_set(b, policy, &sets, ports.list + ARRAY_SIZE(web),
			     ports.n - ARRAY_SIZE(web), shared);
	return chain;
}

/* --- whose is it? -----------------------------------------------------------------------------
 *
 * Of several claims the same one has to win as in the filter's maps: where others may stand in
 * front of a service's unit or range, they are in these maps too, and left as they are.
 */

struct plan_way_maps {
	const struct policy_set *set;
	const struct plan_shared *shared;
	uint32_t *chains;	  /* by service; IR_NONE: not led */
	uint32_t direct;	  /* the chain of the others */
	bool any_unit, any_range; /* is led */
	bool has_units;		  /* any service */
};

static uint32_t way_of(const struct plan_way_maps *maps, uint32_t service)
{
	return service == NO_SERVICE ? IR_NONE : maps->chains[service];
}

static bool is_off(const struct plan_way_maps *maps, uint32_t service)
{
	return service != NO_SERVICE && maps->shared->service_chains[service] == IR_NONE;
}

/* Whether a range that is led holds the uid. */
static bool in_led_range(const struct plan_way_maps *maps, uint32_t uid)
{
	const struct policy_set *set = maps->set;
	size_t low = 0, high = set->n_ranges;

	while (maps->any_range && low < high) {
		size_t middle = low + (high - low) / 2;
		const struct uid_owner *range = &set->ranges[middle];

		if (range->uids.last < uid)
			low = middle + 1;
		else if (range->uids.first > uid)
			high = middle;
		else
			return way_of(maps, range->service) != IR_NONE;
	}
	return false;
}

static void add_uids(struct build *b, struct number_range uids, uint32_t chain)
{
	struct ir_element *e = build_element(b);
	uint32_t first = htonl(uids.first), last = htonl(uids.last);

	memcpy(e->key, &first, sizeof(first));
	memcpy(e->last, &last, sizeof(last));
	e->verdict = IR_GOTO;
	e->chain = chain;
}

/* A map that would be empty is not made. */
static uint32_t finish_map(struct build *b, uint32_t map)
{
	build_set_finish(b);
	if (b->ruleset.sets[map].n_elements)
		return map;
	b->ruleset.n_sets--;
	return IR_NONE;
}

static uint32_t plan_way_services(struct build *b, const struct plan_way_maps *maps)
{
	const struct policy_set *set = maps->set;
	uint32_t map = build_set(b, PLAN_WAYS, IR_KEY_UID, true, false);

	for (size_t i = 0; i < set->n_named; i++) {
		const struct uid_owner *owner = &set->named[i];
		uint32_t chain = way_of(maps, owner->service);

		if (chain == IR_NONE && !is_off(maps, owner->service) &&
		    (maps->any_unit || in_led_range(maps, owner->uids.first)))
			chain = maps->direct;
		if (chain != IR_NONE)
			add_uids(b, owner->uids, chain);
	}
	return finish_map(b, map);
}

static uint32_t plan_way_units(struct build *b, const struct plan_way_maps *maps)
{
	const struct policy_set *set = maps->set;
	uint32_t map;

	if (!maps->has_units || (!maps->any_unit && !maps->any_range))
		return IR_NONE;
	map = build_set(b, PLAN_WAY_UNITS, IR_KEY_CGROUP, true, false);
	for (size_t i = 0; i < set->n_groups; i++) {
		const struct unit_group *group = &set->groups[i];
		uint32_t chain = way_of(maps, group->service);

		if (!is_off(maps, group->service))
			plan_unit_element(b, set, group, chain == IR_NONE ? maps->direct : chain);
	}
	build_set_finish(b);
	b->ruleset.sets[map].size = 0; /* as plan_units() has it, and why */
	return map;
}

static uint32_t plan_way_ranges(struct build *b, const struct plan_way_maps *maps)
{
	const struct policy_set *set = maps->set;
	uint32_t map = build_set(b, PLAN_WAY_RANGES, IR_KEY_UID, true, true);

	for (size_t i = 0; i < set->n_ranges; i++) {
		uint32_t chain = way_of(maps, set->ranges[i].service);

		if (chain != IR_NONE)
			add_uids(b, set->ranges[i].uids, chain);
	}
	return finish_map(b, map);
}

static uint32_t plan_direct(struct build *b)
{
	uint32_t chain = build_chain(b, "direct", IR_HOOK_NONE);

	build_rule(b, shared_origin("not transparent: as it is"));
	add_verdict(b, IR_ACCEPT, IR_NONE);
	return chain;
}

void plan_ways(struct build *b, const struct policy_set *set, const struct plan_shared *shared,
	       struct plan_ways *ret_ways)
{
	struct plan_way_maps maps = {
		.set = set,
		.shared = shared,
		.chains = arena_alloc(b->scratch, set->n_services * sizeof(uint32_t)),
		.direct = IR_NONE,
	};

	*ret_ways = (struct plan_ways){ IR_NONE, IR_NONE, IR_NONE, false };
	for (size_t i = 0; i < set->n_services; i++) {
		const struct service *service = &set->services[i];
		bool led = is_led(service, shared);

		maps.chains[i] = led ? plan_way(b, service->policy, shared) : IR_NONE;
		maps.has_units =
			maps.has_units || (service->policy->unit && service->state != POLICY_OFF);
		maps.any_unit = maps.any_unit || (led && service->policy->unit);
		ret_ways->any = ret_ways->any || led;
	}
	if (!ret_ways->any)
		return;
	for (size_t i = 0; i < set->n_ranges; i++)
		maps.any_range = maps.any_range || way_of(&maps, set->ranges[i].service) != IR_NONE;
	if (maps.any_unit || maps.any_range)
		maps.direct = plan_direct(b);
	ret_ways->services = plan_way_services(b, &maps);
	ret_ways->ranges = plan_way_ranges(b, &maps);
	ret_ways->units = plan_way_units(b, &maps);
}

/* --- the base chains -------------------------------------------------------------------------- */

static void plan_opening(struct build *b, const struct plan_ways *ways,
			 const struct plan_units *units)
{
	const struct plan_units led = { ways->units, units->levels };
	uint32_t chain = build_chain(b, "ways", IR_HOOK_NONE);

	if (ways->services != IR_NONE) {
		build_rule(b, (struct ir_origin){ 0 });
		add_vmap(b, IR_SKUID, ways->services);
	}
	plan_unit_rules(b, &led);
	if (ways->ranges != IR_NONE) {
		build_rule(b, (struct ir_origin){ 0 });
		add_vmap(b, IR_SKUID, ways->ranges);
	}
	/* What conntrack picks up in its middle is not led away: the filter refuses it. */
	build_chain(b, "opening", IR_HOOK_NAT_OUTPUT);
	build_rule(b, (struct ir_origin){ 0 });
	add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
	add_match_masked(b, IR_TCP_FLAGS, IR_MASK_EQ, TH_SYN | TH_ACK, TH_SYN);
	add_verdict(b, IR_JUMP, chain);
}

/* SO_BINDTODEVICE, which needs no privilege, holds for the new way as well: the SYN to 127.0.0.1,
 * and what data fast open puts into it, would leave by the uplink.
 */
static void plan_leaving(struct build *b, const struct plan_shared *shared)
{
	static const char lo[IR_VALUE_MAX] = "lo";
	uint32_t strayed = build_chain(b, "strayed", IR_HOOK_NONE);

	for (size_t i = 0; i < ARRAY_SIZE(shared->led_to); i++) {
		const struct proxy_address *proxy = shared->led_to[i];

		if (!proxy)
			continue;
		build_rule(b, shared_origin("what was led to the proxy leaves by lo"));
		add_match_address(b, &proxy->address);
		add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
		add_match_ports(b, IR_TCP_DPORT, shared->led_ports);
		add_verdict(b, IR_DROP, IR_NONE);
	}
	build_chain(b, "leaving", IR_HOOK_POSTROUTING);
	build_rule(b, (struct ir_origin){ 0 });
	add_match_masked(b, IR_CT_STATUS, IR_MASK_NE, IPS_DST_NAT, 0);
	add_match(b, IR_OIFNAME, IR_NE, lo);
	add_verdict(b, IR_JUMP, strayed);
}

/* Two connections from one source port that are led to one address would be the same on their way
 * back, so the kernel gives the second one another port: the proxy, which looks up whose socket has
 * it, would find nobody's, or that of somebody who is connected from there to the same target
 * directly. The program may try again, from another port.
 */
static void plan_arriving(struct build *b, const struct plan_shared *shared)
{
	uint32_t shifted = build_chain(b, "shifted", IR_HOOK_NONE);

	for (size_t i = 0; i < ARRAY_SIZE(shared->led_to); i++) {
		const struct proxy_address *proxy = shared->led_to[i];

		if (!proxy)
			continue;
		build_rule(b,
			   shared_origin("a port that NAT chose: the proxy could not tell whose"));
		add_match_address(b, &proxy->address);
		add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
		add_match_ports(b, IR_TCP_DPORT, shared->led_ports);
		add_reject(b, IR_REJECT_TCP_RESET);
	}
	build_chain(b, "arriving", IR_HOOK_INPUT);
	build_rule(b, (struct ir_origin){ 0 });
	add_match_masked(b, IR_CT_STATUS, IR_MASK_NE, IPS_SRC_NAT, 0);
	add_match_byte(b, IR_CT_DIRECTION, IR_EQ, IP_CT_DIR_ORIGINAL);
	add_verdict(b, IR_JUMP, shifted);
}

void plan_way_chains(struct build *b, const struct plan_ways *ways, const struct plan_units *units,
		     const struct plan_shared *shared)
{
	if (ways->services == IR_NONE && ways->units == IR_NONE && ways->ranges == IR_NONE)
		return;
	plan_opening(b, ways, units);
	plan_leaving(b, shared);
	plan_arriving(b, shared);
}
