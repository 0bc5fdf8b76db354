/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest_expect.c - attempts → what the rules in force will do to them, as the daemon says
 * ("why"), and which of them must not be tried on a machine that others work on.
 */
#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "cli/call.h"
#include "cli/resolve.h"
#include "cli/selftest.h"

/* TARGETS_MAX: of one question, WHY_TARGETS_MAX. */
enum { TARGETS_MAX = 64, UIDS_MAX = 16, NOBODYS_GROUP = 65534 };

/* --- asking -------------------------------------------------------------------------------------
 */

static json_t *make_question(struct selftest *test, const struct selftest_user *user, size_t first)
{
	json_t *targets = json_array();

	for (size_t i = first; i < user->n && i < first + TARGETS_MAX; i++) {
		const struct job *job = &user->attempts[i].job;

		json_array_append_new(targets, json_sprintf("%s %s", selftest_protocol(job),
							    selftest_where(test->cli, job)));
	}
	return json_pack("{s:s, s:I, s:o}", "call", "why", "uid", (json_int_t)user->uid, "targets",
			 targets);
}

/* Names of counters: plan/names.c. */
static const char *find_counter(struct cli *cli, const json_t *answer)
{
	static const char lead[] = "counter name \"refused-";
	const json_t *step;
	size_t i;

	json_array_foreach(json_object_get(answer, "path"), i, step) {
		const char *rule = json_string_value(json_object_get(step, "rule"));
		const char *found = rule ? strstr(rule, lead) : NULL;

		if (found)
			return arena_strndup(cli->arena, found + strlen(lead),
					     strcspn(found + strlen(lead), "\""));
	}
	return NULL;
}

static void take_answer(struct cli *cli, const json_t *answer, struct selftest_attempt *attempt)
{
	const json_t *line = json_object_get(answer, "decided_by");
	const char *file = get_text(cli, line, "file");

	attempt->is_refused = strcmp(get_text(cli, answer, "verdict"), "allowed") != 0;
	attempt->would_refuse = get_bool(answer, "would_refuse");
	attempt->has_route = strcmp(get_text(cli, answer, "route"), "none") != 0;
	attempt->error = (int)get_number(answer, "errno_number");
	attempt->reason = get_text(cli, answer, "reason");
	attempt->because = get_text(cli, answer, "because");
	attempt->line = !*file || !get_number(line, "line") ?
				file :
				arena_printf(cli->arena, "%s:%lld", file,
					     (long long)get_number(line, "line"));
	attempt->counter = find_counter(cli, answer);
}

static enum cli_status ask_some(struct selftest *test, struct selftest_user *user, size_t first,
				const char **ret_service)
{
	struct cli *cli = test->cli;
	size_t n = user->n - first < TARGETS_MAX ? user->n - first : TARGETS_MAX;
	AUTO(json) json_t *answer = NULL;
	const json_t *list;
	const char *error;
	int r = call_send(cli, make_question(test, user, first), CALL_ASK_MS, &answer, &error);

	if (r < 0)
		return call_explain(cli, r, error);
	list = json_object_get(answer, "answers");
	if (json_array_size(list) != n)
		return fail(cli, "uidwalld answers %zu questions of %zu: is it of another version?",
			    json_array_size(list), n);
	for (size_t i = 0; i < n; i++)
		take_answer(cli, json_array_get(list, i), &user->attempts[first + i]);
	*ret_service = get_text(cli, answer, "service");
	return CLI_FINE;
}

/* The first uids of a range may be another service's, whose policy names them. */
static enum cli_status find_uid(struct selftest *test, const struct selftest_service *service,
				struct selftest_user *user)
{
	bool is_named = strcmp(user->origin, "user") == 0;

	for (size_t i = 0; i < UIDS_MAX; i++) {
		const char *governs = "";
		enum cli_status status = ask_some(test, user, 0, &governs);

		if (status != CLI_FINE || is_named || strcmp(governs, service->name) == 0)
			return status;
		if (user->uid == user->last)
			break;
		user->uid++;
	}
	user->n = 0;
	user->note = "its first uids are other services'";
	return CLI_FINE;
}

/* Rules do not look at groups; net.ipv4.ping_group_range does. */
static uint32_t find_group(uint32_t uid)
{
	AUTO(file) FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *account;

	while (file && (account = fgetpwent(file)))
		if (account->pw_uid == uid)
			return account->pw_gid;
	return NOBODYS_GROUP;
}

static void settle_on(struct cli *cli, struct selftest_user *user)
{
	user->gid = find_group(user->uid);
	user->name = user->name ? user->name : resolve_uid(cli, user->uid);
	for (size_t i = 0; i < user->n; i++) {
		user->attempts[i].job.uid = user->uid;
		user->attempts[i].job.gid = user->gid;
	}
}

static enum cli_status ask(struct selftest *test, const struct selftest_service *service,
			   struct selftest_user *user)
{
	enum cli_status status = find_uid(test, service, user);
	const char *governs;

	for (size_t i = TARGETS_MAX; i < user->n && status == CLI_FINE; i += TARGETS_MAX)
		status = ask_some(test, user, i, &governs);
	settle_on(test->cli, user);
	return status;
}

/* --- what is not tried --------------------------------------------------------------------------
 */

static bool is_harmless(const struct selftest_scene *scene, const struct prefix *to)
{
	return prefix_is_loopback(to) || selftest_is_documentation(to) ||
	       (scene->is_told && prefix_compare(to, &scene->to) == 0);
}

/* A connection that is opened and closed says nothing; a datagram says something, to whoever it
 * reaches.
 */
static const char *why_not(const struct selftest *test, const struct selftest_attempt *attempt)
{
	const struct job *job = &attempt->job;
	bool is_near = is_harmless(&test->scene, &job->to);
	bool is_datagram = job->way == JOB_UDP && prefix_is_loopback(&job->to);

	switch ((enum selftest_kind)attempt->kind) {
	case SELFTEST_NEIGHBOUR:
		if (!attempt->is_refused)
			return "nothing refuses it: it would only disturb";
		return NULL;
	case SELFTEST_METADATA:
		/* led to the proxy, it ends on this machine */
		if (!attempt->is_refused && !test->cli->endpoints &&
		    strcmp(attempt->reason, "transparent") != 0)
			return "nothing refuses it, and it would get there: add --endpoints";
		return NULL;
	case SELFTEST_RESOLVER:
	case SELFTEST_PROXY:
	case SELFTEST_ENDPOINT:
		if (test->cli->endpoints || (is_near && !is_datagram))
			return NULL;
		return is_datagram ? "would send a datagram to a program: add --endpoints" :
				     "no documentation address: add --endpoints";
	case SELFTEST_DIRECT:
	case SELFTEST_OTHER_DNS:
	case SELFTEST_WEB:
	case SELFTEST_OWN_PORT:
	case SELFTEST_KINDS:
		break;
	}
	return NULL;
}

enum cli_status selftest_expect(struct selftest *test)
{
	struct selftest_cursor cursor = { 0 };
	struct selftest_attempt *attempt;

	for (size_t i = 0; i < test->n; i++)
		for (size_t j = 0; j < test->services[i].n; j++) {
			enum cli_status status =
				ask(test, &test->services[i], &test->services[i].users[j]);

			if (status != CLI_FINE)
				return status;
		}
	while ((attempt = selftest_next(test, &cursor)))
		attempt->not_tried = why_not(test, attempt);
	return CLI_FINE;
}
