/* SPDX-License-Identifier: GPL-2.0-or-later */
/* offline.c - the policies that the command line names, read without the daemon. */
#include "cli/offline.h"

#include <string.h>

void offline_read(struct cli *cli, struct offline *ret_offline)
{
	struct policy_set_options options = {
		.paths = cli->n_args ? cli->args : &cli->policies,
		.n_paths = cli->n_args ? cli->n_args : 1,
		.config_path = cli->config,
		.owner = geteuid(),
	};
	struct diags *diags = &ret_offline->diags;
	int r;

	*ret_offline = (struct offline){ .n_policies = 0 };
	diags_init(diags);
	r = policy_set_read(&options, cli->arena, &ret_offline->set, diags);
	if (r < 0 && !diags->n_errors)
		diag_add(diags, DIAG_ERROR, (struct place){ .file = options.paths[0] },
			 "cannot read the policies: %s", strerror(-r));
	if (r == 0)
		ret_offline->n_policies = ret_offline->set.n_services;
	diags_sort(diags);
}

void offline_done(struct offline *offline)
{
	diags_done(&offline->diags);
}
