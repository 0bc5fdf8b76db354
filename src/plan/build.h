/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build.h - puts a ruleset together, a chain, a rule, a statement after the other.
 *
 * Chains, rules and statements are contiguous: whatever is added belongs to what was begun last.
 */
#ifndef UIDWALL_PLAN_BUILD_H
#define UIDWALL_PLAN_BUILD_H

#include "plan/ir.h"
#include "plan/names.h"
#include "policy/policy.h"

struct build {
	struct arena *arena;   /* where the ruleset will live */
	struct arena *scratch; /* where it grows */
	struct ir_ruleset ruleset;
	const uint8_t **values; /* hash table of the operands of matches: many rules, few values */
	size_t n_values, values_size;
};

uint32_t build_chain(struct build *b, const char *name, enum ir_hook hook);
void build_rule(struct build *b, struct ir_origin origin);
uint32_t build_counter(struct build *b, const char *name);
uint32_t build_set(struct build *b, const char *name, enum ir_key_type type, bool is_map,
		   bool is_interval);
struct ir_element *build_element(struct build *b); /* of the last set */
/* Sorts the last set's elements and gives sets that hash a fixed size with headroom. */
void build_set_finish(struct build *b);

/* Statements of the last rule. */
void add_match(struct build *b, enum ir_field field, enum ir_op op, const void *value);
void add_match_byte(struct build *b, enum ir_field field, enum ir_op op, uint8_t value);
void add_match_number(struct build *b, enum ir_field field, enum ir_op op, uint32_t value);
void add_match_masked(struct build *b, enum ir_field field, enum ir_op op, uint8_t mask,
		      uint8_t value);
void add_match_interface(struct build *b, const char *interface);
void add_match_ports(struct build *b, enum ir_field field, struct number_range ports);
void add_match_address(struct build *b, const struct prefix *address); /* with its nfproto */
void add_match_until(struct build *b, int64_t until);		       /* INT64_MAX: nothing */
void add_lookup(struct build *b, enum ir_field field, enum ir_field field2, uint32_t set);
void add_vmap(struct build *b, enum ir_field field, uint32_t map);
void add_count(struct build *b, uint32_t counter);
void add_strip(struct build *b, enum ir_field option);
void add_dnat(struct build *b, const struct prefix *address, struct number_range ports);
void add_reject(struct build *b, enum ir_reject reject);
void add_verdict(struct build *b, enum ir_verdict verdict, uint32_t chain);

/* Copies the ruleset, without the slack of growing, into its arena. */
void build_finish(const struct build *b, struct ir_ruleset *ret_ruleset);

#endif
