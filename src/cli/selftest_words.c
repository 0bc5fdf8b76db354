/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest_words.c - what the self-test's results are called, on screen and in JSON. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli/selftest.h"

const char *const selftest_kind_names[] = {
	[SELFTEST_DIRECT] = "direct",	     [SELFTEST_OTHER_DNS] = "other-name-server",
	[SELFTEST_WEB] = "libcurl",	     [SELFTEST_METADATA] = "metadata",
	[SELFTEST_OWN_PORT] = "root-port",   [SELFTEST_NEIGHBOUR] = "neighbour-port",
	[SELFTEST_RESOLVER] = "name-server", [SELFTEST_PROXY] = "proxy",
	[SELFTEST_ENDPOINT] = "endpoint",
};
static_assert(ARRAY_SIZE(selftest_kind_names) == SELFTEST_KINDS, "every kind needs a name");

static const char *const kind_words[] = {
	[SELFTEST_DIRECT] = "direct",
	[SELFTEST_OTHER_DNS] = "DNS elsewhere",
	[SELFTEST_WEB] = "libcurl",
	[SELFTEST_METADATA] = "metadata",
	[SELFTEST_OWN_PORT] = "root's port",
	[SELFTEST_NEIGHBOUR] = "neighbour",
	[SELFTEST_RESOLVER] = "name server",
	[SELFTEST_PROXY] = "proxy",
	[SELFTEST_ENDPOINT] = "policy's line",
};
static_assert(ARRAY_SIZE(kind_words) == SELFTEST_KINDS, "every kind needs words");

const char *const selftest_verdict_names[] = {
	[SELFTEST_OK] = "ok",
	[SELFTEST_SURPRISE] = "surprise",
	[SELFTEST_FAILED] = "failed",
	[SELFTEST_IMPOSSIBLE] = "impossible",
	[SELFTEST_NOT_TRIED] = "not-tried",
};
static_assert(ARRAY_SIZE(selftest_verdict_names) == SELFTEST_VERDICTS,
	      "every verdict needs a name");

/* docs/security.md, "What no rule closes". */
const char *const selftest_left_open[] = {
	"names asked of an allowed name server carry data out: dns: false, or a name server that "
	"answers for known names only",
	"tunnels through hosts, proxies and endpoints that the policy allows",
	"unix sockets to services with more rights (a relay, a container engine): file modes",
	"a socket handed over from outside, a set-user-ID program: \"unit\" in the policy, "
	"NoNewPrivileges= in the unit",
	"AF_VSOCK, AF_PACKET and other families that are not IP: RestrictAddressFamilies= in the "
	"unit",
	"what the kernel sends by itself: IGMP and MLD joins, key requests "
	"(SystemCallFilter=~@keyring)",
	"what \"unit\" adds is not tried: no process is put into a unit's control group",
	NULL,
};

const char *selftest_what(struct cli *cli, const struct selftest_attempt *attempt)
{
	static const char *const ways[] = {
		[JOB_TCP] = "TCP",     [JOB_UDP] = "UDP",	  [JOB_PING] = "ping",
		[JOB_DNS_UDP] = "UDP", [JOB_DNS_TCP] = "TCP",	  [JOB_HTTP] = "http",
		[JOB_HTTPS] = "https", [JOB_PROXY_HTTP] = "http", [JOB_PROXY_HTTPS] = "https",
	};

	static_assert(ARRAY_SIZE(ways) == JOB_WAYS, "every way needs a name");
	return arena_printf(cli->arena, "%s, %s", kind_words[attempt->kind],
			    ways[attempt->job.way]);
}

const char *selftest_where(struct cli *cli, const struct job *job)
{
	char address[PREFIX_TEXT_MAX];

	format_prefix(&job->to, address);
	if (!job->port)
		return arena_strdup(cli->arena, address);
	return arena_printf(cli->arena, job->to.family == ADDR_V6 ? "[%s]:%u" : "%s:%u", address,
			    job->port);
}

const char *selftest_protocol(const struct job *job)
{
	switch ((enum job_way)job->way) {
	case JOB_UDP:
	case JOB_DNS_UDP:
		return "udp";
	case JOB_PING:
		return "icmp";
	case JOB_TCP:
	case JOB_DNS_TCP:
	case JOB_HTTP:
	case JOB_HTTPS:
	case JOB_PROXY_HTTP:
	case JOB_PROXY_HTTPS:
	case JOB_WAYS:
		break;
	}
	return "tcp";
}

const char *selftest_errno(struct cli *cli, int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : arena_printf(cli->arena, "errno %d", error);
}

const char *selftest_time(struct cli *cli, int64_t time)
{
	time_t moment = (time_t)time;
	char text[64] = "?";
	struct tm tm;

	if (gmtime_r(&moment, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	return arena_strdup(cli->arena, text);
}

struct selftest_attempt *selftest_next(struct selftest *test, struct selftest_cursor *cursor)
{
	for (; cursor->service < test->n; cursor->service++, cursor->user = 0) {
		const struct selftest_service *service = &test->services[cursor->service];

		for (; cursor->user < service->n; cursor->user++, cursor->attempt = 0) {
			const struct selftest_user *user = &service->users[cursor->user];

			if (cursor->attempt < user->n)
				return &user->attempts[cursor->attempt++];
		}
	}
	return NULL;
}
