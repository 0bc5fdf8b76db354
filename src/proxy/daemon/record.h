/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record.h - one decision → a line of JSON on standard output, and a count for the daemon. */
#ifndef UIDWALL_PROXY_RECORD_H
#define UIDWALL_PROXY_RECORD_H

#include "base/addr.h"
#include "wire/verdict.h"
#include "wire/writer.h"

enum record_way {
	RECORD_CONNECT,	   /* CONNECT host:port */
	RECORD_HTTP,	   /* GET http://... */
	RECORD_TLS,	   /* redirected, a ClientHello */
	RECORD_PLAIN_HTTP, /* redirected, an HTTP request */
	RECORD_OTHER,	   /* redirected, something else: by address */
	RECORD_UNKNOWN,	   /* it did not come to that */
	RECORD_WAY_COUNT
};

struct record {
	int64_t start_ms;    /* since 1970 */
	int64_t duration_us; /* until its end */
	const char *service; /* NULL: nobody's */
	const char *user;    /* NULL: not known */
	int64_t uid;	     /* -1: not known */
	const char *process; /* NULL: not known */
	uint8_t way;	     /* enum record_way */
	uint8_t verdict;     /* enum record_verdict */
	const char *host;    /* "": not known */
	uint16_t port;
	const struct prefix *address; /* connected to; NULL: none */
	const char *reason;	 /* one of a fixed set of words: "not-listed", "timeout", ... */
	const char *detail;	 /* a sentence for people, or NULL */
	const char *file;	 /* of the policy, or NULL */
	uint32_t line;		 /* that decided; 0: none */
	const char *entry;	 /* to add to "hosts", or NULL */
	uint64_t sent, received; /* bytes from and to the client, without the proxy's own */
};

struct event_base;
struct tally;

/* Lines are gathered and written at the end of the loop's turn, or once 64 KiB are there; a
 * standard output that does not take them loses lines, counted, never time. 0 or -errno.
 */
int tally_new(struct event_base *base, int fd, struct tally **ret_tally);
void tally_free(struct tally *tally); /* writes what is left; NULL is fine */
void tally_add(struct tally *tally, const struct record *record);

/* For the link: whether anything is new; up to max_bytes of it as the members of "records" of the
 * call "record", taken out of the table. At most 1,024 (service, host, port, verdict) at once; what
 * is more is counted as "other".
 */
bool tally_has_news(const struct tally *tally);
void tally_take(struct tally *tally, struct writer *w, size_t max_bytes);

/* fn is called when there is something new where there was nothing. */
void tally_on_news(struct tally *tally, void (*fn)(void *data), void *data);

const char *record_way_name(enum record_way way);

#endif
