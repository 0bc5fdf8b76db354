/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-deed.c - the kernel's messages about a commit → who did what to our table, in words;
 * whatever else comes is passed over.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "backend/nl/monitor.h"
#include "lib/random_policies.h"
#include "lib/seeds.h"

enum { OUR_PORT = 4000, THEIR_PORT = 5000 };

#define TABLE "uidwall"

struct message {
	union {
		struct nlmsghdr header;
		uint8_t bytes[1024];
	};
};

static struct message begin(uint16_t type, uint8_t family, uint32_t port)
{
	struct message m = { .header = { 0 } };
	struct nfgenmsg *nfg;

	mnl_nlmsg_put_header(m.bytes);
	m.header.nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	m.header.nlmsg_pid = port;
	nfg = mnl_nlmsg_put_extra_header(&m.header, sizeof(*nfg));
	nfg->nfgen_family = family;
	return m;
}

/* A message about something in a table. */
static struct message thing(uint16_t type, const char *table, uint16_t attr, const char *name)
{
	struct message m = begin(type, NFPROTO_INET, THEIR_PORT);

	mnl_attr_put_strz(&m.header, NFTA_TABLE_NAME, table);
	if (name)
		mnl_attr_put_strz(&m.header, attr, name);
	return m;
}

static struct message rule(uint16_t type, const char *chain)
{
	return thing(type, TABLE, NFTA_RULE_CHAIN, chain);
}

static struct message end_of(const char *process, uint32_t pid, uint32_t generation, uint32_t port)
{
	struct message m = begin(NFT_MSG_NEWGEN, AF_UNSPEC, port);

	mnl_attr_put_u32(&m.header, NFTA_GEN_ID, htonl(generation));
	mnl_attr_put_u32(&m.header, NFTA_GEN_PROC_PID, htonl(pid));
	mnl_attr_put_strz(&m.header, NFTA_GEN_PROC_NAME, process);
	return m;
}

static bool note(struct nl_deed *deed, struct message m)
{
	return nl_deed_note(deed, &m.header, TABLE, OUR_PORT);
}

static void assert_words(const struct nl_deed *deed, const char *expected)
{
	char words[NL_DEED_WORDS_MAX];

	nl_deed_words(deed, words);
	assert_string_equal(words, expected);
}

/* --- what is done ------------------------------------------------------------------------------
 */

static void a_rule_is_added(void **state)
{
	struct nl_deed deed = { 0 };

	assert_false(note(&deed, rule(NFT_MSG_NEWRULE, "svc-blog")));
	assert_true(note(&deed, end_of("nft", 4711, 17, THEIR_PORT)));
	assert_int_equal(deed.pid, 4711);
	assert_int_equal(deed.generation, 17);
	assert_string_equal(deed.process, "nft");
	assert_words(&deed, "added 1 rule (svc-blog)");
	assert_true(nl_deed_is_small(&deed));
	assert_int_equal(deed.n_chains, 1);
	assert_string_equal(deed.chains[0], "svc-blog");
}

static void the_ruleset_is_flushed(void **state)
{
	struct nl_deed deed = { 0 };

	note(&deed, rule(NFT_MSG_DELRULE, "output"));
	note(&deed, rule(NFT_MSG_DELRULE, "svc-blog"));
	note(&deed, thing(NFT_MSG_DELSET, TABLE, NFTA_SET_NAME, "services"));
	note(&deed, thing(NFT_MSG_DELCHAIN, TABLE, NFTA_CHAIN_NAME, "output"));
	note(&deed, thing(NFT_MSG_DELTABLE, TABLE, 0, NULL));
	assert_true(note(&deed, end_of("nft", 1, 2, THEIR_PORT)));
	assert_words(&deed, "deleted the table");
	assert_false(nl_deed_is_small(&deed));
}

static void a_script_makes_it_anew(void **state)
{
	struct nl_deed deed = { 0 };

	note(&deed, thing(NFT_MSG_DELTABLE, TABLE, 0, NULL));
	note(&deed, thing(NFT_MSG_NEWTABLE, TABLE, 0, NULL));
	assert_words(&deed, "deleted the table and made another one of its name");
}

static void many_things_at_once(void **state)
{
	struct nl_deed deed = { 0 };

	note(&deed, rule(NFT_MSG_NEWRULE, "output"));
	note(&deed, rule(NFT_MSG_DELRULE, "refuse"));
	note(&deed, rule(NFT_MSG_DELRULE, "svc-blog"));
	note(&deed, thing(NFT_MSG_NEWSETELEM, TABLE, NFTA_SET_ELEM_LIST_SET, "services"));
	note(&deed, thing(NFT_MSG_NEWSETELEM, TABLE, NFTA_SET_ELEM_LIST_SET, "services"));
	note(&deed, thing(NFT_MSG_NEWOBJ, TABLE, NFTA_OBJ_NAME, "c"));
	assert_words(&deed, "removed 2 rules (refuse and others), added 1 rule (output), added 2 "
			    "elements (services), added 1 object (c)");
	assert_false(nl_deed_is_small(&deed));
}

static void many_chains(void **state)
{
	struct nl_deed deed = { 0 };
	char name[16];

	for (unsigned i = 0; i < NL_DEED_CHAINS_MAX; i++) {
		snprintf(name, sizeof(name), "svc-%u", i);
		note(&deed, rule(NFT_MSG_DELRULE, name));
		note(&deed, rule(NFT_MSG_NEWRULE, name));
		assert_true(nl_deed_is_small(&deed));
	}
	note(&deed, rule(NFT_MSG_NEWRULE, "one-more"));
	assert_false(nl_deed_is_small(&deed));
	for (unsigned i = 0; i < 100; i++)
		note(&deed, rule(NFT_MSG_NEWRULE, "and-more"));
	assert_false(nl_deed_is_small(&deed));
}

static void flags_of_the_table(void **state)
{
	struct nl_deed deed = { 0 };

	note(&deed, thing(NFT_MSG_NEWTABLE, TABLE, 0, NULL));
	assert_true(note(&deed, end_of("nft", 1, 2, THEIR_PORT)));
	assert_words(&deed, "made the table or changed its flags");
	assert_false(nl_deed_is_small(&deed));
}

/* --- what is not about us ----------------------------------------------------------------------
 */

static void other_tables_do_not_count(void **state)
{
	static const char *const others[] = { "filter", "uidwall2", "uidwal", "uidwall-standby" };
	struct nl_deed deed = { 0 };
	struct message m;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		note(&deed, thing(NFT_MSG_NEWRULE, others[i], NFTA_RULE_CHAIN, "output"));
	m = begin(NFT_MSG_DELTABLE, NFPROTO_IPV4, THEIR_PORT); /* ip uidwall */
	mnl_attr_put_strz(&m.header, NFTA_TABLE_NAME, TABLE);
	note(&deed, m);
	note(&deed, begin(NFT_MSG_DELTABLE, NFPROTO_INET, THEIR_PORT));
	assert_false(note(&deed, end_of("nft", 1, 2, THEIR_PORT)));
}

static void our_own_do_not_count(void **state)
{
	struct nl_deed deed = { 0 };
	struct message m = rule(NFT_MSG_NEWRULE, "output");

	m.header.nlmsg_pid = OUR_PORT;
	note(&deed, m);
	assert_false(note(&deed, end_of("uidwalld", 1, 2, OUR_PORT)));
	assert_false(note(&deed, end_of("nft", 1, 2, THEIR_PORT)));
}

static void names_are_printable_and_short(void **state)
{
	char name[256];
	struct nl_deed deed = { 0 };

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memcpy(name, "a\n\x1b[31mb", 8);
	note(&deed, rule(NFT_MSG_NEWRULE, name));
	assert_true(note(&deed, end_of("evil\n<0>name\xff long", 1, 2, THEIR_PORT)));
	assert_string_equal(deed.process, "evil?<0>name? lo");
	assert_int_equal(strlen(deed.chains[0]), NL_DEED_NAME_MAX - 1);
	assert_memory_equal(deed.chains[0], "a??[31mb", 8);
}

/* Bytes from a socket: nothing in them is to be trusted. */
static void damaged_messages(void **state)
{
	unsigned n = (unsigned)env_number("UIDWALL_ROUNDS", 200000);
	struct random random = random_start(1, 1);
	struct nl_deed deed = { 0 };
	char words[NL_DEED_WORDS_MAX];
	struct nlmsghdr *exact;

	for (unsigned i = 0; i < n; i++) {
		struct message m =
			i % 2 ? rule(NFT_MSG_NEWRULE, "svc-blog") : end_of("nft", 1, 2, THEIR_PORT);
		uint32_t length = m.header.nlmsg_len;

		for (unsigned j = 0; j < 4; j++)
			m.bytes[NLMSG_HDRLEN + random_below(&random, length - NLMSG_HDRLEN)] =
				(uint8_t)random_below(&random, 256);
		m.header.nlmsg_len = NLMSG_HDRLEN + random_below(&random, length - NLMSG_HDRLEN);
		exact = calloc(1, MNL_ALIGN(m.header.nlmsg_len)); /* for the sanitizer: no more */
		assert_non_null(exact);
		memcpy(exact, m.bytes, m.header.nlmsg_len);
		nl_deed_note(&deed, exact, TABLE, OUR_PORT);
		free(exact);
		nl_deed_words(&deed, words);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_is_added),
		cmocka_unit_test(the_ruleset_is_flushed),
		cmocka_unit_test(a_script_makes_it_anew),
		cmocka_unit_test(many_things_at_once),
		cmocka_unit_test(many_chains),
		cmocka_unit_test(flags_of_the_table),
		cmocka_unit_test(other_tables_do_not_count),
		cmocka_unit_test(our_own_do_not_count),
		cmocka_unit_test(names_are_printable_and_short),
		cmocka_unit_test(damaged_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
