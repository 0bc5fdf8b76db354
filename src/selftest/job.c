/* SPDX-License-Identifier: GPL-2.0-or-later */
/* job.c - attempts and what was seen of them ↔ lines of text.
 *
 *     tcp 2003 2003 203.0.113.1 443          the job: way, uid, gid, address, port
 *     7 error connect 111 182 40112 0 no -   seen of the eighth: end, stage, errno, us, source
 * port, HTTP status, whether it left, by which interface
 */
#include "selftest/job.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

static const char *const way_names[] = {
	[JOB_TCP] = "tcp",
	[JOB_UDP] = "udp",
	[JOB_PING] = "ping",
	[JOB_DNS_UDP] = "dns-udp",
	[JOB_DNS_TCP] = "dns-tcp",
	[JOB_HTTP] = "http",
	[JOB_HTTPS] = "https",
	[JOB_PROXY_HTTP] = "proxy-http",
	[JOB_PROXY_HTTPS] = "proxy-https",
};
static_assert(ARRAY_SIZE(way_names) == JOB_WAYS, "every job_way needs a name");

static const char *const end_names[] = {
	[SEEN_ANSWER] = "answer",
	[SEEN_SILENCE] = "silence",
	[SEEN_ERROR] = "error",
	[SEEN_LOST] = "lost",
};

static const char *const stage_names[] = {
	[STAGE_BECOME] = "become", [STAGE_SOCKET] = "socket", [STAGE_CONNECT] = "connect",
	[STAGE_SEND] = "send",	   [STAGE_ANSWER] = "answer",
};

static const char *const left_names[] = {
	[LEFT_UNKNOWN] = "unknown",
	[LEFT_NO] = "no",
	[LEFT_YES] = "yes",
};

static int find_name(const char *const *names, size_t n, const char *name, uint8_t *ret_index)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0) {
			*ret_index = (uint8_t)i;
			return 0;
		}
	return -EINVAL;
}

const char *job_way_name(const struct job *job)
{
	return way_names[job->way];
}

uint8_t job_protocol(const struct job *job)
{
	switch ((enum job_way)job->way) {
	case JOB_UDP:
	case JOB_DNS_UDP:
		return IPPROTO_UDP;
	case JOB_PING:
		return job->to.family == ADDR_V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	case JOB_TCP:
	case JOB_DNS_TCP:
	case JOB_HTTP:
	case JOB_HTTPS:
	case JOB_PROXY_HTTP:
	case JOB_PROXY_HTTPS:
	case JOB_WAYS:
		break;
	}
	return IPPROTO_TCP;
}

void job_format(const struct job *job, char *text)
{
	char address[PREFIX_TEXT_MAX];

	format_prefix(&job->to, address);
	snprintf(text, JOB_LINE_MAX, "%s %" PRIu32 " %" PRIu32 " %s %u", way_names[job->way],
		 job->uid, job->gid, address, job->port);
}

int job_parse(const char *text, struct job *ret_job)
{
	char way[16], address[PREFIX_TEXT_MAX], more;
	struct job job = { 0 };

	if (sscanf(text, "%15s %" SCNu32 " %" SCNu32 " %63s %" SCNu16 " %c", way, &job.uid,
		   &job.gid, address, &job.port, &more) != 5)
		return -EINVAL;
	if (find_name(way_names, ARRAY_SIZE(way_names), way, &job.way) < 0 ||
	    parse_address(address, &job.to) < 0 || (job.port == 0) != (job.way == JOB_PING))
		return -EINVAL;
	*ret_job = job;
	return 0;
}

void seen_format(size_t index, const struct seen *seen, char *text)
{
	snprintf(text, JOB_LINE_MAX, "%zu %s %s %d %" PRIu32 " %u %" PRIu32 " %s %s", index,
		 end_names[seen->end], stage_names[seen->stage], seen->error, seen->us, seen->sport,
		 seen->status, left_names[seen->left], *seen->by ? seen->by : "-");
}

int seen_parse(const char *text, size_t *ret_index, struct seen *ret_seen)
{
	char end[16], stage[16], left[16], by[IFNAMSIZ], more;
	struct seen seen = { 0 };

	static_assert(IFNAMSIZ == 16, "the widths below");
	if (sscanf(text, "%zu %15s %15s %d %" SCNu32 " %" SCNu16 " %" SCNu32 " %15s %15s %c",
		   ret_index, end, stage, &seen.error, &seen.us, &seen.sport, &seen.status, left,
		   by, &more) != 9)
		return -EINVAL;
	if (find_name(end_names, ARRAY_SIZE(end_names), end, &seen.end) < 0 ||
	    find_name(stage_names, ARRAY_SIZE(stage_names), stage, &seen.stage) < 0 ||
	    find_name(left_names, ARRAY_SIZE(left_names), left, &seen.left) < 0)
		return -EINVAL;
	if (strcmp(by, "-") != 0)
		memcpy(seen.by, by, sizeof(by));
	*ret_seen = seen;
	return 0;
}
