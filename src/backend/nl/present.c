/* SPDX-License-Identifier: GPL-2.0-or-later */
/* present.c - dumps → the names of what the kernel has under our table's name. */
#include "backend/nl/present.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>

#include "backend/nl/attr.h"
#include "backend/nl/object.h"
#include "backend/nl/set.h"

struct reader {
	struct nl_present *present;
	struct arena *arena;
	const char *table;
};

static uint32_t read_u32(const struct nlmsghdr *nlh, uint16_t type)
{
	size_t n;
	const struct nlattr *attrs = nl_message_attrs(nlh, &n);
	const struct nlattr *attr = nl_attr_find(attrs, n, type);

	return attr && mnl_attr_get_payload_len(attr) == sizeof(uint32_t) ?
		       ntohl(mnl_attr_get_u32(attr)) :
		       0;
}

static uint64_t read_u64(const struct nlmsghdr *nlh, uint16_t type)
{
	size_t n;
	const struct nlattr *attrs = nl_message_attrs(nlh, &n);
	const struct nlattr *attr = nl_attr_find(attrs, n, type);

	return attr && mnl_attr_get_payload_len(attr) == sizeof(uint64_t) ?
		       be64toh(mnl_attr_get_u64(attr)) :
		       0;
}

static int note_table(const struct nlmsghdr *nlh, void *data)
{
	struct reader *reader = data;

	reader->present->exists = true;
	reader->present->flags = read_u32(nlh, NFTA_TABLE_FLAGS);
	reader->present->owner = read_u32(nlh, NFTA_TABLE_OWNER);
	reader->present->handle = read_u64(nlh, NFTA_TABLE_HANDLE);
	return 0;
}

/* Whether a base chain is hooked in as the chain says. */
static bool has_hook(const struct nlmsghdr *nlh, struct ir_chain *chain)
{
	struct ir_ruleset ruleset = { .chains = chain, .n_chains = 1 };
	struct nl_batch batch;
	struct nl_writer writer = { .batch = &batch, .ruleset = &ruleset };
	bool ours;

	nl_batch_init(&batch);
	nl_add_chain(&writer, 0);
	ours = nl_message_covers(nlh, nl_batch_last(&batch), 0);
	nl_batch_done(&batch);
	return ours;
}

/* Whether a base chain is hooked in as one of ours is. */
static bool find_hook(const struct nlmsghdr *nlh, struct ir_chain *chain)
{
	for (uint8_t hook = IR_HOOK_NONE + 1; hook < IR_HOOK_COUNT; hook++) {
		chain->hook = hook;
		if (has_hook(nlh, chain))
			return true;
	}
	return false;
}

static int note_chain(const struct nlmsghdr *nlh, void *data)
{
	struct reader *reader = data;
	struct ir_ruleset *names = &reader->present->names;
	const char *name = nl_message_name(nlh, reader->table, NFTA_CHAIN_NAME);
	struct ir_chain *chain;
	const struct nlattr *attrs;
	size_t n;

	if (!name)
		return 0;
	chain = ARENA_APPEND(reader->arena, names->chains, names->n_chains);
	chain->name = arena_strdup(reader->arena, name);
	attrs = nl_message_attrs(nlh, &n);
	chain->hook = IR_HOOK_NONE;
	if (nl_attr_find(attrs, n, NFTA_CHAIN_HOOK) && !find_hook(nlh, chain))
		reader->present->is_strange = true;
	return 0;
}

/* The number of slots, or 0. */
static uint32_t read_size(const struct nlmsghdr *nlh)
{
	size_t n;
	const struct nlattr *attrs = nl_message_attrs(nlh, &n);
	const struct nlattr *desc = nl_attr_find(attrs, n, NFTA_SET_DESC);
	const struct nlattr *size =
		desc ? nl_attr_find(mnl_attr_get_payload(desc), mnl_attr_get_payload_len(desc),
				    NFTA_SET_DESC_SIZE) :
		       NULL;

	return size ? ntohl(mnl_attr_get_u32(size)) : 0;
}

static int note_set(const struct nlmsghdr *nlh, void *data)
{
	uint32_t flags = read_u32(nlh, NFTA_SET_FLAGS);
	struct reader *reader = data;
	struct ir_ruleset *names = &reader->present->names;
	const char *name = nl_message_name(nlh, reader->table, NFTA_SET_NAME);
	struct ir_set *set;

	/* An anonymous set goes with its rule. */
	if (!name || flags & NFT_SET_ANONYMOUS)
		return 0;
	set = ARENA_APPEND(reader->arena, names->sets, names->n_sets);
	set->name = arena_strdup(reader->arena, name);
	set->is_map = flags & NFT_SET_MAP;
	set->is_interval = flags & NFT_SET_INTERVAL;
	set->key_type = (uint8_t)nl_key_type(read_u32(nlh, NFTA_SET_KEY_TYPE));
	set->size = read_size(nlh);
	if (flags & ~(uint32_t)(NFT_SET_MAP | NFT_SET_INTERVAL))
		set->key_type = IR_KEY_TYPE_COUNT;
	return 0;
}

static int note_object(const struct nlmsghdr *nlh, void *data)
{
	struct reader *reader = data;
	struct ir_ruleset *names = &reader->present->names;
	const char *name = nl_message_name(nlh, reader->table, NFTA_OBJ_NAME);

	if (!name)
		return 0;
	if (read_u32(nlh, NFTA_OBJ_TYPE) != NFT_OBJECT_COUNTER)
		reader->present->is_strange = true;
	else
		ARENA_APPEND(reader->arena, names->counters, names->n_counters)->name =
			arena_strdup(reader->arena, name);
	return 0;
}

static int ask(struct nl_sock *sock, struct reader *reader, uint16_t type, uint16_t flags,
	       nl_answer_fn fn)
{
	uint8_t buffer[NL_REQUEST_MAX] = { 0 }; /* what pads attributes, too */
	struct nlmsghdr *nlh = nl_request_init(buffer, type, flags);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, nl_sock_table(sock)); /* 1, as in all of them */
	return nl_sock_ask(sock, nlh, fn, reader);
}

int nl_present_read_table(struct nl_sock *sock, struct nl_present *ret_present)
{
	struct nl_present present = { 0 };
	struct reader reader = { &present, NULL, nl_sock_table(sock) };
	int r = ask(sock, &reader, NFT_MSG_GETTABLE, 0, note_table);

	*ret_present = present;
	return r == -ENOENT ? 0 : r;
}

int nl_present_read(struct nl_sock *sock, struct arena *arena, struct nl_present *ret_present)
{
	struct nl_present present;
	struct reader reader = { &present, arena, nl_sock_table(sock) };
	int r = nl_present_read_table(sock, &present);

	if (r == 0 && present.exists) {
		r = ask(sock, &reader, NFT_MSG_GETCHAIN, NLM_F_DUMP, note_chain);
		if (r == 0)
			r = ask(sock, &reader, NFT_MSG_GETSET, NLM_F_DUMP, note_set);
		if (r == 0)
			r = ask(sock, &reader, NFT_MSG_GETOBJ, NLM_F_DUMP, note_object);
	}
	*ret_present = present;
	return r == -ENOENT ? -EINTR : r; /* gone between two questions */
}
