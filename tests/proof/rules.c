/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules.c - a seed → a ruleset that no policy makes: every field, every comparison, two base
 * chains. */
#include "rules.h"

#include "differential/random_ruleset.h"
#include "lib/random_policies.h"

enum { STREAM_RULES = UINT32_MAX - 3, RULES_MAX = 6 };

/* A second base chain, of rules that other chains have as well. */
static void add_base_chain(struct random *random, struct arena *arena, struct ir_ruleset *r)
{
	unsigned n = 1 + random_below(random, RULES_MAX);
	size_t n_rules = r->n_rules;
	uint32_t first = (uint32_t)n_rules;

	for (unsigned i = 0; i < n; i++) {
		struct ir_rule rule = r->rules[random_below(random, (uint32_t)n_rules)];

		*ARENA_APPEND(arena, r->rules, r->n_rules) = rule;
	}
	*ARENA_APPEND(arena, r->chains, r->n_chains) = (struct ir_chain){
		.name = "second",
		.hook = IR_HOOK_OUTPUT,
		.first_rule = first,
		.n_rules = n,
	};
}

void rules_make(unsigned seed, struct arena *arena, struct ir_ruleset *ret)
{
	struct random random = random_start(seed, STREAM_RULES);
	uint64_t state = ((uint64_t)seed << 1 | 1) * 0x9e3779b97f4a7c15u;
	struct random_spec spec;

	random_spec(&state, &spec);
	random_ruleset(&spec, arena, ret);
	if (random_chance(&random, 2))
		add_base_chain(&random, arena, ret);
}
