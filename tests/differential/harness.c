/* SPDX-License-Identifier: GPL-2.0-or-later */
/* harness.c - what the tests of the two back ends have in common. */
#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <libmnl/libmnl.h>
#include <libnftnl/rule.h>

#include "backend/nl/object.h"
#include "backend/text.h"

char *render(const struct ir_ruleset *ruleset)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(out);
	text_write(ruleset, out);
	fclose(out);
	return text;
}

void assert_same_text(const char *ours, const char *theirs, uint64_t seed, const char *what)
{
	const char *a = ours, *b = theirs;
	size_t at = 0;

	if (strcmp(ours, theirs) == 0)
		return;
	while (ours[at] && ours[at] == theirs[at])
		at++;
	while (at > 0 && ours[at - 1] != '\n')
		at--;
	a += at;
	b += at;
	fail_msg("UIDWALL_SEED=%llu: %s differs: ours \"%.*s\", nft's \"%.*s\"",
		 (unsigned long long)seed, what, (int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"),
		 b);
}

/* What "nft --debug=netlink" prints for rules, of our messages. */
static char *our_bytecode(const struct ir_ruleset *ruleset)
{
	AUTO(nl_exprs) struct nl_exprs *exprs = nl_exprs_new();
	__attribute__((cleanup(nl_batch_cleanup))) struct nl_batch batch;
	struct nl_writer writer = { .batch = &batch, .exprs = exprs, .ruleset = ruleset };
	char *text = NULL, line[8192];
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	nl_batch_init(&batch);
	for (uint32_t i = 0; i < ruleset->n_chains; i++) {
		const struct ir_chain *chain = &ruleset->chains[i];

		for (uint32_t j = 0; j < chain->n_rules; j++) {
			struct nftnl_rule *rule = nftnl_rule_alloc();

			nl_add_rule(&writer, i, chain->first_rule + j);
			assert_int_equal(nftnl_rule_nlmsg_parse(nl_batch_last(&batch), rule), 0);
			nftnl_rule_snprintf(line, sizeof(line), rule, NFTNL_OUTPUT_DEFAULT, 0);
			fprintf(out, "%s\n", line);
			nftnl_rule_free(rule);
			nl_batch_reset(&batch);
		}
	}
	fclose(out);
	return text;
}

/* The part of nft's output that is about rules; sets come before. */
static const char *rules_only(const char *text, const struct ir_ruleset *ruleset)
{
	const char *first = text;
	char head[IR_NAME_MAX + 32];

	for (uint32_t i = 0; i < ruleset->n_chains; i++) {
		if (!ruleset->chains[i].n_rules)
			continue;
		snprintf(head, sizeof(head), "inet " IR_TABLE_NAME " %s\n",
			 ruleset->chains[i].name);
		first = strstr(text, head);
		return first ? first : "";
	}
	return "";
}

void assert_same_bytecode(struct space *space, const struct ir_ruleset *ruleset, uint64_t seed)
{
	AUTO(mem) char *text = render(ruleset), *ours = our_bytecode(ruleset);
	AUTO(mem) char *theirs = space_bytecode(space, text);

	assert_same_text(ours, rules_only(theirs, ruleset), seed, "bytecode");
}

static void fail_with(const struct diags *diags, const char *what, int r)
{
	for (size_t i = 0; i < diags->n; i++)
		diag_print(&diags->list[i], stderr, false);
	fail_msg("%s: %s", what, strerror(-r));
}

struct nl_table *open_table(const struct space *space, bool owner)
{
	__attribute__((cleanup(diags_cleanup))) struct diags diags;
	struct nl_table *table = NULL;
	int r;

	diags_init(&diags);
	space_enter(space);
	r = nl_table_open(&table, &diags);
	if (r < 0)
		fail_with(&diags, "opening the table", r);
	if (!owner)
		nl_table_forgo_owner(table);
	return table;
}

void apply(struct nl_table *table, const struct ir_ruleset *current, const struct ir_ruleset *next,
	   struct nl_result *ret_result)
{
	__attribute__((cleanup(diags_cleanup))) struct diags diags;
	int r;

	diags_init(&diags);
	r = nl_table_apply(table, current, next, ret_result, &diags);
	if (r < 0)
		fail_with(&diags, "applying", r);
}

void commit_elsewhere(struct space *space)
{
	assert_int_equal(space_run(space, "add table ip other"), 0);
	assert_int_equal(space_run(space, "delete table ip other"), 0);
}

void assert_kernel_agrees(struct space *by_nft, struct space *by_us,
			  const struct ir_ruleset *ruleset, uint64_t seed)
{
	AUTO(mem) char *text = render(ruleset), *theirs = NULL, *ours = NULL;
	AUTO(mem) char *sorted_theirs = NULL, *sorted_ours = NULL;

	assert_int_equal(space_run(by_nft, text), 0);
	theirs = space_list(by_nft);
	ours = space_list(by_us);
	sorted_theirs = listing_sorted(theirs);
	sorted_ours = listing_sorted(ours);
	assert_same_text(sorted_ours, sorted_theirs, seed, "listing");
}
