/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hello.h - the first bytes of a TLS connection → the server name that they ask for (RFC 8446,
 * 6066). */
#ifndef UIDWALL_PROXY_HELLO_H
#define UIDWALL_PROXY_HELLO_H

#include "base/util.h"

enum { HELLO_MAX = 16 * 1024 + 512 /* bytes, over all records */ };

struct hello {
	char name[256]; /* as the client wrote it: letters, digits, "-_.:" and no others; "": none
			 */
	bool has_ech;	/* encrypted_client_hello: the name is that of the outer hello. Chrome sends
			   one whose contents mean nothing in each hello (GREASE), so it shows little
			 */
};

/* Returns 1 and *ret_hello; 0: more bytes are needed; -EINVAL: no ClientHello, or a broken one, and
 * *ret_why says what of it: "the ClientHello is too long". A hello may be split over
 * records and these over reads; what follows it is not looked at. With HELLO_MAX bytes and no end
 * it is broken. Until it is complete only the records' headers are read, so a hello that comes byte
 * by byte costs little.
 */
int hello_read(const uint8_t *bytes, size_t n, struct hello *ret_hello, const char **ret_why);

#endif
