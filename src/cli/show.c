/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show.c - uidwall show: one service: what it may reach, in words, text and rules.
 *
 * The daemon hands out the policy text in force; it is parsed here once more, for the words and
 * their lines.
 */
#include <string.h>
#include <time.h>

#include "cli/call.h"
#include "cli/output.h"
#include "cli/show_names.h"
#include "cli/show_wait.h"
#include "cli/undo.h"
#include "policy/parse.h"

const char help_show[] =
	"Shows one service: state, whose sockets, what it may reach and by which line of\n"
	"its policy, the hosts that the proxy allowed and refused it lately, the policy\n"
	"in force, its rules in the kernel and what was refused.\n"
	"Everybody may ask about the services that govern them, root and the admins\n"
	"about all.\n"
	"\n"
	"With --wait nothing is shown: it returns when whatever the calling unit sends is\n"
	"governed, and fails when it is not a unit of that service.\n"
	"\n"
	"exit status: 0 shown, 1 no such service, 3 uidwalld cannot be reached\n"
	"\n"
	"  uidwall show blog\n";

enum { COLUMNS = 2, GROUPS_MAX = 8 };

/* Rows of two cells, growing in the arena. */
struct rows {
	struct cell *cells;
	size_t n;
};

static void row_add(struct cli *cli, struct rows *rows, const char *left, const char *right,
		    const char *right_style)
{
	*ARENA_APPEND(cli->arena, rows->cells, rows->n) = (struct cell){ left, NULL, false };
	*ARENA_APPEND(cli->arena, rows->cells, rows->n) =
		(struct cell){ right, right_style, false };
}

static void rows_print(const struct rows *rows)
{
	table_print(rows->cells, COLUMNS, rows->n / COLUMNS, "  ", stdout);
}

static void heading(const struct style *style, const char *text)
{
	printf("\n%s%s%s\n", style->bold, text, style->plain);
}

/* --- policies in words ------------------------------------------------------------------------ */

static const char *ports_words(struct cli *cli, const struct number_range *ports, size_t n)
{
	const char *text = n == 1 && ports[0].first == ports[0].last ? "port" : "ports";

	if (n == 1 && ports[0].first == 1 && ports[0].last == UINT16_MAX)
		return "any port";
	for (size_t i = 0; i < n; i++) {
		text = arena_printf(cli->arena, "%s%s %u", text, i ? "," : "", ports[i].first);
		if (ports[i].last != ports[i].first)
			text = arena_printf(cli->arena, "%s-%u", text, ports[i].last);
	}
	return text;
}

static const char *place_words(struct cli *cli, const char *file, struct place place)
{
	return place.line ? arena_printf(cli->arena, "%s:%u", file, place.line) : "by default";
}

static const char *to_words(struct cli *cli, const struct prefix *to)
{
	char text[PREFIX_TEXT_MAX];

	if (to->family == ADDR_NONE)
		return "localhost (127.0.0.1 and ::1)";
	if (to->length == 0)
		return to->family == ADDR_V4 ? "every IPv4 address" : "every IPv6 address";
	format_prefix(to, text);
	return arena_strdup(cli->arena, text);
}

static const char *endpoint_words(struct cli *cli, const struct endpoint *endpoint)
{
	static const char *const protocols[] = { "tcp", "udp", "ping" };
	const char *text = arena_printf(cli->arena, "%s %s", protocols[endpoint->protocol],
					to_words(cli, &endpoint->to));

	if (endpoint->protocol != PROTOCOL_ICMP)
		text = arena_printf(cli->arena, "%s, %s", text,
				    ports_words(cli, endpoint->ports, endpoint->n_ports));
	if (endpoint->interface)
		text = arena_printf(cli->arena, "%s, only by interface %s", text,
				    endpoint->interface);
	if (endpoint->until_text)
		text = arena_printf(cli->arena, "%s, until %s%s", text, endpoint->until_text,
				    endpoint->until <= (int64_t)time(NULL) ? " (which is over)" :
									     "");
	return text;
}

static const char *host_words(struct cli *cli, const struct host_pattern *host)
{
	const char *any = host->is_wildcard ? "*." : "";

	if (host->port)
		return arena_printf(cli->arena, "%s%s, port %u, by the proxy", any, host->name,
				    host->port);
	return arena_printf(cli->arena, "%s%s, ports 80 and 443, by the proxy", any, host->name);
}

static const char *listener_words(struct cli *cli, const struct listener *listener)
{
	const char *text = arena_printf(cli->arena, "%s %s",
					listener->protocol == PROTOCOL_UDP ? "udp" : "tcp",
					ports_words(cli, listener->ports, listener->n_ports));

	if (!listener->has_from)
		return arena_printf(cli->arena, "%s, to everybody", text);
	text = arena_printf(cli->arena, "%s, over loopback only from ", text);
	for (size_t i = 0; i < listener->n_from; i++) {
		const struct user_ref *from = &listener->from[i];

		text = from->name ? arena_printf(cli->arena, "%s%s, ", text, from->name) :
				    arena_printf(cli->arena, "%suid %u, ", text, from->uid);
	}
	return arena_printf(cli->arena, "%sitself and root", text);
}

static const char *reach_heading(const struct policy *policy, const char *state)
{
	if (strcmp(state, "off") == 0)
		return "May reach everything, for it is off; its policy allows";
	if (policy->mode == MODE_MONITOR)
		return "May reach everything, for it is in monitor mode; its policy allows";
	return "May reach";
}

static void print_reach(struct cli *cli, const struct style *style, const struct policy *policy,
			const char *file, const char *state)
{
	struct rows rows = { 0 };

	heading(style, reach_heading(policy, state));
	if (policy->dns)
		row_add(cli, &rows, "the configured name servers (DNS)",
			place_words(cli, file, policy->dns_place), style->dim);
	if (policy->proxy)
		row_add(cli, &rows, "the forward proxy",
			place_words(cli, file, policy->proxy_place), style->dim);
	if (policy->proxy && policy->transparent)
		row_add(cli, &rows, "led to it: tcp ports 80, 443 and those of the hosts",
			place_words(cli, file, policy->transparent_place), style->dim);
	for (size_t i = 0; policy->proxy && i < policy->n_hosts; i++)
		row_add(cli, &rows, host_words(cli, &policy->hosts[i]),
			place_words(cli, file, policy->hosts[i].place), style->dim);
	for (size_t i = 0; i < policy->n_connect; i++)
		row_add(cli, &rows, endpoint_words(cli, &policy->connect[i]),
			place_words(cli, file, policy->connect[i].place), style->dim);
	if (!rows.n)
		printf("  nothing\n");
	rows_print(&rows);
}

static void print_answers(struct cli *cli, const struct style *style, const struct policy *policy,
			  const char *file)
{
	struct rows rows = { 0 };

	heading(style, "Answers on");
	for (size_t i = 0; i < policy->n_listen; i++)
		row_add(cli, &rows, listener_words(cli, &policy->listen[i]),
			place_words(cli, file, policy->listen[i].place), style->dim);
	if (!rows.n)
		printf("  no port\n");
	rows_print(&rows);
}

/* Returns the policy, which lives as long as the process; NULL: none is in force, or readable. */
static const struct policy *print_words(struct cli *cli, const struct style *style,
					const json_t *answer)
{
	const char *text = json_string_value(json_object_get(answer, "text"));
	const char *file = get_text(cli, answer, "file");
	struct source source = { file, file, text, text ? strlen(text) : 0 };
	const char *state = get_text(cli, answer, "state");
	struct policy *policy = arena_alloc(cli->arena, sizeof(*policy));
	struct diags diags;
	int r;

	if (strcmp(state, "refused") == 0) {
		heading(style, "May reach");
		printf("  nothing\n");
	}
	if (!text || strcmp(state, "refused") == 0)
		return NULL;
	diags_init(&diags);
	r = policy_parse(&source, cli->arena, policy, &diags);
	diags_done(&diags);
	if (r < 0) {
		printf("\nThis uidwall cannot read that policy: is uidwalld of another version?\n");
		return NULL;
	}
	print_reach(cli, style, policy, file, state);
	print_answers(cli, style, policy, file);
	return policy;
}

/* --- the rest of the screen ------------------------------------------------------------------- */

static void print_state(struct cli *cli, const struct style *style, const json_t *answer)
{
	static const struct {
		const char *state, *words;
	} states[] = {
		{ "good", "" },
		{ "last-good", "The file is wrong; this is the last policy that was right." },
		{ "refused", "The file is wrong and never was right: everything is refused." },
		{ "off", "It is OFF: not governed, it may reach whatever the machine can reach." },
	};
	const char *state = get_text(cli, answer, "state");
	const char *problem = get_text(cli, answer, "problem");
	bool is_good = strcmp(state, "good") == 0;

	printf("%s%s%s: %s%s%s, %s mode\n", style->bold, get_text(cli, answer, "service"),
	       style->plain, is_good ? style->green : style->red, state, style->plain,
	       get_text(cli, answer, "mode"));
	printf("%s", get_text(cli, answer, "path"));
	if (get_number(answer, "since"))
		printf(" since %s", date_words(cli, get_number(answer, "since")));
	putchar('\n');
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(state, states[i].state) == 0 && *states[i].words)
			printf("%s%s%s\n", style->red, states[i].words, style->plain);
	if (*problem)
		printf("%s\n", problem);
	printf("%s: %s, %s\n",
	       strcmp(get_text(cli, answer, "mode"), "monitor") == 0 ? "Would have been refused" :
								       "Refused so far",
	       count_words(cli, get_number(answer, "refused_packets"), "packet", "packets"),
	       bytes_words(cli, get_number(answer, "refused_bytes")));
}

/* Whoever owns it. */
static void print_unit(struct cli *cli, const json_t *answer)
{
	const json_t *unit = json_object_get(answer, "unit"), *group;
	const char *name = get_text(cli, unit, "name");
	json_int_t past = get_number(unit, "past_groups");
	size_t i;

	if (!json_is_object(unit))
		return;
	json_array_foreach(json_object_get(unit, "groups"), i, group) {
		if (i == GROUPS_MAX) {
			printf("  and so in %zu more (--json lists them)\n",
			       json_array_size(json_object_get(unit, "groups")) - GROUPS_MAX);
			break;
		}
		printf("  everybody's in unit %s: control group /%s, id %" JSON_INTEGER_FORMAT "\n",
		       name, get_text(cli, group, "path"), get_number(group, "id"));
	}
	if (!i)
		printf("  everybody's in unit %s: no control group of it is in force now\n", name);
	if (past)
		printf("  what the unit left behind in %s that %s gone\n",
		       count_words(cli, past, "control group", "control groups"),
		       past == 1 ? "is" : "are");
}

static void print_subjects(struct cli *cli, const struct style *style, const json_t *answer)
{
	const json_t *subjects = json_object_get(answer, "subjects"), *subject;
	size_t i;

	heading(style, "Whose sockets");
	json_array_foreach(subjects, i, subject) {
		const char *user = get_text(cli, subject, "user");
		const char *origin = get_text(cli, subject, "origin");

		printf("  uid %s%s%s%s%s\n", get_text(cli, subject, "uids"), *user ? ", user " : "",
		       user, strcmp(origin, "subuid") == 0 ? ", from /etc/subuid" : "",
		       strcmp(origin, "range") == 0 ? ", of a range" : "");
	}
	if (!i)
		printf("  no user's: none of its users exists\n");
	print_unit(cli, answer);
}

static void print_without_effect(struct cli *cli, const struct style *style, const json_t *answer)
{
	const json_t *keys = json_object_get(answer, "no_effect_yet"), *key;
	size_t i;

	if (!json_array_size(keys))
		return;
	printf("\n%sNo effect in this version%s: ", style->yellow, style->plain);
	json_array_foreach(keys, i, key)
		printf("%s%s", i ? ", " : "",
		       json_is_string(key) ? printable(cli, json_string_value(key)) : "?");
	putchar('\n');
}

static void print_text(struct cli *cli, const struct style *style, const json_t *answer)
{
	const char *text = json_string_value(json_object_get(answer, "text"));
	unsigned line = 0;

	if (!text)
		return;
	heading(style, strcmp(get_text(cli, answer, "state"), "refused") == 0 ?
			       "Its file, which is not in force" :
			       "Policy");
	while (*text) {
		size_t n = strcspn(text, "\n");
		char *copy = arena_strndup(cli->arena, text, n);

		for (char *tab = copy; (tab = strchr(tab, '\t'));)
			*tab = ' ';
		printf("  %s%3u%s  %s\n", style->dim, ++line, style->plain, printable(cli, copy));
		text += n + (text[n] == '\n');
	}
}

static void print_rules(struct cli *cli, const struct style *style, const json_t *answer)
{
	const json_t *rules = json_object_get(answer, "rules"), *rule;
	const char *chain = get_text(cli, answer, "chain");
	struct rows rows = { 0 };
	size_t i;

	heading(style,
		*chain ? arena_printf(cli->arena, "Rules (nft list chain inet uidwall %s)", chain) :
			 "Rules");
	json_array_foreach(rules, i, rule)
		row_add(cli, &rows, get_text(cli, rule, "comment"), get_text(cli, rule, "text"),
			NULL);
	rows_print(&rows);
	if (!rows.n)
		printf("  none\n");
}

enum cli_status verb_show(struct cli *cli)
{
	struct style style = style_of(stdout);
	json_t *answer = NULL;
	const struct policy *policy;
	const char *error;
	int r;

	if (cli->wait)
		return show_wait(cli);
	r = call_ask_service(cli, "show", cli->args[0], CALL_ASK_MS, &answer, &error);

	if (r < 0)
		return call_explain(cli, r, error);
	if (cli->json) {
		json_print(answer);
		return CLI_FINE;
	}
	print_state(cli, &style, answer);
	undo_print(cli, answer, stdout);
	print_subjects(cli, &style, answer);
	policy = print_words(cli, &style, answer);
	print_without_effect(cli, &style, answer);
	show_names(cli, &style, answer, policy);
	print_text(cli, &style, answer);
	print_rules(cli, &style, answer);
	json_decref(answer);
	return CLI_FINE;
}
