/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idna.h - international host names → A-labels (libidn2; IDNA 2008 with the mapping of UTS 46).
 * Apart from host.h so that the daemon is linked without it.
 */
#ifndef UIDWALL_NAMES_IDNA_H
#define UIDWALL_NAMES_IDNA_H

#include "names/host.h"

/* host_parse() for UTF-8 as well. */
int idna_parse(const char *text, size_t n, struct host *ret_host, const char **ret_why);

#endif
