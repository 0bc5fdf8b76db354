/* SPDX-License-Identifier: GPL-2.0-or-later */
/* head.h - heads of HTTP/1 requests and responses: read strictly, and written anew for the next hop
 * (RFC 9110, 9112). http-parser has the grammar; what it lets pass and we do not is looked for as
 * well (docs/decisions/http.md).
 *
 * One request a connection: whatever follows it is never sent on, and "Connection: close" tells
 * both sides.
 */
#ifndef UIDWALL_PROXY_HEAD_H
#define UIDWALL_PROXY_HEAD_H

#include "names/host.h"

enum {
	HEAD_MAX = 16 * 1024,	    /* bytes: more is answered with 431 */
	HEAD_TARGET_MAX = 8 * 1024, /* with 414 */
	HEAD_FIELDS_MAX = 128,
	HEAD_METHOD_MAX = 32,
};

enum head_kind {
	HEAD_EXPLICIT,	  /* CONNECT host:port, or an absolute URI */
	HEAD_TRANSPARENT, /* an origin-form target and Host, of a redirected connection */
	HEAD_RESPONSE,
};

/* How much of a message's body has gone by. */
struct head_body {
	uint64_t left; /* of the body, or of the chunk */
	uint16_t line; /* bytes of a chunk's size, extensions or the trailer */
	uint8_t state; /* see head_body.c */
};

struct head_field {
	const char *name, *value; /* into the bytes that were read */
	uint16_t name_length, value_length;
	uint8_t known; /* see head_parts.h */
	bool is_dropped;
};

/* 3.5 KiB, most of it fields, of which only the first n_fields are set. */
struct head {
	uint8_t kind;  /* enum head_kind */
	uint8_t minor; /* HTTP/1.x: 0 or 1 */
	bool is_connect;
	bool upgrades;	  /* asked to; it is not passed on */
	bool expects;	  /* Expect: 100-continue */
	uint16_t length;  /* bytes, with the empty line */
	uint16_t port;	  /* CONNECT's, the URI's, Host's or the default 80 */
	uint16_t status;  /* responses; 1xx: the response proper is still to come */
	struct host host; /* requests: where to, from the target or, transparent, from Host */
	struct head_body body;
	/* what is written anew */
	const char *method, *target, *reason; /* target: the path and query, which may be empty */
	uint16_t method_length, target_length, reason_length;
	uint32_t max_forwards; /* of TRACE and OPTIONS; UINT32_MAX: none */
	uint16_t n_fields;
	/* request HEAD. Of a response: to one; head_read() leaves that to whoever knows, and
	 * head_body() looks at it */
	bool is_head;
	struct head_field fields[HEAD_FIELDS_MAX];
};

struct head_error {
	int status;	 /* to answer with: 400, 405, 414, 417, 431, 501, 505, 508; 502 */
	const char *why; /* for answer_fail(): "there is no Host field" */
};

/* bytes stay the caller's and in place for as long as the head is used. Returns 1; 0: the empty
 * line has not come yet; -EBADMSG and *ret_error (of a response: status 502).
 */
int head_read(const char *bytes, size_t n, enum head_kind kind, struct head *ret_head,
	      struct head_error *ret_error);

/* For the next hop: the target in origin form (to_proxy: in absolute form), Host first and as in
 * the target, without the hop's own fields (RFC 9110, 7.6.1), with Via and "Connection: close". How
 * many bytes, or -E2BIG: max is HEAD_WRITE_MAX at most.
 *
 * A redirected client may name any port in Host: head->port is to be set to the one that was judged
 * before, or the next proxy is sent elsewhere.
 */
enum { HEAD_WRITE_MAX = HEAD_MAX + 512 };
ssize_t head_write(const struct head *head, bool to_proxy, char *ret_bytes, size_t max);

/* How many of the bytes after a head still belong to its message. Returns 1: it ends with them; 0:
 * more will come; -EBADMSG: no message goes on like this (*ret_taken: how many bytes did).
 */
int head_body(struct head *head, const char *bytes, size_t n, size_t *ret_taken);

/* Whether the message is whole if the connection ends here. */
bool head_body_may_end(const struct head *head);

#endif
