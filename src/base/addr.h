/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.h - IP addresses, prefixes and address:port pairs as text and as bytes. */
#ifndef UIDWALL_BASE_ADDR_H
#define UIDWALL_BASE_ADDR_H

#include "base/util.h"

enum addr_family { ADDR_NONE, ADDR_V4, ADDR_V6 };

/* Bytes in network order, the first 4 or 16 of them count; bits after the prefix are zero. */
struct prefix {
	uint8_t family; /* enum addr_family */
	uint8_t length; /* 0 to 32 or 128 */
	uint8_t bytes[16];
};

enum { PREFIX_TEXT_MAX = 64 };

/* "192.0.2.1", "192.0.2.0/24", "2001:db8::/32". Returns 0, -EINVAL when it is none, or -ERANGE when
 * bits behind the prefix length are set: then ret_prefix is the prefix with these bits cleared.
 */
int parse_prefix(const char *text, struct prefix *ret_prefix);

/* "192.0.2.1" or "2001:db8::1" without a length. 0 or -EINVAL. */
int parse_address(const char *text, struct prefix *ret_address);

/* "127.0.0.1:3128" or "[::1]:3128", port 1 to 65535. 0 or -EINVAL. */
int parse_address_port(const char *text, struct prefix *ret_address, uint16_t *ret_port);

/* Writes at most PREFIX_TEXT_MAX bytes; a full-length prefix is written as an address. */
void format_prefix(const struct prefix *prefix, char ret_text[PREFIX_TEXT_MAX]);

unsigned prefix_max_length(const struct prefix *prefix); /* 32 or 128 */
bool prefix_is_host(const struct prefix *prefix);
bool prefix_is_loopback(const struct prefix *prefix);	    /* within 127.0.0.0/8 or ::1 */
bool prefix_is_mapped(const struct prefix *prefix);	    /* within ::ffff:0:0/96 */
bool prefix_is_unspecified(const struct prefix *prefix);    /* the host 0.0.0.0 or :: */
struct prefix prefix_unmapped(const struct prefix *prefix); /* of a mapped host: the IPv4 one */
bool prefix_contains(const struct prefix *outer, const struct prefix *inner);
int prefix_compare(const struct prefix *a, const struct prefix *b);   /* for qsort */
void prefix_last(const struct prefix *prefix, uint8_t ret_bytes[16]); /* its highest address */

#endif
