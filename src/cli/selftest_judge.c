/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest_judge.c - what was expected, what was seen → ok, or a surprise, and in which words.
 *
 * ECONNREFUSED comes from the wall, from another firewall or from the far side. What decides is
 * whether a frame left (selftest/watch.h): what the wall refuses never does. And what the wall
 * refuses it counts: were the refusals another firewall's, its counter would stand still.
 */
#include <errno.h>
#include <string.h>

#include "cli/selftest.h"

/* What is being judged. */
struct judged {
	struct selftest *test;
	const struct selftest_service *service;
	struct selftest_attempt *attempt;
};

static void conclude(struct judged *j, enum selftest_verdict verdict, const char *words)
{
	j->attempt->verdict = (uint8_t)verdict;
	j->attempt->words = words;
}

static const char *with_errno(struct judged *j, const char *format, int error)
{
	struct cli *cli = j->test->cli;
	const char *name = selftest_errno(cli, error), *percent = strstr(format, "%s");

	return arena_printf(cli->arena, "%.*s%s%s", (int)(percent - format), format, name,
			    percent + 2);
}

/* What a firewall of this machine's makes of it, as opposed to what routers say. */
static bool is_refusal(const struct seen *seen)
{
	return seen->end == SEEN_ERROR && (seen->error == ECONNREFUSED || seen->error == EPERM ||
					   seen->error == EACCES || seen->error == ECONNRESET);
}

static const char *by_words(struct judged *j)
{
	const struct seen *seen = &j->attempt->seen;

	return *seen->by ? arena_printf(j->test->cli->arena, " by %s", seen->by) : "";
}

/* --- nothing for the wall to judge --------------------------------------------------------------
 */

static bool is_impossible(struct judged *j)
{
	const struct selftest_attempt *a = j->attempt;

	if (a->seen.end != SEEN_ERROR || a->seen.left == LEFT_YES)
		return false;
	if (a->seen.stage == STAGE_SOCKET) {
		bool is_ping = a->job.way == JOB_PING && a->seen.error == EACCES;

		conclude(j, SELFTEST_IMPOSSIBLE,
			 is_ping ? "no ping sockets for this user (net.ipv4.ping_group_range)" :
				   with_errno(j, "no such socket here (%s)", a->seen.error));
		return true;
	}
	if (!a->has_route || a->seen.error == ENETUNREACH || a->seen.error == EADDRNOTAVAIL) {
		conclude(j, SELFTEST_IMPOSSIBLE, "this machine has no route to it");
		return true;
	}
	return false;
}

static bool has_failed(struct judged *j)
{
	const struct seen *seen = &j->attempt->seen;

	if (seen->end == SEEN_LOST) {
		conclude(j, SELFTEST_FAILED,
			 "its process was killed or stopped: by others of this user?");
		return true;
	}
	if (seen->end == SEEN_ERROR && seen->stage == STAGE_BECOME) {
		conclude(j, SELFTEST_FAILED,
			 with_errno(j, "nobody can become this user here (%s)", seen->error));
		return true;
	}
	return false;
}

/* --- expected to be refused ---------------------------------------------------------------------
 */

static void judge_refused(struct judged *j)
{
	const struct selftest_attempt *a = j->attempt;
	const struct seen *seen = &a->seen;
	struct arena *arena = j->test->cli->arena;

	if (seen->end == SEEN_ERROR && seen->error == a->error && seen->left != LEFT_YES)
		conclude(j, SELFTEST_OK, "refused");
	else if (seen->end == SEEN_ANSWER)
		conclude(j, SELFTEST_SURPRISE,
			 arena_printf(arena, "IT GOT THROUGH%s, and was answered", by_words(j)));
	else if (seen->left == LEFT_YES)
		conclude(j, SELFTEST_SURPRISE,
			 arena_printf(arena, "IT GOT OUT%s%s%s", by_words(j),
				      seen->end == SEEN_ERROR ? ", and the far side says " :
								", unanswered",
				      seen->end == SEEN_ERROR ?
					      selftest_errno(j->test->cli, seen->error) :
					      ""));
	else if (seen->end == SEEN_SILENCE)
		conclude(j, SELFTEST_SURPRISE,
			 "not refused, no answer; no frame was seen: another firewall?");
	else
		conclude(j, SELFTEST_SURPRISE,
			 arena_printf(arena,
				      "refused, but with %s and not %s: by another firewall?",
				      selftest_errno(j->test->cli, seen->error),
				      selftest_errno(j->test->cli, a->error)));
}

/* --- expected to pass ---------------------------------------------------------------------------
 */

/* The built-in proxy knows the caller and its "hosts"; what another one serves is its own affair.
 */
static void judge_proxy(struct judged *j)
{
	const struct selftest_attempt *a = j->attempt;
	bool is_ours = !j->test->scene.config.proxy_is_external;
	bool enforces = strcmp(j->service->mode, "enforce") == 0 && !a->would_refuse &&
			strcmp(a->reason, "proxy") == 0;
	unsigned status = a->seen.status;
	struct arena *arena = j->test->cli->arena;

	if (status == 403)
		conclude(j, SELFTEST_OK, "the proxy answers, and refuses the name (403)");
	else if (!status)
		conclude(j, SELFTEST_OK, "connected, but no proxy answers in HTTP");
	else if (is_ours && enforces)
		conclude(j, SELFTEST_SURPRISE,
			 arena_printf(arena,
				      "THE PROXY DID NOT REFUSE a name that no policy has: it "
				      "answered %u",
				      status));
	else
		conclude(j, SELFTEST_OK,
			 arena_printf(arena,
				      "the proxy answers (%u); whom it serves what is not "
				      "uidwall's to say",
				      status));
}

static void judge_answered(struct judged *j)
{
	switch ((enum selftest_kind)j->attempt->kind) {
	case SELFTEST_PROXY:
		judge_proxy(j);
		return;
	case SELFTEST_RESOLVER:
		conclude(j, SELFTEST_OK, "it answers");
		return;
	case SELFTEST_DIRECT:
	case SELFTEST_OTHER_DNS:
	case SELFTEST_WEB:
	case SELFTEST_METADATA:
	case SELFTEST_OWN_PORT:
	case SELFTEST_NEIGHBOUR:
	case SELFTEST_ENDPOINT:
	case SELFTEST_KINDS:
		break;
	}
	conclude(j, SELFTEST_OK, "it gets through");
}

/* "transparent": it ends on this machine, whatever address it names. */
static void judge_led(struct judged *j)
{
	const struct seen *seen = &j->attempt->seen;

	if (seen->left == LEFT_YES)
		conclude(j, SELFTEST_SURPRISE, "IT LEFT, though it is led to the proxy");
	else if (seen->end == SEEN_ANSWER && seen->status == 403)
		conclude(j, SELFTEST_OK, "led to the proxy, which refuses the name (403)");
	else if (seen->end == SEEN_ANSWER)
		conclude(j, SELFTEST_OK, "led to the proxy");
	else if (is_refusal(seen))
		conclude(j, SELFTEST_OK, "led to the proxy; nobody listens there");
	else
		conclude(j, SELFTEST_OK, "led to the proxy, which does not answer");
}

static void judge_allowed(struct judged *j)
{
	const struct selftest_attempt *a = j->attempt;
	const struct seen *seen = &a->seen;

	if (strcmp(a->reason, "transparent") == 0) {
		judge_led(j);
		return;
	}
	if (seen->end == SEEN_ANSWER)
		judge_answered(j);
	else if (seen->end == SEEN_SILENCE)
		conclude(j, SELFTEST_OK,
			 seen->left == LEFT_NO ?
				 "not refused; no frame left: does the next hop answer?" :
				 "nobody answers");
	else if (!is_refusal(seen))
		conclude(j, SELFTEST_OK, with_errno(j, "the far side says %s", seen->error));
	else if (seen->left == LEFT_NO)
		conclude(j, SELFTEST_SURPRISE,
			 with_errno(j, "REFUSED with %s, though it is allowed", seen->error));
	else if (a->kind == SELFTEST_PROXY)
		conclude(j, SELFTEST_OK, "open to the proxy; nobody listens there");
	else if (seen->left == LEFT_YES)
		conclude(j, SELFTEST_OK, "the far side refuses: nobody listens there");
	else
		conclude(j, SELFTEST_OK, "refused, by the far side or by a firewall: see below");
}

/* --- counters -----------------------------------------------------------------------------------
 */

static int64_t refused_packets(const json_t *status, const char *service)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(status, "services"), i, entry) {
		const char *name = json_string_value(json_object_get(entry, "service"));

		if (name && strcmp(name, service) == 0)
			return (int64_t)get_number(entry, "refused_packets");
	}
	return 0;
}

static struct selftest_service *find_service(struct selftest *test, const char *name)
{
	for (size_t i = 0; i < test->n; i++)
		if (strcmp(test->services[i].name, name) == 0)
			return &test->services[i];
	return NULL;
}

/* What must have been counted: refusals, and what monitor mode would refuse. */
static void count(struct selftest *test, const struct selftest_attempt *attempt)
{
	struct selftest_service *service =
		attempt->counter ? find_service(test, attempt->counter) : NULL;

	if (service && attempt->verdict == SELFTEST_OK &&
	    (attempt->is_refused || attempt->would_refuse))
		service->n_refused++;
}

/* Whoever runs the service at the same time is counted, too: more is no surprise. */
static void judge_counter(struct selftest *test, struct selftest_service *service,
			  const json_t *after)
{
	service->counted = refused_packets(after, service->name) -
			   refused_packets(test->status, service->name);
	if (service->counted >= (int64_t)service->n_refused)
		return;
	service->trouble = arena_printf(
		test->cli->arena,
		"%zu attempts were to be counted as refused, its counter rose by %lld: something "
		"else than uidwall's rules refused the others",
		service->n_refused, (long long)service->counted);
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static void judge(struct judged *j)
{
	if (j->attempt->not_tried)
		conclude(j, SELFTEST_NOT_TRIED, j->attempt->not_tried);
	else if (has_failed(j) || is_impossible(j))
		return;
	else if (j->attempt->is_refused)
		judge_refused(j);
	else
		judge_allowed(j);
}

void selftest_judge(struct selftest *test, const json_t *after)
{
	struct selftest_cursor cursor = { 0 };
	struct selftest_attempt *attempt;

	while ((attempt = selftest_next(test, &cursor))) {
		struct judged judged = { test, &test->services[cursor.service], attempt };

		judge(&judged);
		test->sums[attempt->verdict]++;
		count(test, attempt);
	}
	for (size_t i = 0; i < test->n; i++)
		judge_counter(test, &test->services[i], after);
	if (get_number(after, "generation") != test->generation)
		test->trouble = "other policies came into force during the test: run it again";
}

bool selftest_is_fine(const struct selftest *test)
{
	bool fine =
		!test->trouble && !test->sums[SELFTEST_SURPRISE] && !test->sums[SELFTEST_FAILED];

	for (size_t i = 0; i < test->n; i++)
		fine = fine && !test->services[i].trouble;
	return fine;
}
