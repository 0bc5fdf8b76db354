/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify.c - a dump of the table → whether it is exactly the ruleset that was put there.
 *
 * Each dumped object is held against the message that would make it: every attribute of ours has to
 * come back with the same bytes. What the kernel adds (handles, counts, positions) is passed over.
 */
#include "backend/nl/verify.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "backend/nl/attr.h"
#include "backend/nl/names.h"
#include "backend/nl/object.h"
#include "backend/nl/present.h"
#include "backend/nl/set.h"

struct verify {
	struct nl_sock *sock;
	const struct ir_ruleset *ruleset;
	struct nl_writer writer; /* writes to scratch */
	struct nl_batch scratch;
	struct names counters, chains, sets;
	uint32_t set;	 /* whose elements are being dumped */
	uint32_t n;	 /* seen in this dump: counters, chains, rules of a chain, ... */
	uint32_t n_ends; /* ends of intervals */
	char *place;	 /* NULL: nobody wants to know */
};

/* -ESTALE, for this reason: names are what others wrote. */
static int differs(struct verify *v, const char *what, const char *name)
{
	if (!v->place || *v->place)
		return -ESTALE;
	snprintf(v->place, NL_PLACE_MAX, "%s%s%s", what, *name ? " " : "", name);
	for (char *c = v->place; *c; c++)
		*c = isprint((unsigned char)*c) ? *c : '?';
	return -ESTALE;
}

/* Holds the message written last against a dumped one. 0 or -ESTALE. */
static int compare(struct verify *v, const struct nlmsghdr *dumped, uint16_t skip, const char *what,
		   const char *name)
{
	bool same = nl_message_covers(dumped, nl_batch_last(&v->scratch), skip);
	int r = v->scratch.error;

	nl_batch_reset(&v->scratch);
	return r ? r : same ? 0 : differs(v, what, name);
}

static int see_counter(const struct nlmsghdr *nlh, void *data)
{
	struct verify *v = data;
	const char *name = nl_message_name(nlh, nl_sock_table(v->sock), NFTA_OBJ_NAME);

	if (!name)
		return 0;
	v->n++;
	return names_find(&v->counters, name) == IR_NONE ? differs(v, "counter", name) : 0;
}

static int see_chain(const struct nlmsghdr *nlh, void *data)
{
	struct verify *v = data;
	const char *name = nl_message_name(nlh, nl_sock_table(v->sock), NFTA_CHAIN_NAME);
	uint32_t chain;

	if (!name)
		return 0;
	chain = names_find(&v->chains, name);
	if (chain == IR_NONE)
		return differs(v, "chain", name);
	v->n++;
	nl_add_chain(&v->writer, chain);
	return compare(v, nlh, 0, "chain", name);
}

static int see_rule(const struct nlmsghdr *nlh, void *data)
{
	struct verify *v = data;
	const char *name = nl_message_name(nlh, nl_sock_table(v->sock), NFTA_RULE_CHAIN);
	const struct ir_chain *c;
	uint32_t chain;

	if (!name)
		return 0;
	chain = names_find(&v->chains, name);
	if (chain == IR_NONE)
		return differs(v, "chain", name);
	c = &v->ruleset->chains[chain];
	if (v->n == c->n_rules)
		return differs(v, "chain", name);
	nl_add_rule(&v->writer, chain, c->first_rule + v->n++);
	return compare(v, nlh, 0, "chain", name);
}

static int see_set(const struct nlmsghdr *nlh, void *data)
{
	struct verify *v = data;
	const char *name = nl_message_name(nlh, nl_sock_table(v->sock), NFTA_SET_NAME);
	uint32_t set;

	if (!name)
		return 0;
	set = names_find(&v->sets, name);
	if (set == IR_NONE)
		return differs(v, "set", name);
	v->n++;
	nl_add_set(&v->writer, set);
	return compare(v, nlh, NFTA_SET_ID, "set", name); /* it is good for one batch */
}

/* The element that begins (or, for the end of an interval, ends just before) the given key. */
static uint32_t find_element(const struct verify *v, const uint8_t *key, bool is_end)
{
	const struct ir_set *set = &v->ruleset->sets[v->set];
	unsigned length = ir_key_length(set->key_type), i = length;
	uint32_t low = 0, high = set->n_elements;
	uint8_t wanted[IR_KEY_MAX];

	memcpy(wanted, key, IR_KEY_MAX);
	while (is_end && i-- > 0 && wanted[i]-- == 0)
		;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct ir_element *e = &v->ruleset->elements[set->first_element + middle];
		int order = memcmp(is_end ? e->last : e->key, wanted, length);

		if (order == 0)
			return set->first_element + middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return IR_NONE;
}

/* Writes the element alone and finds its attribute in the message, which is not always the first.
 */
static bool element_covered(struct verify *v, uint32_t index, const struct nlattr *dumped)
{
	struct nl_elements elements;
	const struct nlattr *attr, *part;
	bool covered = false;

	nl_elements_init(&elements, &v->writer, v->set, true);
	nl_elements_put(&elements, index);
	nl_elements_end(&elements);
	mnl_attr_for_each_nested(attr, elements.list)
	{
		bool is_end = false;

		mnl_attr_for_each_nested(part, attr) is_end |=
			mnl_attr_get_type(part) == NFTA_SET_ELEM_FLAGS;
		if (!is_end)
			covered = nl_attr_covers(dumped, attr);
	}
	nl_batch_reset(&v->scratch);
	return covered;
}

static int see_element(struct verify *v, const struct nlattr *element)
{
	static const uint8_t zero[IR_KEY_MAX];
	const struct ir_set *set = &v->ruleset->sets[v->set];
	unsigned length = ir_key_length(set->key_type);
	const void *parts = mnl_attr_get_payload(element);
	size_t n = mnl_attr_get_payload_len(element);
	const struct nlattr *key_attr = nl_attr_find(parts, n, NFTA_SET_ELEM_KEY);
	const struct nlattr *flags_attr = nl_attr_find(parts, n, NFTA_SET_ELEM_FLAGS);
	uint8_t dumped[IR_KEY_MAX] = { 0 }, key[IR_KEY_MAX];
	const struct nlattr *value;
	uint32_t index;
	bool is_end;

	if (!key_attr)
		return -ESTALE;
	value = nl_attr_find(mnl_attr_get_payload(key_attr), mnl_attr_get_payload_len(key_attr),
			     NFTA_DATA_VALUE);
	if (!value || mnl_attr_get_payload_len(value) != length)
		return -ESTALE;
	memcpy(dumped, mnl_attr_get_payload(value), length);
	nl_element_key(set, dumped, key); /* a swap undoes itself */
	is_end = flags_attr && mnl_attr_get_u32(flags_attr) == htonl(NFT_SET_ELEM_INTERVAL_END);
	if (is_end) {
		v->n_ends++;
		return memcmp(key, zero, length) == 0 || find_element(v, key, true) != IR_NONE ?
			       0 :
			       -ESTALE;
	}
	v->n++;
	index = find_element(v, key, false);
	return index != IR_NONE && element_covered(v, index, element) ? 0 : -ESTALE;
}

static int see_elements(const struct nlmsghdr *nlh, void *data)
{
	struct verify *v = data;
	size_t n;
	const struct nlattr *attrs = nl_message_attrs(nlh, &n), *element;
	const struct nlattr *list = nl_attr_find(attrs, n, NFTA_SET_ELEM_LIST_ELEMENTS);
	int r = 0;

	if (!list)
		return 0;
	mnl_attr_for_each_nested(element, list)
	{
		r = see_element(v, element);
		if (r < 0)
			return r == -ESTALE ? differs(v, "set", v->ruleset->sets[v->set].name) : r;
	}
	return 0;
}

static uint32_t count_ends(const struct ir_ruleset *ruleset, const struct ir_set *set)
{
	static const uint8_t zero[IR_KEY_MAX];
	const struct ir_element *first = &ruleset->elements[set->first_element];
	unsigned length = ir_key_length(set->key_type);
	uint8_t highest[IR_KEY_MAX];
	uint32_t n = set->n_elements;

	if (!n || !set->is_interval)
		return 0;
	memset(highest, 0xff, sizeof(highest));
	n -= memcmp(first[n - 1].last, highest, length) == 0;
	n += memcmp(first->key, zero, length) != 0;
	return n;
}

/* Dumps what the table has of a kind, or what a chain or set of it holds: n things, or -ESTALE. */
static int ask(struct verify *v, uint16_t type, nl_answer_fn fn, const char *what,
	       const char *holder, size_t n)
{
	enum { TRIES = 100 };
	uint8_t buffer[NL_REQUEST_MAX] = { 0 }; /* what pads attributes, too */
	struct nlmsghdr *nlh;
	int r = -EINTR;

	for (unsigned i = 0; r == -EINTR && i < TRIES; i++) {
		nlh = nl_request_init(buffer, type, NLM_F_DUMP);
		mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, nl_sock_table(v->sock));
		if (holder)
			mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, holder);
		v->n = v->n_ends = 0;
		r = nl_sock_ask(v->sock, nlh, fn, v);
	}
	return r == 0 && v->n != n ? differs(v, what, holder ? holder : "") : r;
}
static_assert((int)NFTA_RULE_CHAIN == (int)NFTA_SET_ELEM_LIST_SET, "see above");

static int verify_sets(struct verify *v)
{
	const struct ir_ruleset *ruleset = v->ruleset;
	int r = ask(v, NFT_MSG_GETSET, see_set, "its sets", NULL, ruleset->n_sets);

	for (v->set = 0; r == 0 && v->set < ruleset->n_sets; v->set++) {
		const struct ir_set *set = &ruleset->sets[v->set];

		r = ask(v, NFT_MSG_GETSETELEM, see_elements, "set", set->name, set->n_elements);
		if (r == 0 && v->n_ends != count_ends(ruleset, set))
			r = differs(v, "set", set->name);
	}
	return r;
}

static int verify_rules(struct verify *v)
{
	const struct ir_ruleset *ruleset = v->ruleset;
	int r = ask(v, NFT_MSG_GETCHAIN, see_chain, "its chains", NULL, ruleset->n_chains);

	/* One dump of all rules takes the kernel 8 s for 130,000: it counts from the first rule
	 * again for every 32 KiB of answer (nf_tables_dump_rules()).
	 */
	for (uint32_t i = 0; r == 0 && i < ruleset->n_chains; i++)
		r = ask(v, NFT_MSG_GETRULE, see_rule, "chain", ruleset->chains[i].name,
			ruleset->chains[i].n_rules);
	return r;
}

static int init_names(struct verify *v)
{
	const struct ir_ruleset *r = v->ruleset;

	if (names_init(&v->counters, r->counters, r->n_counters, sizeof(*r->counters)) < 0 ||
	    names_init(&v->chains, r->chains, r->n_chains, sizeof(*r->chains)) < 0 ||
	    names_init(&v->sets, r->sets, r->n_sets, sizeof(*r->sets)) < 0)
		return -ENOMEM;
	return 0;
}

/* A table can be put to sleep, rules and all ("dormant"). */
static int verify_table(struct verify *v)
{
	struct nl_present present;
	int r = nl_present_read_table(v->sock, &present);

	if (r == 0 && !present.exists)
		return differs(v, "it is gone", "");
	if (r == 0 && present.flags & ~(uint32_t)(NL_TABLE_OWNER | NL_TABLE_PERSIST))
		return differs(v, "its flags", "");
	return r;
}

int nl_verify(struct nl_sock *sock, struct nl_exprs *exprs, const struct ir_ruleset *ruleset,
	      char ret_place[NL_PLACE_MAX])
{
	struct verify v = { .sock = sock, .ruleset = ruleset, .place = ret_place };
	int r = init_names(&v);

	if (ret_place)
		*ret_place = '\0';

	v.writer = (struct nl_writer){ .batch = &v.scratch, .exprs = exprs, .ruleset = ruleset };
	nl_batch_init(&v.scratch);
	if (r == 0)
		r = verify_table(&v);
	if (r == 0)
		r = ask(&v, NFT_MSG_GETOBJ, see_counter, "its counters", NULL, ruleset->n_counters);
	if (r == 0)
		r = verify_rules(&v);
	if (r == 0)
		r = verify_sets(&v);
	if (r == -ENOENT) /* the table, or one of its sets, is gone */
		r = differs(&v, "something is gone", "");
	names_done(&v.counters);
	names_done(&v.chains);
	names_done(&v.sets);
	nl_batch_done(&v.scratch);
	return r;
}
