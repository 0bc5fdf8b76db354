/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways.c - which connections of a service are led to the proxy, before and after.
 *
 * What is led there is not compared with what may go directly: the proxy decides by name, and it is
 * open to the service in any case.
 */
#include "diff/ways.h"

#include <sys/socket.h>

#include "diff/words.h"

/* --- reading ---------------------------------------------------------------------------------- */

static void add_ports(const struct ir_ruleset *rules, const struct ir_stmt *s, struct arena *arena,
		      struct ranges *ports)
{
	struct ranges more = { NULL, 0 };

	if (s->kind == IR_STMT_MATCH && s->field == IR_TCP_DPORT) {
		uint32_t port = (uint32_t)s->value[0] << 8 | s->value[1];

		more = ranges_one(arena, port, port);
	} else if (s->kind == IR_STMT_LOOKUP && s->field == IR_TCP_DPORT) {
		const struct ir_set *set = &rules->sets[s->index];

		for (uint32_t i = 0; i < set->n_elements; i++) {
			const uint8_t *key = rules->elements[set->first_element + i].key;
			uint32_t port = (uint32_t)key[0] << 8 | key[1];

			ranges_append(arena, &more, port, port);
		}
	}
	if (more.n)
		*ports = ranges_union(arena, *ports, more);
}

void ways_read(const struct ir_ruleset *rules, uint32_t chain, struct arena *arena,
	       struct ways *ret_ways)
{
	const struct ir_chain *c = chain == IR_NONE ? NULL : &rules->chains[chain];

	*ret_ways = (struct ways){ .origin = NULL };
	for (uint32_t i = 0; c && i < c->n_rules; i++) {
		const struct ir_rule *rule = &rules->rules[c->first_rule + i];
		const struct ir_stmt *last = &rules->stmts[rule->first_stmt + rule->n_stmts - 1];

		if (last->kind != IR_STMT_DNAT)
			continue;
		if (!ret_ways->origin)
			ret_ways->origin = &rule->origin;
		for (uint32_t j = 0; j < rule->n_stmts; j++)
			add_ports(rules, &rules->stmts[rule->first_stmt + j], arena,
				  &ret_ways->ports[last->op == AF_INET6 /* as NFPROTO_IPV6 */]);
	}
}

bool ways_equal(const struct ways *a, const struct ways *b)
{
	return ranges_equal(a->ports[0], b->ports[0]) && ranges_equal(a->ports[1], b->ports[1]);
}

/* --- words ------------------------------------------------------------------------------------ */

static size_t add_lines(const struct ways *more, const struct ways *less, const char *what,
			struct arena *arena, struct ways_line *lines)
{
	static const char *const families[] = { " over IPv4", " over IPv6" };
	struct ranges ports[2];
	bool same;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		ports[i] = ranges_subtract(arena, more->ports[i], less->ports[i]);
	same = ranges_equal(ports[0], ports[1]);
	for (size_t i = 0; i < (same ? 1 : ARRAY_SIZE(ports)); i++)
		if (ports[i].n)
			lines[n++] =
				(struct ways_line){ arena_printf(arena,
								 "connections to tcp %s%s %s",
								 words_ranges(ports[i], arena),
								 same ? "" : families[i], what),
						    more->origin };
	return n;
}

size_t ways_words(const struct ways *before, const struct ways *now, struct arena *arena,
		  struct ways_line ret_lines[WAYS_LINES_MAX])
{
	size_t n = add_lines(now, before, "are led to the proxy, for which \"hosts\" decides",
			     arena, ret_lines);

	return n + add_lines(before, now, "are no longer led to the proxy", arena, ret_lines + n);
}
