/* SPDX-License-Identifier: GPL-2.0-or-later */
/* basic.h - user and password → the field that the site's own proxy wants (RFC 7617). */
#ifndef UIDWALL_PROXY_BASIC_H
#define UIDWALL_PROXY_BASIC_H

#include "base/util.h"

/* "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n", malloc'd; NULL: no memory. */
char *basic_field(const char *user, const char *password);

#endif
