/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aim.c - a ruleset and a seed → shots that come close to its rules, on either side of each edge.
 *
 * A rule is chosen, and a packet wished for that it would match: each statement says something
 * about it. Then something else may be changed.
 */
#include "aim.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include <linux/netfilter.h>

#include "plan/names.h"

enum { A_STRANGER = 4242, DEPTH_MAX = 3 };

static uint32_t number(const uint8_t *bytes, unsigned n)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < n; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* --- on and beside edges ---------------------------------------------------------------------- */

/* first to last, mostly an end of it, sometimes the one beside. */
static uint32_t near_range(struct random *random, uint32_t first, uint32_t last)
{
	switch (random_below(random, 8)) {
	case 0:
		return first - 1;
	case 1:
		return last + 1;
	case 2:
		return first + (uint32_t)((uint64_t)random_below(random, UINT32_MAX) %
					  ((uint64_t)last - first + 1));
	case 3:
	case 4:
	case 5:
		return first;
	default:
		return last;
	}
}

static uint32_t near_port(struct random *random, uint32_t first, uint32_t last)
{
	uint32_t port = near_range(random, first, last) & UINT16_MAX;

	return port ? port : 1;
}

static void step(uint8_t *bytes, unsigned n, bool up)
{
	while (n-- > 0)
		if (up ? ++bytes[n] != 0 : bytes[n]-- != 0)
			return;
}

/* An address of first to last, or the one before or behind. */
static void near_address(struct random *random, const uint8_t *first, const uint8_t *last,
			 enum addr_family family, struct prefix *ret)
{
	unsigned n = family == ADDR_V4 ? 4 : 16, pick = random_below(random, 8);
	bool low = pick < 4;

	*ret = (struct prefix){ .family = family, .length = (uint8_t)(n * 8) };
	memcpy(ret->bytes, low ? first : last, n);
	if (pick == 0 || pick == 7)
		step(ret->bytes, n, !low); /* outside */
	else if ((pick == 1 || pick == 6) && memcmp(first, last, n) != 0)
		step(ret->bytes, n, low); /* inside */
}

/* --- what a statement says about the packet --------------------------------------------------- */

static enum addr_family family_of(enum ir_field field)
{
	return field == IR_IP6_DADDR ? ADDR_V6 : ADDR_V4;
}

static void wish_address(struct aim *aim, const struct ir_stmt *s, struct wish *wish)
{
	enum addr_family family = family_of(s->field);
	struct prefix prefix = { .family = family, .length = s->prefix_length };
	uint8_t last[16];

	if (s->op != IR_PREFIX)
		prefix.length = family == ADDR_V4 ? 32 : 128;
	memcpy(prefix.bytes, s->value, sizeof(prefix.bytes));
	prefix_last(&prefix, last);
	near_address(&aim->random, prefix.bytes, last, family, &wish->to);
}

static void wish_way(struct aim *aim, const struct ir_stmt *s, struct wish *wish)
{
	for (unsigned i = BOX_LO; i < BOX_DEVICE_COUNT; i++)
		if (strcmp(box_devices[i], (const char *)s->value) == 0)
			wish->way = i;
	if (wish->way == BOX_LO && !random_chance(&aim->random, 8)) {
		if (!box_is_own(&wish->to))
			wish->to = random_own(&aim->random, wish->to.family);
		wish->way = BOX_ANY;
	}
}

static void wish_match(struct aim *aim, const struct ir_stmt *s, struct wish *wish)
{
	unsigned length = ir_fields[s->field].length;
	uint32_t first = length <= 4 ? number(s->value, length) : 0, last = first;

	if (s->op == IR_RANGE)
		last = number(s->value + length, length);
	switch ((enum ir_field)s->field) {
	case IR_SKUID:
		if (random_chance(&aim->random, 2))
			wish->uid = near_range(&aim->random, first, last);
		return;
	case IR_OIFNAME:
		wish_way(aim, s, wish);
		return;
	case IR_NFPROTO:
		wish_family(aim, wish, s->value[0] == NFPROTO_IPV4 ? ADDR_V4 : ADDR_V6);
		return;
	case IR_L4PROTO:
		wish->l4proto = s->value[0];
		return;
	case IR_IP_HDRLENGTH:
		wish->ip_options = s->op == IR_NE;
		return;
	case IR_IP_DADDR:
	case IR_IP6_DADDR:
		wish_address(aim, s, wish);
		return;
	case IR_TCP_SPORT:
	case IR_UDP_SPORT:
		wish->sport = near_port(&aim->random, first, last);
		wish->wants_sport = true;
		return;
	case IR_TCP_DPORT:
	case IR_UDP_DPORT:
		wish->dport = near_port(&aim->random, first, last);
		return;
	case IR_TCP_FLAGS:
		if (s->op == IR_MASK_EQ)
			wish->tcp_flags = (uint8_t)((wish->tcp_flags & ~s->mask) | s->value[0]);
		else
			wish->tcp_flags = (uint8_t)random_below(&aim->random, 256);
		return;
	case IR_ICMP_TYPE:
	case IR_ICMPV6_TYPE:
		wish->icmp_type = s->value[0];
		return;
	case IR_CT_DIRECTION:
		wish->reply = s->value[0];
		return;
	case IR_SADDR_TYPE:
		wish->foreign = s->op == IR_NE;
		return;
	case IR_EXTHDR_ROUTING:
		wish->routing_header = s->value[0];
		return;
	case IR_TCPOPT_MPTCP:
		wish->mptcp = s->value[0];
		return;
	case IR_TIME:
	case IR_CT_STATUS:
	case IR_CGROUP_1:
	case IR_CGROUP_2:
	case IR_CGROUP_3:
	case IR_CGROUP_4:
	case IR_CGROUP_5:
	case IR_CGROUP_6:
	case IR_CGROUP_7:
	case IR_CGROUP_8:
	case IR_FIELD_COUNT:
		return;
	}
}

static void wish_element(struct aim *aim, const struct ir_stmt *s, struct wish *wish)
{
	const struct ir_set *set = &aim->ruleset->sets[s->index];
	const struct ir_element *e = &aim->ruleset->elements[set->first_element];
	const uint8_t *last;
	uint32_t port;

	if (!set->n_elements)
		return;
	e += random_below(&aim->random, set->n_elements);
	last = set->is_interval ? e->last : e->key;
	switch ((enum ir_key_type)set->key_type) {
	case IR_KEY_UID:
		if (random_chance(&aim->random, 2))
			wish->uid = near_range(&aim->random, number(e->key, 4), number(last, 4));
		return;
	case IR_KEY_PORT:
		port = near_port(&aim->random, number(e->key, 2), number(last, 2));
		wish->wants_sport = s->field == IR_TCP_SPORT || s->field == IR_UDP_SPORT;
		if (wish->wants_sport)
			wish->sport = port;
		else
			wish->dport = port;
		return;
	case IR_KEY_IPV4:
	case IR_KEY_IPV4_PORT:
		near_address(&aim->random, e->key, last, ADDR_V4, &wish->to);
		break;
	case IR_KEY_IPV6:
	case IR_KEY_IPV6_PORT:
		near_address(&aim->random, e->key, last, ADDR_V6, &wish->to);
		break;
	case IR_KEY_CGROUP:
	case IR_KEY_TYPE_COUNT:
		return;
	}
	if (set->key_type == IR_KEY_IPV4_PORT)
		wish->dport = near_port(&aim->random, number(e->key + 4, 2), number(e->key + 4, 2));
	if (set->key_type == IR_KEY_IPV6_PORT)
		wish->dport =
			near_port(&aim->random, number(e->key + 16, 2), number(e->key + 16, 2));
}

static const struct ir_rule *random_rule(struct aim *aim, uint32_t chain)
{
	const struct ir_chain *c = &aim->ruleset->chains[chain];

	return c->n_rules ?
		       &aim->ruleset
				->rules[c->first_rule + random_below(&aim->random, c->n_rules)] :
		       NULL;
}

/* The rule, and mostly one of the chain to which it leads. */
static void wish_rule(struct aim *aim, const struct ir_rule *rule, struct wish *wish)
{
	for (unsigned depth = 0; rule && depth < DEPTH_MAX; depth++) {
		const struct ir_stmt *s = &aim->ruleset->stmts[rule->first_stmt];
		const struct ir_stmt *last = s + rule->n_stmts - 1;

		for (; s <= last; s++)
			if (s->kind == IR_STMT_MATCH)
				wish_match(aim, s, wish);
			else if (s->kind == IR_STMT_LOOKUP || s->kind == IR_STMT_VMAP)
				wish_element(aim, s, wish);
		if (last->kind != IR_STMT_VERDICT || last->index == IR_NONE ||
		    random_chance(&aim->random, 4))
			return;
		rule = random_rule(aim, last->index);
	}
}

/* --- who sends -------------------------------------------------------------------------------- */

static uint32_t random_uid(struct aim *aim)
{
	const struct ir_ruleset *r = aim->ruleset;
	unsigned tries = 8;

	while (r->n_sets && tries-- > 0) {
		const struct ir_set *set =
			&r->sets[random_below(&aim->random, (uint32_t)r->n_sets)];
		const struct ir_element *e = &r->elements[set->first_element];

		if (set->key_type != IR_KEY_UID || !set->n_elements)
			continue;
		e += random_below(&aim->random, set->n_elements);
		return near_range(&aim->random, number(e->key, 4),
				  number(set->is_interval ? e->last : e->key, 4));
	}
	return A_STRANGER;
}

static uint32_t mapped_uid(struct aim *aim, const char *map)
{
	uint32_t index = ir_find_set(aim->ruleset, map);
	const struct ir_set *set = &aim->ruleset->sets[index];
	const struct ir_element *e;

	if (index == IR_NONE || !set->n_elements)
		return random_uid(aim);
	e = &aim->ruleset
		     ->elements[set->first_element + random_below(&aim->random, set->n_elements)];
	return number(random_chance(&aim->random, 2) || !set->is_interval ? e->key : e->last, 4);
}

/* (uid_t)-1 is nobody. */
static uint32_t valid_uid(uint32_t uid)
{
	return uid == UINT32_MAX ? A_STRANGER : uid;
}

void aim_start(struct aim *aim, const struct ir_ruleset *ruleset, const struct flows *flows,
	       struct random random)
{
	*aim = (struct aim){ .ruleset = ruleset, .flows = flows, .random = random };
	for (unsigned i = 0; i < AIM_UIDS; i++)
		if (i < AIM_UIDS - 5)
			aim->uids[i] = valid_uid(mapped_uid(aim, "services"));
		else if (i < AIM_UIDS - 3)
			aim->uids[i] = valid_uid(mapped_uid(aim, "ranges"));
		else if (i < AIM_UIDS - 2)
			aim->uids[i] = valid_uid(random_uid(aim));
		else
			aim->uids[i] = i % 2 ? 0 : A_STRANGER;
}

/* The chain that judges a uid, or IR_NONE. */
static uint32_t chain_of(const struct ir_ruleset *r, uint32_t uid)
{
	for (size_t i = 0; i < r->n_sets; i++) {
		const struct ir_set *set = &r->sets[i];

		if (set->key_type != IR_KEY_UID || !set->is_map)
			continue;
		for (uint32_t j = 0; j < set->n_elements; j++) {
			const struct ir_element *e = &r->elements[set->first_element + j];

			if (number(e->key, 4) <= uid &&
			    uid <= number(set->is_interval ? e->last : e->key, 4))
				return e->chain;
		}
	}
	return IR_NONE;
}

/* --- a shot ----------------------------------------------------------------------------------- */

/* Again the way of a datagram or SYN that left, or back. */
static void wish_flow(struct aim *aim, struct shot *shot)
{
	const struct flow *flow =
		&aim->flows->list[random_below(&aim->random, (uint32_t)aim->flows->n)];
	bool back = !random_chance(&aim->random, 3) && !box_is_for_many(&flow->to) &&
		    !box_is_link_local(&flow->to);

	*shot = (struct shot){
		.kind = SHOT_UDP,
		.uid = aim->uids[random_below(&aim->random, AIM_UIDS)],
		.from = back ? flow->to : flow->from,
		.to = back ? flow->from : flow->to,
		.sport = back ? flow->dport : flow->sport,
		.dport = back ? flow->sport : flow->dport,
		.is_connected = random_chance(&aim->random, 2),
		.l4proto = flow->l4proto,
		.tcp_flags = flow->l4proto == IPPROTO_TCP ? TH_SYN : 0,
	};
	if (!box_is_own(&shot->from) || flow->l4proto == IPPROTO_TCP)
		shot->kind = SHOT_RAW;
}

/* Lets somebody outside speak first: the shot that was wished for is the answer to it. */
static void speak_first(struct aim *aim, struct shot *shot)
{
	struct shot *next = &aim->next;

	*next = *shot;
	next->from =
		box_is_own(&shot->from) ? shot->from : random_own(&aim->random, shot->to.family);
	if (prefix_is_unspecified(&next->to))
		next->to = random_own(&aim->random, shot->to.family);
	if (!next->sport)
		next->sport = 1 + random_below(&aim->random, UINT16_MAX);
	aim->has_next = true;
	*shot = (struct shot){
		.kind = SHOT_RAW,
		.from = next->to,
		.to = next->from,
		.sport = next->dport,
		.dport = next->sport,
		.l4proto = IPPROTO_UDP,
	};
}

/* Which of the connections are led to the proxy, of a service whose chain that is. */
static uint32_t way_of(const struct ir_ruleset *r, uint32_t chain)
{
	const char *service, *other;
	size_t n, m;

	if (name_parse_chain(r->chains[chain].name, &service, &n) != CHAIN_SERVICE)
		return IR_NONE;
	for (uint32_t i = 0; i < r->n_chains; i++)
		if (name_parse_chain(r->chains[i].name, &other, &m) == CHAIN_WAY &&
		    strcmp(service, other) == 0)
			return i;
	return IR_NONE;
}

void aim_shot(struct aim *aim, struct shot *ret_shot)
{
	const struct ir_ruleset *r = aim->ruleset;
	struct random *random = &aim->random;
	struct wish wish;
	uint32_t chain;

	if (aim->has_next) {
		*ret_shot = aim->next;
		aim->has_next = false;
		return;
	}
	if (aim->flows->n && random_chance(random, 12)) {
		wish_flow(aim, ret_shot);
		return;
	}
	wish_random(aim, &wish);
	chain = chain_of(r, wish.uid);
	if (chain == IR_NONE || random_chance(random, 3))
		chain = random_below(random, (uint32_t)r->n_chains);
	else if (random_chance(random, 2) && way_of(r, chain) != IR_NONE)
		chain = way_of(r, chain);
	wish_rule(aim, random_rule(aim, chain), &wish);
	if (random_chance(random, 3))
		wish_disturb(aim, &wish);
	wish.uid = valid_uid(wish.uid);
	wish_to_shot(aim, &wish, ret_shot);
	if (wish.reply && shot_protocol(ret_shot) == IPPROTO_UDP &&
	    ret_shot->via.family == ADDR_NONE && ret_shot->kind != SHOT_COPY &&
	    !box_is_for_many(&ret_shot->to) && !box_is_link_local(&ret_shot->to))
		speak_first(aim, ret_shot);
}
