/* SPDX-License-Identifier: GPL-2.0-or-later */
/* counter.c - a dump of the table's named counters → values in the order of a ruleset. */
#include "backend/nl/counter.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "backend/nl/attr.h"
#include "backend/nl/names.h"

struct reading {
	struct names names;
	struct nl_counter_value *values;
	const char *table;
};

static void parse_data(const struct nlattr *data, struct nl_counter_value *ret_value)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, data)
	{
		if (mnl_attr_get_payload_len(attr) != sizeof(uint64_t))
			continue;
		if (mnl_attr_get_type(attr) == NFTA_COUNTER_PACKETS)
			ret_value->packets = be64toh(mnl_attr_get_u64(attr));
		else if (mnl_attr_get_type(attr) == NFTA_COUNTER_BYTES)
			ret_value->bytes = be64toh(mnl_attr_get_u64(attr));
	}
}

/* One dumped object; name NULL when it is no counter. */
static void parse_counter(const struct nlmsghdr *nlh, struct nl_counter_value *ret_value)
{
	const struct nlattr *attr;
	bool counter = false;

	*ret_value = (struct nl_counter_value){ 0 };
	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		switch (mnl_attr_get_type(attr)) {
		case NFTA_OBJ_NAME:
			ret_value->name = mnl_attr_get_str(attr);
			break;
		case NFTA_OBJ_TYPE:
			counter = mnl_attr_get_u32(attr) == htonl(NFT_OBJECT_COUNTER);
			break;
		case NFTA_OBJ_DATA:
			parse_data(attr, ret_value);
			break;
		}
	}
	if (!counter)
		ret_value->name = NULL;
}

static int read_one(const struct nlmsghdr *nlh, void *data)
{
	struct nl_counter_value *ret_value = data;
	const char *name = ret_value->name; /* the caller's outlives the message */

	parse_counter(nlh, ret_value);
	ret_value->name = name;
	return 0;
}

static int read_many(const struct nlmsghdr *nlh, void *data)
{
	struct reading *reading = data;
	struct nl_counter_value value;
	uint32_t index;

	parse_counter(nlh, &value);
	if (!value.name || !nl_message_name(nlh, reading->table, NFTA_OBJ_NAME))
		return 0;
	index = names_find(&reading->names, value.name);
	if (index != IR_NONE) {
		reading->values[index].packets = value.packets;
		reading->values[index].bytes = value.bytes;
	}
	return 0;
}

static struct nlmsghdr *start_request(const struct nl_sock *sock, void *buffer, uint16_t flags)
{
	struct nlmsghdr *nlh = nl_request_init(buffer, NFT_MSG_GETOBJ, flags);

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, nl_sock_table(sock));
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	return nlh;
}

int nl_read_counter(struct nl_sock *sock, const char *name, struct nl_counter_value *ret_value)
{
	struct nl_counter_value value = { .name = name };
	uint8_t buffer[NL_REQUEST_MAX] = { 0 }; /* what pads attributes, too */
	struct nlmsghdr *nlh = start_request(sock, buffer, 0);
	int r;

	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, name);
	r = nl_sock_ask(sock, nlh, read_one, &value);
	if (r == 0)
		*ret_value = value;
	return r;
}

int nl_read_counters(struct nl_sock *sock, const struct ir_ruleset *ruleset,
		     struct nl_counter_value **ret_values)
{
	enum { TRIES = 100 };
	struct reading reading = { .table = nl_sock_table(sock) };
	uint8_t buffer[NL_REQUEST_MAX] = { 0 }; /* what pads attributes, too */
	int r = names_init(&reading.names, ruleset->counters, ruleset->n_counters,
			   sizeof(*ruleset->counters));

	reading.values = calloc(ruleset->n_counters + 1, sizeof(*reading.values));
	if (!reading.values)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < ruleset->n_counters; i++)
		reading.values[i].name = ruleset->counters[i].name;
	if (r == 0) {
		/* Somebody's commit interrupts a dump: -EINTR. */
		for (unsigned i = 0; i == 0 || (r == -EINTR && i < TRIES); i++)
			r = nl_sock_ask(sock, start_request(sock, buffer, NLM_F_DUMP), read_many,
					&reading);
		if (r == -ENOENT)
			r = 0;
	}
	names_done(&reading.names);
	if (r < 0)
		free(reading.values);
	else
		*ret_values = reading.values;
	return r;
}
