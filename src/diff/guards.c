/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guards.c - a ruleset → which uids may connect to which declared port over loopback.
 *
 * A guard's chain is run for all uids at once, for the packet that opens a connection: each rule
 * takes the uids that it matches out of those still on their way.
 */
#include "diff/guards.h"

#include <string.h>

#include "diff/reach.h"

struct run {
	const struct ir_ruleset *rules;
	struct arena *arena;
};

static struct ranges run_chain(const struct run *run, uint32_t index, struct ranges uids,
			       struct ranges *ret_accepted);

static uint32_t uid_from(const uint8_t *bytes)
{
	return (uint32_t)reach_address_from(bytes, 4);
}

/* --- one chain --------------------------------------------------------------------------------
 */

static struct ranges match_uid(const struct run *run, const struct ir_stmt *s, struct ranges uids)
{
	uint32_t uid = uid_from(s->value);

	switch ((enum ir_op)s->op) {
	case IR_EQ:
		return ranges_intersect(run->arena, uids, ranges_one(run->arena, uid, uid));
	case IR_NE:
		return ranges_subtract(run->arena, uids, ranges_one(run->arena, uid, uid));
	case IR_GE:
		return ranges_intersect(run->arena, uids, ranges_one(run->arena, uid, UINT32_MAX));
	case IR_LT:
		return ranges_subtract(run->arena, uids, ranges_one(run->arena, uid, UINT32_MAX));
	case IR_RANGE:
		return ranges_intersect(run->arena, uids,
					ranges_one(run->arena, uid, uid_from(s->value + 4)));
	case IR_PREFIX: /* of addresses */
	case IR_MASK_EQ:
	case IR_MASK_NE:
		break;
	}
	abort();
}

static struct ranges match_set(const struct run *run, const struct ir_stmt *s, struct ranges uids)
{
	const struct ir_set *set = &run->rules->sets[s->index];
	struct ranges members = { NULL, 0 };

	for (uint32_t i = 0; i < set->n_elements; i++) {
		const struct ir_element *e = &run->rules->elements[set->first_element + i];

		ranges_append(run->arena, &members, uid_from(e->key), uid_from(e->last));
	}
	return ranges_intersect(run->arena, uids, members);
}

/* Takes the uids that the rule matches out of *uids; those that it sends back to the caller of the
 * chain are added to *returned, those that leave the machine to *accepted.
 */
static void run_verdict(const struct run *run, const struct ir_stmt *s, struct ranges matched,
			struct ranges *uids, struct ranges *returned, struct ranges *accepted)
{
	*uids = ranges_subtract(run->arena, *uids, matched);
	switch ((enum ir_verdict)s->op) {
	case IR_ACCEPT:
		*accepted = ranges_union(run->arena, *accepted, matched);
		return;
	case IR_DROP:
		return;
	case IR_RETURN:
		*returned = ranges_union(run->arena, *returned, matched);
		return;
	case IR_JUMP:
		*uids = ranges_union(run->arena, *uids,
				     run_chain(run, s->index, matched, accepted));
		return;
	case IR_GOTO:
		*returned = ranges_union(run->arena, *returned,
					 run_chain(run, s->index, matched, accepted));
		return;
	}
	abort();
}

static void run_rule(const struct run *run, const struct ir_rule *rule, struct ranges *uids,
		     struct ranges *returned, struct ranges *accepted)
{
	struct ranges matched = *uids;

	for (uint32_t i = 0; i < rule->n_stmts && matched.n; i++) {
		const struct ir_stmt *s = &run->rules->stmts[rule->first_stmt + i];

		switch ((enum ir_stmt_kind)s->kind) {
		case IR_STMT_MATCH:
			/* the protocol and the flags are those of what opens a connection */
			if (s->field == IR_SKUID)
				matched = match_uid(run, s, matched);
			else if (s->field == IR_SADDR_TYPE)
				return; /* of no packet that reach.h is about */
			break;
		case IR_STMT_LOOKUP:
			matched = match_set(run, s, matched);
			break;
		case IR_STMT_COUNTER:
		case IR_STMT_STRIP:
		case IR_STMT_DNAT:
		case IR_STMT_VMAP:
			break;
		case IR_STMT_REJECT:
			*uids = ranges_subtract(run->arena, *uids, matched);
			return;
		case IR_STMT_VERDICT:
			run_verdict(run, s, matched, uids, returned, accepted);
			return;
		}
	}
}

/* Those of the uids that come back from the chain. */
static struct ranges run_chain(const struct run *run, uint32_t index, struct ranges uids,
			       struct ranges *accepted)
{
	const struct ir_chain *chain = &run->rules->chains[index];
	struct ranges returned = { NULL, 0 };

	for (uint32_t i = 0; i < chain->n_rules && uids.n; i++)
		run_rule(run, &run->rules->rules[chain->first_rule + i], &uids, &returned,
			 accepted);
	return ranges_union(run->arena, returned, uids);
}

static struct ranges callers_of(const struct run *run, uint32_t chain)
{
	struct ranges accepted = { NULL, 0 };
	struct ranges back = run_chain(run, chain, ranges_all, &accepted);

	return ranges_union(run->arena, back, accepted);
}

/* --- all of them ------------------------------------------------------------------------------
 */

/* A chain of nothing but jumps stands for several listeners on one port. */
static bool is_of_several(const struct ir_ruleset *rules, const struct ir_chain *chain)
{
	for (uint32_t i = 0; i < chain->n_rules; i++) {
		const struct ir_rule *rule = &rules->rules[chain->first_rule + i];
		const struct ir_stmt *s = &rules->stmts[rule->first_stmt];

		if (rule->n_stmts != 1 || s->kind != IR_STMT_VERDICT || s->op != IR_JUMP)
			return false;
	}
	return true;
}

static void add_chain(const struct run *run, struct guard *guard, uint32_t chain)
{
	struct guard_chain *chains = (struct guard_chain *)(uintptr_t)guard->chains;

	*ARENA_APPEND(run->arena, chains, guard->n_chains) =
		(struct guard_chain){ chain, callers_of(run, chain) };
	guard->chains = chains;
}

static void read_chains(const struct run *run, struct guard *guard, uint32_t index)
{
	const struct ir_chain *chain = &run->rules->chains[index];

	if (is_of_several(run->rules, chain)) {
		for (uint32_t i = 0; i < chain->n_rules; i++)
			add_chain(
				run, guard,
				run->rules
					->stmts[run->rules->rules[chain->first_rule + i].first_stmt]
					.index);
	} else {
		add_chain(run, guard, index);
	}
	guard->callers = ranges_all;
	for (size_t i = 0; i < guard->n_chains; i++)
		guard->callers =
			ranges_intersect(run->arena, guard->callers, guard->chains[i].callers);
}

static bool is_open(const struct guard *guard)
{
	return ranges_equal(guard->callers, ranges_all);
}

static void read_map(const struct run *run, uint32_t map, struct guard **ret_list, size_t *ret_n)
{
	const struct ir_set *set = &run->rules->sets[map];
	struct guard last = { .n_chains = 0 };
	uint32_t last_chain = IR_NONE;

	for (uint32_t i = 0; i < set->n_elements; i++) {
		const struct ir_element *e = &run->rules->elements[set->first_element + i];

		if (e->chain != last_chain) {
			last = (struct guard){ .n_chains = 0 };
			read_chains(run, &last, e->chain);
			last_chain = e->chain;
		}
		last.ports.first = (uint32_t)reach_address_from(e->key, 2);
		last.ports.last = (uint32_t)reach_address_from(e->last, 2);
		if (!is_open(&last))
			*ARENA_APPEND(run->arena, *ret_list, *ret_n) = last;
	}
}

void guards_read(const struct ir_ruleset *rules, struct arena *arena, struct guards *ret_guards)
{
	static const char *const names[] = {
		[PROTOCOL_TCP] = "tcp-guards",
		[PROTOCOL_UDP] = "udp-guards",
	};
	struct run run = { rules, arena };

	*ret_guards = (struct guards){ .rules = rules };
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		uint32_t map = ir_find_set(rules, names[i]);

		if (map != IR_NONE)
			read_map(&run, map, &ret_guards->list[i], &ret_guards->n[i]);
	}
}

/* --- questions --------------------------------------------------------------------------------
 */

const struct guard *guards_find(const struct guards *guards, unsigned protocol, uint32_t port)
{
	size_t low = 0, high = guards->n[protocol];

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct guard *guard = &guards->list[protocol][middle];

		if (port < guard->ports.first)
			high = middle;
		else if (port > guard->ports.last)
			low = middle + 1;
		else
			return guard;
	}
	return NULL;
}

struct ranges guards_callers(const struct guards *guards, unsigned protocol, uint32_t port)
{
	const struct guard *guard = guards_find(guards, protocol, port);

	return guard ? guard->callers : ranges_all;
}

const struct ir_origin *guard_origin(const struct guards *guards, const struct guard_chain *chain)
{
	return &guards->rules->rules[guards->rules->chains[chain->chain].first_rule].origin;
}

/* Ports that stand one by one on one side may be a range on the other. */
static bool lists_equal(const struct guards *a, const struct guards *b, unsigned protocol)
{
	const struct guard *x = a->list[protocol], *y = b->list[protocol];
	size_t n = a->n[protocol], m = b->n[protocol];
	uint32_t x_first = n ? x->ports.first : 0, y_first = m ? y->ports.first : 0;

	while (n && m) {
		uint32_t last = x->ports.last < y->ports.last ? x->ports.last : y->ports.last;

		if (x_first != y_first || !ranges_equal(x->callers, y->callers))
			return false;
		x_first = y_first = last + 1;
		if (x->ports.last == last && --n)
			x_first = (++x)->ports.first;
		if (y->ports.last == last && --m)
			y_first = (++y)->ports.first;
	}
	return !n && !m;
}

bool guards_equal(const struct guards *a, const struct guards *b)
{
	return lists_equal(a, b, PROTOCOL_TCP) && lists_equal(a, b, PROTOCOL_UDP);
}
