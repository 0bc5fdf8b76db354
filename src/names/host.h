/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.h - what stands where a host is expected → a name or an address in the one form in which
 * they are compared.
 */
#ifndef UIDWALL_NAMES_HOST_H
#define UIDWALL_NAMES_HOST_H

#include "base/addr.h"

enum {
	HOST_NAME_MAX_LENGTH = 253, /* RFC 1035, without the dot of the root */
	HOST_TEXT_MAX = 256,	    /* with the NUL */
};

struct host {
	char name[HOST_TEXT_MAX]; /* lower case, A-labels, no dot at the end; an address as
				     format_prefix() writes it */
	struct prefix address;	  /* family ADDR_NONE: it is a name */
};

/* "API.Example.org.", "192.0.2.1", "[2001:db8::1]", "2001:db8::1"; n bytes, which may hold any. A
 * mapped address is the IPv4 one. 0, or -EINVAL and *ret_why says as a sentence's end what is wrong
 * with it ("has an empty part between dots"): characters that no host has, too long, a number that
 * is no plain address (0x7f.1, 2130706433, 127.1, 192.0.2.1.: resolvers take these for addresses),
 * a zone. -EILSEQ: not ASCII, and *ret_why says so; see idna.h.
 */
int host_parse(const char *text, size_t n, struct host *ret_host, const char **ret_why);

/* "api.example.org:8443", "[2001:db8::1]:443". *ret_port: default_port where there is none; a bare
 * IPv6 address has none. Results as host_parse().
 */
int host_parse_port(const char *text, size_t n, uint16_t default_port, struct host *ret_host,
		    uint16_t *ret_port, const char **ret_why);

#endif
