/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eval.c - decide what a ruleset does to one packet, and name the rules that decided it.
 *
 * A field can be absent (a packet without a socket has no skuid). The kernel lets no match on an
 * absent field succeed, not even a negated one (NFT_BREAK in net/netfilter/nft_meta.c,
 * nft_payload.c, nft_ct.c); nor a look-up. Tests hold all of this to the kernel: tests/proof.
 */
#include "backend/eval.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>

/* What a rule or a chain came to. */
enum outcome { NEXT, RETURNED, DECIDED };

struct run {
	const struct ir_ruleset *ruleset;
	const struct eval_packet *packet;
	eval_count_fn count;
	void *data;
	struct eval_result *result;
	struct eval_packet changed; /* on its way: `packet` then is this one */
	uint32_t stripped;	    /* bit: the field of a TCP option that is no longer there */
};

static enum outcome run_chain(struct run *run, uint32_t index);

void eval_set(struct eval_packet *packet, enum ir_field field, const void *value)
{
	memcpy(packet->values[field], value, ir_fields[field].length);
	packet->present |= 1U << field;
}

void eval_set_number(struct eval_packet *packet, enum ir_field field, uint64_t value)
{
	for (unsigned i = ir_fields[field].length; i-- > 0; value >>= 8)
		packet->values[field][i] = (uint8_t)value;
	packet->present |= 1U << field;
}

static bool has_field(const struct eval_packet *packet, uint8_t field)
{
	return packet->present & 1U << field;
}

static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned length)
{
	unsigned bytes = length / 8, bits = length % 8;

	if (memcmp(a, b, bytes) != 0)
		return false;
	return !bits || !((a[bytes] ^ b[bytes]) & (0xff << (8 - bits) & 0xff));
}

/* All values are in network order, so that memcmp() compares numbers. */
static bool eval_match(const struct run *run, const struct ir_stmt *s)
{
	static const uint8_t none[IR_VALUE_MAX];
	const struct eval_packet *packet = run->packet;
	const uint8_t *value = run->stripped & 1U << s->field ? none : packet->values[s->field];
	unsigned length = ir_fields[s->field].length;

	if (!has_field(packet, s->field))
		return false;
	switch ((enum ir_op)s->op) {
	case IR_EQ:
		return memcmp(value, s->value, length) == 0;
	case IR_NE:
		return memcmp(value, s->value, length) != 0;
	case IR_LT:
		return memcmp(value, s->value, length) < 0;
	case IR_GE:
		return memcmp(value, s->value, length) >= 0;
	case IR_RANGE:
		return memcmp(value, s->value, length) >= 0 &&
		       memcmp(value, s->value + length, length) <= 0;
	case IR_PREFIX:
		return prefix_equal(value, s->value, s->prefix_length);
	case IR_MASK_EQ:
		return (value[length - 1] & s->mask) == s->value[0];
	case IR_MASK_NE:
		return (value[length - 1] & s->mask) != s->value[0];
	}
	abort();
}

/* The element that holds the key, or IR_NONE. Elements are sorted and do not overlap. */
static uint32_t find_element(const struct ir_ruleset *ruleset, const struct ir_set *set,
			     const uint8_t key[IR_KEY_MAX])
{
	const struct ir_element *elements = &ruleset->elements[set->first_element];
	unsigned length = ir_key_length(set->key_type);
	uint32_t low = 0, high = set->n_elements;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct ir_element *e = &elements[middle];

		if (memcmp(key, e->key, length) < 0)
			high = middle;
		else if (set->is_interval ? memcmp(key, e->last, length) > 0 :
					    memcmp(key, e->key, length) != 0)
			low = middle + 1;
		else
			return set->first_element + middle;
	}
	return IR_NONE;
}

/* The parts of a concatenation begin at multiples of 4 bytes, the registers' size. */
static bool make_key(const struct ir_stmt *s, const struct eval_packet *packet,
		     uint8_t ret_key[IR_KEY_MAX])
{
	unsigned length = ir_fields[s->field].length;

	memset(ret_key, 0, IR_KEY_MAX);
	if (!has_field(packet, s->field))
		return false;
	memcpy(ret_key, packet->values[s->field], length);
	if (s->field2 == IR_FIELD_COUNT)
		return true;
	if (!has_field(packet, s->field2))
		return false;
	memcpy(ret_key + (length + 3) / 4 * 4, packet->values[s->field2],
	       ir_fields[s->field2].length);
	return true;
}

static uint32_t eval_lookup(const struct ir_ruleset *ruleset, const struct ir_stmt *s,
			    const struct eval_packet *packet)
{
	uint8_t key[IR_KEY_MAX];

	if (!make_key(s, packet, key))
		return IR_NONE;
	return find_element(ruleset, &ruleset->sets[s->index], key);
}

static enum outcome decide(struct run *run, enum eval_verdict verdict)
{
	run->result->verdict = (uint8_t)verdict;
	return DECIDED;
}

/* A goto ends the chain it stands in: what the other chain leaves open, the caller goes on with. */
static enum outcome eval_verdict(struct run *run, enum ir_verdict verdict, uint32_t chain)
{
	switch (verdict) {
	case IR_ACCEPT:
		return decide(run, EVAL_ACCEPT);
	case IR_DROP:
		return decide(run, EVAL_DROP);
	case IR_RETURN:
		return RETURNED;
	case IR_JUMP:
		return run_chain(run, chain) == DECIDED ? DECIDED : NEXT;
	case IR_GOTO:
		return run_chain(run, chain) == DECIDED ? DECIDED : RETURNED;
	}
	abort();
}

static enum outcome run_rule(struct run *run, uint32_t chain, uint32_t rule_index)
{
	const struct ir_ruleset *ruleset = run->ruleset;
	const struct ir_rule *rule = &ruleset->rules[rule_index];
	struct eval_step step = { chain, rule_index, IR_NONE };

	for (uint32_t i = 0; i < rule->n_stmts; i++) {
		const struct ir_stmt *s = &ruleset->stmts[rule->first_stmt + i];
		const struct ir_element *e;
		bool ends = false;

		switch ((enum ir_stmt_kind)s->kind) {
		case IR_STMT_MATCH:
			if (!eval_match(run, s))
				return NEXT;
			continue;
		case IR_STMT_LOOKUP:
		case IR_STMT_VMAP:
			step.element = eval_lookup(ruleset, s, run->packet);
			if (step.element == IR_NONE)
				return NEXT;
			ends = s->kind == IR_STMT_VMAP;
			break;
		case IR_STMT_COUNTER:
			if (run->count)
				run->count(s->index, run->data);
			continue;
		case IR_STMT_STRIP:
			run->stripped |= 1U << s->field;
			continue;
		case IR_STMT_REJECT:
		case IR_STMT_DNAT:
		case IR_STMT_VERDICT:
			ends = true;
			break;
		}
		if (!ends)
			continue;
		if (run->result->n_steps < EVAL_STEPS_MAX)
			run->result->steps[run->result->n_steps++] = step;
		if (s->kind == IR_STMT_REJECT)
			return decide(run,
				      s->op == IR_REJECT_TCP_RESET ? EVAL_RESET : EVAL_PROHIBITED);
		if (s->kind == IR_STMT_DNAT) {
			run->result->led = s;
			return decide(run, EVAL_ACCEPT);
		}
		if (s->kind == IR_STMT_VERDICT)
			return eval_verdict(run, s->op, s->index);
		e = &ruleset->elements[step.element];
		return eval_verdict(run, e->verdict, e->chain);
	}
	return NEXT;
}

static enum outcome run_chain(struct run *run, uint32_t index)
{
	const struct ir_chain *chain = &run->ruleset->chains[index];
	const uint8_t n_steps = run->result->n_steps;
	enum outcome outcome = NEXT;

	for (uint32_t i = 0; i < chain->n_rules && outcome == NEXT; i++) {
		/* a jump that came back has decided nothing */
		run->result->n_steps = n_steps;
		outcome = run_rule(run, index, chain->first_rule + i);
	}
	if (outcome != DECIDED)
		run->result->n_steps = n_steps;
	return outcome;
}

/* --- hooks ------------------------------------------------------------------------------------ */

/* False: the packet ends here. */
static bool run_hook(struct run *run, enum ir_hook hook)
{
	/* of one priority, the last made comes first: nf_hook_entries_grow() */
	for (uint32_t i = (uint32_t)run->ruleset->n_chains; i-- > 0;)
		if (run->ruleset->chains[i].hook == hook && run_chain(run, i) == DECIDED &&
		    run->result->verdict != EVAL_ACCEPT)
			return false;
	return true;
}

static bool has_nat(const struct run *run)
{
	const struct eval_packet *packet = run->packet;

	return packet->nat != EVAL_NAT_NONE && has_field(packet, IR_CT_DIRECTION) &&
	       packet->values[IR_CT_DIRECTION][0] == IP_CT_DIR_ORIGINAL;
}

static struct eval_packet *change(struct run *run)
{
	if (run->packet != &run->changed)
		run->changed = *run->packet;
	run->packet = &run->changed;
	return &run->changed;
}

/* Later packets go where the first one was led, with no rule asked. */
static bool run_nat(struct run *run)
{
	const struct eval_packet *packet = run->packet;
	bool is_later = packet->nat == EVAL_NAT_LATER, goes_on;
	eval_count_fn count = run->count;

	if (is_later && packet->led) {
		run->result->led = packet->led;
		return true;
	}
	if (is_later && has_field(packet, IR_TCP_FLAGS))
		eval_set_number(change(run), IR_TCP_FLAGS, TH_SYN);
	run->count = is_later ? NULL : count;
	goes_on = run_hook(run, IR_HOOK_NAT_OUTPUT);
	run->count = count;
	run->packet = packet;
	return goes_on;
}

/* Where it was led: the filter sees the new address, and the interface from before. */
static void lead(struct run *run)
{
	const struct ir_stmt *led = run->result->led;
	struct eval_packet *packet = change(run);

	eval_set(packet, led->op == NFPROTO_IPV4 ? IR_IP_DADDR : IR_IP6_DADDR, led->value);
	eval_set_number(packet, IR_TCP_DPORT, led->port);
	eval_set_number(packet, IR_CT_STATUS, IPS_DST_NAT);
}

void eval_packet(const struct ir_ruleset *ruleset, const struct eval_packet *packet,
		 eval_count_fn count, void *data, struct eval_result *ret_result)
{
	static const char lo[IR_VALUE_MAX] = "lo";
	struct run run = { .ruleset = ruleset,
			   .packet = packet,
			   .count = count,
			   .data = data,
			   .result = ret_result };

	ret_result->verdict = EVAL_ACCEPT;
	ret_result->n_steps = 0;
	ret_result->led = NULL;
	if (has_nat(&run) && !run_nat(&run))
		return;
	if (ret_result->led)
		lead(&run);
	else
		ret_result->n_steps = 0;
	if (!run_hook(&run, IR_HOOK_OUTPUT))
		return;
	if (ret_result->led && !packet->is_bound)
		eval_set(change(&run), IR_OIFNAME, lo);
	run_hook(&run, IR_HOOK_POSTROUTING);
}

bool eval_is_refused(const struct eval_result *result)
{
	return result->verdict != EVAL_ACCEPT;
}

static bool is_from_policy(const struct ir_origin *origin)
{
	return origin->what && origin->place.file;
}

const struct ir_origin *eval_origin(const struct ir_ruleset *ruleset,
				    const struct eval_result *result)
{
	for (unsigned i = result->n_steps; i-- > 0;) {
		const struct eval_step *step = &result->steps[i];

		if (step->element != IR_NONE &&
		    is_from_policy(&ruleset->elements[step->element].origin))
			return &ruleset->elements[step->element].origin;
		if (is_from_policy(&ruleset->rules[step->rule].origin))
			return &ruleset->rules[step->rule].origin;
	}
	return NULL;
}
