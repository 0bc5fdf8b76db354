/* SPDX-License-Identifier: GPL-2.0-or-later */
/* service.c - one policy → the chain of its service.
 *
 * The order of the accepting rules changes no verdict; what is most frequent comes first. No
 * anonymous sets: the kernel searches the whole transaction for each one (52 s instead of 1.7 s
 * for 10,000 services).
 */
#include "plan/service.h"

#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/icmp6.h>
#include <netinet/tcp.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/rtnetlink.h>

#include "plan/connect.h"
#include "plan/ports.h"
#include "plan/transparent.h"
#include "policy/values.h"

static const struct number_range domain = { 53, 53 };

struct ir_origin policy_origin(const struct policy *policy, struct place place, const char *what)
{
	place.file = policy->file;
	return (struct ir_origin){ place, what };
}

static struct ir_origin file_origin(const struct policy *policy, const char *what)
{
	return policy_origin(policy, (struct place){ 0 }, what);
}

void plan_service_counters(struct build *b, const struct policy_set *set,
			   struct plan_shared *shared)
{
	shared->service_counters = arena_alloc(b->scratch, set->n_services * sizeof(uint32_t));
	for (size_t i = 0; i < set->n_services; i++) {
		shared->service_counters[i] = IR_NONE;
		if (set->services[i].state != POLICY_OFF)
			shared->service_counters[i] = build_counter(
				b, name_service_counter(shared->names,
							set->services[i].policy->service));
	}
}

/* The end of every rule that refuses. */
static void add_refusal(struct build *b, const struct policy *policy, uint32_t counter,
			const struct plan_shared *shared)
{
	add_count(b, counter);
	add_verdict(b, IR_GOTO, policy->mode == MODE_MONITOR ? shared->observe : shared->refuse);
}

/* What would let a packet go elsewhere than its addresses say, or come from elsewhere. None of it
 * needs privilege: setsockopt(IP_OPTIONS), IPV6_RTHDR, IPV6_FREEBIND.
 */
static void plan_sanity(struct build *b, const struct policy *policy, uint32_t counter,
			const struct plan_shared *shared)
{
	uint32_t local = RTN_LOCAL;

	build_rule(b, file_origin(policy, "IP options are refused"));
	add_match_byte(b, IR_NFPROTO, IR_EQ, NFPROTO_IPV4);
	add_match_byte(b, IR_IP_HDRLENGTH, IR_NE, 5);
	add_refusal(b, policy, counter, shared);
	build_rule(b, file_origin(policy, "a routing header is refused"));
	add_match_byte(b, IR_NFPROTO, IR_EQ, NFPROTO_IPV6);
	add_match_byte(b, IR_EXTHDR_ROUTING, IR_EQ, 1);
	add_refusal(b, policy, counter, shared);
	build_rule(b, file_origin(policy, "a foreign source address is refused"));
	/* over IPv4 that takes a socket of root's, which a unit may have: not every service need
	 * pay for the look-up
	 */
	if (!policy->unit)
		add_match_byte(b, IR_NFPROTO, IR_EQ, NFPROTO_IPV6);
	add_match(b, IR_SADDR_TYPE, IR_NE, &local);
	add_count(b, counter);
	if (policy->mode == MODE_MONITOR)
		add_verdict(b, IR_GOTO, shared->observe);
	else /* as the refuse chain would; the kernel checks all chains again for every jump */
		add_verdict(b, IR_DROP, IR_NONE);
}

/* Of connections whose far side is somebody else's: it could announce addresses, and the kernel
 * would make subflows there, without an owner. Proxy and resolvers are the operator's.
 */
static bool needs_plain_tcp(const struct policy *policy, const struct plan_shared *shared)
{
	if (plan_is_led(policy, shared))
		return true;
	for (size_t i = 0; i < policy->n_connect; i++)
		if (policy->connect[i].protocol == PROTOCOL_TCP)
			return true;
	for (size_t i = 0; i < policy->n_listen; i++)
		if (policy->listen[i].protocol == PROTOCOL_TCP)
			return true;
	return false;
}

static void plan_plain_tcp(struct build *b, const struct policy *policy, uint32_t counter)
{
	build_rule(b, file_origin(policy, "plain TCP, no MPTCP: subflows have no owner"));
	add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
	add_match_masked(b, IR_TCP_FLAGS, IR_MASK_EQ, TH_SYN, TH_SYN);
	add_match_byte(b, IR_TCPOPT_MPTCP, IR_EQ, 1);
	add_strip(b, IR_TCPOPT_MPTCP);
	/* The kernel takes the option in a SYN-ACK also where its SYN arrived without: a peer in
	 * league with the service would have MPTCP all the same, and with the third segment the key
	 * that it needs to announce addresses. No goto, as above.
	 */
	build_rule(b, file_origin(policy, "MPTCP is refused: older than the policy, or its peer's "
					  "wish alone"));
	add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
	add_match_byte(b, IR_TCPOPT_MPTCP, IR_EQ, 1);
	add_count(b, counter);
	add_reject(b, IR_REJECT_TCP_RESET);
}

/* Answers of a declared TCP port are told by not being an initial SYN, without conntrack; those of
 * a UDP port only conntrack can tell from a datagram that speaks first.
 */
static void plan_answers(struct build *b, struct ir_origin origin, bool tcp,
			 const struct port_match *ports)
{
	for (size_t i = 0; i < ports->n; i++) {
		build_rule(b, origin);
		add_match_byte(b, IR_L4PROTO, IR_EQ, tcp ? IPPROTO_TCP : IPPROTO_UDP);
		add_port_match(b, ports, i, tcp ? IR_TCP_SPORT : IR_UDP_SPORT);
		if (tcp)
			add_match_masked(b, IR_TCP_FLAGS, IR_MASK_NE, TH_SYN | TH_ACK, TH_SYN);
		else
			add_match_byte(b, IR_CT_DIRECTION, IR_EQ, IP_CT_DIR_REPLY);
		add_verdict(b, IR_ACCEPT, IR_NONE);
	}
}

/* A service's own ports, over loopback at whatever address. */
static void plan_own_ports(struct build *b, struct ir_origin origin, bool tcp,
			   const struct port_match *ports)
{
	for (size_t i = 0; i < ports->n; i++) {
		build_rule(b, origin);
		add_match_byte(b, IR_L4PROTO, IR_EQ, tcp ? IPPROTO_TCP : IPPROTO_UDP);
		add_port_match(b, ports, i, tcp ? IR_TCP_DPORT : IR_UDP_DPORT);
		add_match_interface(b, "lo");
		add_verdict(b, IR_ACCEPT, IR_NONE);
	}
}

static void plan_listener(struct build *b, const struct policy *policy,
			  const struct listener *listener, struct service_sets *sets,
			  const struct plan_shared *shared)
{
	bool tcp = listener->protocol == PROTOCOL_TCP;
	struct ir_origin origin = policy_origin(policy, listener->place, "listen");
	struct port_match ports = port_match_make(b, sets, tcp ? "listen tcp" : "listen udp",
						  listener->ports, listener->n_ports);
	struct own_ports own;

	plan_answers(b, origin, tcp, &ports);
	ports_split(b, listener->ports, listener->n_ports, shared->guards[listener->protocol],
		    policy->service, &own);
	if (own.n_shared)
		ports = port_match_make(b, sets, tcp ? "own tcp" : "own udp", own.alone,
					own.n_alone);
	plan_own_ports(b, origin, tcp, &ports);
}

/* Ports that others declare too, for another address: the guards have the first word about theirs.
 */
static void plan_shared_ports(struct build *b, const struct policy *policy,
			      const struct listener *listener, struct service_sets *sets,
			      const struct plan_shared *shared)
{
	bool tcp = listener->protocol == PROTOCOL_TCP;
	struct port_match ports;
	struct own_ports own;

	ports_split(b, listener->ports, listener->n_ports, shared->guards[listener->protocol],
		    policy->service, &own);
	ports = port_match_make(b, sets, tcp ? "shared tcp" : "shared udp", own.shared,
				own.n_shared);
	plan_own_ports(b, policy_origin(policy, listener->place, "listen"), tcp, &ports);
}

static bool is_first_address(const struct config *config, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (prefix_compare(&config->proxies[j].address, &config->proxies[i].address) == 0)
			return false;
	return true;
}

/* An external proxy tells services by their ports: the way of this one, and of no other. */
static void plan_own_proxy_rules(struct build *b, const struct policy *policy, uint16_t number,
				 const struct config *config)
{
	struct number_range port = { number, number };

	for (size_t i = 0; i < config->n_proxies; i++) {
		const struct prefix *address = &config->proxies[i].address;

		if (!is_first_address(config, i))
			continue;
		build_rule(b, policy_origin(policy, policy->proxy_place, "proxy"));
		add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
		add_match_ports(b, IR_TCP_DPORT, port);
		add_match_address(b, address);
		if (prefix_is_loopback(address))
			add_match_interface(b, "lo");
		add_verdict(b, IR_ACCEPT, IR_NONE);
	}
}

static void plan_proxy_rules(struct build *b, const struct policy *policy,
			     const struct plan_shared *shared)
{
	const struct proxy_port *own = config_find_proxy_port(shared->config, policy->service);

	if (own) {
		plan_own_proxy_rules(b, policy, own->port, shared->config);
		return;
	}
	for (size_t i = 0; i < shared->n_proxy_ports; i++) {
		build_rule(b, policy_origin(policy, policy->proxy_place, "proxy"));
		add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
		add_match_ports(b, IR_TCP_DPORT, shared->proxy_ports[i]);
		add_verdict(b, IR_JUMP, shared->proxy);
	}
}

static void plan_dns_rules(struct build *b, const struct policy *policy,
			   const struct plan_shared *shared)
{
	struct ir_origin origin = policy_origin(policy, policy->dns_place, "dns");

	/* UDP-Lite has ports too: protocols are named */
	build_rule(b, origin);
	add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_UDP);
	add_match_ports(b, IR_UDP_DPORT, domain);
	add_verdict(b, IR_JUMP, shared->dns);
	build_rule(b, origin);
	add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
	add_match_ports(b, IR_TCP_DPORT, domain);
	add_verdict(b, IR_JUMP, shared->dns);
}

static bool meets_guard(const struct build *b, const struct number_range *ports, size_t n,
			uint8_t protocol, const struct plan_shared *shared)
{
	return ports_meet_guards(b, ports, n, shared->guards[protocol], NULL);
}

static bool meets_guard_by_proxy(const struct build *b, const struct policy *policy,
				 const struct plan_shared *shared)
{
	const struct proxy_port *own = config_find_proxy_port(shared->config, policy->service);
	struct number_range port = { own ? own->port : 0, own ? own->port : 0 };

	return own ? meets_guard(b, &port, 1, PROTOCOL_TCP, shared) :
		     meets_guard(b, shared->proxy_ports, shared->n_proxy_ports, PROTOCOL_TCP,
				 shared);
}

/* Whether something that the policy allows could be a port that another service opens to certain
 * users only. It may be at any address of this machine, which the plan does not know.
 */
static bool meets_guards(const struct build *b, const struct policy *policy,
			 const struct plan_shared *shared)
{
	if (policy->mode == MODE_MONITOR)
		return true;
	if (policy->proxy && meets_guard_by_proxy(b, policy, shared))
		return true;
	if (policy->dns && (meets_guard(b, &domain, 1, PROTOCOL_TCP, shared) ||
			    meets_guard(b, &domain, 1, PROTOCOL_UDP, shared)))
		return true;
	for (size_t i = 0; i < policy->n_listen; i++)
		if (ports_meet_guards(b, policy->listen[i].ports, policy->listen[i].n_ports,
				      shared->guards[policy->listen[i].protocol], policy->service))
			return true;
	for (size_t i = 0; i < policy->n_connect; i++) {
		const struct endpoint *e = &policy->connect[i];

		if (e->protocol == PROTOCOL_ICMP ||
		    (e->interface && strcmp(e->interface, "lo") != 0))
			continue;
		if (meets_guard(b, e->ports, e->n_ports, e->protocol, shared))
			return true;
	}
	return false;
}

uint32_t plan_service(struct build *b, const struct service *service, size_t number,
		      const struct plan_shared *shared)
{
	const struct policy *policy = service->policy;
	const char *name = name_service_chain(shared->names, policy->service);
	struct service_sets sets = { .names = shared->names, .chain = name };
	uint32_t counter = shared->service_counters[number], chain;

	if (service->state == POLICY_OFF)
		return IR_NONE;
	chain = build_chain(b, name, IR_HOOK_NONE);
	if (service->state == POLICY_REFUSED) {
		build_rule(b, file_origin(policy, "is wrong and never was right: refused"));
		add_count(b, counter);
		add_verdict(b, IR_GOTO, shared->refuse);
		return chain;
	}
	plan_sanity(b, policy, counter, shared);
	if (needs_plain_tcp(policy, shared) && policy->mode == MODE_ENFORCE &&
	    !shared->keeps_options)
		plan_plain_tcp(b, policy, counter);
	plan_led_rules(b, policy, shared);
	for (size_t i = 0; i < policy->n_listen; i++)
		plan_listener(b, policy, &policy->listen[i], &sets, shared);
	if (meets_guards(b, policy, shared))
		plan_guard_rules(
			b, shared,
			file_origin(policy, "listen of others: from names who may connect"));
	for (size_t i = 0; i < policy->n_listen; i++)
		plan_shared_ports(b, policy, &policy->listen[i], &sets, shared);
	plan_connect(b, policy, &sets);
	if (policy->proxy)
		plan_proxy_rules(b, policy, shared);
	if (policy->dns && shared->dns != IR_NONE)
		plan_dns_rules(b, policy, shared);
	build_rule(b, file_origin(policy, "no line allows it"));
	add_refusal(b, policy, counter, shared);
	return chain;
}
