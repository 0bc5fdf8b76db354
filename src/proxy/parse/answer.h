/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.h - what was decided → the response that a client sees: a status, and a few lines that a
 * person understands and a program can show.
 *
 * Of a refused CONNECT most clients show no body, but some the words behind the status (wget,
 * Python): these say it as well.
 */
#ifndef UIDWALL_PROXY_ANSWER_H
#define UIDWALL_PROXY_ANSWER_H

#include "base/util.h"

enum { ANSWER_MAX = 2048 /* bytes, all of it */ };

extern const char answer_established[]; /* the response to CONNECT that goes through */

/* What TLS clients that cannot be answered get: the alert access_denied. To reach them it must not
 * be followed by a reset: shutdown(SHUT_WR), and read what they have still sent before close().
 */
enum { ANSWER_TLS_ALERT_LENGTH = 7 };
extern const char answer_tls_alert[ANSWER_TLS_ALERT_LENGTH];

/* 403: why, and the line to add. service NULL: nobody's, and only user and uid matter besides it.
 */
struct answer_refusal {
	const char *service, *file, *user;
	int64_t uid;	   /* -1: not known */
	const char *host;  /* "": not known; an IPv6 address without brackets */
	uint16_t port;	   /* 0: not known */
	const char *why;   /* "is not among its hosts", which goes on from the host: it begins with
			      "is" or "has"; or a clause of its own: "its policy lets it ..." */
	uint32_t line;	   /* 0: none */
	const char *entry; /* to add to "hosts", or NULL */
};

size_t answer_refuse(const struct answer_refusal *refusal, char ret_bytes[ANSWER_MAX]);

/* 400, 403, 429, 431, 501, 502, 503, 504, ...: the reason as a clause, without a dot. */
size_t answer_fail(int status, const char *sentence, char ret_bytes[ANSWER_MAX]);

/* To HEAD only this much of the n bytes is the response (RFC 9110, 9.3.2). */
size_t answer_head_length(const char *bytes, size_t n);

#endif
