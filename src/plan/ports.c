/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ports.c - declared ports: maps from port to chain, and matches on lists of ports.
 *
 * Several services may declare one port (on different addresses, or by mistake); a map has room for
 * one chain. So claims are painted on an array of all ports first, and where two meet, a chain
 * that stands for both is made.
 */
#include "plan/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <string.h>

#include "base/hash.h"
#include "policy/values.h"

enum {
	PORTS = UINT16_MAX + 1,
	SINGLE_PORTS_MAX = 4096, /* with more, and long ranges, the map takes ranges */
};

uint32_t ports_digest(const struct number_range *ports, size_t n)
{
	uint32_t hash = HASH_START;

	for (size_t i = 0; i < n; i++)
		for (unsigned shift = 0; shift < 16; shift += 8)
			hash = hash_byte(hash_byte(hash, (uint8_t)(ports[i].first >> shift)),
					 (uint8_t)(ports[i].last >> shift));
	return hash;
}

static bool is_used(const struct service_sets *sets, uint32_t name)
{
	for (size_t i = 0; i < sets->n_used; i++)
		if (sets->used[i] == name)
			return true;
	return false;
}

const char *service_set_name(struct service_sets *sets, const char *meaning, ...)
{
	AUTO(mem) char *text = NULL;
	uint32_t name;
	va_list args;

	va_start(args, meaning);
	if (vasprintf(&text, meaning, args) < 0)
		abort();
	va_end(args);
	/* two lines that say the same but for the elements, or a collision */
	for (name = hash_text(text); is_used(sets, name); name++)
		;
	*ARENA_APPEND(sets->names, sets->used, sets->n_used) = name;
	return name_chain_set(sets->names, sets->chain, name);
}

/* --- lists of ports -----------------------------------------------------------------------------
 */

static void add_port_element(struct build *b, uint32_t first, uint32_t last, uint32_t chain,
			     enum ir_verdict verdict, struct ir_origin origin)
{
	struct ir_element *e = build_element(b);
	uint16_t low = htons((uint16_t)first), high = htons((uint16_t)last);

	memcpy(e->key, &low, sizeof(low));
	memcpy(e->last, &high, sizeof(high));
	e->chain = chain;
	e->verdict = (uint8_t)verdict;
	e->origin = origin;
}

struct port_match port_match_make(struct build *b, struct service_sets *sets, const char *meaning,
				  const struct number_range *ports, size_t n)
{
	struct port_match match = { ports, n, IR_NONE };

	if (n <= PLAN_HANDFUL)
		return match;
	match.n = 1;
	match.set =
		build_set(b, service_set_name(sets, "ports %s", meaning), IR_KEY_PORT, false, true);
	for (size_t i = 0; i < n; i++)
		add_port_element(b, ports[i].first, ports[i].last, IR_NONE, IR_ACCEPT,
				 (struct ir_origin){ 0 });
	build_set_finish(b);
	return match;
}

void add_port_match(struct build *b, const struct port_match *match, size_t i, enum ir_field field)
{
	if (match->set == IR_NONE)
		add_match_ports(b, field, match->ports[i]);
	else
		add_lookup(b, field, IR_FIELD_COUNT, match->set);
}

/* --- maps from port to chain --------------------------------------------------------------------
 */

/* What is painted: 0 nothing, else a number of a claim. */
struct canvas {
	uint32_t *ports;
	size_t n_painted;
};

static struct canvas canvas_new(struct arena *arena)
{
	return (struct canvas){ arena_alloc(arena, PORTS * sizeof(uint32_t)), 0 };
}

/* How many elements a map of ranges would have. */
static size_t count_runs(const struct canvas *canvas)
{
	size_t n = 0;

	for (uint32_t port = 1; port < PORTS; port++)
		n += canvas->ports[port] && canvas->ports[port] != canvas->ports[port - 1];
	return n;
}

/* Makes the map from the runs of one colour; chains[colour - 1] says where each goes. */
static uint32_t make_map(struct build *b, const char *name, const struct canvas *canvas,
			 const uint32_t *chains, const struct ir_origin *origins,
			 enum ir_verdict verdict)
{
	/* A hash changes element by element, an interval map is made anew. */
	bool is_interval =
		canvas->n_painted > SINGLE_PORTS_MAX && count_runs(canvas) < canvas->n_painted / 2;
	uint32_t map;

	if (!canvas->n_painted)
		return IR_NONE;
	map = build_set(b, name, IR_KEY_PORT, true, is_interval);
	for (uint32_t port = 1; port < PORTS; port++) {
		uint32_t colour = canvas->ports[port], last = port;

		if (!colour)
			continue;
		while (is_interval && last + 1 < PORTS && canvas->ports[last + 1] == colour)
			last++;
		add_port_element(b, port, last, chains[colour - 1], verdict, origins[colour - 1]);
		port = last;
	}
	build_set_finish(b);
	return map;
}

/* --- who may connect: listen ... from -----------------------------------------------------------
 */

/* A colour: one listener, or one more on a port of the colour `before`. */
struct guard {
	uint32_t before;   /* 0: none */
	uint32_t listener; /* the colour of the one more */
	uint32_t chain;	   /* IR_NONE: of several listeners, and not made yet */
	struct ir_origin origin;
};

struct guards {
	struct guard *list; /* by colour - 1 */
	size_t n;
};

static void add_guard_refusal(struct build *b, const struct policy *policy, uint32_t counter,
			      const struct plan_shared *shared)
{
	add_count(b, counter);
	if (policy->mode == MODE_MONITOR)
		add_verdict(b, IR_RETURN, IR_NONE); /* others' policies still hold */
	else
		add_verdict(b, IR_GOTO, shared->refuse);
}

static void add_users(struct build *b, const struct policy *policy, const struct listener *listener,
		      const char *set_name)
{
	uint32_t set;

	if (listener->n_from <= PLAN_HANDFUL) {
		for (size_t i = 0; i < listener->n_from; i++) {
			build_rule(b, policy_origin(policy, listener->from[i].place, "from"));
			add_match_number(b, IR_SKUID, IR_EQ, listener->from[i].uid);
			add_verdict(b, IR_RETURN, IR_NONE);
		}
		return;
	}
	set = build_set(b, set_name, IR_KEY_UID, false, false);
	for (size_t i = 0; i < listener->n_from; i++) {
		struct ir_element *e = build_element(b);
		uint32_t uid = htonl(listener->from[i].uid);

		memcpy(e->key, &uid, sizeof(uid));
		memcpy(e->last, &uid, sizeof(uid));
		e->origin = policy_origin(policy, listener->from[i].place, "from");
	}
	build_set_finish(b);
	build_rule(b, policy_origin(policy, listener->place, "from"));
	add_lookup(b, IR_SKUID, IR_FIELD_COUNT, set);
	add_verdict(b, IR_RETURN, IR_NONE);
}

/* Refuses everybody who is not named. What a connection's socket still sends after it was closed
 * has no owner and passes: only an initial SYN without one (an MPTCP subflow) does not.
 */
static uint32_t plan_guard(struct build *b, const struct policy *policy,
			   const struct listener *listener, const char *name, uint32_t counter,
			   struct plan_shared *shared)
{
	uint32_t chain = build_chain(b, name, IR_HOOK_NONE);
	struct ir_origin refusal =
		policy_origin(policy, listener->place, "listen: from does not name them");

	build_rule(b, policy_origin(policy, listener->place, "listen: root always may"));
	add_match_number(b, IR_SKUID, IR_EQ, 0);
	add_verdict(b, IR_RETURN, IR_NONE);
	add_users(b, policy, listener, name);
	if (listener->protocol == PROTOCOL_TCP) {
		build_rule(b, refusal);
		add_match_number(b, IR_SKUID, IR_NE, 0);
		add_guard_refusal(b, policy, counter, shared);
		build_rule(b, refusal);
		add_match_byte(b, IR_L4PROTO, IR_EQ, IPPROTO_TCP);
		add_match_masked(b, IR_TCP_FLAGS, IR_MASK_EQ, TH_SYN | TH_ACK, TH_SYN);
		add_guard_refusal(b, policy, counter, shared);
	} else {
		build_rule(b, refusal);
		add_guard_refusal(b, policy, counter, shared);
	}
	return chain;
}

static uint32_t guard_add(struct build *b, struct guards *guards, struct guard guard)
{
	*ARENA_APPEND(b->scratch, guards->list, guards->n) = guard;
	return (uint32_t)guards->n;
}

/* The colour of a port on which `listener` joins others. All colours behind the listener's own were
 * made for it.
 */
static uint32_t guard_join(struct build *b, struct guards *guards, uint32_t before,
			   uint32_t listener)
{
	for (size_t i = guards->n; i > listener; i--)
		if (guards->list[i - 1].before == before)
			return (uint32_t)i;
	return guard_add(
		b, guards,
		(struct guard){ before, listener, IR_NONE, { .what = "declared more than once" } });
}

/* Where several listeners declare a port, all of them must let a caller pass. One flat chain: the
 * kernel follows no more than 16 jumps, and any number of services may declare a port.
 */
static void make_guard_chain(struct build *b, struct guards *guards, uint32_t colour,
			     const char *map, uint32_t port, const struct plan_shared *shared)
{
	struct guard *guard = &guards->list[colour - 1];

	if (guard->chain != IR_NONE)
		return;
	guard->chain =
		build_chain(b, arena_printf(shared->names, "%s.%u", map, port), IR_HOOK_NONE);
	while (colour) {
		const struct guard *next = &guards->list[colour - 1];
		const struct guard *listener = &guards->list[next->listener - 1];

		build_rule(b, listener->origin);
		add_verdict(b, IR_JUMP, listener->chain);
		colour = next->before;
	}
}

static uint32_t make_guard_map(struct build *b, struct guards *guards, const char *name,
			       const struct canvas *canvas, const struct plan_shared *shared)
{
	uint32_t *chains = arena_alloc(b->scratch, guards->n * sizeof(*chains));
	struct ir_origin *origins = arena_alloc(b->scratch, guards->n * sizeof(*origins));

	for (uint32_t port = 1; canvas->n_painted && port < PORTS; port++)
		if (canvas->ports[port])
			make_guard_chain(b, guards, canvas->ports[port], name, port, shared);
	for (size_t i = 0; i < guards->n; i++) {
		chains[i] = guards->list[i].chain;
		origins[i] = guards->list[i].origin;
	}
	return make_map(b, name, canvas, chains, origins, IR_JUMP);
}

static void paint_guard(struct build *b, struct guards *guards, struct canvas *canvas,
			const struct listener *listener, uint32_t colour)
{
	if (!canvas->ports)
		*canvas = canvas_new(b->scratch);
	for (size_t i = 0; i < listener->n_ports; i++)
		for (uint32_t p = listener->ports[i].first; p <= listener->ports[i].last; p++) {
			uint32_t old = canvas->ports[p];

			canvas->n_painted += !old;
			canvas->ports[p] = old ? guard_join(b, guards, old, colour) : colour;
		}
}

void plan_guards(struct build *b, const struct policy_set *set, struct plan_shared *shared)
{
	static const char *const names[] = { "tcp-guards", "udp-guards" };
	struct guards guards = { 0 };
	struct canvas canvas[2] = { { 0 } };

	for (size_t i = 0; i < set->n_services; i++) {
		const struct service *service = &set->services[i];
		const struct policy *policy = service->policy;

		if (service->state == POLICY_OFF || service->state == POLICY_REFUSED)
			continue;
		for (size_t j = 0; j < policy->n_listen; j++) {
			const struct listener *l = &policy->listen[j];
			struct guard guard = { .listener = (uint32_t)guards.n + 1,
					       .origin =
						       policy_origin(policy, l->place, "listen") };

			if (!l->has_from)
				continue;
			guard.chain = plan_guard(
				b, policy, l,
				name_guard_chain(shared->names, policy->service, (unsigned)j + 1),
				shared->service_counters[i], shared);
			paint_guard(b, &guards, &canvas[l->protocol], l,
				    guard_add(b, &guards, guard));
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(canvas); i++)
		shared->guards[i] = make_guard_map(b, &guards, names[i], &canvas[i], shared);
}

void plan_guard_rules(struct build *b, const struct plan_shared *shared, struct ir_origin origin)
{
	static const struct {
		uint8_t protocol;
		enum ir_field field;
	} rules[] = {
		[PROTOCOL_TCP] = { IPPROTO_TCP, IR_TCP_DPORT },
		[PROTOCOL_UDP] = { IPPROTO_UDP, IR_UDP_DPORT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (shared->guards[i] == IR_NONE)
			continue;
		build_rule(b, origin);
		add_match_interface(b, "lo");
		add_match_byte(b, IR_L4PROTO, IR_EQ, rules[i].protocol);
		add_vmap(b, rules[i].field, shared->guards[i]);
	}
}

/* --- whose port it is
 * ----------------------------------------------------------------------------- */

void plan_listener_maps(struct build *b, const struct policy_set *set,
			const struct plan_shared *shared, uint32_t ret_maps[2])
{
	static const char *const names[] = { "tcp-listeners", "udp-listeners" };
	struct canvas canvas[2] = { { 0 } };
	uint32_t *chains = NULL;
	struct ir_origin *origins = NULL;
	size_t n_chains = 0, n_origins = 0;

	/* colour 1: two services declare it, so it may go nowhere */
	*ARENA_APPEND(b->scratch, chains, n_chains) = shared->refuse;
	*ARENA_APPEND(b->scratch, origins, n_origins) =
		(struct ir_origin){ .what = "declared by several services" };
	for (size_t i = 0; i < set->n_services; i++) {
		const struct service *service = &set->services[i];
		const struct policy *policy = service->policy;

		if (service->state == POLICY_OFF || service->state == POLICY_REFUSED)
			continue;
		for (size_t j = 0; j < policy->n_listen; j++) {
			const struct listener *l = &policy->listen[j];
			struct canvas *c = &canvas[l->protocol];

			if (!c->ports)
				*c = canvas_new(b->scratch);
			*ARENA_APPEND(b->scratch, chains, n_chains) = shared->service_chains[i];
			*ARENA_APPEND(b->scratch, origins, n_origins) =
				policy_origin(policy, l->place, "listen");
			for (size_t k = 0; k < l->n_ports; k++)
				for (uint32_t p = l->ports[k].first; p <= l->ports[k].last; p++) {
					uint32_t old = c->ports[p];

					c->n_painted += !old;
					if (!old)
						c->ports[p] = (uint32_t)n_chains;
					else if (chains[old - 1] != shared->service_chains[i])
						c->ports[p] = 1;
				}
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(canvas); i++)
		ret_maps[i] = make_map(b, names[i], &canvas[i], chains, origins, IR_GOTO);
}

static uint32_t port_of(const uint8_t *key)
{
	return (uint32_t)key[0] << 8 | key[1];
}

/* The first element that does not end before the port. */
static uint32_t find_element(const struct build *b, const struct ir_set *set, uint32_t port)
{
	uint32_t low = 0, high = set->n_elements;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (port_of(b->ruleset.elements[set->first_element + middle].last) < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether a chain of guards, or all those that it jumps to, are the service's own. */
static bool is_own_guard(const struct build *b, uint32_t index, const char *service)
{
	const struct ir_chain *chain = &b->ruleset.chains[index];
	const char *name;
	size_t length;

	if (!service)
		return false;
	if (name_parse_chain(chain->name, &name, &length) == CHAIN_GUARD)
		return strlen(service) == length && strncmp(service, name, length) == 0;
	for (uint32_t i = 0; i < chain->n_rules; i++) {
		const struct ir_rule *rule = &b->ruleset.rules[chain->first_rule + i];

		if (!is_own_guard(b, b->ruleset.stmts[rule->first_stmt].index, service))
			return false;
	}
	return true;
}

bool ports_meet_guards(const struct build *b, const struct number_range *ports, size_t n,
		       uint32_t map, const char *but_of)
{
	const struct ir_set *set;

	if (map == IR_NONE)
		return false;
	set = &b->ruleset.sets[map];
	for (size_t i = 0; i < n; i++)
		for (uint32_t j = find_element(b, set, ports[i].first); j < set->n_elements; j++) {
			const struct ir_element *e = &b->ruleset.elements[set->first_element + j];

			if (port_of(e->key) > ports[i].last)
				break;
			if (!is_own_guard(b, e->chain, but_of))
				return true;
		}
	return false;
}

static void add_range(struct arena *arena, struct number_range **list, size_t *n, uint32_t first,
		      uint32_t last)
{
	if (*n && (*list)[*n - 1].last + 1 == first)
		(*list)[*n - 1].last = last;
	else
		*ARENA_APPEND(arena, *list, *n) = (struct number_range){ first, last };
}

/* One range of them. */
static void split_range(struct build *b, struct number_range ports, const struct ir_set *set,
			const char *service, struct own_ports *ret)
{
	uint32_t next = ports.first;

	for (uint32_t j = find_element(b, set, next); j < set->n_elements; j++) {
		const struct ir_element *e = &b->ruleset.elements[set->first_element + j];
		uint32_t first = port_of(e->key), last = port_of(e->last);

		if (first > ports.last)
			break;
		if (is_own_guard(b, e->chain, service))
			continue;
		first = first < next ? next : first;
		last = last > ports.last ? ports.last : last;
		if (first > next)
			add_range(b->scratch, &ret->alone, &ret->n_alone, next, first - 1);
		add_range(b->scratch, &ret->shared, &ret->n_shared, first, last);
		next = last + 1;
	}
	if (next <= ports.last)
		add_range(b->scratch, &ret->alone, &ret->n_alone, next, ports.last);
}

void ports_split(struct build *b, const struct number_range *ports, size_t n, uint32_t map,
		 const char *service, struct own_ports *ret_ports)
{
	static const struct ir_set none;

	*ret_ports = (struct own_ports){ NULL };
	for (size_t i = 0; i < n; i++)
		split_range(b, ports[i], map == IR_NONE ? &none : &b->ruleset.sets[map], service,
			    ret_ports);
}
