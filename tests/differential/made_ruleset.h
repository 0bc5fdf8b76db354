/* SPDX-License-Identifier: GPL-2.0-or-later */
/* made_ruleset.h - rulesets by hand, as small as a test wants them. */
#ifndef UIDWALL_TESTS_MADE_RULESET_H
#define UIDWALL_TESTS_MADE_RULESET_H

#include "plan/ir.h"

struct ir_origin made_origin(uint32_t line); /* "blog.json:LINE connect" */

void made_chain_add(struct arena *arena, struct ir_ruleset *r, const char *name);

/* To the chain added last; a verdict, to be filled in. */
struct ir_stmt *made_rule_add(struct arena *arena, struct ir_ruleset *r, uint32_t line);

/* output → a → b, and with a loop b → a. */
void made_chains(struct arena *arena, struct ir_ruleset *r, bool loop);

/* The same chains, and "to", a set of n addresses with ports; size 0: any number. */
void made_set(struct arena *arena, struct ir_ruleset *r, uint32_t n, uint32_t size);

#endif
