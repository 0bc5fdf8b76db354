/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schemes.h - the scheme of a URL, or a port by name → protocol and port. */
#ifndef UIDWALL_CLI_SCHEMES_H
#define UIDWALL_CLI_SCHEMES_H

#include "base/util.h"

/* protocol: "tcp" or "udp" where one is wanted, else NULL. False: nobody knows the name. */
bool scheme_find(const char *name, const char *protocol, const char **ret_protocol,
		 uint16_t *ret_port);

#endif
