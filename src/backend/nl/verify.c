/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify.c - a dump of the table → whether it is exactly the ruleset that was put there.
 *
 * Each dumped object is held against the message that would make it: every attribute of ours has to
 * come back with the same bytes. What the kernel adds (handles, counts, positions) is passed over.
 */
#include "backend/nl/verify.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "backend/nl/names.h"
#include "backend/nl/object.h"
#include "backend/nl/set.h"

struct verify {
	struct nl_sock *sock;
	const struct ir_ruleset *ruleset;
	struct nl_writer writer; /* writes to scratch */
	struct nl_batch scratch;
	struct names counters, chains, sets;
	uint32_t n_counters, n_chains, n_sets; /* seen */
	uint32_t n_rules;		       /* seen, of the chain whose rules are being dumped */
	uint32_t set;			       /* whose elements are being dumped */
	uint32_t n_starts, n_ends;	       /* seen, of its elements */
};

static const struct nlattr *find_attr(const struct nlattr *attr, size_t n, uint16_t type)
{
	int left = (int)n;

	for (; mnl_attr_ok(attr, left);
	     left -= (int)((const char *)mnl_attr_next(attr) - (const char *)attr),
	     attr = mnl_attr_next(attr))
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

/* Whether the dumped attributes hold all that ours say (but for one of type `skip`, 0: none);
 * lists have to be of the same length.
 */
static bool attrs_cover(const struct nlattr *ours, size_t n_ours, const struct nlattr *dumped,
			size_t n_dumped, uint16_t skip)
{
	const char *ours_end = (const char *)ours + n_ours;
	const char *dumped_end = (const char *)dumped + n_dumped;
	const struct nlattr *list_at = dumped; /* of a list: behind the last one found */

	for (; mnl_attr_ok(ours, (int)(ours_end - (const char *)ours));
	     ours = mnl_attr_next(ours)) {
		uint16_t type = mnl_attr_get_type(ours);
		const struct nlattr *found =
			find_attr(list_at, (size_t)(dumped_end - (const char *)list_at), type);

		if (skip && type == skip)
			continue;
		if (!found)
			found = find_attr(dumped, n_dumped, type);
		else if (type == NFTA_LIST_ELEM)
			list_at = mnl_attr_next(found);
		if (!found)
			return false;
		if (ours->nla_type & NLA_F_NESTED) {
			if (!attrs_cover(mnl_attr_get_payload(ours), mnl_attr_get_payload_len(ours),
					 mnl_attr_get_payload(found),
					 mnl_attr_get_payload_len(found), 0))
				return false;
		} else if (!payload_equal(ours, found)) {
			return false;
		}
	}
	return list_at == dumped ||
	       !find_attr(list_at, (size_t)(dumped_end - (const char *)list_at), NFTA_LIST_ELEM);
}

static const struct nlattr *message_attrs(const struct nlmsghdr *nlh, size_t *ret_n)
{
	const struct nlattr *attrs = mnl_nlmsg_get_payload_offset(nlh, sizeof(struct nfgenmsg));

	*ret_n = (size_t)((const char *)mnl_nlmsg_get_payload_tail(nlh) - (const char *)attrs);
	return attrs;
}

/* Holds the message written last against a dumped one. 0 or -ESTALE. */
static int compare(struct verify *v, const struct nlmsghdr *dumped, uint16_t skip)
{
	size_t n_ours, n_dumped;
	const struct nlattr *ours = message_attrs(nl_batch_last(&v->scratch), &n_ours);
	const struct nlattr *theirs = message_attrs(dumped, &n_dumped);
	bool same = attrs_cover(ours, n_ours, theirs, n_dumped, skip);
	int r = v->scratch.error;

	nl_batch_reset(&v->scratch);
	return r ? r : same ? 0 : -ESTALE;
}

/* The text of an attribute when the message is about our table, else NULL. */
static const char *name_in_our_table(const struct nlmsghdr *nlh, uint16_t table, uint16_t name)
{
	size_t n;
	const struct nlattr *attrs = message_attrs(nlh, &n);
	const struct nlattr *table_attr = find_attr(attrs, n, table);
	const struct nlattr *name_attr = find_attr(attrs, n, name);
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);

	if (!table_attr || !name_attr || nfg->nfgen_family != NFPROTO_INET ||
	    strcmp(mnl_attr_get_str(table_attr), IR_TABLE_NAME) != 0)
		return NULL;
	return mnl_attr_get_str(name_attr);
}

static int see_counter(const struct nlmsghdr *nlh, void *data)
{
	struct verify *v = data;
	const char *name = name_in_our_table(nlh, NFTA_OBJ_TABLE, NFTA_OBJ_NAME);

	if (!name)
		return 0;
	v->n_counters++;
	return names_find(&v->counters, name) == IR_NONE ? -ESTALE : 0;
}

static int see_chain(const struct nlmsghdr *nlh, void *data)
{
	struct verify *v = data;
	const char *name = name_in_our_table(nlh, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME);
	uint32_t chain;

	if (!name)
		return 0;
	chain = names_find(&v->chains, name);
	if (chain == IR_NONE)
		return -ESTALE;
	v->n_chains++;
	nl_add_chain(&v->writer, chain);
	return compare(v, nlh, 0);
}

static int see_rule(const struct nlmsghdr *nlh, void *data)
{
	struct verify *v = data;
	const char *name = name_in_our_table(nlh, NFTA_RULE_TABLE, NFTA_RULE_CHAIN);
	const struct ir_chain *c;
	uint32_t chain;

	if (!name)
		return 0;
	chain = names_find(&v->chains, name);
	if (chain == IR_NONE)
		return -ESTALE;
	c = &v->ruleset->chains[chain];
	if (v->n_rules == c->n_rules)
		return -ESTALE;
	nl_add_rule(&v->writer, chain, c->first_rule + v->n_rules++);
	return compare(v, nlh, 0);
}

static int see_set(const struct nlmsghdr *nlh, void *data)
{
	struct verify *v = data;
	const char *name = name_in_our_table(nlh, NFTA_SET_TABLE, NFTA_SET_NAME);
	uint32_t set;

	if (!name)
		return 0;
	set = names_find(&v->sets, name);
	if (set == IR_NONE)
		return -ESTALE;
	v->n_sets++;
	nl_add_set(&v->writer, set);
	return compare(v, nlh, NFTA_SET_ID); /* it is good for one batch */
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
			covered = attrs_cover(
				mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr),
				mnl_attr_get_payload(dumped), mnl_attr_get_payload_len(dumped), 0);
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
	const struct nlattr *key_attr = find_attr(parts, n, NFTA_SET_ELEM_KEY);
	const struct nlattr *flags_attr = find_attr(parts, n, NFTA_SET_ELEM_FLAGS);
	uint8_t dumped[IR_KEY_MAX] = { 0 }, key[IR_KEY_MAX];
	const struct nlattr *value;
	uint32_t index;
	bool is_end;

	if (!key_attr)
		return -ESTALE;
	value = find_attr(mnl_attr_get_payload(key_attr), mnl_attr_get_payload_len(key_attr),
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
	v->n_starts++;
	index = find_element(v, key, false);
	return index != IR_NONE && element_covered(v, index, element) ? 0 : -ESTALE;
}

static int see_elements(const struct nlmsghdr *nlh, void *data)
{
	struct verify *v = data;
	size_t n;
	const struct nlattr *attrs = message_attrs(nlh, &n), *element;
	const struct nlattr *list = find_attr(attrs, n, NFTA_SET_ELEM_LIST_ELEMENTS);
	int r = 0;

	if (!list)
		return 0;
	mnl_attr_for_each_nested(element, list)
	{
		r = see_element(v, element);
		if (r < 0)
			return r;
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

/* Dumps what the table has of a kind, or what a chain or set of it holds. */
static int ask(struct verify *v, uint16_t type, nl_answer_fn fn, const char *holder)
{
	uint8_t buffer[NL_REQUEST_MAX];
	struct nlmsghdr *nlh = nl_request_init(buffer, type, NLM_F_DUMP);

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, IR_TABLE_NAME);
	if (holder)
		mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, holder);
	return nl_sock_ask(v->sock, nlh, fn, v);
}
static_assert((int)NFTA_RULE_TABLE == (int)NFTA_OBJ_TABLE &&
		      (int)NFTA_RULE_TABLE == (int)NFTA_SET_TABLE &&
		      (int)NFTA_RULE_TABLE == (int)NFTA_CHAIN_TABLE &&
		      (int)NFTA_RULE_TABLE == (int)NFTA_SET_ELEM_LIST_TABLE &&
		      (int)NFTA_RULE_CHAIN == (int)NFTA_SET_ELEM_LIST_SET,
	      "see above");

static int verify_sets(struct verify *v)
{
	int r = ask(v, NFT_MSG_GETSET, see_set, NULL);

	for (v->set = 0; r == 0 && v->set < v->ruleset->n_sets; v->set++) {
		const struct ir_set *set = &v->ruleset->sets[v->set];

		v->n_starts = v->n_ends = 0;
		r = ask(v, NFT_MSG_GETSETELEM, see_elements, set->name);
		if (r == 0 &&
		    (v->n_starts != set->n_elements || v->n_ends != count_ends(v->ruleset, set)))
			r = -ESTALE;
	}
	return r;
}

static int verify_rules(struct verify *v)
{
	int r = ask(v, NFT_MSG_GETCHAIN, see_chain, NULL);

	/* One dump of all rules takes the kernel 8 s for 130,000: it counts from the first rule
	 * again for every 32 KiB of answer (nf_tables_dump_rules()).
	 */
	for (uint32_t i = 0; r == 0 && i < v->ruleset->n_chains; i++) {
		v->n_rules = 0;
		r = ask(v, NFT_MSG_GETRULE, see_rule, v->ruleset->chains[i].name);
		if (r == 0 && v->n_rules != v->ruleset->chains[i].n_rules)
			r = -ESTALE;
	}
	return r;
}

int nl_verify(struct nl_sock *sock, struct nl_exprs *exprs, const struct ir_ruleset *ruleset)
{
	struct verify v = { .sock = sock, .ruleset = ruleset };
	int r = -ENOMEM;

	v.writer = (struct nl_writer){ .batch = &v.scratch, .exprs = exprs, .ruleset = ruleset };
	nl_batch_init(&v.scratch);
	if (names_init(&v.counters, ruleset->counters, ruleset->n_counters,
		       sizeof(*ruleset->counters)) == 0 &&
	    names_init(&v.chains, ruleset->chains, ruleset->n_chains, sizeof(*ruleset->chains)) ==
		    0 &&
	    names_init(&v.sets, ruleset->sets, ruleset->n_sets, sizeof(*ruleset->sets)) == 0) {
		r = ask(&v, NFT_MSG_GETOBJ, see_counter, NULL);
		if (r == 0)
			r = verify_rules(&v);
		if (r == 0)
			r = verify_sets(&v);
		if (r == 0 && (v.n_counters != ruleset->n_counters ||
			       v.n_chains != ruleset->n_chains || v.n_sets != ruleset->n_sets))
			r = -ESTALE;
	}
	if (r == -ENOENT) /* the table, or one of its sets, is gone */
		r = -ESTALE;
	names_done(&v.counters);
	names_done(&v.chains);
	names_done(&v.sets);
	nl_batch_done(&v.scratch);
	return r;
}
