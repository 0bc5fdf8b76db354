/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolve.h - names of hosts and users → addresses and uids, within a bound of time. */
#ifndef UIDWALL_CLI_RESOLVE_H
#define UIDWALL_CLI_RESOLVE_H

#include "cli/cli.h"

struct addresses {
	const char **list; /* as text, "fe80::1%eth0" */
	size_t n;
	size_t n_left_out;
};

/* As the programs of this machine find it (getaddrinfo(3)), each address once, at most max of them.
 * 0, or -errno and *ret_error says in half a line what went wrong.
 */
int resolve_host(struct cli *cli, const char *host, size_t max, struct addresses *ret_addresses,
		 const char **ret_error);

/* 0, -ENOENT, or -ETIMEDOUT: who knows all users does not answer. */
int resolve_user(struct cli *cli, const char *name, uint32_t *ret_uid);

/* The name of a uid, if /etc/passwd has it; or NULL. */
const char *resolve_uid(struct cli *cli, uint32_t uid);

#endif
