/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random_ruleset.c - a seed for each service → a ruleset with everything that the IR can say.
 *
 * The rules make no sense together; they only have to be ones that nft and the kernel take.
 */
#include "random_ruleset.h"

#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/rtnetlink.h>

enum { CHAIN_OUTPUT, CHAIN_REFUSE, CHAIN_FIRST_SERVICE };
enum { SET_SERVICES, SET_RANGES, SET_PORTS, SET_FIRST_OF_SERVICE };
enum { SETS_MAX = 4 };

struct making {
	struct arena *arena;
	struct ir_ruleset *ruleset;
	uint64_t state;
	int known[IR_FIELD_COUNT]; /* what the rule under construction has established, or -1 */
	uint32_t first_set;	   /* of the service whose chain is being made */
	uint32_t n_sets;
	uint32_t counter; /* the service's, or IR_NONE */
	const char *service;
};

uint64_t rng_next(uint64_t *state)
{
	uint64_t x = *state ? *state : 0x9e3779b97f4a7c15;

	x ^= x << 13; /* xorshift64 */
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x;
}

unsigned rng_below(uint64_t *state, unsigned n)
{
	return (unsigned)((rng_next(state) >> 20) % n);
}

void random_spec(uint64_t *state, struct random_spec *ret_spec)
{
	unsigned n = rng_below(state, RANDOM_SERVICES_MAX + 1);

	memset(ret_spec, 0, sizeof(*ret_spec));
	ret_spec->base = rng_next(state);
	for (unsigned i = 0; i < n; i++)
		ret_spec->services[rng_below(state, RANDOM_SERVICES_MAX)] = rng_next(state);
}

void random_mutate(uint64_t *state, struct random_spec *spec)
{
	unsigned n = rng_below(state, 4);

	for (unsigned i = 0; i < n; i++)
		spec->services[rng_below(state, RANDOM_SERVICES_MAX)] =
			rng_below(state, 3) ? rng_next(state) : 0;
	if (!rng_below(state, 4))
		spec->base = rng_next(state);
}

static unsigned below(struct making *m, unsigned n)
{
	return rng_below(&m->state, n);
}

static void put_number(uint8_t *at, uint64_t value, unsigned n)
{
	while (n-- > 0) {
		at[n] = (uint8_t)value;
		value >>= 8;
	}
}

static struct ir_origin origin(struct making *m)
{
	struct ir_origin origin = { .what = "connect" };

	if (!below(m, 5))
		origin.what = NULL;
	else if (below(m, 5))
		origin.place = (struct place){ .file = m->service, .line = below(m, 40) };
	return origin;
}

static struct ir_stmt *add_stmt(struct making *m, enum ir_stmt_kind kind)
{
	struct ir_ruleset *r = m->ruleset;
	struct ir_stmt *s = ARENA_APPEND(m->arena, r->stmts, r->n_stmts);

	s->kind = (uint8_t)kind;
	s->field2 = IR_FIELD_COUNT;
	if (kind == IR_STMT_MATCH)
		s->value = arena_alloc(m->arena, IR_VALUE_MAX);
	else
		s->index = IR_NONE;
	r->rules[r->n_rules - 1].n_stmts++;
	return s;
}

static uint8_t *value_of(struct ir_stmt *s)
{
	return (uint8_t *)s->value;
}

static void start_rule(struct making *m, uint32_t chain)
{
	struct ir_ruleset *r = m->ruleset;
	struct ir_rule *rule = ARENA_APPEND(m->arena, r->rules, r->n_rules);

	rule->first_stmt = (uint32_t)r->n_stmts;
	rule->origin = origin(m);
	memset(m->known, -1, sizeof(m->known));
	r->chains[chain].n_rules++;
}

/* Adds the match that the field rests on. False where the rule already says otherwise. */
static bool add_needed(struct making *m, enum ir_field field)
{
	int needs = ir_fields[field].needs;
	struct ir_stmt *s;

	if (needs < 0)
		return true;
	if (m->known[needs] >= 0)
		return m->known[needs] == ir_fields[field].needs_value;
	s = add_stmt(m, IR_STMT_MATCH);
	s->op = IR_EQ;
	s->field = (uint8_t)needs;
	value_of(s)[0] = ir_fields[field].needs_value;
	m->known[needs] = value_of(s)[0];
	return true;
}

static void fill_address(struct making *m, struct ir_stmt *s)
{
	unsigned n = ir_fields[s->field].length;
	static const uint8_t ops[] = { IR_EQ, IR_NE, IR_PREFIX, IR_PREFIX, IR_PREFIX };

	s->op = ops[below(m, ARRAY_SIZE(ops))];
	for (unsigned i = 0; i < n; i++)
		value_of(s)[i] = (uint8_t)below(m, 256);
	if (s->op != IR_PREFIX)
		return;
	s->prefix_length = (uint8_t)below(m, n * 8 + 1);
	for (unsigned i = s->prefix_length; i < n * 8; i++)
		value_of(s)[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static void fill_number(struct making *m, struct ir_stmt *s)
{
	static const uint8_t ops[] = { IR_EQ, IR_NE, IR_LT, IR_GE, IR_RANGE };
	unsigned n = ir_fields[s->field].length;
	uint32_t low = 1 + below(m, 60000);

	s->op = ops[below(m, ARRAY_SIZE(ops))];
	put_number(value_of(s), low, n);
	if (s->op == IR_RANGE)
		put_number(value_of(s) + n, low + 1 + below(m, 5000), n);
}

static void fill_match(struct making *m, struct ir_stmt *s)
{
	static const uint8_t flags[][2] = { { 0x12, 0x02 }, { 0x02, 0x02 }, { 0x17, 0x10 },
					    { 0x05, 0x00 }, { 0x04, 0x04 }, { 0x12, 0x12 } };
	static const char *const names[] = { "lo", "eth0", "averylongname12" };
	uint32_t type = below(m, 2) ? RTN_LOCAL : RTN_UNICAST;
	unsigned pick;

	s->op = below(m, 2) ? IR_EQ : IR_NE;
	switch ((enum ir_field)s->field) {
	case IR_SKUID:
	case IR_TCP_SPORT:
	case IR_TCP_DPORT:
	case IR_UDP_SPORT:
	case IR_UDP_DPORT:
		fill_number(m, s);
		break;
	case IR_IP_DADDR:
	case IR_IP6_DADDR:
		fill_address(m, s);
		break;
	case IR_OIFNAME:
		snprintf((char *)value_of(s), IFNAMSIZ, "%s", names[below(m, ARRAY_SIZE(names))]);
		break;
	case IR_NFPROTO:
		s->op = IR_EQ;
		value_of(s)[0] = below(m, 2) ? NFPROTO_IPV4 : NFPROTO_IPV6;
		break;
	case IR_L4PROTO:
		s->op = IR_EQ;
		value_of(s)[0] = below(m, 2) ? IPPROTO_TCP : IPPROTO_UDP;
		break;
	case IR_TIME:
		s->op = below(m, 2) ? IR_LT : IR_GE;
		put_number(value_of(s), (1700000000ULL + below(m, 1000000000)) * 1000000000, 8);
		break;
	case IR_IP_HDRLENGTH:
		value_of(s)[0] = 5;
		break;
	case IR_TCP_FLAGS:
		pick = below(m, ARRAY_SIZE(flags));
		s->op = below(m, 2) ? IR_MASK_EQ : IR_MASK_NE;
		s->mask = flags[pick][0];
		value_of(s)[0] = flags[pick][1];
		break;
	case IR_ICMP_TYPE:
		value_of(s)[0] = below(m, 2) ? 8 : 0;
		break;
	case IR_ICMPV6_TYPE:
		value_of(s)[0] = 128;
		break;
	case IR_CT_DIRECTION:
	case IR_EXTHDR_ROUTING:
	case IR_TCPOPT_MPTCP:
		s->op = IR_EQ;
		value_of(s)[0] = (uint8_t)below(m, 2);
		break;
	case IR_CT_STATUS:
		s->op = IR_MASK_NE;
		s->mask = below(m, 2) ? IPS_DST_NAT : IPS_SRC_NAT;
		break;
	case IR_SADDR_TYPE:
		memcpy(value_of(s), &type, sizeof(type));
		break;
	case IR_CGROUP_1: /* nft writes paths; test-policies.c has them */
	case IR_CGROUP_2:
	case IR_CGROUP_3:
	case IR_CGROUP_4:
	case IR_CGROUP_5:
	case IR_CGROUP_6:
	case IR_CGROUP_7:
	case IR_CGROUP_8:
	case IR_FIELD_COUNT:
		abort();
	}
}

static bool is_port(enum ir_field field)
{
	return field == IR_TCP_SPORT || field == IR_TCP_DPORT || field == IR_UDP_SPORT ||
	       field == IR_UDP_DPORT;
}

/* nft merges matches on fields that stand side by side into one comparison of both (and gets it
 * wrong for !=, payload_try_merge() of 1.0.6): a rule has one port at most.
 */
static bool is_beside_another(const struct making *m, enum ir_field field)
{
	for (enum ir_field other = 0; other < IR_FIELD_COUNT; other++)
		if (is_port(field) && is_port(other) && m->known[other] >= 0)
			return true;
	return false;
}

static void add_match(struct making *m)
{
	enum ir_field field = below(m, IR_CGROUP_1);
	struct ir_stmt *s;

	if (m->known[field] >= 0 || is_beside_another(m, field) || !add_needed(m, field))
		return;
	s = add_stmt(m, IR_STMT_MATCH);
	s->field = (uint8_t)field;
	fill_match(m, s);
	m->known[field] = s->op == IR_EQ && ir_fields[field].length == 1 ? value_of(s)[0] : 0;
}

static void add_lookup(struct making *m)
{
	static const struct {
		uint8_t field, field2;
	} fields[] = {
		[IR_KEY_UID] = { IR_SKUID, IR_FIELD_COUNT },
		[IR_KEY_PORT] = { IR_TCP_DPORT, IR_FIELD_COUNT },
		[IR_KEY_IPV4] = { IR_IP_DADDR, IR_FIELD_COUNT },
		[IR_KEY_IPV6] = { IR_IP6_DADDR, IR_FIELD_COUNT },
		[IR_KEY_IPV4_PORT] = { IR_IP_DADDR, IR_TCP_DPORT },
		[IR_KEY_IPV6_PORT] = { IR_IP6_DADDR, IR_UDP_DPORT },
	};
	uint32_t set;
	uint8_t type;
	struct ir_stmt *s;

	if (!m->n_sets)
		return;
	set = m->first_set + below(m, m->n_sets);
	type = m->ruleset->sets[set].key_type;
	if (!add_needed(m, fields[type].field) ||
	    (fields[type].field2 != IR_FIELD_COUNT && !add_needed(m, fields[type].field2)))
		return;
	s = add_stmt(m, IR_STMT_LOOKUP);
	s->field = fields[type].field;
	s->field2 = fields[type].field2;
	s->index = set;
}

static void end_rule(struct making *m, bool in_service)
{
	struct ir_stmt *s;
	unsigned pick = below(m, 7);

	if (m->counter != IR_NONE && below(m, 2))
		add_stmt(m, IR_STMT_COUNTER)->index = m->counter;
	if (pick == 0 || (pick == 1 && m->known[IR_L4PROTO] == IPPROTO_TCP)) {
		s = add_stmt(m, IR_STMT_REJECT);
		s->op = pick ? IR_REJECT_TCP_RESET : IR_REJECT_ADMIN_PROHIBITED;
		return;
	}
	s = add_stmt(m, IR_STMT_VERDICT);
	if (in_service && pick < 4) {
		s->op = below(m, 2) ? IR_GOTO : IR_JUMP;
		s->index = CHAIN_REFUSE;
		return;
	}
	s->op = (uint8_t)below(m, 3);
}

static void make_service_chain(struct making *m, uint32_t chain)
{
	unsigned n_rules = below(m, 9), n;

	m->ruleset->chains[chain].first_rule = (uint32_t)m->ruleset->n_rules;
	while (n_rules-- > 0) {
		start_rule(m, chain);
		for (n = below(m, 4); n > 0; n--)
			add_match(m);
		if (!below(m, 3))
			add_lookup(m);
		end_rule(m, true);
	}
}

static void add_vmap(struct making *m, enum ir_field field, uint32_t set)
{
	struct ir_stmt *s;

	start_rule(m, CHAIN_OUTPUT);
	if (set == SET_RANGES && below(m, 2)) {
		s = add_stmt(m, IR_STMT_MATCH);
		s->op = IR_GE;
		s->field = IR_SKUID;
		put_number(value_of(s), 100000, 4);
	}
	add_needed(m, field);
	s = add_stmt(m, IR_STMT_VMAP);
	s->field = (uint8_t)field;
	s->index = set;
}

static void make_base_chains(struct making *m)
{
	struct ir_ruleset *r = m->ruleset;

	r->chains[CHAIN_OUTPUT].first_rule = (uint32_t)r->n_rules;
	add_vmap(m, IR_SKUID, SET_SERVICES);
	add_vmap(m, IR_SKUID, SET_RANGES);
	add_vmap(m, IR_TCP_SPORT, SET_PORTS);
	for (unsigned n = below(m, 3); n > 0; n--) {
		start_rule(m, CHAIN_OUTPUT);
		add_match(m);
		end_rule(m, false);
	}
	r->chains[CHAIN_REFUSE].first_rule = (uint32_t)r->n_rules;
	start_rule(m, CHAIN_REFUSE);
	end_rule(m, false);
}

static struct ir_set *add_set(struct making *m, const char *name, enum ir_key_type type)
{
	struct ir_ruleset *r = m->ruleset;
	struct ir_set *set = ARENA_APPEND(m->arena, r->sets, r->n_sets);

	set->name = name;
	set->key_type = (uint8_t)type;
	set->first_element = (uint32_t)r->n_elements;
	return set;
}

static struct ir_element *add_element(struct making *m)
{
	struct ir_ruleset *r = m->ruleset;
	struct ir_element *element = ARENA_APPEND(m->arena, r->elements, r->n_elements);

	r->sets[r->n_sets - 1].n_elements++;
	element->chain = IR_NONE;
	element->origin = origin(m);
	return element;
}

static void set_verdict(struct making *m, struct ir_element *element, uint32_t service)
{
	element->verdict = below(m, 4) ? IR_GOTO : IR_JUMP;
	element->chain = CHAIN_FIRST_SERVICE + service;
}

static void make_maps(struct making *m, const uint64_t *seeds, uint32_t n)
{
	static const unsigned sizes[] = { 64, 64, 128 };
	struct ir_element *element;
	struct ir_set *set = add_set(m, "services", IR_KEY_UID);
	unsigned start = 100000;

	set->is_map = true;
	set->size = sizes[below(m, ARRAY_SIZE(sizes))];
	for (uint32_t i = 0; i < n; i++) {
		m->state = seeds[i];
		element = add_element(m);
		put_number(element->key, 1000 + i * 4 + below(m, 4), 4);
		memcpy(element->last, element->key, 4);
		set_verdict(m, element, i);
	}
	set = add_set(m, "ranges", IR_KEY_UID);
	set->is_map = true;
	set->is_interval = true;
	for (uint32_t i = 0; i < n; i++) {
		unsigned first, last;

		m->state = seeds[i] + 1;
		first = below(m, 3) ? start : start + 1 + below(m, 1000);
		last = i + 1 == n && !below(m, 3) ? 0xffffffff : first + below(m, 70000);
		if (!below(m, 4))
			continue;
		element = add_element(m);
		put_number(element->key, first, 4);
		put_number(element->last, last, 4);
		set_verdict(m, element, i);
		start = last + 1;
	}
	set = add_set(m, "ports", IR_KEY_PORT);
	set->is_map = true;
	set->size = 256;
	for (uint32_t i = 0; i < n; i++) {
		m->state = seeds[i] + 2;
		if (below(m, 2))
			continue;
		element = add_element(m);
		put_number(element->key, 3000 + i * 10 + below(m, 10), 2);
		memcpy(element->last, element->key, 2);
		set_verdict(m, element, i);
	}
}

/* Keys that grow: the first and last bytes of the key's first part, then a port. */
static void make_elements(struct making *m, struct ir_set *set)
{
	unsigned length = ir_key_length(set->key_type);
	unsigned address = length > 16 ? 16 : length == 8 ? 4 : length;
	bool concatenated = set->key_type == IR_KEY_IPV4_PORT || set->key_type == IR_KEY_IPV6_PORT;
	uint32_t top = below(m, 2) ? 0 : below(m, 200), n = below(m, 12);

	for (uint32_t i = 0; i < n; i++) {
		struct ir_element *element = add_element(m);

		put_number(element->key, top << 8 | (set->is_interval ? 0 : below(m, 256)), 2);
		if (address > 2)
			element->key[address - 1] = set->is_interval ? 0 : (uint8_t)below(m, 256);
		if (concatenated)
			put_number(element->key + address, 1 + below(m, 65535), 2);
		memcpy(element->last, element->key, sizeof(element->last));
		if (set->is_interval) {
			unsigned gap = below(m, 3);

			top += gap == 2 ? below(m, 10) : gap;
			top = top > 255 ? 255 : top;
			put_number(element->last, top << 8 | 0xff, 2);
			memset(element->last + 2, 0xff, address - 2);
			if (!below(m, 4))
				memcpy(element->last, element->key, sizeof(element->last));
		}
		top += 1 + (below(m, 2) ? 0 : below(m, 10));
		if (i + 2 == n && !below(m, 3) && top <= 255)
			top = 255;
		if (top > 255)
			break;
	}
}

static void make_sets(struct making *m)
{
	m->first_set = (uint32_t)m->ruleset->n_sets;
	m->n_sets = below(m, SETS_MAX);
	for (uint32_t i = 0; i < m->n_sets; i++) {
		enum ir_key_type type = below(m, IR_KEY_CGROUP);
		struct ir_set *set =
			add_set(m, arena_printf(m->arena, "svc-%s.set%u", m->service, i), type);

		set->is_interval =
			type != IR_KEY_IPV4_PORT && type != IR_KEY_IPV6_PORT && below(m, 2);
		if (!set->is_interval && below(m, 2))
			set->size = 16U << below(m, 3);
		make_elements(m, set);
	}
}

static void add_chain(struct making *m, const char *name)
{
	struct ir_ruleset *r = m->ruleset;

	ARENA_APPEND(m->arena, r->chains, r->n_chains)->name = name;
}

void random_ruleset(const struct random_spec *spec, struct arena *arena,
		    struct ir_ruleset *ret_ruleset)
{
	struct making m = { .arena = arena, .ruleset = ret_ruleset, .service = "base" };
	uint32_t first_sets[RANDOM_SERVICES_MAX], n_sets[RANDOM_SERVICES_MAX], n = 0;
	const char *names[RANDOM_SERVICES_MAX];
	uint64_t seeds[RANDOM_SERVICES_MAX];

	memset(ret_ruleset, 0, sizeof(*ret_ruleset));
	add_chain(&m, "output");
	add_chain(&m, "refuse");
	ret_ruleset->chains[CHAIN_OUTPUT].hook = IR_HOOK_OUTPUT;
	for (uint32_t i = 0; i < RANDOM_SERVICES_MAX; i++) {
		if (!spec->services[i])
			continue;
		seeds[n] = spec->services[i];
		names[n] = arena_printf(arena, "s%u", i);
		add_chain(&m, arena_printf(arena, "svc-s%u", i));
		ARENA_APPEND(arena, ret_ruleset->counters, ret_ruleset->n_counters)->name =
			arena_printf(arena, "refused-s%u", i);
		n++;
	}
	m.state = spec->base;
	make_maps(&m, seeds, n);
	for (uint32_t i = 0; i < n; i++) {
		m.state = seeds[i] + 3;
		m.service = names[i];
		make_sets(&m);
		first_sets[i] = m.first_set;
		n_sets[i] = m.n_sets;
	}
	m.state = spec->base + 1;
	m.n_sets = 0;
	m.counter = IR_NONE;
	m.service = "base";
	make_base_chains(&m);
	for (uint32_t i = 0; i < n; i++) {
		m.state = seeds[i] + 4;
		m.service = names[i];
		m.counter = i;
		m.first_set = first_sets[i];
		m.n_sets = n_sets[i];
		make_service_chain(&m, CHAIN_FIRST_SERVICE + i);
	}
	ir_check(ret_ruleset);
}
