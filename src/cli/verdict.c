/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdict.c - an answer to "why", as JSON → words on stdout.
 *
 * The first line is the verdict, for whoever was woken; then why, what the program sees, and what
 * to do about it.
 */
#include "cli/verdict.h"

#include <string.h>

struct screen {
	struct cli *cli;
	struct style style;
	const json_t *answer;
	const struct question *question;
	bool has_proxy; /* the way by the proxy is worth words */
	const char *base, *indent;
};

static bool has_text(const json_t *object, const char *key)
{
	return json_is_string(json_object_get(object, key));
}

bool verdict_is_refused(const json_t *one)
{
	const char *verdict = json_string_value(json_object_get(one, "verdict"));

	return !verdict || strcmp(verdict, "allowed") != 0;
}

/* The proxy lets it through, and not only for now; external ones have no verdict. */
static bool is_proxied(const json_t *answer)
{
	const json_t *proxy = json_object_get(answer, "proxy");

	return !verdict_is_refused(proxy) && !get_bool(proxy, "would_refuse");
}

bool verdict_has_proxy(const json_t *answer)
{
	return has_text(json_object_get(answer, "proxy"), "verdict");
}

/* Only a daemon of another version does not say it. */
static bool is_refused_directly(const json_t *answer)
{
	const json_t *directly = json_object_get(answer, "directly");

	if (!directly)
		return verdict_is_refused(answer);
	return !json_is_string(directly) || strcmp(json_string_value(directly), "allowed") != 0;
}

/* Its connections end at the proxy, whatever address they name ("transparent"). */
static bool is_led(const json_t *answer)
{
	const char *directly = json_string_value(json_object_get(answer, "directly"));

	return directly && strcmp(directly, "led") == 0;
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
	if (s->question->unresolved)
		return arena_printf(
			s->cli->arena, "%s, tcp port %lld", host,
			(long long)get_number(json_object_get(s->answer, "proxy"), "port"));
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
	bool refused = verdict_is_refused(s->answer), would = false;
	size_t i, n = 0;

	if (!refused && is_refused_directly(s->answer)) {
		would = get_bool(json_object_get(s->answer, "proxy"), "would_refuse");
		printf("%s%s%s%s: %s, by the proxy.\n", s->style.bold,
		       would ? s->style.yellow : s->style.green,
		       would ? "ALLOWED FOR NOW" : "ALLOWED", s->style.plain, sentence(s, false));
		return;
	}
	if (is_led(s->answer) && !s->question->is_name) {
		printf("%s%sBY NAME ONLY%s: %s, as far as the proxy lets it.\n", s->style.bold,
		       s->style.yellow, s->style.plain, sentence(s, false));
		return;
	}
	json_array_foreach(list, i, one) {
		n += verdict_is_refused(one) == refused || is_led(s->answer);
		would = would || (get_bool(one, "would_refuse") && !is_proxied(s->answer));
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
	if (json_is_object(answer) && !verdict_is_refused(one)) {
		printf("%sThe answer: %s.\n", s->indent, get_text(s->cli, answer, "because"));
		print_line(s, json_object_get(answer, "decided_by"));
	}
	print_failure(s, one);
	if (verdict_is_refused(one))
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
		printf("%s  %s%s%s: %s\n", *s->base ? s->base : "\n", s->style.bold, addresses,
		       s->style.plain, verdict_is_refused(one) ? "refused" : "allowed");
	else if (json_array_size(list) > 1)
		printf("%s  %s%s%s\n", s->base, s->style.dim, addresses, s->style.plain);
	s->indent = arena_printf(s->cli->arena, "%s%s", s->base, is_all ? "  " : "    ");
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

/* By the way that is the right one: names are for the proxy, where the program uses it. */
static void print_allowing(const struct screen *s, const char *key, const char *goal)
{
	const json_t *proxy = json_object_get(s->answer, "proxy");
	const json_t *direct = json_object_get(s->answer, key), *named = NULL;
	bool by_name = s->question->is_web || is_led(s->answer) ||
		       (s->question->is_name && get_bool(proxy, "transparent"));

	if (s->has_proxy)
		named = json_object_get(proxy, key);
	if (by_name && json_array_size(named)) {
		print_changes(s, named, goal);
		return;
	}
	print_changes(s, direct, goal);
	print_changes(s, named,
		      json_array_size(direct) ? "Or, for programs that use the proxy" : goal);
}

/* Every way that is open has to be closed. */
static void print_refusing(const struct screen *s)
{
	json_t *all = json_array();

	if (!is_refused_directly(s->answer))
		json_array_extend(all, json_object_get(s->answer, "changes"));
	if (is_proxied(s->answer))
		json_array_extend(all,
				  json_object_get(json_object_get(s->answer, "proxy"), "changes"));
	print_changes(s, all, "To refuse it");
	json_decref(all);
}

static void print_remedy(const struct screen *s)
{
	const json_t *proxy = json_object_get(s->answer, "proxy");
	bool refused = verdict_is_refused(s->answer);
	const char *hint = get_text(s->cli, s->answer, "hint");

	print_allowing(s, "to_enforce", "To allow it also when it enforces");
	if (refused)
		print_allowing(s, "changes", "To allow it");
	else
		print_refusing(s);
	if (json_array_size(json_object_get(s->answer, "changes")) ||
	    json_array_size(json_object_get(proxy, "changes")))
		printf("%sThen: uidwall check && uidwall apply%s\n", s->style.dim, s->style.plain);
	else if (*hint)
		printf("\n%s: %s.\n", refused ? "To allow it" : "To refuse it", hint);
}

/* --- the proxy -------------------------------------------------------------------------------- */

/* Its verdict is worth words where it is likely to be asked, or opens a way that there is not. */
static bool has_proxy(const struct screen *s)
{
	const json_t *proxy = json_object_get(s->answer, "proxy");

	if (!json_is_object(proxy))
		return false;
	return s->question->is_web || is_led(s->answer) ||
	       (is_refused_directly(s->answer) && (s->question->is_name || is_proxied(s->answer)));
}

static void print_special(const struct screen *s, const json_t *proxy)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(proxy, "addresses"), i, one)
		if (has_text(one, "special"))
			printf("    %s: %s.\n", get_text(s->cli, one, "address"),
			       get_text(s->cli, one, "special"));
}

static void print_proxy_reason(const struct screen *s, const json_t *proxy, bool refused)
{
	const char *reason = get_text(s->cli, proxy, "reason");
	const char *file = get_text(s->cli, proxy, "file");

	if (strcmp(reason, "no-proxy") == 0)
		printf("\"proxy\": false in %s keeps %s from it.\n", file, subject_words(s));
	else if (strcmp(reason, "unreachable") == 0)
		printf("%s may not connect to it.\n", subject_words(s));
	else
		printf("%s %s.\n", get_text(s->cli, s->answer, "host"),
		       get_text(s->cli, proxy, "because"));
	print_line(s, json_object_get(proxy, "named_by"));
	print_line(s, json_object_get(proxy, "near"));
	if (strcmp(reason, "address-special") == 0)
		print_special(s, proxy);
	if (refused && strcmp(reason, "no-host") == 0)
		puts("    It answers 400 Bad Request, and says why.");
	else if (refused && get_bool(proxy, "reachable"))
		printf("    It answers 403 Forbidden, and says why%s.\n",
		       is_led(s->answer) ||
				       (s->question->unresolved && get_bool(proxy, "transparent")) ?
			       "; to TLS with the alert \"access denied\"" :
			       "");
}

static void print_proxy(struct screen *s)
{
	const json_t *proxy = json_object_get(s->answer, "proxy");
	bool refused = strcmp(get_text(s->cli, proxy, "verdict"), "refused") == 0;

	s->indent = "";
	printf("  %sBy the proxy%s: ", s->style.bold, s->style.plain);
	if (get_bool(proxy, "external") && get_bool(proxy, "reachable"))
		printf("%s may connect to it; which hosts it serves is for its own rules to "
		       "say.\n",
		       subject_words(s));
	else if (get_bool(proxy, "external"))
		printf("%s may not connect to it.\n", subject_words(s));
	else
		printf("%s", refused			     ? "refused; " :
			     get_bool(proxy, "would_refuse") ? "allowed in monitor mode only; " :
							       "allowed; ");
	if (!get_bool(proxy, "external"))
		print_proxy_reason(s, proxy, refused);
	if (s->question->unresolved)
		printf("  %sDirectly%s: not known; %s cannot be resolved here: %s.\n",
		       s->style.bold, s->style.plain, get_text(s->cli, s->answer, "host"),
		       printable(s->cli, s->question->unresolved));
	else if (is_led(s->answer))
		printf("  %sDirectly%s: led to the proxy, whose verdict holds.\n", s->style.bold,
		       s->style.plain);
	else
		printf("  %sDirectly%s%s: %s.\n", s->style.bold, s->style.plain,
		       is_proxied(s->answer) && is_refused_directly(s->answer) ?
			       ", for programs that do not use the proxy" :
			       "",
		       is_refused_directly(s->answer) ? "refused" : "allowed");
	s->base = "  ";
}

void verdict_print(struct cli *cli, const json_t *answer, const struct question *question)
{
	struct screen screen = { .cli = cli,
				 .style = style_of(stdout),
				 .answer = answer,
				 .question = question,
				 .base = "" };

	screen.has_proxy = has_proxy(&screen);
	print_headline(&screen);
	if (screen.has_proxy)
		print_proxy(&screen);
	if (is_led(answer) && question->is_name) /* "ask about a name" */
		print_line(&screen,
			   json_object_get(json_array_get(json_object_get(answer, "answers"), 0),
					   "decided_by"));
	else
		print_answers(&screen);
	print_remedy(&screen);
}
