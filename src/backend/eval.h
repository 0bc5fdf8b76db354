/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eval.h - ruleset x packet → verdict, and the rules that decided it. A pure function.
 *
 * A packet here is the fields that the ruleset can look at; packet.h makes them from words.
 */
#ifndef UIDWALL_BACKEND_EVAL_H
#define UIDWALL_BACKEND_EVAL_H

#include "plan/ir.h"

/* What a packet has of each field, as the kernel would load it: network order, the unused bytes 0,
 * as in struct ir_stmt. A field that is not present matches nothing, not even a negation.
 */
struct eval_packet {
	uint32_t present; /* bit: enum ir_field */
	uint8_t nat;	  /* enum eval_nat */
	bool is_bound;	  /* to its interface (SO_BINDTODEVICE): being led elsewhere changes none */
	const struct ir_stmt *led; /* EVAL_NAT_LATER: where to, if that is known */
	uint8_t values[IR_FIELD_COUNT][IR_VALUE_MAX];
};
static_assert(IR_FIELD_COUNT <= 32, "eval_packet.present has a bit for each field");

/* What NAT does to it; nothing to packets without conntrack, and to replies. */
enum eval_nat {
	EVAL_NAT_FIRST, /* the first of its connection: the rules are asked */
	EVAL_NAT_LATER, /* a later one: it goes where `led` says, or as the first one would now */
	EVAL_NAT_NONE,	/* a later one, of a connection that was not led away */
};

void eval_set(struct eval_packet *packet, enum ir_field field, const void *value);
void eval_set_number(struct eval_packet *packet, enum ir_field field, uint64_t value);

enum eval_verdict {
	EVAL_ACCEPT,	 /* leaves, or is ours only by default: then n_steps is 0 */
	EVAL_DROP,	 /* without an answer */
	EVAL_RESET,	 /* refused with a TCP reset */
	EVAL_PROHIBITED, /* refused with "administratively prohibited" */
};

/* A rule that matched and, where a set or map said so, the element that did. */
struct eval_step {
	uint32_t chain;	  /* in ruleset.chains */
	uint32_t rule;	  /* in ruleset.rules */
	uint32_t element; /* in ruleset.elements, or IR_NONE */
};

/* The kernel follows 16 jumps at most (NFT_JUMP_STACK_SIZE); a goto adds a step, too. */
enum { EVAL_STEPS_MAX = 40 };

struct eval_result {
	uint8_t verdict; /* enum eval_verdict */
	/* From the base chain to the rule that ended it; chains that returned are not among them.
	 */
	uint8_t n_steps;
	struct eval_step steps[EVAL_STEPS_MAX];
	const struct ir_stmt *led; /* IR_STMT_DNAT, where to; NULL: it goes where it says */
};

/* Called for each counter (index in ruleset.counters) that the packet makes count, in order. */
typedef void (*eval_count_fn)(uint32_t counter, void *data);

/* The base chains as the hooks call them: by hook, and of one hook those at the end of the ruleset,
 * made last, come first. count may be NULL.
 */
void eval_packet(const struct ir_ruleset *ruleset, const struct eval_packet *packet,
		 eval_count_fn count, void *data, struct eval_result *ret_result);

bool eval_is_refused(const struct eval_result *result);

/* Where the deciding line of a policy is: the last step that comes from one, its element before its
 * rule. NULL where no policy had a say.
 */
const struct ir_origin *eval_origin(const struct ir_ruleset *ruleset,
				    const struct eval_result *result);

#endif
