/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules.h - a seed → a ruleset that no policy makes: every field, every comparison, two base
 * chains. */
#ifndef UIDWALL_TESTS_PROOF_RULES_H
#define UIDWALL_TESTS_PROOF_RULES_H

#include "plan/ir.h"

void rules_make(unsigned seed, struct arena *arena, struct ir_ruleset *ret_ruleset);

#endif
