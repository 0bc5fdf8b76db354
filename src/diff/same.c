/* SPDX-License-Identifier: GPL-2.0-or-later */
/* same.c - whether two services' chains obviously mean the same.
 *
 * Of 10,000 services few change at a time, and this is all that the others cost.
 */
#include "diff/same.h"

#include <string.h>

static bool same_elements(const struct same_side *a, uint32_t x, const struct same_side *b,
			  uint32_t y)
{
	const struct ir_set *s = &a->rules->sets[x], *t = &b->rules->sets[y];

	if (s->key_type != t->key_type || s->n_elements != t->n_elements ||
	    s->is_interval != t->is_interval)
		return false;
	for (uint32_t i = 0; i < s->n_elements; i++) {
		const struct ir_element *e = &a->rules->elements[s->first_element + i];
		const struct ir_element *f = &b->rules->elements[t->first_element + i];

		if (memcmp(e->key, f->key, sizeof(e->key)) != 0 ||
		    memcmp(e->last, f->last, sizeof(e->last)) != 0)
			return false;
	}
	return true;
}

static bool same_stmt(const struct same_side *a, const struct ir_stmt *s, const struct same_side *b,
		      const struct ir_stmt *t)
{
	if (s->kind != t->kind || s->op != t->op || s->field != t->field ||
	    s->field2 != t->field2 || s->mask != t->mask || s->prefix_length != t->prefix_length)
		return false;
	switch ((enum ir_stmt_kind)s->kind) {
	case IR_STMT_MATCH:
		return memcmp(s->value, t->value, IR_VALUE_MAX) == 0;
	case IR_STMT_LOOKUP:
		return same_elements(a, s->index, b, t->index);
	case IR_STMT_VERDICT: /* jumps: to refuse, or to observe, which is the mode */
	case IR_STMT_VMAP:    /* guards */
	case IR_STMT_COUNTER:
	case IR_STMT_STRIP:
	case IR_STMT_REJECT:
		return true;
	case IR_STMT_DNAT:
		return s->port == t->port && memcmp(s->value, t->value, IR_VALUE_MAX) == 0;
	}
	abort();
}

static bool same_rule(const struct same_side *a, const struct ir_rule *p, const struct same_side *b,
		      const struct ir_rule *q)
{
	if (p->n_stmts != q->n_stmts)
		return false;
	for (uint32_t i = 0; i < p->n_stmts; i++)
		if (!same_stmt(a, &a->rules->stmts[p->first_stmt + i], b,
			       &b->rules->stmts[q->first_stmt + i]))
			return false;
	return true;
}

static bool is_shared(const struct same_side *side, const struct ir_rule *rule)
{
	const struct ir_stmt *s = &side->rules->stmts[rule->first_stmt + rule->n_stmts - 1];

	return s->kind == IR_STMT_VERDICT && s->op == IR_JUMP &&
	       (s->index == side->shared->dns || s->index == side->shared->proxy);
}

/* The next rule that is the service's own, or NULL. */
static const struct ir_rule *next_rule(const struct same_side *side, const struct ir_chain *chain,
				       uint32_t *i)
{
	while (*i < chain->n_rules) {
		const struct ir_rule *rule = &side->rules->rules[chain->first_rule + (*i)++];

		if (!is_shared(side, rule))
			return rule;
	}
	return NULL;
}

bool same_chain(const struct same_side *a, uint32_t x, const struct same_side *b, uint32_t y)
{
	uint32_t i = 0, j = 0;

	if (x == IR_NONE || y == IR_NONE)
		return x == y;
	for (;;) {
		const struct ir_rule *p = next_rule(a, &a->rules->chains[x], &i);
		const struct ir_rule *q = next_rule(b, &b->rules->chains[y], &j);

		if (!p || !q)
			return !p && !q;
		if (!same_rule(a, p, b, q))
			return false;
	}
}

bool same_has_guards(const struct ir_ruleset *rules, uint32_t chain)
{
	const struct ir_chain *c = &rules->chains[chain];

	for (uint32_t i = 0; i < c->n_rules; i++) {
		const struct ir_rule *rule = &rules->rules[c->first_rule + i];

		if (rules->stmts[rule->first_stmt + rule->n_stmts - 1].kind == IR_STMT_VMAP)
			return true;
	}
	return false;
}
