/* SPDX-License-Identifier: GPL-2.0-or-later */
/* head.h - heads of HTTP/1 requests and responses: read strictly, and written anew for the next hop
 * (RFC 9110, 9112). http-parser has the grammar; what it lets pass and we do not is looked for
 * before.
 *
 * One request a connection: whatever follows it is never sent on, and "Connection: close" tells
 * both sides.
 */
#ifndef UIDWALL_PROXY_HEAD_H
#define UIDWALL_PROXY_HEAD_H

#include <http_parser.h>

#include "names/host.h"

enum {
	HEAD_MAX = 16 * 1024, /* bytes: more is answered with 431 */
	HEAD_FIELDS_MAX = 128,
};

enum head_kind {
	HEAD_EXPLICIT,	  /* CONNECT host:port, or an absolute URI */
	HEAD_TRANSPARENT, /* an origin-form target and Host, of a redirected connection */
	HEAD_RESPONSE,
};

struct head_field {
	const char *name, *value; /* into the bytes that were read */
	uint16_t name_length, value_length;
};

struct head {
	uint8_t kind; /* enum head_kind */
	bool is_connect;
	bool is_head;	  /* request HEAD; to be set for a response to one */
	uint16_t length;  /* bytes, with the empty line */
	struct host host; /* requests: where to, from the target or, transparent, from Host */
	uint16_t port;	  /* CONNECT's, the URI's, Host's or the default 80 */
	uint16_t status;  /* responses */
	bool upgrades;	  /* asks to, or did */
	bool expects;	  /* Expect: 100-continue */
	/* what is written anew */
	const char *method, *target, *reason;
	uint16_t method_length, target_length, reason_length;
	uint8_t minor; /* HTTP/1.x */
	uint16_t n_fields;
	struct head_field fields[HEAD_FIELDS_MAX];
	http_parser parser; /* stands at the body's first byte */
};

struct head_error {
	int status;	 /* to answer with: 400, 405, 414, 417, 431, 501, 505 */
	const char *why; /* one sentence, for people */
};

/* bytes stay the caller's and in place for as long as the head is used. Returns 1; 0: the empty
 * line has not come yet; -EBADMSG and *ret_error (of a response: status 502).
 */
int head_read(const char *bytes, size_t n, enum head_kind kind, struct head *ret_head,
	      struct head_error *ret_error);

/* For the next hop: the target in origin form (to_proxy: in absolute form), Host first and as in
 * the target, without the hop's own fields (RFC 9110, 7.6.1), with Via and "Connection: close". How
 * many bytes, or -E2BIG.
 */
ssize_t head_write(const struct head *head, bool to_proxy, char *ret_bytes, size_t max);

/* How many of the bytes after a head still belong to its message. Returns 1: it ends with them; 0:
 * more will come; -EBADMSG: no message goes on like this.
 */
int head_body(struct head *head, const char *bytes, size_t n, size_t *ret_taken);

#endif
