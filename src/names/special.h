/* SPDX-License-Identifier: GPL-2.0-or-later */
/* special.h - addresses that no name on the internet has any business to resolve to (RFC 6890 and
 * the IANA registries of special-purpose addresses).
 */
#ifndef UIDWALL_NAMES_SPECIAL_H
#define UIDWALL_NAMES_SPECIAL_H

#include "base/addr.h"

/* What the address is for, in words ("private", "loopback", "link-local", "the cloud metadata
 * service", "for documentation", "shared with other customers (CGNAT)", ...), or NULL where it is
 * an ordinary one. Mapped addresses and those of 64:ff9b::/96 (NAT64) are what the IPv4 address
 * inside is; other IPv6 addresses that hold one (compatible, translated, 64:ff9b:1::/48, 6to4,
 * Teredo, ISATAP) are all special.
 */
const char *special_purpose(const struct prefix *address);

/* The prefixes that are special as a whole, one after the other, for other programs' lists; some
 * lie within others. Those of NAT64 and ISATAP, and what is outside 2000::/3, are not among them.
 * *at starts at 0. NULL: no more; else what they are for.
 */
const char *special_next(size_t *at, struct prefix *ret_prefix);

#endif
