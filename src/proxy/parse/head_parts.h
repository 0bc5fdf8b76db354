/* SPDX-License-Identifier: GPL-2.0-or-later */
/* head_parts.h - what the files of head.h share among themselves. */
#ifndef UIDWALL_PROXY_HEAD_PARTS_H
#define UIDWALL_PROXY_HEAD_PARTS_H

#include "proxy/parse/head.h"

/* Fields that mean something to a proxy. */
enum head_known {
	FIELD_OTHER,
	FIELD_CONNECTION,
	FIELD_CONTENT_LENGTH,
	FIELD_EXPECT,
	FIELD_HOP, /* this hop's own, dropped: Keep-Alive, Proxy-Authorization, ... */
	FIELD_HOST,
	FIELD_MAX_FORWARDS,
	FIELD_TRANSFER_ENCODING,
	FIELD_UPGRADE,
	FIELD_VIA,
};

#define HEAD_PSEUDONYM "uidwall-proxy" /* in Via */

enum body_state {
	BODY_END, /* and all there is of a message without one */
	BODY_LENGTH,
	BODY_UNTIL_CLOSE,
	BODY_CHUNKS, /* at the first byte of a chunk's size; the rest is head_body.c's own */
};

int head_fail(struct head_error *error, int status, const char *why); /* -EBADMSG */

/* Where the head ends: 1, 0 or -EBADMSG, with what http-parser would let pass refused. */
int head_scan(const char *bytes, size_t n, bool is_request, size_t *ret_length,
	      struct head_error *error);

/* Method, target and version, or version, status and reason, from a line without its CR LF. */
int head_read_line(const char *line, size_t n, struct head *head, struct head_error *error);

/* What the fields say, and the body's length with it. */
int head_read_fields(struct head *head, struct head_error *error);

/* host, port and the target's path from the target and Host (of length n; NULL: none). */
int head_read_target(struct head *head, const char *host, size_t n, struct head_error *error);

bool head_method_is(const struct head *head, const char *method);

#endif
