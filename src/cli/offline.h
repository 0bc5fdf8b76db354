/* SPDX-License-Identifier: GPL-2.0-or-later */
/* offline.h - the policies that the command line names, read without the daemon. */
#ifndef UIDWALL_CLI_OFFLINE_H
#define UIDWALL_CLI_OFFLINE_H

#include "cli/cli.h"
#include "policy/policy_set.h"

struct offline {
	struct policy_set set;
	struct diags diags; /* sorted */
	size_t n_policies;
};

/* Reads cli->args, or the policies folder. Where that fails altogether, the diags say so and there
 * are errors among them. The set lives in cli->arena.
 */
void offline_read(struct cli *cli, struct offline *ret_offline);
void offline_done(struct offline *offline);
__attribute__((unused)) static inline void offline_cleanup(struct offline *offline)
{
	offline_done(offline);
}

#endif
