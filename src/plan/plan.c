/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.c - policies → ruleset.
 *
 *     output ─ meta skuid vmap @services ──────────► svc-NAME ─┬─► accept
 *            ─ socket cgroupv2 vmap @units ────────►           │
 *            ─ meta skuid vmap @ranges ────────────►           ├─► dns, proxy ─► accept
 *            ─ lo, dport vmap @tcp-guards ─► from-… ─► refuse  └─► refuse (or observe)
 *            ─ SYN ─► syn ─ initial, sport vmap @tcp-listeners ─► svc-NAME
 *                         └ with an MPTCP option ─► unowned
 *
 * All that services share stands in chains of its own: a new name server changes one chain, not one
 * for each service.
 */
#include "plan/plan.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/rtnetlink.h>

#include "plan/build.h"
#include "plan/ports.h"
#include "plan/service.h"
#include "plan/transparent.h"
#include "plan/units.h"

static const struct ir_origin no_origin;

static struct ir_origin shared_origin(const char *what)
{
	return (struct ir_origin){ .what = what };
}

/* --- what every service may go to ---------------------------------------------------------------
 */

/* The answer to a packet goes to its source address. A foreign one, which IPV6_FREEBIND sets
 * without privilege, would take the reset or the error out of the machine, the error with up to
 * 1,200 bytes of the service's data in it: such packets are dropped without a word. Over IPv4 it
 * takes a socket that root opened (IP_TRANSPARENT, raw) and that `unit` makes the service's.
 */
static void plan_refuse(struct build *b, struct plan_shared *shared)
{
	uint32_t local = RTN_LOCAL;

	shared->refuse = build_chain(b, "refuse", IR_HOOK_NONE);
	build_rule(b, shared_origin("refused: no answer to a foreign address"));
	add_match(b, IR_SADDR_TYPE, IR_NE, &local);
	add_verdict(b, IR_DROP, IR_NONE);
	build_rule(b, shared_origin("refused: connect() fails at once"));
	add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
	add_reject(b, IR_REJECT_TCP_RESET);
	build_rule(b, shared_origin("refused: send() fails at once"));
	add_reject(b, IR_REJECT_ADMIN_PROHIBITED);
}

static void plan_observe(struct build *b, const struct policy_set *set, struct plan_shared *shared)
{
	bool needed = false;

	for (size_t i = 0; i < set->n_services; i++)
		needed = needed || (set->services[i].state != POLICY_OFF &&
				    set->services[i].policy->mode == MODE_MONITOR);
	if (!needed)
		return;
	shared->observe = build_chain(b, "observe", IR_HOOK_NONE);
	build_rule(b, shared_origin("monitor mode: passes"));
	add_verdict(b, IR_ACCEPT, IR_NONE);
}

static void plan_dns(struct build *b, const struct config *config, struct plan_shared *shared)
{
	if (!config->n_resolvers)
		return;
	shared->dns = build_chain(b, "dns", IR_HOOK_NONE);
	for (size_t i = 0; i < config->n_resolvers; i++) {
		const struct resolver *resolver = &config->resolvers[i];

		build_rule(b, shared_origin("resolver"));
		add_match_address(b, &resolver->address);
		if (resolver->interface)
			add_match_interface(b, resolver->interface);
		else if (prefix_is_loopback(&resolver->address))
			add_match_interface(b, "lo");
		add_verdict(b, IR_ACCEPT, IR_NONE);
	}
}

static bool is_first_with_port(const struct config *config, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (config->proxies[j].port == config->proxies[i].port)
			return false;
	return true;
}

static void plan_proxy(struct build *b, const struct config *config, struct plan_shared *shared)
{
	shared->proxy_ports =
		arena_alloc(b->scratch, config->n_proxies * sizeof(*shared->proxy_ports));
	shared->proxy = build_chain(b, "proxy", IR_HOOK_NONE);
	for (size_t i = 0; i < config->n_proxies; i++) {
		const struct proxy_address *proxy = &config->proxies[i];
		struct number_range port = { proxy->port, proxy->port };

		if (is_first_with_port(config, i))
			shared->proxy_ports[shared->n_proxy_ports++] = port;
		build_rule(b, shared_origin("forward proxy"));
		add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
		add_match_ports(b, IR_TCP_DPORT, port);
		add_match_address(b, &proxy->address);
		if (prefix_is_loopback(&proxy->address))
			add_match_interface(b, "lo");
		add_verdict(b, IR_ACCEPT, IR_NONE);
	}
}

/* --- who is it? ---------------------------------------------------------------------------------
 */

static struct ir_element *add_goto(struct build *b, uint32_t first, uint32_t last, uint32_t chain)
{
	struct ir_element *e = build_element(b);

	first = htonl(first);
	last = htonl(last);
	memcpy(e->key, &first, sizeof(first));
	memcpy(e->last, &last, sizeof(last));
	e->verdict = IR_GOTO;
	e->chain = chain;
	return e;
}

static void add_owners(struct build *b, const struct uid_owner *owners, size_t n,
		       const struct plan_shared *shared)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t chain = shared->refuse;

		if (owners[i].service != NO_SERVICE)
			chain = shared->service_chains[owners[i].service];
		if (chain != IR_NONE)
			add_goto(b, owners[i].uids.first, owners[i].uids.last, chain);
	}
	build_set_finish(b);
}

/* --- the base chain -----------------------------------------------------------------------------
 */

/* Subflows that the kernel makes for MPTCP have no owner: nothing says whose policy they break. So
 * the services never get that far: they are not told from plain TCP, which their peers fall back
 * to, once the option is stripped from their SYNs and SYN-ACKs. The SYN-ACK of a SYN cookie has no
 * owner either; there it is stripped for everybody. A kernel that cannot strip has to drop what
 * might be a service's subflow.
 */
static uint32_t plan_unowned(struct build *b, bool keeps_options)
{
	uint32_t chain = build_chain(b, "unowned", IR_HOOK_NONE);

	build_rule(b, shared_origin("an owner is known: not made by the kernel"));
	add_match_number(b, IR_SKUID, IR_GE, 0);
	add_verdict(b, IR_RETURN, IR_NONE);
	if (keeps_options) {
		build_rule(b, shared_origin("an MPTCP subflow without an owner"));
		add_verdict(b, IR_DROP, IR_NONE);
		return chain;
	}
	build_rule(b, shared_origin("a SYN cookie: no MPTCP, no subflows without an owner"));
	add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
	add_strip(b, IR_TCPOPT_MPTCP);
	return chain;
}

/* A socket that is not the service's own (a master that runs as root) on a port that the service
 * declared is judged as the service's when it calls out: a listener, re-aimed with
 * connect(AF_UNSPEC) and connect(), sends SYNs from its port.
 */
static uint32_t plan_syn(struct build *b, uint32_t tcp_listeners, bool keeps_options)
{
	uint32_t unowned = plan_unowned(b, keeps_options),
		 chain = build_chain(b, "syn", IR_HOOK_NONE);

	if (tcp_listeners != IR_NONE) {
		build_rule(b, shared_origin("a declared port does not call out"));
		add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
		add_match_masked(b, IR_TCP_FLAGS, IR_MASK_EQ, TH_SYN | TH_ACK, TH_SYN);
		add_vmap(b, IR_TCP_SPORT, tcp_listeners);
	}
	build_rule(b, no_origin);
	add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
	if (keeps_options)
		add_match_masked(b, IR_TCP_FLAGS, IR_MASK_EQ, TH_SYN | TH_ACK, TH_SYN);
	else
		add_match_masked(b, IR_TCP_FLAGS, IR_MASK_EQ, TH_SYN | TH_ACK, TH_SYN | TH_ACK);
	add_match_byte(b, IR_TCPOPT_MPTCP, IR_EQ, 1);
	add_verdict(b, IR_JUMP, unowned);
	return chain;
}

static void plan_output(struct build *b, uint32_t services, uint32_t ranges, uint32_t udp_listeners,
			uint32_t syn, const struct plan_units *units,
			const struct plan_shared *shared)
{
	build_chain(b, "output", IR_HOOK_OUTPUT);
	build_rule(b, no_origin);
	add_vmap(b, IR_SKUID, services);
	plan_unit_rules(b, units);
	if (ranges != IR_NONE) {
		const struct ir_set *set = &b->ruleset.sets[ranges];

		/* spares everybody below the lowest range the interval look-up */
		build_rule(b, no_origin);
		add_match(b, IR_SKUID, IR_GE, b->ruleset.elements[set->first_element].key);
		add_vmap(b, IR_SKUID, ranges);
	}
	plan_guard_rules(b, shared, shared_origin("listen: from names who may connect"));
	if (udp_listeners != IR_NONE) {
		build_rule(b, shared_origin("a declared port does not call out"));
		add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_UDP);
		add_match_byte(b, IR_CT_DIRECTION, IR_EQ, IP_CT_DIR_ORIGINAL);
		add_vmap(b, IR_UDP_SPORT, udp_listeners);
	}
	build_rule(b, no_origin);
	add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
	add_match_masked(b, IR_TCP_FLAGS, IR_MASK_EQ, TH_SYN, TH_SYN);
	add_verdict(b, IR_JUMP, syn);
}

void plan_build(const struct policy_set *set, struct arena *arena, struct ir_ruleset *ret_ruleset)
{
	AUTO(arena) struct arena *scratch = arena_new();
	struct build b = { .arena = arena, .scratch = scratch };
	struct plan_shared shared = {
		.names = arena,
		.config = &set->config,
		.observe = IR_NONE,
		.dns = IR_NONE,
		.guards = { IR_NONE, IR_NONE },
		.service_chains = arena_alloc(scratch, set->n_services * sizeof(uint32_t)),
		.keeps_options = set->keeps_options,
	};
	struct plan_units units;
	struct plan_ways ways;
	uint32_t services, ranges = IR_NONE, listeners[2], syn;

	plan_refuse(&b, &shared);
	plan_observe(&b, set, &shared);
	plan_dns(&b, &set->config, &shared);
	plan_proxy(&b, &set->config, &shared);
	plan_find_proxy(set, &shared);
	plan_service_counters(&b, set, &shared);
	plan_guards(&b, set, &shared);
	for (size_t i = 0; i < set->n_services; i++)
		shared.service_chains[i] = plan_service(&b, &set->services[i], i, &shared);

	services = build_set(&b, "services", IR_KEY_UID, true, false);
	add_owners(&b, set->named, set->n_named, &shared);
	ranges = build_set(&b, "ranges", IR_KEY_UID, true, true);
	add_owners(&b, set->ranges, set->n_ranges, &shared);
	if (b.ruleset.sets[ranges].n_elements == 0) {
		b.ruleset.n_sets--;
		ranges = IR_NONE;
	}
	plan_listener_maps(&b, set, &shared, listeners);
	plan_ways(&b, set, &shared, &ways);
	plan_units(&b, set, &shared, &units);
	syn = plan_syn(&b, listeners[PROTOCOL_TCP], set->keeps_options);
	plan_output(&b, services, ranges, listeners[PROTOCOL_UDP], syn, &units, &shared);
	plan_way_chains(&b, &ways, &units, &shared);
	b.ruleset.uses_conntrack = listeners[PROTOCOL_UDP] != IR_NONE || ways.any;

	ir_check(&b.ruleset);
	build_finish(&b, ret_ruleset);
}
