/* SPDX-License-Identifier: GPL-2.0-or-later */
/* opening.h - the first bytes of a connection → TLS, HTTP or something else. */
#ifndef UIDWALL_PROXY_OPENING_H
#define UIDWALL_PROXY_OPENING_H

#include "base/util.h"

enum opening {
	OPENING_MORE, /* cannot be told yet */
	OPENING_TLS,  /* SSL as well: hello_read() says what is wrong with it */
	OPENING_HTTP, /* HTTP/2's preface and empty lines as well: head_read() answers them */
	OPENING_OTHER,
	/* with so many bytes it is never OPENING_MORE */
	OPENING_MAX = 8 * 1024,
};

/* What it says but OPENING_MORE stays, whatever comes behind. An empty connection, or one whose
 * client waits for the server to speak, is OPENING_MORE: how long to wait is the caller's to know.
 */
enum opening opening_tell(const uint8_t *bytes, size_t n);

#endif
