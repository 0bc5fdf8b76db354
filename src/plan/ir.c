/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ir.c - the descriptions of fields and keys, and the promises of ir.h checked. */
#include "plan/ir.h"

#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

/* linux/netfilter/nf_tables.h of Debian 12 has no name for it; net/mptcp.h: option kind 30. */
enum { TCPOPT_MPTCP = 30 };

/* Before other tables' chains, so that theirs see only what passed ours. nft has a name for the
 * NAT priority in this hook only since 1.0.8: it is a number.
 */
const struct ir_hook_desc ir_hooks[IR_HOOK_COUNT] = {
	[IR_HOOK_NONE] = { NULL, NULL, 0, 0 },
	[IR_HOOK_NAT_OUTPUT] = { "type nat hook output priority -105; policy accept;", "nat",
				 NF_INET_LOCAL_OUT, -105 },
	[IR_HOOK_OUTPUT] = { "type filter hook output priority filter - 5; policy accept;",
			     "filter", NF_INET_LOCAL_OUT, -5 },
	[IR_HOOK_POSTROUTING] = { "type filter hook postrouting priority filter - 5; policy "
				  "accept;",
				  "filter", NF_INET_POST_ROUTING, -5 },
	[IR_HOOK_INPUT] = { "type filter hook input priority filter - 5; policy accept;", "filter",
			    NF_INET_LOCAL_IN, -5 },
};

#define ANY -1
#define CGROUP_FIELD(level)                                                                        \
	{                                                                                          \
		"socket cgroupv2 level " #level, 8, true, IR_LOAD_SOCKET, NFT_SOCKET_CGROUPV2,     \
			level, 0, ANY, 0                                                           \
	}

const struct ir_field_desc ir_fields[IR_FIELD_COUNT] = {
	/* text, bytes, host order, load, key, offset, mask, needs, value */
	[IR_SKUID] = { "meta skuid", 4, true, IR_LOAD_META, NFT_META_SKUID, 0, 0, ANY, 0 },
	[IR_OIFNAME] = { "oifname", 16, false, IR_LOAD_META, NFT_META_OIFNAME, 0, 0, ANY, 0 },
	[IR_NFPROTO] = { "meta nfproto", 1, false, IR_LOAD_META, NFT_META_NFPROTO, 0, 0, ANY, 0 },
	[IR_L4PROTO] = { "meta l4proto", 1, false, IR_LOAD_META, NFT_META_L4PROTO, 0, 0, ANY, 0 },
	[IR_TIME] = { "meta time", 8, true, IR_LOAD_META, NFT_META_TIME_NS, 0, 0, ANY, 0 },
	[IR_IP_HDRLENGTH] = { "ip hdrlength", 1, false, IR_LOAD_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER,
			      0, 0x0f, IR_NFPROTO, NFPROTO_IPV4 },
	[IR_IP_DADDR] = { "ip daddr", 4, false, IR_LOAD_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER, 16, 0,
			  IR_NFPROTO, NFPROTO_IPV4 },
	[IR_IP6_DADDR] = { "ip6 daddr", 16, false, IR_LOAD_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER, 24,
			   0, IR_NFPROTO, NFPROTO_IPV6 },
	[IR_TCP_SPORT] = { "tcp sport", 2, false, IR_LOAD_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 0,
			   0, IR_L4PROTO, IPPROTO_TCP },
	[IR_TCP_DPORT] = { "tcp dport", 2, false, IR_LOAD_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 2,
			   0, IR_L4PROTO, IPPROTO_TCP },
	[IR_UDP_SPORT] = { "udp sport", 2, false, IR_LOAD_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 0,
			   0, IR_L4PROTO, IPPROTO_UDP },
	[IR_UDP_DPORT] = { "udp dport", 2, false, IR_LOAD_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 2,
			   0, IR_L4PROTO, IPPROTO_UDP },
	[IR_TCP_FLAGS] = { "tcp flags", 1, false, IR_LOAD_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 13,
			   0, IR_L4PROTO, IPPROTO_TCP },
	[IR_ICMP_TYPE] = { "icmp type", 1, false, IR_LOAD_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 0,
			   0, IR_L4PROTO, IPPROTO_ICMP },
	[IR_ICMPV6_TYPE] = { "icmpv6 type", 1, false, IR_LOAD_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER,
			     0, 0, IR_L4PROTO, IPPROTO_ICMPV6 },
	[IR_CT_DIRECTION] = { "ct direction", 1, false, IR_LOAD_CT, NFT_CT_DIRECTION, 0, 0, ANY,
			      0 },
	[IR_CT_STATUS] = { "ct status", 4, true, IR_LOAD_CT, NFT_CT_STATUS, 0, 0, ANY, 0 },
	[IR_SADDR_TYPE] = { "fib saddr type", 4, false, IR_LOAD_FIB, NFT_FIB_RESULT_ADDRTYPE, 0, 0,
			    ANY, 0 },
	[IR_EXTHDR_ROUTING] = { "exthdr rt", 1, false, IR_LOAD_EXTHDR, IPPROTO_ROUTING, 0, 0,
				IR_NFPROTO, NFPROTO_IPV6 },
	[IR_TCPOPT_MPTCP] = { "tcp option mptcp", 1, false, IR_LOAD_TCPOPT, TCPOPT_MPTCP, 0, 0,
			      IR_L4PROTO, IPPROTO_TCP },
	[IR_CGROUP_1] = CGROUP_FIELD(1),
	[IR_CGROUP_2] = CGROUP_FIELD(2),
	[IR_CGROUP_3] = CGROUP_FIELD(3),
	[IR_CGROUP_4] = CGROUP_FIELD(4),
	[IR_CGROUP_5] = CGROUP_FIELD(5),
	[IR_CGROUP_6] = CGROUP_FIELD(6),
	[IR_CGROUP_7] = CGROUP_FIELD(7),
	[IR_CGROUP_8] = CGROUP_FIELD(8),
};
static_assert(ARRAY_SIZE(ir_fields) == IR_FIELD_COUNT, "every ir_field needs a row");

static const struct {
	const char *name;
	unsigned length;
} key_types[] = {
	[IR_KEY_UID] = { "uid", 4 },
	[IR_KEY_PORT] = { "inet_service", 2 },
	[IR_KEY_IPV4] = { "ipv4_addr", 4 },
	[IR_KEY_IPV6] = { "ipv6_addr", 16 },
	[IR_KEY_IPV4_PORT] = { "ipv4_addr . inet_service", 8 },
	[IR_KEY_IPV6_PORT] = { "ipv6_addr . inet_service", 20 },
	[IR_KEY_CGROUP] = { "cgroupsv2", 8 },
};
static_assert(ARRAY_SIZE(key_types) == IR_KEY_TYPE_COUNT, "every ir_key_type needs a row");

unsigned ir_key_length(enum ir_key_type type)
{
	return key_types[type].length;
}

const char *ir_key_name(enum ir_key_type type)
{
	return key_types[type].name;
}

const char *ir_verdict_name(enum ir_verdict verdict)
{
	static const char *const names[] = { "accept", "drop", "return", "jump", "goto" };

	return names[verdict];
}

void ir_format_origin(const struct ir_origin *origin, char ret_text[IR_COMMENT_MAX])
{
	const struct place *place = &origin->place;

	if (!origin->what)
		ret_text[0] = '\0';
	else if (!place->file)
		snprintf(ret_text, IR_COMMENT_MAX, "%s", origin->what);
	else if (!place->line)
		snprintf(ret_text, IR_COMMENT_MAX, "%s %s", place->file, origin->what);
	else
		snprintf(ret_text, IR_COMMENT_MAX, "%s:%u %s", place->file, place->line,
			 origin->what);
}

uint32_t ir_find_chain(const struct ir_ruleset *ruleset, const char *name)
{
	for (uint32_t i = 0; i < ruleset->n_chains; i++)
		if (strcmp(ruleset->chains[i].name, name) == 0)
			return i;
	return IR_NONE;
}

uint32_t ir_find_set(const struct ir_ruleset *ruleset, const char *name)
{
	for (uint32_t i = 0; i < ruleset->n_sets; i++)
		if (strcmp(ruleset->sets[i].name, name) == 0)
			return i;
	return IR_NONE;
}

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool origin_equal(const struct ir_origin *a, const struct ir_origin *b)
{
	return a->place.line == b->place.line && text_equal(a->what, b->what) &&
	       text_equal(a->place.file, b->place.file);
}

/* The name behind a statement's index, or NULL where it has none. */
static const char *stmt_target(const struct ir_ruleset *ruleset, const struct ir_stmt *stmt)
{
	switch ((enum ir_stmt_kind)stmt->kind) {
	case IR_STMT_LOOKUP:
	case IR_STMT_VMAP:
		return ruleset->sets[stmt->index].name;
	case IR_STMT_COUNTER:
		return ruleset->counters[stmt->index].name;
	case IR_STMT_VERDICT:
		return stmt->op == IR_JUMP || stmt->op == IR_GOTO ?
			       ruleset->chains[stmt->index].name :
			       NULL;
	case IR_STMT_MATCH:
	case IR_STMT_STRIP:
	case IR_STMT_REJECT:
	case IR_STMT_DNAT:
		return NULL;
	}
	abort();
}

static bool stmt_equal(const struct ir_ruleset *a, const struct ir_stmt *x,
		       const struct ir_ruleset *b, const struct ir_stmt *y)
{
	if (x->kind != y->kind || x->op != y->op || x->field != y->field ||
	    x->field2 != y->field2 || x->mask != y->mask || x->prefix_length != y->prefix_length ||
	    x->port != y->port)
		return false;
	if (x->kind == IR_STMT_MATCH || x->kind == IR_STMT_DNAT)
		return memcmp(x->value, y->value, IR_VALUE_MAX) == 0;
	return text_equal(stmt_target(a, x), stmt_target(b, y));
}

bool ir_chain_equal(const struct ir_ruleset *a, const struct ir_chain *x,
		    const struct ir_ruleset *b, const struct ir_chain *y)
{
	if (x->hook != y->hook || x->n_rules != y->n_rules || strcmp(x->name, y->name) != 0)
		return false;
	for (uint32_t i = 0; i < x->n_rules; i++) {
		const struct ir_rule *p = &a->rules[x->first_rule + i];
		const struct ir_rule *q = &b->rules[y->first_rule + i];

		if (p->n_stmts != q->n_stmts || !origin_equal(&p->origin, &q->origin))
			return false;
		for (uint32_t j = 0; j < p->n_stmts; j++)
			if (!stmt_equal(a, &a->stmts[p->first_stmt + j], b,
					&b->stmts[q->first_stmt + j]))
				return false;
	}
	return true;
}

bool ir_element_equal(const struct ir_ruleset *a, const struct ir_element *x,
		      const struct ir_ruleset *b, const struct ir_element *y)
{
	if (memcmp(x->key, y->key, sizeof(x->key)) != 0 ||
	    memcmp(x->last, y->last, sizeof(x->last)) != 0 || x->verdict != y->verdict ||
	    !origin_equal(&x->origin, &y->origin))
		return false;
	if (x->chain == IR_NONE || y->chain == IR_NONE)
		return x->chain == y->chain;
	return strcmp(a->chains[x->chain].name, b->chains[y->chain].name) == 0;
}

bool ir_set_same_shape(const struct ir_set *x, const struct ir_set *y)
{
	return x->key_type == y->key_type && x->is_map == y->is_map &&
	       x->is_interval == y->is_interval && x->size == y->size;
}

static void __attribute__((noreturn)) broken(const char *chain, uint32_t rule, const char *why)
{
	fprintf(stderr, "uidwall: internal error: rule %u of chain %s: %s\n", rule, chain, why);
	abort();
}

/* What a rule has established so far: the value of each field it matched with IR_EQ, or -1. */
struct known {
	int value[IR_FIELD_COUNT];
};

static void check_field(const struct ir_chain *chain, uint32_t rule, uint8_t field,
			const struct known *known)
{
	const struct ir_field_desc *desc;

	if (field >= IR_FIELD_COUNT)
		broken(chain->name, rule, "no such field");
	desc = &ir_fields[field];
	if (desc->needs >= 0 && known->value[desc->needs] != desc->needs_value)
		broken(chain->name, rule, "a header field without the match on its protocol");
}

static void check_rule(const struct ir_ruleset *ruleset, const struct ir_chain *chain,
		       uint32_t number, const struct ir_rule *rule)
{
	struct known known;
	bool ended = false;

	if (rule->origin.what && strchr(rule->origin.what, '"'))
		broken(chain->name, number, "a quote in a comment: nft has no escape for it");
	memset(&known, -1, sizeof(known));
	for (uint32_t i = 0; i < rule->n_stmts; i++) {
		const struct ir_stmt *s = &ruleset->stmts[rule->first_stmt + i];

		if (ended)
			broken(chain->name, number, "a statement behind the verdict");
		switch ((enum ir_stmt_kind)s->kind) {
		case IR_STMT_MATCH:
			check_field(chain, number, s->field, &known);
			if (s->field == IR_CT_STATUS &&
			    (s->op != IR_MASK_NE || s->value[0] ||
			     (s->mask != IPS_SRC_NAT && s->mask != IPS_DST_NAT)))
				broken(chain->name, number, "a status is NAT of one kind");
			if (s->op == IR_EQ && ir_fields[s->field].length == 1)
				known.value[s->field] = s->value[0];
			break;
		case IR_STMT_LOOKUP:
		case IR_STMT_VMAP:
			check_field(chain, number, s->field, &known);
			if (s->field2 != IR_FIELD_COUNT)
				check_field(chain, number, s->field2, &known);
			if (s->index >= ruleset->n_sets ||
			    ruleset->sets[s->index].is_map != (s->kind == IR_STMT_VMAP))
				broken(chain->name, number, "no such set");
			ended = s->kind == IR_STMT_VMAP;
			break;
		case IR_STMT_COUNTER:
			if (s->index >= ruleset->n_counters)
				broken(chain->name, number, "no such counter");
			break;
		case IR_STMT_STRIP:
			check_field(chain, number, s->field, &known);
			if (ir_fields[s->field].load != IR_LOAD_TCPOPT)
				broken(chain->name, number, "only TCP options can be stripped");
			ended = i + 1 == rule->n_stmts;
			break;
		case IR_STMT_REJECT:
			if (s->op == IR_REJECT_TCP_RESET && known.value[IR_L4PROTO] != IPPROTO_TCP)
				broken(chain->name, number, "a TCP reset for other protocols");
			ended = true;
			break;
		case IR_STMT_DNAT:
			if (known.value[IR_L4PROTO] != IPPROTO_TCP ||
			    known.value[IR_NFPROTO] != s->op)
				broken(chain->name, number, "NAT of another protocol's packets");
			ended = true;
			break;
		case IR_STMT_VERDICT:
			if ((s->op == IR_JUMP || s->op == IR_GOTO) &&
			    (s->index >= ruleset->n_chains || ruleset->chains[s->index].hook))
				broken(chain->name, number, "no such chain");
			ended = true;
			break;
		}
	}
	if (!ended)
		broken(chain->name, number, "no verdict");
}

static void check_set(const struct ir_ruleset *ruleset, const struct ir_set *set)
{
	unsigned length = ir_key_length(set->key_type);

	for (uint32_t i = 0; i < set->n_elements; i++) {
		const struct ir_element *e = &ruleset->elements[set->first_element + i];

		if (memcmp(e->key, e->last, length < IR_VALUE_MAX ? length : IR_VALUE_MAX) > 0 ||
		    (i && memcmp(set->is_interval ? e[-1].last : e[-1].key, e->key,
				 set->is_interval && length > IR_VALUE_MAX ? IR_VALUE_MAX :
									     length) >= 0))
			broken(set->name, i, "elements overlap or are not sorted");
		if (set->is_map != (e->chain < ruleset->n_chains))
			broken(set->name, i, "an element without its chain");
	}
	if (set->size && set->n_elements > set->size)
		broken(set->name, set->n_elements, "more elements than slots");
}

void ir_check(const struct ir_ruleset *ruleset)
{
	for (size_t i = 0; i < ruleset->n_sets; i++)
		check_set(ruleset, &ruleset->sets[i]);
	for (size_t i = 0; i < ruleset->n_chains; i++) {
		const struct ir_chain *chain = &ruleset->chains[i];

		for (uint32_t j = 0; j < chain->n_rules; j++)
			check_rule(ruleset, chain, j, &ruleset->rules[chain->first_rule + j]);
	}
}
