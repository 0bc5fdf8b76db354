/* SPDX-License-Identifier: GPL-2.0-or-later */
/* groups.c - a dump of the map from control groups to chains → its elements. */
#include "backend/nl/groups.h"

#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>

#include "backend/nl/attr.h"

struct reading {
	struct arena *arena;
	struct nl_group *list;
	size_t n;
};

/* The attribute at the end of a way through nested ones, or NULL. */
static const struct nlattr *find_below(const struct nlattr *attr, const uint16_t *way, size_t n)
{
	for (size_t i = 0; attr && i < n; i++)
		attr = nl_attr_find(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr),
				    way[i]);
	return attr;
}

static int note_elements(const struct nlmsghdr *nlh, void *data)
{
	static const uint16_t key_way[] = { NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE };
	static const uint16_t chain_way[] = { NFTA_SET_ELEM_DATA, NFTA_DATA_VERDICT,
					      NFTA_VERDICT_CHAIN };
	struct reading *reading = data;
	size_t n;
	const struct nlattr *attrs = nl_message_attrs(nlh, &n), *element;
	const struct nlattr *list = nl_attr_find(attrs, n, NFTA_SET_ELEM_LIST_ELEMENTS);

	if (!list)
		return 0;
	mnl_attr_for_each_nested(element, list)
	{
		const struct nlattr *key = find_below(element, key_way, ARRAY_SIZE(key_way));
		const struct nlattr *chain = find_below(element, chain_way, ARRAY_SIZE(chain_way));
		struct nl_group *group;

		if (!key || mnl_attr_get_payload_len(key) != sizeof(group->id) || !chain)
			continue;
		group = ARENA_APPEND(reading->arena, reading->list, reading->n);
		memcpy(&group->id, mnl_attr_get_payload(key), sizeof(group->id));
		group->chain = arena_strdup(reading->arena, mnl_attr_get_str(chain));
	}
	return 0;
}

int nl_read_groups(struct nl_sock *sock, const char *map, struct arena *arena,
		   struct nl_group **ret_groups, size_t *ret_n)
{
	enum { TRIES = 20 };
	struct reading reading = { .arena = arena };
	uint8_t buffer[NL_REQUEST_MAX] = { 0 }; /* what pads attributes, too */
	int r = -EINTR;

	/* Somebody's commit interrupts a dump: -EINTR. */
	for (unsigned i = 0; r == -EINTR && i < TRIES; i++) {
		struct nlmsghdr *nlh = nl_request_init(buffer, NFT_MSG_GETSETELEM, NLM_F_DUMP);

		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, nl_sock_table(sock));
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, map);
		reading.n = 0;
		r = nl_sock_ask(sock, nlh, note_elements, &reading);
	}
	*ret_groups = reading.list;
	*ret_n = r < 0 ? 0 : reading.n;
	return r == -ENOENT ? 0 : r;
}
