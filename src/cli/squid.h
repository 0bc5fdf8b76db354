/* SPDX-License-Identifier: GPL-2.0-or-later */
/* squid.h - policies → squid's access lists, by listening port. */
#ifndef UIDWALL_CLI_SQUID_H
#define UIDWALL_CLI_SQUID_H

#include "policy/policy_set.h"

/* Whether the service has a port of its own at the external proxy, and may use it. */
const struct proxy_port *squid_port(const struct policy_set *set, const struct service *service);

/* The n-th address of the external proxy; NULL: no more. The ports of services are at each. */
const struct prefix *squid_address(const struct config *config, size_t n);

void squid_write(const struct policy_set *set, struct arena *arena, FILE *out);

#endif
