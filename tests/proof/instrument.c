/* SPDX-License-Identifier: GPL-2.0-or-later */
/* instrument.c - a ruleset → the same with a counter in each rule; or with a mistake in it. */
#include "instrument.h"

#include <string.h>

const char *const mistake_names[MISTAKE_COUNT] = {
	[MISTAKE_RANGE_END] = "range-end",
	[MISTAKE_NO_INTERFACE] = "no-interface",
	[MISTAKE_NEGATION] = "negation",
	[MISTAKE_ELEMENT] = "element",
};

static void *copy(struct arena *arena, const void *from, size_t n, size_t more, size_t size)
{
	void *to = arena_alloc(arena, (n + more) * size);

	if (n)
		memcpy(to, from, n * size);
	return to;
}

void instrument(const struct ir_ruleset *ruleset, struct arena *arena, struct ir_ruleset *ret)
{
	size_t n_stmts = 0; /* rules may share them */
	struct ir_stmt *stmt;

	for (uint32_t i = 0; i < ruleset->n_rules; i++)
		n_stmts += ruleset->rules[i].n_stmts + 1;
	*ret = *ruleset;
	ret->counters = copy(arena, ruleset->counters, ruleset->n_counters, ruleset->n_rules,
			     sizeof(*ret->counters));
	ret->rules = copy(arena, ruleset->rules, ruleset->n_rules, 0, sizeof(*ret->rules));
	ret->stmts = stmt = arena_alloc(arena, n_stmts * sizeof(*ret->stmts));
	for (uint32_t i = 0; i < ruleset->n_rules; i++) {
		const struct ir_rule *rule = &ruleset->rules[i];
		const struct ir_stmt *from = &ruleset->stmts[rule->first_stmt];

		ret->counters[ret->n_counters].name = arena_printf(arena, "rule-%u", i);
		ret->rules[i].first_stmt = (uint32_t)(stmt - ret->stmts);
		ret->rules[i].n_stmts++;
		memcpy(stmt, from, (rule->n_stmts - 1) * sizeof(*stmt));
		stmt += rule->n_stmts - 1;
		*stmt++ = (struct ir_stmt){
			.kind = IR_STMT_COUNTER,
			.field = IR_FIELD_COUNT,
			.field2 = IR_FIELD_COUNT,
			.index = (uint32_t)ret->n_counters++,
		};
		*stmt++ = from[rule->n_stmts - 1];
	}
	ret->n_stmts = (size_t)(stmt - ret->stmts);
}

static bool same_rule(const struct ir_ruleset *ruleset, const struct ir_ruleset *instrumented,
		      uint32_t number)
{
	const struct ir_rule *a = &ruleset->rules[number], *b = &instrumented->rules[number];
	const struct ir_stmt *from = &ruleset->stmts[a->first_stmt];
	const struct ir_stmt *to = &instrumented->stmts[b->first_stmt];
	const struct ir_stmt *counter = &to[a->n_stmts - 1];

	return b->n_stmts == a->n_stmts + 1 && counter->kind == IR_STMT_COUNTER &&
	       counter->index == ruleset->n_counters + number &&
	       memcmp(from, to, (a->n_stmts - 1) * sizeof(*from)) == 0 &&
	       memcmp(&from[a->n_stmts - 1], counter + 1, sizeof(*from)) == 0;
}

bool instrument_is_faithful(const struct ir_ruleset *ruleset, const struct ir_ruleset *instrumented)
{
	if (instrumented->n_rules != ruleset->n_rules ||
	    instrumented->n_chains != ruleset->n_chains ||
	    instrumented->chains != ruleset->chains || instrumented->sets != ruleset->sets ||
	    instrumented->n_sets != ruleset->n_sets ||
	    instrumented->elements != ruleset->elements ||
	    instrumented->n_elements != ruleset->n_elements)
		return false;
	for (uint32_t i = 0; i < ruleset->n_rules; i++)
		if (!same_rule(ruleset, instrumented, i))
			return false;
	return true;
}

/* --- mistakes --------------------------------------------------------------------------------- */

static void mistake_stmt(struct ir_stmt *s, enum mistake mistake, struct arena *arena)
{
	unsigned length = s->kind == IR_STMT_MATCH ? ir_fields[s->field].length : 0;
	uint8_t *value;

	if (s->kind != IR_STMT_MATCH)
		return;
	value = copy(arena, s->value, IR_VALUE_MAX, 0, 1);
	switch (mistake) {
	case MISTAKE_RANGE_END:
		if (s->op == IR_RANGE && value[2 * length - 1] < 0xff)
			value[2 * length - 1]++;
		break;
	case MISTAKE_NO_INTERFACE:
		if (s->field == IR_OIFNAME && s->op == IR_EQ) {
			s->op = IR_NE;
			memcpy(value, "nowhere", sizeof("nowhere"));
		}
		break;
	case MISTAKE_NEGATION:
		if (s->op == IR_NE)
			s->op = IR_EQ;
		break;
	case MISTAKE_NONE:
	case MISTAKE_ELEMENT:
	case MISTAKE_COUNT:
		break;
	}
	s->value = value;
}

void instrument_mistake(const struct ir_ruleset *ruleset, enum mistake mistake, struct arena *arena,
			struct ir_ruleset *ret)
{
	*ret = *ruleset;
	ret->stmts = copy(arena, ruleset->stmts, ruleset->n_stmts, 0, sizeof(*ret->stmts));
	ret->sets = copy(arena, ruleset->sets, ruleset->n_sets, 0, sizeof(*ret->sets));
	for (size_t i = 0; i < ret->n_stmts; i++)
		mistake_stmt(&ret->stmts[i], mistake, arena);
	for (size_t i = 0; mistake == MISTAKE_ELEMENT && i < ret->n_sets; i++)
		if (!ret->sets[i].is_map && ret->sets[i].n_elements)
			ret->sets[i].n_elements--;
}
