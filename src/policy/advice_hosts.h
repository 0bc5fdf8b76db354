/* SPDX-License-Identifier: GPL-2.0-or-later */
/* advice_hosts.h - "hosts" → warnings about entries that say nothing new, or more than was meant.
 */
#ifndef UIDWALL_POLICY_ADVICE_HOSTS_H
#define UIDWALL_POLICY_ADVICE_HOSTS_H

#include "policy/policy.h"

void advise_hosts(const struct policy *policy, struct diags *diags);

#endif
