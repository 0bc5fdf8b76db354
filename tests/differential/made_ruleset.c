/* SPDX-License-Identifier: GPL-2.0-or-later */
/* made_ruleset.c - rulesets by hand, as small as a test wants them. */
#include "made_ruleset.h"

#include <string.h>

struct ir_origin made_origin(uint32_t line)
{
	return (struct ir_origin){ .place = { .file = "blog.json", .line = line },
				   .what = "connect" };
}

void made_chain_add(struct arena *arena, struct ir_ruleset *r, const char *name)
{
	struct ir_chain *chain = ARENA_APPEND(arena, r->chains, r->n_chains);

	chain->name = name;
	chain->hook = strcmp(name, "output") == 0 ? IR_HOOK_OUTPUT : IR_HOOK_NONE;
	chain->first_rule = (uint32_t)r->n_rules;
}

struct ir_stmt *made_rule_add(struct arena *arena, struct ir_ruleset *r, uint32_t line)
{
	struct ir_rule *rule = ARENA_APPEND(arena, r->rules, r->n_rules);
	struct ir_stmt *s = ARENA_APPEND(arena, r->stmts, r->n_stmts);

	rule->first_stmt = (uint32_t)r->n_stmts - 1;
	rule->n_stmts = 1;
	rule->origin = made_origin(line);
	r->chains[r->n_chains - 1].n_rules++;
	s->kind = IR_STMT_VERDICT;
	s->field2 = IR_FIELD_COUNT;
	return s;
}

static void add_jump(struct arena *arena, struct ir_ruleset *r, uint32_t line, uint32_t chain)
{
	struct ir_stmt *s = made_rule_add(arena, r, line);

	s->op = IR_JUMP;
	s->index = chain;
}

void made_chains(struct arena *arena, struct ir_ruleset *r, bool loop)
{
	memset(r, 0, sizeof(*r));
	made_chain_add(arena, r, "output");
	add_jump(arena, r, 1, 1);
	made_chain_add(arena, r, "a");
	add_jump(arena, r, 2, 2);
	made_chain_add(arena, r, "b");
	if (loop)
		add_jump(arena, r, 3, 1);
	made_rule_add(arena, r, 4)->op = IR_ACCEPT;
}

void made_set(struct arena *arena, struct ir_ruleset *r, uint32_t n, uint32_t size)
{
	struct ir_set *set;

	made_chains(arena, r, false);
	set = ARENA_APPEND(arena, r->sets, r->n_sets);
	*set = (struct ir_set){ .name = "to", .key_type = IR_KEY_IPV4_PORT, .size = size };
	for (uint32_t i = 0; i < n; i++) {
		struct ir_element *element = ARENA_APPEND(arena, r->elements, r->n_elements);
		uint8_t key[] = { 10, (uint8_t)(i >> 8), (uint8_t)i, 7, 0, 80 };

		memcpy(element->key, key, sizeof(key));
		memcpy(element->last, key, sizeof(key));
		element->chain = IR_NONE;
		element->origin = made_origin(10 + i);
		set->n_elements++;
	}
}
