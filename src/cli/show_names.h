/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show_names.h - uidwall show: what the forward proxy decided for a service, host by host. */
#ifndef UIDWALL_CLI_SHOW_NAMES_H
#define UIDWALL_CLI_SHOW_NAMES_H

#include "cli/output.h"
#include "policy/policy.h"

/* From "names" of the answer; nothing where there are none. policy: that is in force, or NULL. */
void show_names(struct cli *cli, const struct style *style, const json_t *answer,
		const struct policy *policy);

#endif
