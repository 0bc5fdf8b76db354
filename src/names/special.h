/* SPDX-License-Identifier: GPL-2.0-or-later */
/* special.h - addresses that no name on the internet has any business to resolve to (RFC 6890 and
 * the IANA registries of special-purpose addresses).
 */
#ifndef UIDWALL_NAMES_SPECIAL_H
#define UIDWALL_NAMES_SPECIAL_H

#include "base/addr.h"

/* What the address is for, in words ("private", "loopback", "link-local", "the cloud metadata
 * service", "documentation", "shared with other customers (CGNAT)", ...), or NULL where it is an
 * ordinary one. An IPv4 address inside an IPv6 one (mapped, compatible, NAT64 64:ff9b::/96 and
 * 64:ff9b:1::/48, 6to4, Teredo, ISATAP) counts as well. 3 ns or so: asked for each address that is
 * connected to.
 */
const char *special_purpose(const struct prefix *address);

#endif
