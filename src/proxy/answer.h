/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.h - what was decided → the response that a client sees: a status, and a few lines that a
 * person understands and a program can show.
 */
#ifndef UIDWALL_PROXY_ANSWER_H
#define UIDWALL_PROXY_ANSWER_H

#include "proxy/lists.h"

enum { ANSWER_MAX = 2048 /* bytes, all of it */ };

extern const char answer_established[]; /* the response to CONNECT that goes through */

/* 403: why, and the line to add. service NULL: nobody's. host may be "" . */
struct answer_refusal {
	const char *service, *file, *user;
	int64_t uid;	  /* -1: not known */
	const char *host; /* "": not known */
	uint16_t port;
	const char *why;   /* a sentence's end: "is not among its hosts" */
	uint32_t line;	   /* 0: none */
	const char *entry; /* to add to "hosts", or NULL */
};

size_t answer_refuse(const struct answer_refusal *refusal, char ret_bytes[ANSWER_MAX]);

/* 400, 403, 429, 431, 501, 502, 503, 504, ...: the reason as a sentence. */
size_t answer_fail(int status, const char *sentence, char ret_bytes[ANSWER_MAX]);

#endif
