/* SPDX-License-Identifier: GPL-2.0-or-later */
/* why.c - uidwall why: may it go there, which line says so, and what would change that.
 *
 * The daemon answers about what is in force; with --offline the same code answers here, about what
 * is on disk. Either way one JSON object comes back (why/why.h), and this file puts it in
 * words.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli/call.h"
#include "cli/offline.h"
#include "cli/output.h"
#include "cli/question.h"
#include "cli/resolve.h"
#include "cli/verdict.h"
#include "why/why.h"
#include "plan/plan.h"

const char help_why[] =
	"Says whether a service or user may go somewhere: the verdict, the policy line\n"
	"that decides, the error that the program sees, and the smallest change that\n"
	"would turn the verdict. Names are resolved, each address is judged.\n"
	"\n"
	"  SERVICE|USER  whose sockets; a service wins over a user of that name\n"
	"  TARGET        tcp 192.0.2.7:25, udp [2001:db8::1]:53, icmp 192.0.2.1,\n"
	"                192.0.2.7 25, https://api.example.org, postgres://localhost\n"
	"  from WHO      a local user, or an address: may that connect to the service?\n"
	"                TARGET is then a port of the service, tcp 3000\n"
	"\n"
	"Everybody may ask about themselves, root and the admins about all.\n"
	"\n"
	"exit status: 0 allowed, 1 refused (some address, where there are several),\n"
	"2 wrong use, 3 uidwalld cannot be reached\n"
	"\n"
	"  uidwall why blog tcp 192.0.2.7:25\n"
	"  uidwall why blog https://api.example.org\n"
	"  uidwall why gitea from alice tcp 3000\n";

enum { ANSWER_MAX = 16 * 1024 * 1024 };

/* --- asking ----------------------------------------------------------------------------------- */

static json_t *make_request(struct cli *cli, const struct question *question)
{
	json_t *request = json_pack("{s:s}", "call", "why"), *targets = json_array();

	json_object_set_new(request, "service", json_text(cli, question->subject));
	if (question->uid != QUESTION_NO_UID)
		json_object_set_new(request, "uid", json_integer(question->uid));
	if (question->host)
		json_object_set_new(request, "host", json_text(cli, question->host));
	if (question->from)
		json_object_set_new(request, "from", json_text(cli, question->from));
	if (question->from_uid != QUESTION_NO_UID)
		json_object_set_new(request, "from_uid", json_integer(question->from_uid));
	for (size_t i = 0; i < question->n_targets; i++)
		json_array_append_new(targets, json_text(cli, question->targets[i]));
	json_object_set_new(request, "targets", targets);
	return request;
}

static enum cli_status ask_daemon(struct cli *cli, const struct question *question,
				  json_t **ret_answer)
{
	const char *error;
	enum cli_status status;
	int r = call_send(cli, make_request(cli, question), CALL_ASK_MS, ret_answer, &error);

	if (r == 0)
		return CLI_FINE;
	if (r == -EREMOTEIO) /* 1 would mean refused */
		return bad_use(cli, "%s", error);
	status = call_explain(cli, r, error);
	if (status != CLI_UNREACHABLE)
		return CLI_BAD_USE;
	fputs("\"--offline\" asks the policies on disk instead.\n", stderr);
	return status;
}

static enum cli_status unknown_subject(struct cli *cli, const struct policy_set *set,
				       const char *name)
{
	const char **names = arena_alloc(cli->arena, set->n_services * sizeof(*names));
	const char *suggestion;

	for (size_t i = 0; i < set->n_services; i++)
		names[i] = set->services[i].policy->service;
	suggestion = text_suggest(name, names, set->n_services);
	return bad_use(cli, "no service and no user \"%s\"%s%s%s", printable(cli, name),
		       suggestion ? "; did you mean \"" : "", suggestion ? suggestion : "",
		       suggestion ? "\"?" : "");
}

static enum cli_status answer_from(struct cli *cli, const struct policy_set *set,
				   const struct question *question, json_t **ret_answer)
{
	AUTO(routes) struct routes *routes = NULL;
	struct ir_ruleset rules;
	struct why_world world = {
		.set = set, .rules = &rules, .is_standing = true, .now = time(NULL)
	};
	struct why_question asked = { .service = policy_set_find(set, question->subject),
				      .uid = WHY_NO_UID,
				      .targets = question->targets,
				      .n_targets = question->n_targets,
				      .host = question->host,
				      .from = question->from,
				      .from_uid = question->from_uid };
	const char *error = "";
	struct writer w;
	int r;

	if (!asked.service) {
		asked.uid = question->uid;
		asked.user = question->subject;
	}
	if (!asked.service && question->uid == QUESTION_NO_UID)
		return unknown_subject(cli, set, question->subject);
	plan_build(set, cli->arena, &rules);
	if (routes_open(&routes) == 0)
		world.routes = routes;
	writer_init(&w, ANSWER_MAX);
	r = why_answer(&world, &asked, cli->arena, &w, &error);
	if (r == 0 && !w.failed)
		*ret_answer = json_loads(w.bytes, 0, NULL);
	writer_done(&w);
	if (r < 0)
		return bad_use(cli, "%s", printable(cli, error));
	return *ret_answer ? CLI_FINE : bad_use(cli, "out of memory");
}

/* Policies with mistakes are judged as they would come into force. */
static enum cli_status ask_disk(struct cli *cli, const struct question *question,
				json_t **ret_answer)
{
	struct style style = style_of(stderr);
	struct cli folder = *cli;
	AUTO(offline) struct offline offline;

	folder.n_args = 0; /* they are no paths */
	offline_read(&folder, &offline);
	for (size_t i = 0; i < offline.diags.n; i++)
		if (offline.diags.list[i].severity == DIAG_ERROR)
			diag_print(&offline.diags.list[i], stderr, style.colour);
	if (offline.diags.n_errors && !offline.n_policies)
		return bad_use(cli, "nothing to judge by: the policies cannot be read");
	if (offline.diags.n_errors)
		say(cli, "judged with these mistakes: what is wrong counts as refused everything, "
			 "though uidwalld may remember a version that was good");
	return answer_from(cli, &offline.set, question, ret_answer);
}

/* --- all of it -------------------------------------------------------------------------------- */

/* Names that nobody but this machine's /etc/passwd knows. */
static void fill_in_user(struct cli *cli, json_t *who)
{
	json_int_t uid = get_number(who, "uid");
	const char *name = NULL;

	if (json_is_integer(json_object_get(who, "uid")) &&
	    !json_is_string(json_object_get(who, "user")))
		name = resolve_uid(cli, (uint32_t)uid);
	if (name)
		json_object_set_new(who, "user", json_text(cli, name));
}

enum cli_status verb_why(struct cli *cli)
{
	struct question question;
	AUTO(json) json_t *answer = NULL;
	enum cli_status status = question_parse(cli, &question);

	if (status == CLI_FINE)
		status = cli->offline ? ask_disk(cli, &question, &answer) :
					ask_daemon(cli, &question, &answer);
	if (status != CLI_FINE)
		return status;
	if (question.unresolved && !verdict_has_proxy(answer))
		return question_unresolved(cli, &question);
	fill_in_user(cli, answer);
	status = verdict_is_refused(answer) ? CLI_FINDINGS : CLI_FINE;
	if (question.n_left_out)
		say(cli, "%zu more addresses of %s are not judged", question.n_left_out,
		    printable(cli, question.host));
	if (cli->json) {
		json_print(TAKE(answer));
		return status;
	}
	verdict_print(cli, answer, &question);
	return status;
}
