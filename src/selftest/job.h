/* SPDX-License-Identifier: GPL-2.0-or-later */
/* job.h - one attempt to get out as some user, and what was seen of it; each is one line of text.
 *
 * This is what `uidwall selftest` and its helper uidwall-selftest say to each other.
 */
#ifndef UIDWALL_SELFTEST_JOB_H
#define UIDWALL_SELFTEST_JOB_H

#include <net/if.h>

#include "base/addr.h"

enum {
	JOB_TIMEOUT_MS = 2000, /* of one attempt */
	JOB_GRACE_MS = 2000,   /* after which a process that is still there is killed */
	JOB_LINE_MAX = 256,
};

/* Reserved (RFC 6761): no name server has it, and no policy can mean it. */
#define JOB_NAME "uidwall-selftest.invalid"
#define JOB_TEXT "uidwall selftest"

enum job_way {
	JOB_TCP,
	JOB_UDP,
	JOB_PING,
	JOB_DNS_UDP,
	JOB_DNS_TCP,
	JOB_HTTP, /* by libcurl, as the next ones */
	JOB_HTTPS,
	JOB_PROXY_HTTP,	 /* http://JOB_NAME/, asked of the proxy at `to` */
	JOB_PROXY_HTTPS, /* the same by CONNECT */
	JOB_WAYS,
};

struct job {
	uint8_t way; /* enum job_way */
	uint32_t uid, gid;
	struct prefix to;
	uint16_t port; /* 0: JOB_PING has none */
};

enum seen_end {
	SEEN_ANSWER,  /* connected, or something came back */
	SEEN_SILENCE, /* sent, and nothing came back in time */
	SEEN_ERROR,   /* a system call failed, with errno */
	SEEN_LOST,    /* its process was killed, or did not end */
};

enum seen_stage { STAGE_BECOME, STAGE_SOCKET, STAGE_CONNECT, STAGE_SEND, STAGE_ANSWER };

/* Whether a frame of it was seen on any interface, loopback included. */
enum seen_left { LEFT_UNKNOWN, LEFT_NO, LEFT_YES };

struct seen {
	uint8_t end, stage, left;
	int error;	   /* SEEN_ERROR: errno */
	uint32_t us;	   /* how long it took */
	uint32_t status;   /* of HTTP; 0: none */
	uint16_t sport;	   /* source port, or the echo request's id; 0: none was taken */
	char by[IFNAMSIZ]; /* LEFT_YES: the interface */
};

const char *job_way_name(const struct job *job); /* "tcp", "proxy-https" */

/* IPPROTO_TCP, ... */
uint8_t job_protocol(const struct job *job);

/* Without a newline; text has room for JOB_LINE_MAX bytes. The parsers return 0 or -EINVAL. */
void job_format(const struct job *job, char *text);
int job_parse(const char *text, struct job *ret_job);
void seen_format(size_t index, const struct seen *seen, char *text);
int seen_parse(const char *text, size_t *ret_index, struct seen *ret_seen);

#endif
