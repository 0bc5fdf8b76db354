/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build.c - puts a ruleset together, a chain, a rule, a statement after the other. */
#include "plan/build.h"

#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

#include <linux/netfilter.h>

enum { SET_SIZE_MIN = 64 };

/* --- containers ------------------------------------------------------------------------------- */

uint32_t build_chain(struct build *b, const char *name, enum ir_hook hook)
{
	struct ir_ruleset *r = &b->ruleset;

	*ARENA_APPEND(b->scratch, r->chains, r->n_chains) = (struct ir_chain){
		.name = name,
		.hook = (uint8_t)hook,
		.first_rule = (uint32_t)r->n_rules,
	};
	return (uint32_t)r->n_chains - 1;
}

void build_rule(struct build *b, struct ir_origin origin)
{
	struct ir_ruleset *r = &b->ruleset;

	*ARENA_APPEND(b->scratch, r->rules, r->n_rules) = (struct ir_rule){
		.first_stmt = (uint32_t)r->n_stmts,
		.origin = origin,
	};
	r->chains[r->n_chains - 1].n_rules++;
}

uint32_t build_counter(struct build *b, const char *name)
{
	struct ir_ruleset *r = &b->ruleset;

	ARENA_APPEND(b->scratch, r->counters, r->n_counters)->name = name;
	return (uint32_t)r->n_counters - 1;
}

uint32_t build_set(struct build *b, const char *name, enum ir_key_type type, bool is_map,
		   bool is_interval)
{
	struct ir_ruleset *r = &b->ruleset;

	*ARENA_APPEND(b->scratch, r->sets, r->n_sets) = (struct ir_set){
		.name = name,
		.key_type = (uint8_t)type,
		.is_map = is_map,
		.is_interval = is_interval,
		.first_element = (uint32_t)r->n_elements,
	};
	return (uint32_t)r->n_sets - 1;
}

struct ir_element *build_element(struct build *b)
{
	struct ir_ruleset *r = &b->ruleset;
	struct ir_element *element = ARENA_APPEND(b->scratch, r->elements, r->n_elements);

	r->sets[r->n_sets - 1].n_elements++;
	element->chain = IR_NONE;
	return element;
}

static int compare_elements(const void *a, const void *b)
{
	const struct ir_element *x = a, *y = b;
	int r = memcmp(x->key, y->key, sizeof(x->key));

	if (r == 0) /* the larger first, so that it swallows the other */
		r = memcmp(y->last, x->last, sizeof(x->last));
	if (r == 0)
		r = x->origin.place.line < y->origin.place.line ?
			    -1 :
			    x->origin.place.line > y->origin.place.line;
	return r;
}

/* Drops elements within another one; prefixes overlap no other way. */
static void drop_contained(struct ir_set *set, struct ir_element *elements)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < set->n_elements; i++) {
		const struct ir_element *last = kept ? &elements[kept - 1] : NULL;

		if (last && memcmp(last->key, elements[i].key, sizeof(last->key)) == 0 &&
		    !set->is_interval)
			continue;
		if (last && set->is_interval &&
		    memcmp(elements[i].key, last->last, sizeof(last->last)) <= 0)
			continue;
		elements[kept++] = elements[i];
	}
	set->n_elements = kept;
}

void build_set_finish(struct build *b)
{
	struct ir_set *set = &b->ruleset.sets[b->ruleset.n_sets - 1];
	struct ir_element *elements = &b->ruleset.elements[set->first_element];

	if (set->n_elements)
		qsort(elements, set->n_elements, sizeof(*elements), compare_elements);
	drop_contained(set, elements);
	b->ruleset.n_elements = set->first_element + set->n_elements;
	if (set->is_interval)
		return;
	/* With room to double, so that adding services does not mean making the map anew. */
	for (set->size = SET_SIZE_MIN; set->size < 2 * (uint64_t)set->n_elements;)
		set->size *= 2;
}

/* --- statements ------------------------------------------------------------------------------- */

static struct ir_stmt *add_stmt(struct build *b, enum ir_stmt_kind kind)
{
	struct ir_ruleset *r = &b->ruleset;
	struct ir_stmt *stmt = ARENA_APPEND(b->scratch, r->stmts, r->n_stmts);

	r->rules[r->n_rules - 1].n_stmts++;
	stmt->kind = (uint8_t)kind;
	stmt->field = stmt->field2 = IR_FIELD_COUNT;
	stmt->index = IR_NONE;
	return stmt;
}

static size_t hash_value(const uint8_t value[IR_VALUE_MAX])
{
	uint64_t halves[2];

	static_assert(sizeof(halves) == IR_VALUE_MAX, "a value is two halves");
	memcpy(halves, value, sizeof(halves));
	return (halves[0] * 0x9e3779b97f4a7c15u ^ halves[1] * 0xc2b2ae3d27d4eb4fu) >> 20;
}

/* The slot of a value, or the empty one where it belongs. */
static const uint8_t **find_value(const struct build *b, const uint8_t value[IR_VALUE_MAX])
{
	size_t i = hash_value(value) & (b->values_size - 1);

	while (b->values[i] && memcmp(b->values[i], value, IR_VALUE_MAX) != 0)
		i = (i + 1) & (b->values_size - 1);
	return &b->values[i];
}

static void grow_values(struct build *b)
{
	const uint8_t **old = b->values;
	size_t n = b->values_size;

	b->values_size = n ? n * 2 : 256;
	b->values = arena_alloc(b->scratch, b->values_size * sizeof(uint8_t *));
	for (size_t i = 0; i < n; i++)
		if (old[i])
			*find_value(b, old[i]) = old[i];
}

static const uint8_t *share_value(struct build *b, const uint8_t value[IR_VALUE_MAX])
{
	const uint8_t **slot;

	if (b->n_values * 2 >= b->values_size)
		grow_values(b);
	slot = find_value(b, value);
	if (!*slot) {
		uint8_t *copy = arena_alloc(b->arena, IR_VALUE_MAX);

		memcpy(copy, value, IR_VALUE_MAX);
		*slot = copy;
		b->n_values++;
	}
	return *slot;
}

static struct ir_stmt *add_match_bytes(struct build *b, enum ir_field field, enum ir_op op,
				       const void *value, size_t length)
{
	uint8_t padded[IR_VALUE_MAX] = { 0 };
	struct ir_stmt *stmt = add_stmt(b, IR_STMT_MATCH);

	memcpy(padded, value, length);
	stmt->field = (uint8_t)field;
	stmt->op = (uint8_t)op;
	stmt->value = share_value(b, padded);
	return stmt;
}

void add_match(struct build *b, enum ir_field field, enum ir_op op, const void *value)
{
	add_match_bytes(b, field, op, value, ir_fields[field].length);
}

void add_match_byte(struct build *b, enum ir_field field, enum ir_op op, uint8_t value)
{
	add_match_bytes(b, field, op, &value, sizeof(value));
}

void add_match_number(struct build *b, enum ir_field field, enum ir_op op, uint32_t value)
{
	uint32_t network = htonl(value);

	add_match(b, field, op, &network);
}

void add_match_masked(struct build *b, enum ir_field field, enum ir_op op, uint8_t mask,
		      uint8_t value)
{
	add_match_bytes(b, field, op, &value, sizeof(value))->mask = mask;
}

void add_match_interface(struct build *b, const char *interface)
{
	add_match_bytes(b, IR_OIFNAME, IR_EQ, interface, strlen(interface));
}

void add_match_ports(struct build *b, enum ir_field field, struct number_range ports)
{
	uint16_t values[2] = { htons((uint16_t)ports.first), htons((uint16_t)ports.last) };

	if (ports.first == ports.last)
		add_match_bytes(b, field, IR_EQ, values, sizeof(values[0]));
	else
		add_match_bytes(b, field, IR_RANGE, values, sizeof(values));
}

void add_match_address(struct build *b, const struct prefix *address)
{
	bool v4 = address->family == ADDR_V4;

	add_match_byte(b, IR_NFPROTO, IR_EQ, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	if (address->length == 0)
		return;
	add_match_bytes(b, v4 ? IR_IP_DADDR : IR_IP6_DADDR,
			prefix_is_host(address) ? IR_EQ : IR_PREFIX, address->bytes, v4 ? 4 : 16)
		->prefix_length = address->length;
}

void add_match_until(struct build *b, int64_t until)
{
	uint64_t network = htobe64((uint64_t)until * 1000000000u);

	if (until != INT64_MAX)
		add_match(b, IR_TIME, IR_LT, &network);
}

void add_lookup(struct build *b, enum ir_field field, enum ir_field field2, uint32_t set)
{
	struct ir_stmt *stmt = add_stmt(b, IR_STMT_LOOKUP);

	stmt->field = (uint8_t)field;
	stmt->field2 = (uint8_t)field2;
	stmt->index = set;
}

void add_vmap(struct build *b, enum ir_field field, uint32_t map)
{
	struct ir_stmt *stmt = add_stmt(b, IR_STMT_VMAP);

	stmt->field = (uint8_t)field;
	stmt->index = map;
}

void add_count(struct build *b, uint32_t counter)
{
	add_stmt(b, IR_STMT_COUNTER)->index = counter;
}

void add_strip(struct build *b, enum ir_field option)
{
	add_stmt(b, IR_STMT_STRIP)->field = (uint8_t)option;
}

void add_dnat(struct build *b, const struct prefix *address, struct number_range ports)
{
	uint8_t padded[IR_VALUE_MAX] = { 0 };
	struct ir_stmt *stmt = add_stmt(b, IR_STMT_DNAT);
	bool v4 = address->family == ADDR_V4;

	memcpy(padded, address->bytes, v4 ? 4 : 16);
	stmt->op = v4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	stmt->value = share_value(b, padded);
	stmt->port = (uint16_t)ports.first;
	stmt->mask = (uint8_t)(ports.last - ports.first);
}

void add_reject(struct build *b, enum ir_reject reject)
{
	add_stmt(b, IR_STMT_REJECT)->op = (uint8_t)reject;
}

void add_verdict(struct build *b, enum ir_verdict verdict, uint32_t chain)
{
	struct ir_stmt *stmt = add_stmt(b, IR_STMT_VERDICT);

	stmt->op = (uint8_t)verdict;
	stmt->index = chain;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void *copy(struct arena *arena, const void *from, size_t n, size_t size)
{
	void *to = arena_alloc(arena, n * size);

	if (n)
		memcpy(to, from, n * size);
	return to;
}

void build_finish(const struct build *b, struct ir_ruleset *ret_ruleset)
{
	const struct ir_ruleset *r = &b->ruleset;
	struct arena *arena = b->arena;

	*ret_ruleset = *r;
	ret_ruleset->counters = copy(arena, r->counters, r->n_counters, sizeof(*r->counters));
	ret_ruleset->sets = copy(arena, r->sets, r->n_sets, sizeof(*r->sets));
	ret_ruleset->elements = copy(arena, r->elements, r->n_elements, sizeof(*r->elements));
	ret_ruleset->chains = copy(arena, r->chains, r->n_chains, sizeof(*r->chains));
	ret_ruleset->rules = copy(arena, r->rules, r->n_rules, sizeof(*r->rules));
	ret_ruleset->stmts = copy(arena, r->stmts, r->n_stmts, sizeof(*r->stmts));
}
