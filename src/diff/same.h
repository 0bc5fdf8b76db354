/* SPDX-License-Identifier: GPL-2.0-or-later */
/* same.h - whether two services' chains obviously mean the same: the quick look before a careful
 * one.
 */
#ifndef UIDWALL_DIFF_SAME_H
#define UIDWALL_DIFF_SAME_H

#include "diff/reach.h"

struct same_side {
	const struct ir_ruleset *rules;
	const struct reach_shared *shared;
};

/* Rule by rule, without origins, counters and what is jumped to: true means that both let the same
 * pass, but for the chains of resolvers and proxies and the guards of declared ports, which are
 * compared once for all services.
 */
bool same_chain(const struct same_side *a, uint32_t x, const struct same_side *b, uint32_t y);

bool same_has_guards(const struct ir_ruleset *rules, uint32_t chain);

#endif
