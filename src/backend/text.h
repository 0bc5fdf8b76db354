/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.h - ruleset → text that `nft -f` loads, in place of what the table held before. */
#ifndef UIDWALL_BACKEND_TEXT_H
#define UIDWALL_BACKEND_TEXT_H

#include "plan/ir.h"

void text_write(const struct ir_ruleset *ruleset, FILE *out);

#endif
