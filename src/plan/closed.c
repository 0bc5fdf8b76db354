/* SPDX-License-Identifier: GPL-2.0-or-later */
/* closed.c - ruleset → one of few rules that lets none of its services out.
 *
 * What is dropped without an answer is sent again: connections survive the moment. All that only
 * the shut chains refer to (sets, counters) is left out; the maps stay, whoever is in them is
 * governed.
 */
#include "plan/closed.h"

#include <string.h>

struct closing {
	const struct ir_ruleset *from;
	const bool *is_shut;
	uint32_t *chains, *sets, *counters; /* of each old one, the new number; or IR_NONE */
	struct arena *arena;
	struct ir_ruleset to;
};

/* --- what stays */

static void keep_what_rules_refer_to(struct closing *c, const struct ir_chain *chain)
{
	for (uint32_t i = 0; i < chain->n_rules; i++) {
		const struct ir_rule *rule = &c->from->rules[chain->first_rule + i];

		for (uint32_t j = 0; j < rule->n_stmts; j++) {
			const struct ir_stmt *s = &c->from->stmts[rule->first_stmt + j];

			if (s->kind == IR_STMT_LOOKUP)
				c->sets[s->index] = 0;
			else if (s->kind == IR_STMT_COUNTER)
				c->counters[s->index] = 0;
		}
	}
}

/* Those marked with 0 get numbers, from `next` on. */
static void number(uint32_t *indices, size_t n, uint32_t next)
{
	for (size_t i = 0; i < n; i++)
		if (indices[i] != IR_NONE)
			indices[i] = next++;
}

static uint32_t *indices_new(struct closing *c, size_t n)
{
	uint32_t *indices = arena_alloc(c->arena, (n + 1) * sizeof(*indices));

	memset(indices, 0xff, n * sizeof(*indices));
	return indices;
}
static_assert(IR_NONE == 0xffffffff, "see above");

static void choose(struct closing *c)
{
	const struct ir_ruleset *from = c->from;

	c->chains = indices_new(c, from->n_chains);
	c->sets = indices_new(c, from->n_sets);
	c->counters = indices_new(c, from->n_counters);
	for (size_t i = 0; i < from->n_sets; i++)
		if (from->sets[i].is_map)
			c->sets[i] = 0;
	for (size_t i = 0; i < from->n_chains; i++) {
		if (c->is_shut[i])
			continue;
		c->chains[i] = 0;
		keep_what_rules_refer_to(c, &from->chains[i]);
	}
	number(c->chains, from->n_chains, 1); /* the closed one is the first */
	number(c->sets, from->n_sets, 0);
	number(c->counters, from->n_counters, 0);
}

static uint32_t chain_of(const struct closing *c, uint32_t chain)
{
	return c->chains[chain] == IR_NONE ? 0 : c->chains[chain];
}

/* --- copies */

static void add_chain(struct closing *c, const struct ir_chain *chain)
{
	struct ir_chain *copy = ARENA_APPEND(c->arena, c->to.chains, c->to.n_chains);

	*copy = *chain;
	copy->first_rule = (uint32_t)c->to.n_rules;
	copy->n_rules = 0;
}

static void add_rule(struct closing *c, const struct ir_rule *rule)
{
	struct ir_rule *copy = ARENA_APPEND(c->arena, c->to.rules, c->to.n_rules);

	*copy = *rule;
	copy->first_stmt = (uint32_t)c->to.n_stmts;
	copy->n_stmts = 0;
	c->to.chains[c->to.n_chains - 1].n_rules++;
}

static void add_stmt(struct closing *c, const struct ir_stmt *stmt)
{
	*ARENA_APPEND(c->arena, c->to.stmts, c->to.n_stmts) = *stmt;
	c->to.rules[c->to.n_rules - 1].n_stmts++;
}

static void add_closed_chain(struct closing *c)
{
	const struct ir_chain chain = { .name = "closed" };
	const struct ir_rule rule = { .origin.what = "the rules are being loaded" };
	const struct ir_stmt drop = {
		.kind = IR_STMT_VERDICT, .op = IR_DROP, .field2 = IR_FIELD_COUNT, .index = IR_NONE
	};

	add_chain(c, &chain);
	add_rule(c, &rule);
	add_stmt(c, &drop);
}

static void copy_stmt(struct closing *c, struct ir_stmt stmt)
{
	switch ((enum ir_stmt_kind)stmt.kind) {
	case IR_STMT_MATCH:
	case IR_STMT_REJECT:
	case IR_STMT_STRIP:
	case IR_STMT_DNAT:
		break;
	case IR_STMT_LOOKUP:
	case IR_STMT_VMAP:
		stmt.index = c->sets[stmt.index];
		break;
	case IR_STMT_COUNTER:
		stmt.index = c->counters[stmt.index];
		break;
	case IR_STMT_VERDICT:
		if (stmt.index != IR_NONE)
			stmt.index = chain_of(c, stmt.index);
		break;
	}
	add_stmt(c, &stmt);
}

static void copy_chains(struct closing *c)
{
	const struct ir_ruleset *from = c->from;

	for (size_t i = 0; i < from->n_chains; i++) {
		const struct ir_chain *chain = &from->chains[i];

		if (c->is_shut[i])
			continue;
		add_chain(c, chain);
		for (uint32_t j = 0; j < chain->n_rules; j++) {
			const struct ir_rule *rule = &from->rules[chain->first_rule + j];

			add_rule(c, rule);
			for (uint32_t k = 0; k < rule->n_stmts; k++)
				copy_stmt(c, from->stmts[rule->first_stmt + k]);
		}
	}
}

static void copy_sets(struct closing *c)
{
	const struct ir_ruleset *from = c->from;

	c->to.elements = arena_alloc(c->arena, (from->n_elements + 1) * sizeof(*from->elements));
	c->to.n_elements = from->n_elements;
	memcpy(c->to.elements, from->elements, from->n_elements * sizeof(*from->elements));
	for (size_t i = 0; i < from->n_sets; i++) {
		const struct ir_set *set = &from->sets[i];

		if (c->sets[i] != IR_NONE)
			*ARENA_APPEND(c->arena, c->to.sets, c->to.n_sets) = *set;
		for (uint32_t j = 0; set->is_map && j < set->n_elements; j++) {
			struct ir_element *e = &c->to.elements[set->first_element + j];

			e->chain = chain_of(c, e->chain);
		}
	}
	for (size_t i = 0; i < from->n_counters; i++)
		if (c->counters[i] != IR_NONE)
			*ARENA_APPEND(c->arena, c->to.counters, c->to.n_counters) =
				from->counters[i];
}

void plan_closed(const struct ir_ruleset *ruleset, const bool *is_shut, struct arena *arena,
		 struct ir_ruleset *ret_closed)
{
	struct closing c = { .from = ruleset, .is_shut = is_shut, .arena = arena };

	choose(&c);
	add_closed_chain(&c);
	copy_chains(&c);
	copy_sets(&c);
	c.to.uses_conntrack = ruleset->uses_conntrack;
	ir_check(&c.to);
	*ret_closed = c.to;
}
