/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status_proxy.h - uidwall status: the forward proxy. */
#ifndef UIDWALL_CLI_STATUS_PROXY_H
#define UIDWALL_CLI_STATUS_PROXY_H

#include "cli/output.h"

/* A line or two; nothing where no policy needs the built-in proxy and it does not run. */
void status_print_proxy(struct cli *cli, const struct style *style, const json_t *answer);

/* How often the proxy refused a host to a service, or would have. */
json_int_t status_refused_by_name(const json_t *service);

#endif
