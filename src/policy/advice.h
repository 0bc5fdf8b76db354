/* SPDX-License-Identifier: GPL-2.0-or-later */
/* advice.h - what is not wrong in the policies, but probably not meant: warnings. */
#ifndef UIDWALL_POLICY_ADVICE_H
#define UIDWALL_POLICY_ADVICE_H

#include "policy/policy_set.h"

void advice_give(const struct policy_set *set, struct identity *identity, struct diags *diags);

#endif
