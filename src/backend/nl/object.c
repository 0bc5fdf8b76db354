/* SPDX-License-Identifier: GPL-2.0-or-later */
/* object.c - tables, counters, chains and rules → messages of a batch. */
#include "backend/nl/object.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

struct nlmsghdr *nl_writer_start(const struct nl_writer *writer, uint16_t type, uint16_t flags,
				 enum nl_subject subject, uint32_t index)
{
	struct nl_item item = { .subject = (uint8_t)subject,
				.of_current = writer->is_current,
				.index = index };

	return nl_batch_start(writer->batch, type, flags, item);
}

unsigned nl_comment(const struct ir_origin *origin, uint8_t ret_userdata[IR_COMMENT_MAX + 2])
{
	char *text = (char *)ret_userdata + 2;
	size_t n;

	ir_format_origin(origin, text);
	n = strlen(text);
	if (!n)
		return 0;
	ret_userdata[0] = NFTNL_UDATA_RULE_COMMENT; /* of elements too: both are 0 */
	ret_userdata[1] = (uint8_t)(n + 1);
	return (unsigned)n + 3;
}
static_assert((int)NFTNL_UDATA_RULE_COMMENT == (int)NFTNL_UDATA_SET_ELEM_COMMENT, "see above");

void nl_add_table(const struct nl_writer *writer, const char *name, uint32_t table_flags,
		  uint16_t create_flags)
{
	struct nlmsghdr *nlh =
		nl_writer_start(writer, NFT_MSG_NEWTABLE, create_flags, NL_TABLE, IR_NONE);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(table_flags));
	nl_batch_end(writer->batch);
}

void nl_delete_table(const struct nl_writer *writer)
{
	struct nlmsghdr *nlh = nl_writer_start(writer, NFT_MSG_DELTABLE, 0, NL_TABLE, IR_NONE);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, writer->batch->table);
	nl_batch_end(writer->batch);
}

static struct nlmsghdr *start_counter(const struct nl_writer *writer, uint16_t type, uint16_t flags,
				      uint32_t counter)
{
	struct nlmsghdr *nlh = nl_writer_start(writer, type, flags, NL_COUNTER, counter);

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, writer->batch->table);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, writer->ruleset->counters[counter].name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	return nlh;
}

void nl_add_counter(const struct nl_writer *writer, uint32_t counter, uint64_t packets,
		    uint64_t bytes)
{
	struct nlmsghdr *nlh =
		start_counter(writer, NFT_MSG_NEWOBJ, NLM_F_CREATE | NLM_F_EXCL, counter);
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_OBJ_DATA);

	mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, htobe64(bytes));
	mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(packets));
	mnl_attr_nest_end(nlh, nest);
	nl_batch_end(writer->batch);
}

void nl_delete_counter(const struct nl_writer *writer, uint32_t counter)
{
	start_counter(writer, NFT_MSG_DELOBJ, 0, counter);
	nl_batch_end(writer->batch);
}

static struct nlmsghdr *start_chain(const struct nl_writer *writer, uint16_t type, uint16_t flags,
				    uint32_t chain)
{
	struct nlmsghdr *nlh = nl_writer_start(writer, type, flags, NL_CHAIN, chain);

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, writer->batch->table);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, writer->ruleset->chains[chain].name);
	return nlh;
}

void nl_add_chain(const struct nl_writer *writer, uint32_t chain)
{
	struct nlmsghdr *nlh =
		start_chain(writer, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, chain);
	struct nlattr *nest;

	if (writer->ruleset->chains[chain].hook) {
		const struct ir_hook_desc *hook = &ir_hooks[writer->ruleset->chains[chain].hook];

		mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, hook->type);
		mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
		nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
		mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(hook->number));
		mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl((uint32_t)hook->priority));
		mnl_attr_nest_end(nlh, nest);
	}
	nl_batch_end(writer->batch);
}

void nl_delete_chain(const struct nl_writer *writer, uint32_t chain)
{
	start_chain(writer, NFT_MSG_DELCHAIN, 0, chain);
	nl_batch_end(writer->batch);
}

void nl_flush_chain(const struct nl_writer *writer, uint32_t chain)
{
	struct nlmsghdr *nlh = nl_writer_start(writer, NFT_MSG_DELRULE, 0, NL_CHAIN, chain);

	/* Naming no rule means all of the chain's. */
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, writer->batch->table);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, writer->ruleset->chains[chain].name);
	nl_batch_end(writer->batch);
}

void nl_add_rule(const struct nl_writer *writer, uint32_t chain, uint32_t rule)
{
	const struct ir_ruleset *ruleset = writer->ruleset;
	struct nlmsghdr *nlh = nl_writer_start(writer, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
					       NL_RULE, rule);
	uint8_t userdata[IR_COMMENT_MAX + 2];
	unsigned n = nl_comment(&ruleset->rules[rule].origin, userdata);

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, writer->batch->table);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, ruleset->chains[chain].name);
	if (n)
		mnl_attr_put(nlh, NFTA_RULE_USERDATA, n, userdata);
	if (nl_put_stmts(nlh, writer->exprs, ruleset, &ruleset->rules[rule]) < 0)
		writer->batch->error = -ENOMEM;
	nl_batch_end(writer->batch);
}

void nl_fill_chain(const struct nl_writer *writer, uint32_t chain)
{
	const struct ir_chain *c = &writer->ruleset->chains[chain];

	for (uint32_t i = 0; i < c->n_rules; i++)
		nl_add_rule(writer, chain, c->first_rule + i);
}
