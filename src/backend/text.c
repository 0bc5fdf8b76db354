/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.c - ruleset → text that `nft -f` loads (1.0.6 and later).
 *
 * The text names the table before it deletes it, for deleting a table that is not there is an
 * error. All of it is one transaction, so the old rules hold until the new ones do. Matches that
 * nft would add by itself are written out; it leaves them out again when it lists.
 */
#include "backend/text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/icmp6.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/rtnetlink.h>

/* Values that have a name in nft; the others are written as numbers. No name here is looked up
 * in a file such as /etc/protocols, which a small system lacks: nft's grammar knows them.
 */
static const struct {
	uint8_t field;
	uint8_t value;
	const char *name;
} value_names[] = {
	{ IR_NFPROTO, NFPROTO_IPV4, "ipv4" },
	{ IR_NFPROTO, NFPROTO_IPV6, "ipv6" },
	{ IR_L4PROTO, IPPROTO_TCP, "tcp" },
	{ IR_L4PROTO, IPPROTO_UDP, "udp" },
	{ IR_L4PROTO, IPPROTO_ICMP, "icmp" },
	{ IR_L4PROTO, IPPROTO_ICMPV6, "icmpv6" },
	{ IR_ICMP_TYPE, ICMP_ECHO, "echo-request" },
	{ IR_ICMPV6_TYPE, ICMP6_ECHO_REQUEST, "echo-request" },
	{ IR_CT_DIRECTION, IP_CT_DIR_ORIGINAL, "original" },
	{ IR_CT_DIRECTION, IP_CT_DIR_REPLY, "reply" },
	{ IR_EXTHDR_ROUTING, 0, "missing" },
	{ IR_EXTHDR_ROUTING, 1, "exists" },
	{ IR_TCPOPT_MPTCP, 0, "missing" },
	{ IR_TCPOPT_MPTCP, 1, "exists" },
	{ IR_SADDR_TYPE, RTN_UNICAST, "unicast" },
	{ IR_SADDR_TYPE, RTN_LOCAL, "local" },
};

static uint64_t number(const uint8_t *bytes, unsigned n)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < n; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void write_address(const uint8_t *bytes, unsigned n, FILE *out)
{
	char text[INET6_ADDRSTRLEN];

	fputs(inet_ntop(n == 4 ? AF_INET : AF_INET6, bytes, text, sizeof(text)), out);
}

static void write_named(uint8_t field, uint64_t value, FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(value_names); i++) {
		if (value_names[i].field == field && value_names[i].value == value) {
			fputs(value_names[i].name, out);
			return;
		}
	}
	fprintf(out, "%" PRIu64, value);
}

static void write_value(enum ir_field field, const uint8_t *bytes, FILE *out)
{
	uint32_t type;

	switch (field) {
	case IR_IP_DADDR:
	case IR_IP6_DADDR:
		write_address(bytes, ir_fields[field].length, out);
		return;
	case IR_OIFNAME:
		fprintf(out, "\"%.*s\"", IFNAMSIZ, (const char *)bytes);
		return;
	case IR_TIME: /* nft reads seconds, the kernel compares nanoseconds */
		fprintf(out, "%" PRIu64, number(bytes, 8) / 1000000000);
		return;
	case IR_SADDR_TYPE:
		memcpy(&type, bytes, sizeof(type));
		write_named(field, type, out);
		return;
	case IR_SKUID:
	case IR_NFPROTO:
	case IR_L4PROTO:
	case IR_IP_HDRLENGTH:
	case IR_TCP_SPORT:
	case IR_TCP_DPORT:
	case IR_UDP_SPORT:
	case IR_UDP_DPORT:
	case IR_TCP_FLAGS:
	case IR_ICMP_TYPE:
	case IR_ICMPV6_TYPE:
	case IR_CT_DIRECTION:
	case IR_EXTHDR_ROUTING:
	case IR_TCPOPT_MPTCP:
	case IR_CT_STATUS:
	case IR_CGROUP_1: /* only looked up: a comparison would need the group's path */
	case IR_CGROUP_2:
	case IR_CGROUP_3:
	case IR_CGROUP_4:
	case IR_CGROUP_5:
	case IR_CGROUP_6:
	case IR_CGROUP_7:
	case IR_CGROUP_8:
		write_named(field, number(bytes, ir_fields[field].length), out);
		return;
	case IR_FIELD_COUNT:
		break;
	}
	abort();
}

/* TCP flags as nft writes a mask: "syn", "(syn|ack)", "0x0". */
static void write_tcp_flags(uint8_t flags, FILE *out)
{
	static const char *const names[] = {
		"fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"
	};
	bool several = flags & (flags - 1);
	const char *before = several ? "(" : "";

	if (!flags)
		fputs("0x0", out);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(flags & 1U << i))
			continue;
		fprintf(out, "%s%s", before, names[i]);
		before = "|";
	}
	if (flags && several)
		fputs(")", out);
}

static void text_match(const struct ir_stmt *s, FILE *out)
{
	const struct ir_field_desc *field = &ir_fields[s->field];

	fprintf(out, "%s ", field->text);
	switch ((enum ir_op)s->op) {
	case IR_EQ:
		write_value(s->field, s->value, out);
		return;
	case IR_NE:
		fputs("!= ", out);
		write_value(s->field, s->value, out);
		return;
	case IR_LT:
		fputs("< ", out);
		write_value(s->field, s->value, out);
		return;
	case IR_GE:
		fputs(">= ", out);
		write_value(s->field, s->value, out);
		return;
	case IR_RANGE:
		write_value(s->field, s->value, out);
		fputs("-", out);
		write_value(s->field, s->value + field->length, out);
		return;
	case IR_PREFIX:
		write_value(s->field, s->value, out);
		if (s->prefix_length < field->length * 8)
			fprintf(out, "/%u", s->prefix_length);
		return;
	case IR_MASK_EQ:
	case IR_MASK_NE:
		if (s->field == IR_CT_STATUS) { /* one bit: ir_check() */
			fputs(s->mask == IPS_SRC_NAT ? "snat" : "dnat", out);
			return;
		}
		fputs("& ", out);
		write_tcp_flags(s->mask, out);
		fputs(s->op == IR_MASK_EQ ? " == " : " != ", out);
		write_tcp_flags(s->value[0], out);
		return;
	}
	abort();
}

static void text_stmt(const struct ir_ruleset *ruleset, const struct ir_stmt *s, FILE *out)
{
	switch ((enum ir_stmt_kind)s->kind) {
	case IR_STMT_MATCH:
		text_match(s, out);
		return;
	case IR_STMT_LOOKUP:
		fputs(ir_fields[s->field].text, out);
		if (s->field2 != IR_FIELD_COUNT)
			fprintf(out, " . %s", ir_fields[s->field2].text);
		fprintf(out, " @%s", ruleset->sets[s->index].name);
		return;
	case IR_STMT_VMAP:
		fprintf(out, "%s vmap @%s", ir_fields[s->field].text, ruleset->sets[s->index].name);
		return;
	case IR_STMT_COUNTER:
		fprintf(out, "counter name \"%s\"", ruleset->counters[s->index].name);
		return;
	case IR_STMT_STRIP:
		fprintf(out, "reset %s", ir_fields[s->field].text);
		return;
	case IR_STMT_REJECT:
		fputs(s->op == IR_REJECT_TCP_RESET ? "reject with tcp reset" :
						     "reject with icmpx type admin-prohibited",
		      out);
		return;
	case IR_STMT_DNAT:
		fputs(s->op == NFPROTO_IPV4 ? "dnat ip to " : "dnat ip6 to [", out);
		write_address(s->value, s->op == NFPROTO_IPV4 ? 4 : 16, out);
		fprintf(out, s->op == NFPROTO_IPV4 ? ":%u" : "]:%u", s->port);
		if (s->mask)
			fprintf(out, "-%u", (unsigned)s->port + s->mask);
		return;
	case IR_STMT_VERDICT:
		fputs(ir_verdict_name(s->op), out);
		if (s->op == IR_JUMP || s->op == IR_GOTO)
			fprintf(out, " %s", ruleset->chains[s->index].name);
		return;
	}
	abort();
}

/* The length of the prefix that is exactly first to last, or -1. */
static int prefix_of_interval(const uint8_t *first, const uint8_t *last, unsigned n)
{
	unsigned length = 0;

	while (length < n * 8 && !((first[length / 8] ^ last[length / 8]) & 0x80 >> length % 8))
		length++;
	for (unsigned i = length; i < n * 8; i++)
		if (first[i / 8] & 0x80 >> i % 8 || !(last[i / 8] & 0x80 >> i % 8))
			return -1;
	return (int)length;
}

static void write_key(enum ir_key_type type, const uint8_t *key, FILE *out)
{
	switch (type) {
	case IR_KEY_UID:
	case IR_KEY_PORT:
		fprintf(out, "%" PRIu64, number(key, ir_key_length(type)));
		return;
	case IR_KEY_IPV4:
	case IR_KEY_IPV6:
		write_address(key, ir_key_length(type), out);
		return;
	case IR_KEY_IPV4_PORT:
		write_address(key, 4, out);
		fprintf(out, " . %" PRIu64, number(key + 4, 2));
		return;
	case IR_KEY_IPV6_PORT:
		write_address(key, 16, out);
		fprintf(out, " . %" PRIu64, number(key + 16, 2));
		return;
	case IR_KEY_CGROUP: /* write_element() */
	case IR_KEY_TYPE_COUNT:
		break;
	}
	abort();
}

static void write_interval(const struct ir_set *set, const struct ir_element *element, FILE *out)
{
	unsigned n = ir_key_length(set->key_type);
	int length = -1;

	if (set->key_type == IR_KEY_IPV4 || set->key_type == IR_KEY_IPV6)
		length = prefix_of_interval(element->key, element->last, n);
	write_key(set->key_type, element->key, out);
	if (length >= 0 && (unsigned)length < n * 8) {
		fprintf(out, "/%d", length);
	} else if (length < 0 && memcmp(element->key, element->last, n) != 0) {
		fputs("-", out);
		write_key(set->key_type, element->last, out);
	}
}

static void write_element(const struct ir_ruleset *ruleset, const struct ir_set *set,
			  const struct ir_element *element, FILE *out)
{
	char comment[IR_COMMENT_MAX];

	ir_format_origin(&element->origin, comment);
	fputs("\t\t\t", out);
	if (set->is_interval)
		write_interval(set, element, out);
	else if (set->key_type == IR_KEY_CGROUP)
		fprintf(out, "\"%s\"", element->path);
	else
		write_key(set->key_type, element->key, out);
	if (*comment)
		fprintf(out, " comment \"%s\"", comment);
	if (set->is_map)
		fprintf(out, " : %s %s", ir_verdict_name(element->verdict),
			ruleset->chains[element->chain].name);
	fputs(",\n", out);
}

static void write_set(const struct ir_ruleset *ruleset, const struct ir_set *set, FILE *out)
{
	fprintf(out, "\t%s %s {\n\t\ttype %s%s\n", set->is_map ? "map" : "set", set->name,
		ir_key_name(set->key_type), set->is_map ? " : verdict" : "");
	if (set->size)
		fprintf(out, "\t\tsize %u\n", set->size);
	if (set->is_interval)
		fputs("\t\tflags interval\n", out);
	if (set->n_elements) {
		fputs("\t\telements = {\n", out);
		for (uint32_t i = 0; i < set->n_elements; i++)
			write_element(ruleset, set, &ruleset->elements[set->first_element + i],
				      out);
		fputs("\t\t}\n", out);
	}
	fputs("\t}\n\n", out);
}

static void write_chain(const struct ir_ruleset *ruleset, const struct ir_chain *chain, FILE *out)
{
	char comment[IR_COMMENT_MAX];

	fprintf(out, "\tchain %s {\n", chain->name);
	if (chain->hook)
		fprintf(out, "\t\t%s\n", ir_hooks[chain->hook].text);
	for (uint32_t i = 0; i < chain->n_rules; i++) {
		const struct ir_rule *rule = &ruleset->rules[chain->first_rule + i];

		fputs("\t\t", out);
		text_write_rule(ruleset, rule, out);
		ir_format_origin(&rule->origin, comment);
		if (*comment)
			fprintf(out, " comment \"%s\"", comment);
		fputs("\n", out);
	}
	fputs("\t}\n", out);
}

void text_write_rule(const struct ir_ruleset *ruleset, const struct ir_rule *rule, FILE *out)
{
	for (uint32_t i = 0; i < rule->n_stmts; i++) {
		if (i)
			fputs(" ", out);
		text_stmt(ruleset, &ruleset->stmts[rule->first_stmt + i], out);
	}
}

char *text_rule(const struct ir_ruleset *ruleset, const struct ir_rule *rule)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		abort(); /* out of memory, as arenas do */
	text_write_rule(ruleset, rule, out);
	if (fclose(out) != 0)
		abort();
	return text;
}

void text_write(const struct ir_ruleset *ruleset, FILE *out)
{
	fputs("table inet " IR_TABLE_NAME "\ndelete table inet " IR_TABLE_NAME "\n\n", out);
	fputs("table inet " IR_TABLE_NAME " {\n", out);
	for (size_t i = 0; i < ruleset->n_counters; i++)
		fprintf(out, "\tcounter %s {\n\t}\n\n", ruleset->counters[i].name);
	for (size_t i = 0; i < ruleset->n_sets; i++)
		write_set(ruleset, &ruleset->sets[i], out);
	for (size_t i = 0; i < ruleset->n_chains; i++) {
		if (i)
			fputs("\n", out);
		write_chain(ruleset, &ruleset->chains[i], out);
	}
	fputs("}\n", out);
}
