/* SPDX-License-Identifier: GPL-2.0-or-later */
/* set.c - sets, maps and their elements → messages of a batch, as nft 1.0.6 sends them.
 *
 * An interval is two elements, where it starts and (flagged) where it is over; the set begins with
 * an end at 0, and an interval up to the highest key has no end. Keys of a hash are in the
 * machine's order where the field is, those of intervals always in network order.
 */
#include "backend/nl/set.h"

#include <arpa/inet.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>

/* nft's numbers for types and byte orders: the kernel only keeps them, "nft list" reads them. */
enum { NFT_HOST_ENDIAN = 1, NFT_BIG_ENDIAN = 2, NFT_EXPR_CONCAT = 13, NFT_CONCAT_BITS = 6 };
enum { NFT_TYPE_IPADDR = 7, NFT_TYPE_IP6ADDR = 8, NFT_TYPE_SERVICE = 13, NFT_TYPE_UID = 24 };
enum { NFT_TYPE_CGROUPV2 = 46 };

static const struct {
	uint32_t type;
	uint8_t byte_order; /* 0: a concatenation */
} key_types[] = {
	[IR_KEY_UID] = { NFT_TYPE_UID, NFT_HOST_ENDIAN },
	[IR_KEY_PORT] = { NFT_TYPE_SERVICE, NFT_BIG_ENDIAN },
	[IR_KEY_IPV4] = { NFT_TYPE_IPADDR, NFT_BIG_ENDIAN },
	[IR_KEY_IPV6] = { NFT_TYPE_IP6ADDR, NFT_BIG_ENDIAN },
	[IR_KEY_IPV4_PORT] = { NFT_TYPE_IPADDR << NFT_CONCAT_BITS | NFT_TYPE_SERVICE, 0 },
	[IR_KEY_IPV6_PORT] = { NFT_TYPE_IP6ADDR << NFT_CONCAT_BITS | NFT_TYPE_SERVICE, 0 },
	[IR_KEY_CGROUP] = { NFT_TYPE_CGROUPV2, NFT_HOST_ENDIAN },
};
static_assert(ARRAY_SIZE(key_types) == IR_KEY_TYPE_COUNT, "every ir_key_type needs a row");

enum ir_key_type nl_key_type(uint32_t type)
{
	enum ir_key_type i = 0;

	while (i < IR_KEY_TYPE_COUNT && key_types[i].type != type)
		i++;
	return i;
}

/* A list attribute's length is 16 bits; an element takes less than 400 bytes. */
enum { ELEMENTS_MAX = 60000, USERDATA_MAX = IR_COMMENT_MAX + 16 };

static uint8_t *put_userdata(uint8_t *at, uint8_t type, const void *value, uint8_t n)
{
	at[0] = type;
	at[1] = n;
	memcpy(at + 2, value, n);
	return at + 2 + n;
}

static void put_set_userdata(struct nlmsghdr *nlh, const struct ir_set *set)
{
	uint32_t key_order = key_types[set->key_type].byte_order, data = 0;
	uint32_t concat = NFT_EXPR_CONCAT;
	uint8_t userdata[USERDATA_MAX], inner[16], *at = userdata;
	uint8_t *inner_end = inner;

	at = put_userdata(at, NFTNL_UDATA_SET_KEYBYTEORDER, &key_order, sizeof(key_order));
	if (set->is_map)
		at = put_userdata(at, NFTNL_UDATA_SET_DATABYTEORDER, &data, sizeof(data));
	if (!key_order) {
		inner_end = put_userdata(inner_end, NFTNL_UDATA_SET_TYPEOF_EXPR, &concat,
					 sizeof(concat));
		inner_end = put_userdata(inner_end, NFTNL_UDATA_SET_TYPEOF_DATA, "", 0);
		at = put_userdata(at, NFTNL_UDATA_SET_KEY_TYPEOF, inner,
				  (uint8_t)(inner_end - inner));
	}
	if (set->is_map)
		at = put_userdata(at, NFTNL_UDATA_SET_DATA_INTERVAL, &data, sizeof(data));
	mnl_attr_put(nlh, NFTA_SET_USERDATA, (size_t)(at - userdata), userdata);
}

static struct nlmsghdr *start_set(const struct nl_writer *writer, uint16_t type, uint16_t flags,
				  uint32_t set)
{
	struct nlmsghdr *nlh = nl_writer_start(writer, type, flags, NL_SET, set);

	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, writer->batch->table);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, writer->ruleset->sets[set].name);
	return nlh;
}

void nl_add_set(const struct nl_writer *writer, uint32_t index)
{
	const struct ir_set *set = &writer->ruleset->sets[index];
	struct nlmsghdr *nlh = start_set(writer, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL, index);
	uint32_t flags =
		(set->is_map ? NFT_SET_MAP : 0U) | (set->is_interval ? NFT_SET_INTERVAL : 0U);

	if (flags)
		mnl_attr_put_u32(nlh, NFTA_SET_FLAGS, htonl(flags));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_TYPE, htonl(key_types[set->key_type].type));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_LEN, htonl(ir_key_length(set->key_type)));
	if (set->is_map)
		mnl_attr_put_u32(nlh, NFTA_SET_DATA_TYPE, htonl(NFT_DATA_VERDICT));
	mnl_attr_put_u32(nlh, NFTA_SET_ID, htonl(index + 1)); /* the kernel insists on one */
	if (set->size) {
		struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_SET_DESC);

		mnl_attr_put_u32(nlh, NFTA_SET_DESC_SIZE, htonl(set->size));
		mnl_attr_nest_end(nlh, nest);
	}
	put_set_userdata(nlh, set);
	nl_batch_end(writer->batch);
}

void nl_delete_set(const struct nl_writer *writer, uint32_t set)
{
	start_set(writer, NFT_MSG_DELSET, 0, set);
	nl_batch_end(writer->batch);
}

void nl_flush_set(const struct nl_writer *writer, uint32_t set)
{
	struct nlmsghdr *nlh = nl_writer_start(writer, NFT_MSG_DELSETELEM, 0, NL_SET, set);

	/* Naming no element means all of the set's. */
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, writer->batch->table);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, writer->ruleset->sets[set].name);
	nl_batch_end(writer->batch);
}

void nl_element_key(const struct ir_set *set, const uint8_t *key, uint8_t ret_key[IR_KEY_MAX])
{
	unsigned n = ir_key_length(set->key_type);

	memcpy(ret_key, key, IR_KEY_MAX);
	if (key_types[set->key_type].byte_order == NFT_HOST_ENDIAN && !set->is_interval &&
	    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		for (unsigned i = 0; i < n; i++)
			ret_key[i] = key[n - 1 - i];
}

void nl_elements_init(struct nl_elements *elements, const struct nl_writer *writer, uint32_t set,
		      bool add)
{
	*elements = (struct nl_elements){ .writer = writer, .set = set, .add = add };
}

void nl_elements_end(struct nl_elements *elements)
{
	if (!elements->nlh)
		return;
	mnl_attr_nest_end(elements->nlh, elements->list);
	nl_batch_end(elements->writer->batch);
	elements->nlh = NULL;
}

static void start_elements(struct nl_elements *e, uint32_t element)
{
	e->nlh = nl_writer_start(e->writer, e->add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
				 e->add ? NLM_F_CREATE | NLM_F_EXCL : 0, NL_ELEMENTS, element);
	mnl_attr_put_strz(e->nlh, NFTA_SET_ELEM_LIST_TABLE, e->writer->batch->table);
	mnl_attr_put_strz(e->nlh, NFTA_SET_ELEM_LIST_SET, e->writer->ruleset->sets[e->set].name);
	e->list = mnl_attr_nest_start(e->nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
}

static struct nlattr *start_element(struct nl_elements *e, const uint8_t *key)
{
	const struct ir_set *set = &e->writer->ruleset->sets[e->set];
	struct nlattr *element = mnl_attr_nest_start(e->nlh, NFTA_LIST_ELEM);
	struct nlattr *nest = mnl_attr_nest_start(e->nlh, NFTA_SET_ELEM_KEY);
	uint8_t kernel_key[IR_KEY_MAX];

	nl_element_key(set, key, kernel_key);
	mnl_attr_put(e->nlh, NFTA_DATA_VALUE, ir_key_length(set->key_type), kernel_key);
	mnl_attr_nest_end(e->nlh, nest);
	return element;
}

static void put_interval_end(struct nl_elements *e, const uint8_t *key)
{
	struct nlattr *element = start_element(e, key);

	mnl_attr_put_u32(e->nlh, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	mnl_attr_nest_end(e->nlh, element);
}

static void put_verdict(struct nl_elements *e, const struct ir_element *element)
{
	int code = element->verdict == IR_JUMP ? NFT_JUMP : NFT_GOTO;
	struct nlattr *data = mnl_attr_nest_start(e->nlh, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(e->nlh, NFTA_DATA_VERDICT);

	mnl_attr_put_u32(e->nlh, NFTA_VERDICT_CODE, htonl((uint32_t)code));
	mnl_attr_put_strz(e->nlh, NFTA_VERDICT_CHAIN,
			  e->writer->ruleset->chains[element->chain].name);
	mnl_attr_nest_end(e->nlh, verdict);
	mnl_attr_nest_end(e->nlh, data);
}

/* The key behind the interval; false where there is none. */
static bool next_key(const uint8_t *last, unsigned n, uint8_t ret_key[IR_KEY_MAX])
{
	memset(ret_key, 0, IR_KEY_MAX);
	memcpy(ret_key, last, n);
	while (n-- > 0)
		if (++ret_key[n])
			return true;
	return false;
}

void nl_elements_put(struct nl_elements *e, uint32_t index)
{
	static const uint8_t zero[IR_KEY_MAX];
	const struct ir_ruleset *ruleset = e->writer->ruleset;
	const struct ir_set *set = &ruleset->sets[e->set];
	const struct ir_element *element = &ruleset->elements[index];
	uint8_t userdata[USERDATA_MAX], end[IR_KEY_MAX];
	unsigned n_userdata = 0, length = ir_key_length(set->key_type);
	bool has_end = set->is_interval && next_key(element->last, length, end);
	struct nlattr *attr;

	if (e->nlh && (char *)mnl_nlmsg_get_payload_tail(e->nlh) - (char *)e->list > ELEMENTS_MAX)
		nl_elements_end(e);
	if (!e->nlh)
		start_elements(e, index);
	if (set->is_interval && index == set->first_element && memcmp(element->key, zero, length))
		put_interval_end(e, zero);
	attr = start_element(e, element->key);
	if (e->add) {
		if (set->is_map)
			put_verdict(e, element);
		n_userdata = nl_comment(&element->origin, userdata);
		if (set->is_interval && !has_end) {
			uint32_t open = NFTNL_SET_ELEM_F_INTERVAL_OPEN;
			uint8_t *at = put_userdata(userdata + n_userdata,
						   NFTNL_UDATA_SET_ELEM_FLAGS, &open, sizeof(open));

			n_userdata = (unsigned)(at - userdata);
		}
		if (n_userdata)
			mnl_attr_put(e->nlh, NFTA_SET_ELEM_USERDATA, n_userdata, userdata);
	}
	mnl_attr_nest_end(e->nlh, attr);
	if (has_end)
		put_interval_end(e, end);
}

void nl_fill_set(const struct nl_writer *writer, uint32_t index)
{
	const struct ir_set *set = &writer->ruleset->sets[index];
	struct nl_elements elements;

	nl_elements_init(&elements, writer, index, true);
	for (uint32_t i = 0; i < set->n_elements; i++)
		nl_elements_put(&elements, set->first_element + i);
	nl_elements_end(&elements);
}
