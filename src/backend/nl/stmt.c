/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stmt.c - the statements of a rule → the bytecode that nft 1.0.6 makes of the same text.
 *
 * A host-order field (meta skuid) is compared for equality in host order, but for less and greater
 * it is swapped and compared in network order, byte by byte. A prefix of whole bytes loads only
 * those; any other is masked.
 */
#include "backend/nl/stmt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

/* As nft numbers them: the first of the 16-byte registers, and the second 4 bytes of it. */
enum {
	REG = NFT_REG_1,
	REG_SECOND_WORD = NFT_REG32_01,
	REG_SECOND = NFT_REG_2,
	REG_THIRD = NFT_REG_3
};

enum expr_kind {
	EXPR_META,
	EXPR_PAYLOAD,
	EXPR_CT,
	EXPR_FIB,
	EXPR_EXTHDR,
	EXPR_SOCKET,
	EXPR_STRIP, /* an exthdr without a register */
	EXPR_BITWISE,
	EXPR_BYTEORDER,
	EXPR_CMP,
	EXPR_REJECT,
	EXPR_RESET, /* a reject without a code, which the kernel does not keep */
	EXPR_VERDICT,
	EXPR_DATA, /* an immediate value */
	EXPR_NAT,
	EXPR_NAT_RANGE, /* of ports: libnftnl forgets no attribute */
	EXPR_KIND_COUNT
};

static const char *const expr_names[] = {
	[EXPR_META] = "meta",	      [EXPR_PAYLOAD] = "payload", [EXPR_CT] = "ct",
	[EXPR_FIB] = "fib",	      [EXPR_EXTHDR] = "exthdr",	  [EXPR_SOCKET] = "socket",
	[EXPR_STRIP] = "exthdr",      [EXPR_BITWISE] = "bitwise", [EXPR_BYTEORDER] = "byteorder",
	[EXPR_CMP] = "cmp",	      [EXPR_REJECT] = "reject",	  [EXPR_RESET] = "reject",
	[EXPR_VERDICT] = "immediate", [EXPR_DATA] = "immediate",  [EXPR_NAT] = "nat",
	[EXPR_NAT_RANGE] = "nat",
};
static_assert(ARRAY_SIZE(expr_names) == EXPR_KIND_COUNT, "every expr_kind needs a name");

struct nl_exprs {
	struct nftnl_expr *kinds[EXPR_KIND_COUNT];
};

struct nl_exprs *nl_exprs_new(void)
{
	AUTO(nl_exprs) struct nl_exprs *exprs = calloc(1, sizeof(*exprs));

	if (!exprs)
		return NULL;
	for (unsigned i = 0; i < EXPR_KIND_COUNT; i++) {
		exprs->kinds[i] = nftnl_expr_alloc(expr_names[i]);
		if (!exprs->kinds[i])
			return NULL;
	}
	return TAKE(exprs);
}

void nl_exprs_free(struct nl_exprs *exprs)
{
	if (!exprs)
		return;
	for (unsigned i = 0; i < EXPR_KIND_COUNT; i++)
		if (exprs->kinds[i])
			nftnl_expr_free(exprs->kinds[i]);
	free(exprs);
}

static void put_expr(struct nlmsghdr *nlh, struct nftnl_expr *expr)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

	nftnl_expr_build_payload(nlh, expr);
	mnl_attr_nest_end(nlh, nest);
}

/* An expression that holds a name. libnftnl copies it, so these are made for one use. */
static int put_named(struct nlmsghdr *nlh, const char *kind, uint16_t number_attr, uint32_t number,
		     uint16_t name_attr, const char *name, uint16_t second_attr, uint32_t second)
{
	struct nftnl_expr *expr = nftnl_expr_alloc(kind);
	int r;

	if (!expr)
		return -ENOMEM;
	nftnl_expr_set_u32(expr, number_attr, number);
	r = nftnl_expr_set_str(expr, name_attr, name);
	if (second_attr)
		nftnl_expr_set_u32(expr, second_attr, second);
	if (r == 0)
		put_expr(nlh, expr);
	nftnl_expr_free(expr);
	return r == 0 ? 0 : -ENOMEM;
}

/* Loads `length` bytes of the field, the whole of it or the start of an address. */
static void put_load(struct nlmsghdr *nlh, struct nl_exprs *exprs, enum ir_field field,
		     uint32_t length, uint32_t reg)
{
	const struct ir_field_desc *desc = &ir_fields[field];
	struct nftnl_expr *expr;

	switch ((enum ir_load)desc->load) {
	case IR_LOAD_META:
		expr = exprs->kinds[EXPR_META];
		nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, reg);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, desc->key);
		break;
	case IR_LOAD_PAYLOAD:
		expr = exprs->kinds[EXPR_PAYLOAD];
		nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, reg);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, desc->key);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, desc->offset);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, length);
		break;
	case IR_LOAD_CT:
		expr = exprs->kinds[EXPR_CT];
		nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_DREG, reg);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, desc->key);
		break;
	case IR_LOAD_FIB: /* the only field of this kind asks about the source address */
		expr = exprs->kinds[EXPR_FIB];
		nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_DREG, reg);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_RESULT, desc->key);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_SADDR);
		break;
	case IR_LOAD_EXTHDR:
	case IR_LOAD_TCPOPT:
		expr = exprs->kinds[EXPR_EXTHDR];
		nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_DREG, reg);
		nftnl_expr_set_u8(expr, NFTNL_EXPR_EXTHDR_TYPE, (uint8_t)desc->key);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_OFFSET, 0);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_LEN, length);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_OP,
				   desc->load == IR_LOAD_EXTHDR ? NFT_EXTHDR_OP_IPV6 :
								  NFT_EXTHDR_OP_TCPOPT);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_FLAGS, NFT_EXTHDR_F_PRESENT);
		break;
	case IR_LOAD_SOCKET:
		expr = exprs->kinds[EXPR_SOCKET];
		nftnl_expr_set_u32(expr, NFTNL_EXPR_SOCKET_DREG, reg);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_SOCKET_KEY, desc->key);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_SOCKET_LEVEL, desc->offset);
		break;
	default:
		abort();
	}
	put_expr(nlh, expr);
}

static void put_mask(struct nlmsghdr *nlh, struct nl_exprs *exprs, const uint8_t *mask,
		     uint32_t length)
{
	static const uint8_t zeros[IR_VALUE_MAX];
	struct nftnl_expr *expr = exprs->kinds[EXPR_BITWISE];

	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, REG);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, REG);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, length);
	nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, mask, length);
	nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, zeros, length);
	put_expr(nlh, expr);
}

static void put_swap(struct nlmsghdr *nlh, struct nl_exprs *exprs, uint32_t length)
{
	struct nftnl_expr *expr = exprs->kinds[EXPR_BYTEORDER];

	nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_SREG, REG);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_DREG, REG);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_LEN, length);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_SIZE, length);
	put_expr(nlh, expr);
}

static void put_compare(struct nlmsghdr *nlh, struct nl_exprs *exprs, enum nft_cmp_ops op,
			const uint8_t *value, uint32_t length)
{
	struct nftnl_expr *expr = exprs->kinds[EXPR_CMP];

	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, REG);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(expr, NFTNL_EXPR_CMP_DATA, value, length);
	put_expr(nlh, expr);
}

/* Network order to the machine's. */
static void to_host_order(const uint8_t *value, unsigned length, uint8_t *ret_value)
{
	for (unsigned i = 0; i < length; i++)
		ret_value[i] =
			__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? value[i] : value[length - 1 - i];
}

static void put_equal(struct nlmsghdr *nlh, struct nl_exprs *exprs, const struct ir_stmt *s)
{
	const struct ir_field_desc *desc = &ir_fields[s->field];
	uint8_t value[IR_VALUE_MAX];

	put_load(nlh, exprs, s->field, desc->length, REG);
	if (desc->mask)
		put_mask(nlh, exprs, &desc->mask, 1);
	if (desc->host_order)
		to_host_order(s->value, desc->length, value);
	else
		memcpy(value, s->value, sizeof(value));
	put_compare(nlh, exprs, s->op == IR_EQ ? NFT_CMP_EQ : NFT_CMP_NEQ, value, desc->length);
}

static void put_order(struct nlmsghdr *nlh, struct nl_exprs *exprs, const struct ir_stmt *s)
{
	const struct ir_field_desc *desc = &ir_fields[s->field];

	put_load(nlh, exprs, s->field, desc->length, REG);
	if (desc->mask)
		put_mask(nlh, exprs, &desc->mask, 1);
	if (desc->host_order)
		put_swap(nlh, exprs, desc->length);
	if (s->op == IR_RANGE) {
		put_compare(nlh, exprs, NFT_CMP_GTE, s->value, desc->length);
		put_compare(nlh, exprs, NFT_CMP_LTE, s->value + desc->length, desc->length);
	} else {
		put_compare(nlh, exprs, s->op == IR_LT ? NFT_CMP_LT : NFT_CMP_GTE, s->value,
			    desc->length);
	}
}

static void put_prefix(struct nlmsghdr *nlh, struct nl_exprs *exprs, const struct ir_stmt *s)
{
	uint32_t length = ir_fields[s->field].length;
	uint8_t mask[IR_VALUE_MAX] = { 0 };

	if (s->prefix_length % 8 == 0 && s->prefix_length > 0) {
		put_load(nlh, exprs, s->field, s->prefix_length / 8, REG);
		put_compare(nlh, exprs, NFT_CMP_EQ, s->value, s->prefix_length / 8);
		return;
	}
	for (unsigned i = 0; i < s->prefix_length; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
	put_load(nlh, exprs, s->field, length, REG);
	put_mask(nlh, exprs, mask, length);
	put_compare(nlh, exprs, NFT_CMP_EQ, s->value, length);
}

/* The lowest byte: of a field in host order that is the last one of the mask in network order. */
static void put_masked(struct nlmsghdr *nlh, struct nl_exprs *exprs, const struct ir_stmt *s)
{
	const struct ir_field_desc *desc = &ir_fields[s->field];
	uint8_t mask[IR_VALUE_MAX] = { 0 }, wanted[IR_VALUE_MAX] = { 0 };

	mask[desc->length - 1] = s->mask;
	wanted[desc->length - 1] = s->value[0];
	if (desc->host_order) {
		uint8_t copy[IR_VALUE_MAX];

		to_host_order(mask, desc->length, copy);
		memcpy(mask, copy, desc->length);
		to_host_order(wanted, desc->length, copy);
		memcpy(wanted, copy, desc->length);
	}
	put_load(nlh, exprs, s->field, desc->length, REG);
	put_mask(nlh, exprs, mask, desc->length);
	put_compare(nlh, exprs, s->op == IR_MASK_EQ ? NFT_CMP_EQ : NFT_CMP_NEQ, wanted,
		    desc->length);
}

static void nl_match(struct nlmsghdr *nlh, struct nl_exprs *exprs, const struct ir_stmt *s)
{
	switch ((enum ir_op)s->op) {
	case IR_EQ:
	case IR_NE:
		put_equal(nlh, exprs, s);
		return;
	case IR_LT:
	case IR_GE:
	case IR_RANGE:
		put_order(nlh, exprs, s);
		return;
	case IR_PREFIX:
		put_prefix(nlh, exprs, s);
		return;
	case IR_MASK_EQ:
	case IR_MASK_NE:
		put_masked(nlh, exprs, s);
		return;
	}
	abort();
}

static int nl_lookup(struct nlmsghdr *nlh, struct nl_exprs *exprs, const struct ir_ruleset *ruleset,
		     const struct ir_stmt *s)
{
	const struct ir_field_desc *desc = &ir_fields[s->field];
	const struct ir_set *set = &ruleset->sets[s->index];

	put_load(nlh, exprs, s->field, desc->length, REG);
	if (s->field2 != IR_FIELD_COUNT)
		put_load(nlh, exprs, s->field2, ir_fields[s->field2].length,
			 desc->length <= 4 ? REG_SECOND_WORD : REG_SECOND);
	else if (set->is_interval && desc->host_order)
		put_swap(nlh, exprs, desc->length);
	if (s->kind == IR_STMT_VMAP)
		return put_named(nlh, "lookup", NFTNL_EXPR_LOOKUP_SREG, REG, NFTNL_EXPR_LOOKUP_SET,
				 set->name, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	return put_named(nlh, "lookup", NFTNL_EXPR_LOOKUP_SREG, REG, NFTNL_EXPR_LOOKUP_SET,
			 set->name, 0, 0);
}

static void nl_reject(struct nlmsghdr *nlh, struct nl_exprs *exprs, enum ir_reject reject)
{
	struct nftnl_expr *expr = NULL;

	switch (reject) {
	case IR_REJECT_TCP_RESET:
		expr = exprs->kinds[EXPR_RESET];
		nftnl_expr_set_u32(expr, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_TCP_RST);
		break;
	case IR_REJECT_ADMIN_PROHIBITED:
		expr = exprs->kinds[EXPR_REJECT];
		nftnl_expr_set_u32(expr, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
		nftnl_expr_set_u8(expr, NFTNL_EXPR_REJECT_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
		break;
	}
	put_expr(nlh, expr);
}

static void nl_strip(struct nlmsghdr *nlh, struct nl_exprs *exprs, enum ir_field option)
{
	struct nftnl_expr *expr = exprs->kinds[EXPR_STRIP];

	nftnl_expr_set_u8(expr, NFTNL_EXPR_EXTHDR_TYPE, (uint8_t)ir_fields[option].key);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
	put_expr(nlh, expr);
}

static void put_data(struct nlmsghdr *nlh, struct nl_exprs *exprs, uint32_t reg, const void *data,
		     uint32_t length)
{
	struct nftnl_expr *expr = exprs->kinds[EXPR_DATA];

	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, reg);
	nftnl_expr_set(expr, NFTNL_EXPR_IMM_DATA, data, length);
	put_expr(nlh, expr);
}

static void nl_dnat(struct nlmsghdr *nlh, struct nl_exprs *exprs, const struct ir_stmt *s)
{
	struct nftnl_expr *expr = exprs->kinds[s->mask ? EXPR_NAT_RANGE : EXPR_NAT];
	uint16_t port = htons(s->port), last = htons((uint16_t)(s->port + s->mask));

	put_data(nlh, exprs, REG, s->value, s->op == NFPROTO_IPV4 ? 4 : 16);
	put_data(nlh, exprs, REG_SECOND, &port, sizeof(port));
	if (s->mask) {
		put_data(nlh, exprs, REG_THIRD, &last, sizeof(last));
		nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_PROTO_MAX, REG_THIRD);
	}
	nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_FAMILY, s->op);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, REG);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_PROTO_MIN, REG_SECOND);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
	put_expr(nlh, expr);
}

static int nl_verdict(struct nlmsghdr *nlh, struct nl_exprs *exprs,
		      const struct ir_ruleset *ruleset, const struct ir_stmt *s)
{
	struct nftnl_expr *expr = exprs->kinds[EXPR_VERDICT];
	int code;

	switch ((enum ir_verdict)s->op) {
	case IR_JUMP:
	case IR_GOTO:
		code = s->op == IR_JUMP ? NFT_JUMP : NFT_GOTO;
		return put_named(nlh, "immediate", NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT,
				 NFTNL_EXPR_IMM_CHAIN, ruleset->chains[s->index].name,
				 NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
	case IR_ACCEPT:
		code = NF_ACCEPT;
		break;
	case IR_DROP:
		code = NF_DROP;
		break;
	case IR_RETURN:
		code = NFT_RETURN;
		break;
	default:
		abort();
	}
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
	put_expr(nlh, expr);
	return 0;
}

static int nl_stmt(struct nlmsghdr *nlh, struct nl_exprs *exprs, const struct ir_ruleset *ruleset,
		   const struct ir_stmt *s)
{
	switch ((enum ir_stmt_kind)s->kind) {
	case IR_STMT_MATCH:
		nl_match(nlh, exprs, s);
		return 0;
	case IR_STMT_LOOKUP:
	case IR_STMT_VMAP:
		return nl_lookup(nlh, exprs, ruleset, s);
	case IR_STMT_COUNTER:
		return put_named(nlh, "objref", NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER,
				 NFTNL_EXPR_OBJREF_IMM_NAME, ruleset->counters[s->index].name, 0,
				 0);
	case IR_STMT_STRIP:
		nl_strip(nlh, exprs, s->field);
		return 0;
	case IR_STMT_REJECT:
		nl_reject(nlh, exprs, s->op);
		return 0;
	case IR_STMT_DNAT:
		nl_dnat(nlh, exprs, s);
		return 0;
	case IR_STMT_VERDICT:
		return nl_verdict(nlh, exprs, ruleset, s);
	}
	abort();
}

int nl_put_stmts(struct nlmsghdr *nlh, struct nl_exprs *exprs, const struct ir_ruleset *ruleset,
		 const struct ir_rule *rule)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	int r = 0;

	for (uint32_t i = 0; i < rule->n_stmts && r == 0; i++)
		r = nl_stmt(nlh, exprs, ruleset, &ruleset->stmts[rule->first_stmt + i]);
	mnl_attr_nest_end(nlh, nest);
	return r;
}
