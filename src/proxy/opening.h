/* SPDX-License-Identifier: GPL-2.0-or-later */
/* opening.h - the first bytes of a connection → TLS, HTTP or something else. */
#ifndef UIDWALL_PROXY_OPENING_H
#define UIDWALL_PROXY_OPENING_H

#include "base/util.h"

enum opening {
	OPENING_MORE, /* cannot be told yet */
	OPENING_TLS,
	OPENING_HTTP, /* a method's letters and a space, RFC 9110; HTTP/2's preface as well */
	OPENING_OTHER,
};

enum opening opening_tell(const uint8_t *bytes, size_t n);

#endif
