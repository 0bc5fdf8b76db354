/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest_json.c - the self-test for programs: one JSON object in two halves, so that what will be
 * sent is said before it is.
 */
#include <string.h>

#include "cli/selftest.h"

static void print_bare(char *text, const char *end)
{
	/* without the last bracket and the newline before it */
	printf("%.*s%s", (int)(strlen(text) - 2), text, end);
	free(text);
}

static json_t *json_line(struct cli *cli, const char *text)
{
	return json_text(cli, text && *text ? text : NULL);
}

/* --- beforehand ---------------------------------------------------------------------------------
 */

static json_t *make_sends(struct selftest *test)
{
	struct selftest_cursor cursor = { 0 };
	struct selftest_attempt *attempt;
	json_t *list = json_array(), *known = json_object();

	while ((attempt = selftest_next(test, &cursor))) {
		const struct job *job = &attempt->job;
		char text[JOB_LINE_MAX], address[PREFIX_TEXT_MAX];
		struct job anybodys = *job;

		anybodys.uid = anybodys.gid = 0;
		job_format(&anybodys, text);
		if (attempt->not_tried || json_object_get(known, text))
			continue;
		json_object_set_new(known, text, json_true());
		format_prefix(&job->to, address);
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:i}", "way", job_way_name(job),
						"protocol", selftest_protocol(job), "address",
						address, "port", (int)job->port));
	}
	json_decref(known);
	return list;
}

void selftest_announce_json(struct selftest *test, bool is_dry)
{
	struct cli *cli = test->cli;
	json_t *half = json_object();

	json_object_set_new(half, "host", json_text(cli, test->host));
	json_object_set_new(half, "time", json_integer(test->time));
	json_object_set_new(half, "utc", json_text(cli, selftest_time(cli, test->time)));
	json_object_set_new(half, "by", json_text(cli, test->who));
	json_object_set_new(half, "kernel", json_text(cli, test->kernel));
	json_object_set_new(half, "version",
			    json_text(cli, get_text(cli, test->status, "version")));
	json_object_set_new(half, "generation", json_integer(test->generation));
	json_object_set_new(half, "applied", json_integer(get_number(test->status, "applied")));
	json_object_set_new(half, "wall", json_text(cli, test->wall));
	json_object_set_new(half, "name", json_text(cli, JOB_NAME));
	json_object_set_new(half, "sends", make_sends(test));
	if (is_dry) {
		json_print(half);
		return;
	}
	print_bare(json_dumps(half, JSON_INDENT(2)), ",");
	fflush(stdout);
	json_decref(half);
}

/* --- afterwards ---------------------------------------------------------------------------------
 */

static json_t *make_seen(struct cli *cli, const struct selftest_attempt *attempt)
{
	static const char *const ends[] = {
		[SEEN_ANSWER] = "answer",
		[SEEN_SILENCE] = "silence",
		[SEEN_ERROR] = "error",
		[SEEN_LOST] = "lost",
	};
	const struct seen *seen = &attempt->seen;
	json_t *object;

	if (attempt->not_tried)
		return json_null();
	object = json_pack("{s:s, s:f}", "end", ends[seen->end], "ms", (double)seen->us / 1000);
	json_object_set_new(object, "errno",
			    seen->end == SEEN_ERROR ?
				    json_text(cli, selftest_errno(cli, seen->error)) :
				    json_null());
	json_object_set_new(object, "http_status",
			    seen->status ? json_integer(seen->status) : json_null());
	json_object_set_new(object, "left",
			    seen->left == LEFT_UNKNOWN ? json_null() :
							 json_boolean(seen->left == LEFT_YES));
	json_object_set_new(object, "interface", json_line(cli, seen->by));
	return object;
}

static json_t *make_attempt(struct cli *cli, const struct selftest_attempt *attempt)
{
	const struct job *job = &attempt->job;
	char address[PREFIX_TEXT_MAX];
	json_t *object;

	format_prefix(&job->to, address);
	object = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "attempt",
			   selftest_kind_names[attempt->kind], "way", job_way_name(job), "protocol",
			   selftest_protocol(job), "address", address, "port", (int)job->port,
			   "expected", attempt->is_refused ? "refused" : "allowed");
	json_object_set_new(object, "would_refuse", json_boolean(attempt->would_refuse));
	json_object_set_new(object, "reason", json_text(cli, attempt->reason));
	json_object_set_new(object, "because", json_text(cli, attempt->because));
	json_object_set_new(object, "line", json_line(cli, attempt->line));
	json_object_set_new(object, "seen", make_seen(cli, attempt));
	json_object_set_new(object, "verdict",
			    json_string(selftest_verdict_names[attempt->verdict]));
	json_object_set_new(object, "words", json_text(cli, attempt->words));
	return object;
}

static json_t *make_user(struct cli *cli, const struct selftest_user *user)
{
	json_t *object =
		json_pack("{s:I, s:s}", "uid", (json_int_t)user->uid, "origin", user->origin);
	json_t *list = json_array();

	json_object_set_new(object, "user", json_line(cli, user->name));
	json_object_set_new(object, "note", json_line(cli, user->note));
	for (size_t i = 0; i < user->n; i++)
		json_array_append_new(list, make_attempt(cli, &user->attempts[i]));
	json_object_set_new(object, "attempts", list);
	return object;
}

static json_t *make_service(struct cli *cli, const struct selftest_service *service)
{
	json_t *users = json_array();
	json_t *object = json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:I}", "service", service->name, "state", service->state,
		"mode", service->mode, "refused", (json_int_t)service->n_refused, "counted",
		(json_int_t)service->counted, "users_left_out", (json_int_t)service->n_left_out);

	for (size_t i = 0; i < service->n; i++)
		json_array_append_new(users, make_user(cli, &service->users[i]));
	json_object_set_new(object, "note", json_line(cli, service->note));
	json_object_set_new(object, "trouble", json_line(cli, service->trouble));
	json_object_set_new(object, "users", users);
	return object;
}

static json_t *make_sums(const struct selftest *test)
{
	json_t *sums = json_object();

	for (int i = 0; i < SELFTEST_VERDICTS; i++)
		json_object_set_new(sums, selftest_verdict_names[i],
				    json_integer((json_int_t)test->sums[i]));
	return sums;
}

void selftest_print_json(struct selftest *test)
{
	struct cli *cli = test->cli;
	json_t *half = json_object(), *services = json_array(), *open = json_array();
	char *text;

	for (size_t i = 0; i < test->n; i++)
		json_array_append_new(services, make_service(cli, &test->services[i]));
	for (size_t i = 0; selftest_left_open[i]; i++)
		json_array_append_new(open, json_string(selftest_left_open[i]));
	json_object_set_new(half, "ok", json_boolean(selftest_is_fine(test)));
	json_object_set_new(half, "took_us", json_integer(test->took_us));
	json_object_set_new(half, "frames_watched", json_boolean(!test->is_blind));
	json_object_set_new(half, "trouble", json_line(cli, test->trouble));
	json_object_set_new(half, "sums", make_sums(test));
	json_object_set_new(half, "services", services);
	json_object_set_new(half, "left_open", open);
	text = json_dumps(half, JSON_INDENT(2));
	puts(text + 1); /* its first bracket was the other half's */
	free(text);
	json_decref(half);
}

void selftest_break_off_json(void)
{
	puts("\n  \"ok\": false\n}");
}
