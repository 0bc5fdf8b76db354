/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stmt.h - the statements of a rule → the expressions of a netlink message. */
#ifndef UIDWALL_BACKEND_NL_STMT_H
#define UIDWALL_BACKEND_NL_STMT_H

#include <linux/netlink.h>

#include "plan/ir.h"

/* libnftnl's expressions, filled in and written over and over. One of each is enough. */
struct nl_exprs;

struct nl_exprs *nl_exprs_new(void); /* NULL: out of memory */
void nl_exprs_free(struct nl_exprs *exprs);
DEFINE_CLEANUP(nl_exprs, struct nl_exprs *, nl_exprs_free)

/* Adds the rule's expressions to the message (NFTA_RULE_EXPRESSIONS). 0 or -ENOMEM. */
int nl_put_stmts(struct nlmsghdr *nlh, struct nl_exprs *exprs, const struct ir_ruleset *ruleset,
		 const struct ir_rule *rule);

#endif
