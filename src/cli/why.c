/* SPDX-License-Identifier: GPL-2.0-or-later */
/* why.c - uidwall why: may it go there, which line says so, and what would change that.
 *
 * The daemon answers about what is in force; with --offline the same code answers here, about what
 * is on disk. Either way one JSON object comes back (explain/why.h), and this file puts it in
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
#include "explain/why.h"
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

/* --- words ------------------------------------------------------------------------------------ */

struct screen {
	struct cli *cli;
	struct style style;
	const json_t *answer;
	const struct question *question;
	const char *indent;
};

static bool has_text(const json_t *object, const char *key)
{
	return json_is_string(json_object_get(object, key));
}

static bool is_refused(const json_t *one)
{
	const char *verdict = json_string_value(json_object_get(one, "verdict"));

	return !verdict || strcmp(verdict, "allowed") != 0;
}

static const char *user_words(struct cli *cli, const json_t *who)
{
	if (json_is_integer(json_object_get(who, "uid")) && !get_number(who, "uid"))
		return "root";
	if (has_text(who, "user"))
		return arena_printf(cli->arena, "user %s", get_text(cli, who, "user"));
	return arena_printf(cli->arena, "uid %lld", (long long)get_number(who, "uid"));
}

static const char *subject_words(const struct screen *s)
{
	return has_text(s->answer, "service") ? get_text(s->cli, s->answer, "service") :
						user_words(s->cli, s->answer);
}

static const char *address_words(struct cli *cli, const json_t *one)
{
	const char *address = get_text(cli, one, "address"), *zone = get_text(cli, one, "zone");

	return *zone ? arena_printf(cli->arena, "%s%%%s", address, zone) : address;
}

/* "192.0.2.7, tcp port 25" */
static const char *target_words(const struct screen *s)
{
	const json_t *list = json_object_get(s->answer, "answers");
	const json_t *one = json_array_get(list, 0);
	const char *host = get_text(s->cli, s->answer, "host");
	const char *to = json_array_size(list) > 1 ? host : address_words(s->cli, one);

	if (json_array_size(list) == 1 && *host && strcmp(host, to) != 0)
		to = arena_printf(s->cli->arena, "%s (%s)", host, to);
	if (!json_object_get(one, "port"))
		return to;
	return arena_printf(s->cli->arena, "%s, %s port %lld", to,
			    get_text(s->cli, one, "protocol"), (long long)get_number(one, "port"));
}

/* "blog may not connect to 192.0.2.7, tcp port 25" */
static const char *sentence(const struct screen *s, bool refused)
{
	const json_t *one = json_array_get(json_object_get(s->answer, "answers"), 0);
	const json_t *from = json_object_get(s->answer, "from");
	const char *protocol = get_text(s->cli, one, "protocol"), *verb = "connect to";
	const char *may = refused ? "may not" : "may";

	if (strcmp(protocol, "icmp") == 0)
		verb = "ping";
	else if (strcmp(protocol, "udp") == 0)
		verb = "send to";
	if (has_text(from, "address"))
		return arena_printf(s->cli->arena, "%s %s answer %s from %s port %lld",
				    subject_words(s), may, get_text(s->cli, from, "address"),
				    protocol, (long long)get_number(one, "port"));
	if (json_is_object(from))
		return arena_printf(s->cli->arena, "%s %s %s %s port %lld of %s",
				    user_words(s->cli, from), may, verb, protocol,
				    (long long)get_number(one, "port"), subject_words(s));
	return arena_printf(s->cli->arena, "%s %s %s %s", subject_words(s), may, verb,
			    target_words(s));
}

static void print_headline(const struct screen *s)
{
	const json_t *list = json_object_get(s->answer, "answers"), *one;
	bool refused = is_refused(s->answer), would = false;
	size_t i, n = 0;

	json_array_foreach(list, i, one) {
		n += is_refused(one) == refused;
		would = would || get_bool(one, "would_refuse");
	}
	printf("%s%s%s%s: %s", s->style.bold,
	       refused ? s->style.red :
	       would   ? s->style.yellow :
			 s->style.green,
	       refused ? "REFUSED" :
	       would   ? "ALLOWED FOR NOW" :
			 "ALLOWED",
	       s->style.plain, sentence(s, refused));
	if (n < json_array_size(list))
		printf(" (%zu of its %zu addresses)", n, json_array_size(list));
	puts(".");
}

static const char *capital(struct cli *cli, const char *words)
{
	char *copy = arena_strdup(cli->arena, words);

	if (*copy >= 'a' && *copy <= 'z' && !strchr("._", copy[strcspn(copy, " ._:")]))
		*copy = (char)(*copy - 'a' + 'A');
	return copy;
}

static void print_line(const struct screen *s, const json_t *line)
{
	const char *text = get_text(s->cli, line, "text");

	if (!json_is_object(line))
		return;
	printf("%s    %s%s", s->indent, s->style.dim, get_text(s->cli, line, "file"));
	if (get_number(line, "line"))
		printf(":%lld", (long long)get_number(line, "line"));
	printf("%s  %s%s\n", s->style.plain, text,
	       get_number(line, "line") ? "" : " (the default)");
}

static void print_failure(const struct screen *s, const json_t *one)
{
	const char *name = get_text(s->cli, one, "errno"), *call = get_text(s->cli, one, "call");
	const char *text = get_text(s->cli, one, "errno_text");

	if (!*name)
		return;
	if (strcmp(name, "ETIMEDOUT") == 0)
		printf("%sNothing answers: %s fails after minutes with %s (%s).\n", s->indent, call,
		       name, text);
	else if (strcmp(get_text(s->cli, one, "seen_by"), "service") == 0)
		printf("%s%s's %s fails at once with %s (%s); whoever asked gets no answer.\n",
		       s->indent, subject_words(s), call, name, text);
	else
		printf("%s%s fails at once with %s (%s).\n", s->indent, call, name, text);
}

static void print_near(const struct screen *s, const json_t *one)
{
	const json_t *near = json_object_get(one, "near"), *line;
	size_t i;

	json_array_foreach(near, i, line) {
		printf("%s%s:%lld would, but %s.\n", s->indent, get_text(s->cli, line, "file"),
		       (long long)get_number(line, "line"), get_text(s->cli, line, "but"));
		print_line(s, line);
	}
}

static void print_notes(const struct screen *s, const json_t *one)
{
	const json_t *notes = json_object_get(one, "notes"), *note, *uid;
	size_t i;

	json_array_foreach(notes, i, note)
		printf("%sNote: %s.\n", s->indent, printable(s->cli, json_string_value(note)));
	json_array_foreach(json_object_get(one, "differs_for"), i, uid)
		printf("%sNote: for uid %lld, which is %s's too, the verdict is the other one: "
		       "\"from\" names users.\n",
		       s->indent, (long long)json_integer_value(uid), subject_words(s));
}

static void print_path(const struct screen *s, const json_t *one)
{
	const json_t *path = json_object_get(one, "path"), *step;
	size_t i;

	if (!json_array_size(path))
		return;
	printf("%s%srules: ", s->indent, s->style.dim);
	json_array_foreach(path, i, step)
		printf("%s%s", i ? " > " : "", get_text(s->cli, step, "chain"));
	printf("%s\n", s->style.plain);
}

static void print_reason(const struct screen *s, const json_t *one)
{
	const json_t *answer = json_object_get(one, "answer");

	printf("%s%s.\n", s->indent, capital(s->cli, get_text(s->cli, one, "because")));
	print_line(s, json_object_get(one, "decided_by"));
	if (json_is_object(answer) && !is_refused(one)) {
		printf("%sThe answer: %s.\n", s->indent, get_text(s->cli, answer, "because"));
		print_line(s, json_object_get(answer, "decided_by"));
	}
	print_failure(s, one);
	if (is_refused(one))
		print_near(s, one);
	print_notes(s, one);
	print_path(s, one);
}

/* Whether people would read the same twice. */
static bool reads_same(const json_t *a, const json_t *b)
{
	static const char *const keys[] = { "verdict", "because", "decided_by", "answer",
					    "errno",   "notes",	  "near",	"differs_for" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const json_t *x = json_object_get(a, keys[i]), *y = json_object_get(b, keys[i]);

		if (x != y && !(x && y && json_equal(x, y)))
			return false;
	}
	return true;
}

static void print_group(struct screen *s, const json_t *list, size_t first, bool is_all)
{
	const json_t *one = json_array_get(list, first);
	const char *addresses = address_words(s->cli, one);

	for (size_t i = first + 1; i < json_array_size(list); i++)
		if (reads_same(one, json_array_get(list, i)))
			addresses = arena_printf(s->cli->arena, "%s, %s", addresses,
						 address_words(s->cli, json_array_get(list, i)));
	if (!is_all)
		printf("\n  %s%s%s: %s\n", s->style.bold, addresses, s->style.plain,
		       is_refused(one) ? "refused" : "allowed");
	else if (json_array_size(list) > 1)
		printf("  %s%s%s\n", s->style.dim, addresses, s->style.plain);
	s->indent = is_all ? "  " : "    ";
	print_reason(s, one);
}

/* Addresses of which the same is to be said are one group. */
static void print_answers(struct screen *s)
{
	const json_t *list = json_object_get(s->answer, "answers");
	size_t n = json_array_size(list), n_groups = 0;
	bool *is_first = arena_alloc(s->cli->arena, n * sizeof(*is_first));

	for (size_t i = 0; i < n; i++) {
		is_first[i] = true;
		for (size_t j = 0; j < i && is_first[i]; j++)
			is_first[i] = !is_first[j] ||
				      !reads_same(json_array_get(list, j), json_array_get(list, i));
		n_groups += is_first[i];
	}
	for (size_t i = 0; i < n; i++)
		if (is_first[i])
			print_group(s, list, i, n_groups == 1);
}

/* --- what would turn it ----------------------------------------------------------------------- */

static void print_change(const struct screen *s, const json_t *change, const char *lead)
{
	const char *action = get_text(s->cli, change, "action");
	const char *key = get_text(s->cli, change, "key"), *file = get_text(s->cli, change, "file");
	const char *where = get_text(s->cli, change, "where");
	const char *text = get_text(s->cli, change, "text");
	/* "connect": [ ... ] is a member of its own */
	bool is_member = strncmp(text, "\"", 1) == 0 && strncmp(text + 1, key, strlen(key)) == 0;

	if (strcmp(action, "remove") == 0)
		printf("%sremove from \"%s\" in %s, %s:\n", lead, key, file, where);
	else if (strcmp(action, "replace") == 0)
		printf("%swrite in %s, %s:\n", lead, file, where);
	else if (is_member)
		printf("%sadd to %s, %s:\n", lead, file, where);
	else
		printf("%sadd to \"%s\" in %s, %s:\n", lead, key, file, where);
	printf("      %s%s%s\n", s->style.bold, text, s->style.plain);
}

static void print_changes(const struct screen *s, const json_t *list, const char *goal)
{
	const json_t *change;
	size_t i;

	if (!json_array_size(list))
		return;
	putchar('\n');
	if (json_array_size(list) == 1) {
		print_change(s, json_array_get(list, 0), arena_printf(s->cli->arena, "%s, ", goal));
		return;
	}
	printf("%s, do all of this:\n", goal);
	json_array_foreach(list, i, change)
		print_change(s, change, "  - ");
}

static void print_remedy(const struct screen *s)
{
	const char *goal = is_refused(s->answer) ? "To allow it" : "To refuse it";
	const char *hint = get_text(s->cli, s->answer, "hint");

	print_changes(s, json_object_get(s->answer, "to_enforce"),
		      "To allow it also when it enforces");
	print_changes(s, json_object_get(s->answer, "changes"), goal);
	if (json_array_size(json_object_get(s->answer, "changes")))
		printf("%sThen: uidwall check && uidwall apply%s\n", s->style.dim, s->style.plain);
	else if (*hint)
		printf("\n%s: %s.\n", goal, hint);
}

/* --- the proxy -------------------------------------------------------------------------------- */

/* One line about the other way to a web server. */
static void print_proxy(const struct screen *s)
{
	const json_t *proxy = json_object_get(s->answer, "proxy");
	const json_t *named = json_object_get(proxy, "named_by");
	const char *host = get_text(s->cli, s->answer, "host");

	if (!s->question->is_web || !json_is_object(proxy))
		return;
	printf("\nBy the proxy: ");
	if (!get_bool(proxy, "reachable"))
		printf("%s may not connect to it.\n", subject_words(s));
	else if (get_bool(proxy, "external"))
		printf("%s may connect to it; which hosts it serves is not uidwall's to say.\n",
		       subject_words(s));
	else if (json_is_object(named))
		printf("%s may connect to it, and %s:%lld names the host: %s%s.\n",
		       subject_words(s), get_text(s->cli, named, "file"),
		       (long long)get_number(named, "line"), get_text(s->cli, named, "text"),
		       get_bool(proxy, "hosts_in_effect") ?
			       "" :
			       " (\"hosts\" has no effect in this version)");
	else
		printf("%s may connect to it, but no entry of \"hosts\" in %s names %s.\n",
		       subject_words(s), get_text(s->cli, proxy, "file"), host);
}

/* --- all of it -------------------------------------------------------------------------------- */

/* Names that nobody but this machine's /etc/passwd knows. */
static void fill_in_user(struct cli *cli, json_t *who)
{
	json_int_t uid = get_number(who, "uid");
	const char *name = NULL;

	if (json_is_integer(json_object_get(who, "uid")) && !has_text(who, "user"))
		name = resolve_uid(cli, (uint32_t)uid);
	if (name)
		json_object_set_new(who, "user", json_text(cli, name));
}

enum cli_status verb_why(struct cli *cli)
{
	struct question question;
	AUTO(json) json_t *answer = NULL;
	struct screen screen = { .cli = cli, .style = style_of(stdout), .question = &question };
	enum cli_status status = question_parse(cli, &question);

	if (status == CLI_FINE)
		status = cli->offline ? ask_disk(cli, &question, &answer) :
					ask_daemon(cli, &question, &answer);
	if (status != CLI_FINE)
		return status;
	fill_in_user(cli, answer);
	status = is_refused(answer) ? CLI_FINDINGS : CLI_FINE;
	if (question.n_left_out)
		say(cli, "%zu more addresses of %s are not judged", question.n_left_out,
		    printable(cli, question.host));
	if (cli->json) {
		json_print(TAKE(answer));
		return status;
	}
	screen.answer = answer;
	print_headline(&screen);
	print_answers(&screen);
	print_remedy(&screen);
	print_proxy(&screen);
	return status;
}
