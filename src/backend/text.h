/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.h - ruleset → text that `nft -f` loads, in place of what the table held before. */
#ifndef UIDWALL_BACKEND_TEXT_H
#define UIDWALL_BACKEND_TEXT_H

#include "plan/ir.h"

void text_write(const struct ir_ruleset *ruleset, FILE *out);

/* One rule's statements on a line, without its comment and without a newline. */
void text_write_rule(const struct ir_ruleset *ruleset, const struct ir_rule *rule, FILE *out);
char *text_rule(const struct ir_ruleset *ruleset, const struct ir_rule *rule); /* malloc'd */

#endif
