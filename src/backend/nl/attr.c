/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attr.c - attributes of dumped messages, held against those that we would send. */
#include "backend/nl/attr.h"

#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

const struct nlattr *nl_attr_find(const struct nlattr *attr, size_t n, uint16_t type)
{
	const char *end = (const char *)attr + n;

	for (; mnl_attr_ok(attr, (int)(end - (const char *)attr)); attr = mnl_attr_next(attr))
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

/* libnftnl sends some names without the NUL that the kernel gives back with them. */
static bool payload_equal(const struct nlattr *ours, const struct nlattr *dumped)
{
	size_t n = mnl_attr_get_payload_len(ours), n_dumped = mnl_attr_get_payload_len(dumped);
	const char *bytes = mnl_attr_get_payload(dumped);

	return (n_dumped == n || (n_dumped == n + 1 && !bytes[n])) &&
	       memcmp(mnl_attr_get_payload(ours), bytes, n) == 0;
}

/* The elements of a list are told by nothing but their order: each is looked for behind the last.
 */
static bool attrs_cover(const struct nlattr *dumped, size_t n_dumped, const struct nlattr *ours,
			size_t n_ours, uint16_t skip)
{
	const char *ours_end = (const char *)ours + n_ours;
	const char *dumped_end = (const char *)dumped + n_dumped;
	const struct nlattr *list_at = dumped;

	for (; mnl_attr_ok(ours, (int)(ours_end - (const char *)ours));
	     ours = mnl_attr_next(ours)) {
		uint16_t type = mnl_attr_get_type(ours);
		const struct nlattr *found;

		if (skip && type == skip)
			continue;
		found = nl_attr_find(list_at, (size_t)(dumped_end - (const char *)list_at), type);
		if (!found)
			found = nl_attr_find(dumped, n_dumped, type);
		else if (type == NFTA_LIST_ELEM)
			list_at = mnl_attr_next(found);
		if (!found || !(ours->nla_type & NLA_F_NESTED ? nl_attr_covers(found, ours) :
								payload_equal(ours, found)))
			return false;
	}
	return list_at == dumped ||
	       !nl_attr_find(list_at, (size_t)(dumped_end - (const char *)list_at), NFTA_LIST_ELEM);
}

bool nl_attr_covers(const struct nlattr *dumped, const struct nlattr *ours)
{
	return attrs_cover(mnl_attr_get_payload(dumped), mnl_attr_get_payload_len(dumped),
			   mnl_attr_get_payload(ours), mnl_attr_get_payload_len(ours), 0);
}

const struct nlattr *nl_message_attrs(const struct nlmsghdr *nlh, size_t *ret_n)
{
	const struct nlattr *attrs = mnl_nlmsg_get_payload_offset(nlh, sizeof(struct nfgenmsg));

	*ret_n = (size_t)((const char *)mnl_nlmsg_get_payload_tail(nlh) - (const char *)attrs);
	return attrs;
}

bool nl_message_covers(const struct nlmsghdr *dumped, const struct nlmsghdr *ours, uint16_t skip)
{
	size_t n_ours, n_dumped;
	const struct nlattr *our_attrs = nl_message_attrs(ours, &n_ours);
	const struct nlattr *dumped_attrs = nl_message_attrs(dumped, &n_dumped);

	return attrs_cover(dumped_attrs, n_dumped, our_attrs, n_ours, skip);
}

const char *nl_message_name(const struct nlmsghdr *nlh, const char *table, uint16_t type)
{
	size_t n;
	const struct nlattr *attrs = nl_message_attrs(nlh, &n);
	const struct nlattr *table_attr = nl_attr_find(attrs, n, NFTA_TABLE_NAME);
	const struct nlattr *attr = nl_attr_find(attrs, n, type);
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);

	if (!table_attr || !attr || nfg->nfgen_family != NFPROTO_INET ||
	    strcmp(mnl_attr_get_str(table_attr), table) != 0)
		return NULL;
	return mnl_attr_get_str(attr);
}
static_assert((int)NFTA_TABLE_NAME == (int)NFTA_CHAIN_TABLE &&
		      (int)NFTA_TABLE_NAME == (int)NFTA_RULE_TABLE &&
		      (int)NFTA_TABLE_NAME == (int)NFTA_SET_TABLE &&
		      (int)NFTA_TABLE_NAME == (int)NFTA_SET_ELEM_LIST_TABLE &&
		      (int)NFTA_TABLE_NAME == (int)NFTA_OBJ_TABLE,
	      "a table's name is the same attribute everywhere");
