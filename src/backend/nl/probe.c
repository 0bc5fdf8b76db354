/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.c - a table that nobody ever sees → what this kernel can. */
#include "backend/nl/probe.h"

#include <errno.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "backend/nl/object.h"
#include "backend/nl/refusal.h"

#define PROBE_TABLE IR_TABLE_NAME "-probe"
#define PROBE_CHAIN "probe"

static const struct ir_ruleset none;

static void add_table(struct nl_batch *batch, struct nl_exprs *exprs, uint32_t flags)
{
	const struct nl_writer writer = { .batch = batch, .exprs = exprs, .ruleset = &none };

	nl_add_table(&writer, PROBE_TABLE, flags, NLM_F_CREATE);
}

static void add_chain(struct nl_batch *batch)
{
	struct nlmsghdr *nlh = nl_batch_start(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE,
					      (struct nl_item){ .subject = NL_CHAIN });

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, PROBE_TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, PROBE_CHAIN);
	nl_batch_end(batch);
}

static void add_rule(struct nl_batch *batch, struct nl_exprs *exprs, struct ir_stmt stmt)
{
	const struct ir_ruleset rules = { .stmts = &stmt, .n_stmts = 1 };
	const struct ir_rule rule = { .n_stmts = 1 };
	struct nlmsghdr *nlh = nl_batch_start(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
					      (struct nl_item){ .subject = NL_RULE });

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, PROBE_TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, PROBE_CHAIN);
	if (nl_put_stmts(nlh, exprs, &rules, &rule) < 0)
		batch->error = -ENOMEM;
	nl_batch_end(batch);
}

static void add_nat(struct nl_batch *batch, struct nl_exprs *exprs)
{
	static const uint8_t loopback[IR_VALUE_MAX] = { 127, 0, 0, 1 };
	const struct ir_stmt stmt = {
		.kind = IR_STMT_DNAT, .op = NFPROTO_IPV4, .port = 1, .value = loopback
	};
	struct ir_chain chain = { .name = PROBE_CHAIN, .hook = IR_HOOK_NAT_OUTPUT };
	const struct ir_ruleset ruleset = { .chains = &chain, .n_chains = 1 };
	const struct nl_writer writer = { .batch = batch, .exprs = exprs, .ruleset = &ruleset };

	batch->table = PROBE_TABLE;
	nl_add_chain(&writer, 0);
	batch->table = IR_TABLE_NAME;
	add_rule(batch, exprs, stmt);
}

/* Whether the kernel would carry it out; -errno where it could not even be asked. */
static int would(struct nl_batch *batch, struct nl_sock *sock, bool *ret_would, struct diags *diags)
{
	struct nl_outcome outcome;
	int r = nl_batch_try(batch, sock, &outcome);

	*ret_would = r == 0;
	if (r < 0 && outcome.n_refusals && outcome.refusals[0].has_item)
		r = 0; /* it does not know this */
	if (r < 0)
		nl_report(&outcome, r, NULL, &none, diags);
	nl_batch_reset(batch);
	return r;
}

int nl_probe(struct nl_sock *sock, struct nl_exprs *exprs, struct nl_features *ret_features,
	     struct diags *diags)
{
	const struct ir_stmt strip = { .kind = IR_STMT_STRIP, .field = IR_TCPOPT_MPTCP };
	struct nl_features features = { false };
	struct nl_batch batch;
	int r;

	nl_batch_init(&batch);
	add_table(&batch, exprs, NL_TABLE_OWNER | NL_TABLE_PERSIST);
	r = would(&batch, sock, &features.owner_persist, diags);
	add_table(&batch, exprs, 0);
	add_chain(&batch);
	add_rule(&batch, exprs, strip);
	if (r == 0)
		r = would(&batch, sock, &features.strips_options, diags);
	add_table(&batch, exprs, 0);
	add_nat(&batch, exprs);
	if (r == 0)
		r = would(&batch, sock, &features.has_nat, diags);
	nl_batch_done(&batch);
	if (r == 0)
		*ret_features = features;
	return r;
}
