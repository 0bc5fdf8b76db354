/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status.c - uidwall status: what is in force and what is wrong with it, on one screen. */
#include <string.h>

#include "cli/call.h"
#include "cli/output.h"
#include "cli/status_proxy.h"
#include "cli/undo.h"

const char help_status[] =
	"Says whether the wall is up and since when, what is wrong, and lists the\n"
	"services. Root and the admins see all of them, everybody else their own.\n"
	"Refused packets count since the service's wall went up; in monitor mode they are\n"
	"those that enforcing would have refused. What the proxy refuses by name counts\n"
	"since uidwalld started.\n"
	"\n"
	"exit status: 0 all well, 1 something is wrong or off, 3 uidwalld cannot be\n"
	"reached\n"
	"\n"
	"  uidwall status\n"
	"  uidwall status --json | jq '.services[] | select(.refused_packets > 0)'\n";

enum { UIDS_WIDTH = 24, MANY_ROWS = 20 };

static bool is_state(const json_t *service, const char *state)
{
	const char *found = json_string_value(json_object_get(service, "state"));

	return found && strcmp(found, state) == 0;
}

static bool is_off(const json_t *answer)
{
	const char *wall = json_string_value(json_object_get(answer, "wall"));

	return !wall || strcmp(wall, "off") == 0;
}

/* A reload that never happened has failed nobody. */
static bool reload_failed(const json_t *answer)
{
	const json_t *reload = json_object_get(answer, "last_reload");

	return json_is_object(reload) && get_number(reload, "time") > 0 && !get_bool(reload, "ok");
}

/* --- problems --------------------------------------------------------------------------------- */

/* A problem is found before the headline is written, which says how many there are. */
struct problems {
	const struct style *style;
	FILE *out;
	size_t n;
};

static void problem_start(struct problems *problems)
{
	problems->n++;
	fputs("  ", problems->out);
}

static bool is_contested(const json_t *answer)
{
	const json_t *taken = json_object_get(answer, "taken");

	return get_bool(taken, "open") || get_bool(taken, "contested");
}

static void write_taken(struct cli *cli, const json_t *taken, FILE *out)
{
	const char *by = get_text(cli, taken, "by");

	fprintf(out, "%s %s %s", *by ? by : "somebody", get_text(cli, taken, "what"),
		date_words(cli, get_number(taken, "time")));
}

/* What others do to the table, as long as it is not over. */
static void write_table_problems(struct cli *cli, struct problems *problems, const json_t *answer)
{
	const json_t *taken = json_object_get(answer, "taken");
	const char *holder = json_string_value(json_object_get(answer, "table_held_by"));
	const struct style *style = problems->style;
	FILE *out = problems->out;

	if (holder) {
		problem_start(problems);
		fprintf(out,
			"the table inet uidwall belongs to another process (%s)\n"
			"    The rules are in force all the same: they stand in inet %s. End that "
			"process,\n    and they move back.\n",
			printable(cli, holder), get_text(cli, answer, "table"));
	}
	if (get_bool(taken, "open")) {
		problem_start(problems);
		fprintf(out, "%sTHE WALL IS NOT WHOLE%s: ", style->alarm, style->plain);
		write_taken(cli, taken, out);
		fprintf(out, ",\n    and it cannot be put back: %s\n",
			get_text(cli, taken, "error"));
	} else if (get_bool(taken, "contested")) {
		problem_start(problems);
		fprintf(out, "something %skeeps changing the rules%s; the last time ", style->alarm,
			style->plain);
		write_taken(cli, taken, out);
		fputs("\n    They are put back each time, and each time some packets may pass in "
		      "between.\n    Find that program, and end it.\n",
		      out);
	}
}

static void write_service_problem(struct cli *cli, struct problems *problems, const json_t *service)
{
	const char *name = get_text(cli, service, "service");
	const char *problem = get_text(cli, service, "problem");
	const struct style *style = problems->style;
	FILE *out = problems->out;

	problem_start(problems);
	fprintf(out, "%s%s%s ", style->bold, name, style->plain);
	if (is_state(service, "off"))
		fprintf(out,
			"is %sOFF%s and may reach whatever the machine can reach; back with "
			"\"uidwall on %s\"",
			style->alarm, style->plain, name);
	else if (is_state(service, "refused") && !json_array_size(json_object_get(service, "uids")))
		fputs("governs nobody: its file is wrong, and no user can be made out", out);
	else if (is_state(service, "refused"))
		fputs("is refused everything until its policy is right", out);
	else if (is_state(service, "last-good"))
		fputs("keeps its last good policy", out);
	else
		fputs("has a problem", out);
	if (*problem)
		fprintf(out, "\n    %s", problem);
	fputc('\n', out);
}

static bool holds_message(const json_t *object, const char *key, const json_t *diag)
{
	const char *text = json_string_value(json_object_get(object, key));
	const char *message = json_string_value(json_object_get(diag, "message"));

	return text && message && strstr(text, message);
}

/* Whether what is wrong with a service or with the last reload already said this. */
static bool is_said(const json_t *answer, const json_t *diag)
{
	const json_t *service;
	size_t i;

	json_array_foreach(json_object_get(answer, "services"), i, service)
		if (holds_message(service, "problem", diag))
			return true;
	return holds_message(json_object_get(answer, "last_reload"), "error", diag);
}

static void write_other_errors(struct cli *cli, struct problems *problems, const json_t *answer)
{
	const json_t *entry;
	struct diags diags;
	size_t i;

	diags_init(&diags);
	json_array_foreach(json_object_get(answer, "diags"), i, entry)
		if (!is_said(answer, entry))
			diag_from_json(cli, entry, &diags);
	for (i = 0; i < diags.n; i++) {
		if (diags.list[i].severity != DIAG_ERROR)
			continue;
		problem_start(problems);
		diags.list[i].excerpt = NULL;
		diag_print(&diags.list[i], problems->out, problems->style->colour);
	}
	diags_done(&diags);
}

/* That all of them were rolled back is said once. */
static bool has_problem(const json_t *service)
{
	if (json_is_string(json_object_get(service, "problem")))
		return true;
	return !is_state(service, "good") && !is_state(service, "rolled-back");
}

/* That the whole wall is off stands in the headline. */
static void write_problems(struct cli *cli, struct problems *problems, const json_t *answer)
{
	const json_t *services = json_object_get(answer, "services"), *service;
	const json_t *last = json_object_get(answer, "last_reload");
	size_t i;

	write_table_problems(cli, problems, answer);
	if (reload_failed(answer)) {
		problem_start(problems);
		fprintf(problems->out,
			"the last reload failed %s; the rules from before stay:\n    %s\n",
			date_words(cli, get_number(last, "time")), get_text(cli, last, "error"));
	}
	json_array_foreach(services, i, service)
		if (has_problem(service) && !(is_off(answer) && is_state(service, "off")))
			write_service_problem(cli, problems, service);
	write_other_errors(cli, problems, answer);
}

/* --- the table -------------------------------------------------------------------------------- */

/* "1001, 100000-165535", cut at the width: "1001, 1002 and 7 more" */
static const char *uids_words(struct cli *cli, const json_t *uids)
{
	const char *text = "";
	size_t i, n = json_array_size(uids);

	if (!n)
		return "none";
	for (i = 0; i < n; i++) {
		const char *uid = json_string_value(json_array_get(uids, i));
		const char *longer = arena_printf(cli->arena, "%s%s%s", text, i ? ", " : "",
						  uid ? printable(cli, uid) : "?");

		if (i && strlen(longer) > UIDS_WIDTH)
			return arena_printf(cli->arena, "%s and %zu more", text, n - i);
		text = longer;
	}
	return text;
}

static const char *state_style(const struct style *style, const json_t *service)
{
	if (is_state(service, "off"))
		return style->alarm;
	if (is_state(service, "rolled-back"))
		return style->yellow;
	return is_state(service, "good") ? style->green : style->red;
}

static bool was_refused_by_name(const json_t *services)
{
	const json_t *service;
	size_t i;

	json_array_foreach(services, i, service)
		if (status_refused_by_name(service))
			return true;
	return false;
}

static void print_services(struct cli *cli, const struct style *style, const json_t *services)
{
	bool has_names = was_refused_by_name(services);
	size_t n_columns = has_names ? 6 : 5;
	size_t n = json_array_size(services), i, at = 0;
	struct cell *cells = arena_alloc(cli->arena, (n + 1) * n_columns * sizeof(*cells));
	const json_t *service;

	cells[at++] = (struct cell){ "SERVICE", style->bold, false };
	cells[at++] = (struct cell){ "STATE", style->bold, false };
	cells[at++] = (struct cell){ "MODE", style->bold, false };
	cells[at++] = (struct cell){ "REFUSED", style->bold, true };
	if (has_names)
		cells[at++] = (struct cell){ "BY NAME", style->bold, true };
	cells[at++] = (struct cell){ "UIDS", style->bold, false };
	json_array_foreach(services, i, service) {
		const char *mode = get_text(cli, service, "mode");
		const char *refused = arena_printf(
			cli->arena, "%lld", (long long)get_number(service, "refused_packets"));

		cells[at++] = (struct cell){ get_text(cli, service, "service"), NULL, false };
		cells[at++] = (struct cell){ get_text(cli, service, "state"),
					     state_style(style, service), false };
		cells[at++] =
			(struct cell){ mode, strcmp(mode, "monitor") == 0 ? style->yellow : NULL,
				       false };
		cells[at++] = (struct cell){ refused, NULL, true };
		if (has_names)
			cells[at++] = (struct cell){ arena_printf(cli->arena, "%lld",
								  (long long)status_refused_by_name(
									  service)),
						     NULL, true };
		cells[at++] = (struct cell){ uids_words(cli, json_object_get(service, "uids")),
					     NULL, false };
	}
	putchar('\n');
	table_print(cells, n_columns, n + 1, "", stdout);
}

/* --- the screen ------------------------------------------------------------------------------- */

/* What others did to the table, and is over. */
static void print_taken(struct cli *cli, const json_t *answer)
{
	const json_t *taken = json_object_get(answer, "taken");
	json_int_t n = get_number(taken, "repairs");

	if (!n || get_bool(taken, "open") || get_bool(taken, "contested"))
		return;
	printf("Others changed the rules%s, and they were put back%s: ",
	       get_bool(taken, "at_start") ? " while no uidwalld was running" : "",
	       n == 1 ? "" : arena_printf(cli->arena, " (%lld times)", (long long)n));
	write_taken(cli, taken, stdout);
	puts(".");
}

/* What this kernel cannot do, what came of open connections, and what may go back or went back. */
static void print_notes(struct cli *cli, const json_t *answer)
{
	const json_t *kernel = json_object_get(answer, "kernel");
	json_int_t n_closed = get_number(json_object_get(answer, "last_change"), "sockets_closed");

	if (json_is_false(json_object_get(kernel, "owner_persist")))
		printf("This kernel cannot keep other tools off the table (Linux 6.9 and later "
		       "can).\n");
	if (json_is_false(json_object_get(kernel, "socket_destroy")))
		printf("This kernel cannot close sockets: open connections that new rules refuse "
		       "stay open,\nthough none of their packets pass "
		       "(CONFIG_INET_DIAG_DESTROY).\n");
	if (n_closed)
		printf("The last change closed %s that it refuses.\n",
		       count_words(cli, n_closed, "open connection", "open connections"));
	print_taken(cli, answer);
	if (undo_is_waiting(answer) || undo_is_rolled_back(answer))
		putchar('\n');
	undo_print(cli, answer, stdout);
}

/* Only root and the admins are told. */
static void print_sandbox(struct cli *cli, const json_t *answer)
{
	const json_t *sandbox = json_object_get(answer, "sandbox");
	const char *why = json_string_value(json_object_get(sandbox, "stays_root"));
	json_int_t calls = get_number(sandbox, "system_calls");
	json_int_t landlock = get_number(sandbox, "landlock");

	if (!sandbox)
		return;
	printf("Its sandbox: user %s, %s, ", get_text(cli, sandbox, "user"),
	       get_number(sandbox, "other_capabilities") ? "MORE THAN CAP_NET_ADMIN" :
							   "CAP_NET_ADMIN alone");
	if (calls)
		printf("%lld system calls, ", (long long)calls);
	else
		printf("system calls NOT FILTERED, ");
	if (landlock)
		printf("Landlock %lld.\n", (long long)landlock);
	else
		printf("no Landlock in this kernel.\n");
	if (why)
		printf("It stays root, because %s.\n", printable(cli, why));
}

/* Nothing to say where no policy names one. */
static void print_units(struct cli *cli, const json_t *answer)
{
	const json_t *units = json_object_get(answer, "units");
	json_int_t followed = get_number(units, "followed"),
		   past = get_number(units, "past_groups");

	if (!followed)
		return;
	printf("It follows %s, of which %" JSON_INTEGER_FORMAT " %s now",
	       count_words(cli, followed, "unit", "units"), get_number(units, "running"),
	       get_number(units, "running") == 1 ? "runs" : "run");
	if (past)
		printf("; what units left behind in %s is governed, too",
		       count_words(cli, past, "past control group", "past control groups"));
	puts(".");
}

static void print_headline(struct cli *cli, const struct style *style, const json_t *answer,
			   size_t n_problems)
{
	size_t n = json_array_size(json_object_get(answer, "services"));
	const char *services = ""; /* others than root may not see all of them */

	if (geteuid() == 0)
		services = arena_printf(cli->arena, ": %s",
					count_words(cli, (json_int_t)n, "service", "services"));

	if (is_off(answer))
		printf("%sTHE WALL IS OFF%s: every service may reach whatever the machine can "
		       "reach. \"uidwall on\" puts it back up.\n",
		       style->alarm, style->plain);
	else
		printf("%sThe wall is up%s%s, by rules in force since %s.\n", style->green,
		       style->plain, services, date_words(cli, get_number(answer, "applied")));
	printf("uidwalld %s, pid %lld, runs since %s.\n", get_text(cli, answer, "version"),
	       (long long)get_number(answer, "pid"),
	       date_words(cli, get_number(answer, "started")));
	print_sandbox(cli, answer);
	print_units(cli, answer);
	status_print_proxy(cli, style, answer);
	print_notes(cli, answer);
	if (n_problems)
		printf("\n%s%s%s\n", style->red,
		       count_words(cli, (json_int_t)n_problems, "problem", "problems"),
		       style->plain);
}

static bool has_monitor(const json_t *services)
{
	const json_t *service;
	size_t i;

	json_array_foreach(services, i, service) {
		const char *mode = json_string_value(json_object_get(service, "mode"));

		if (mode && strcmp(mode, "monitor") == 0)
			return true;
	}
	return false;
}

static size_t count_warnings(struct cli *cli, const json_t *diags)
{
	const json_t *diag;
	size_t n = 0, i;

	json_array_foreach(diags, i, diag)
		n += strcmp(get_text(cli, diag, "severity"), "warning") == 0;
	return n;
}

static void print_footnotes(struct cli *cli, const struct style *style, const json_t *answer,
			    size_t n_problems)
{
	const json_t *services = json_object_get(answer, "services");
	size_t n_warnings = count_warnings(cli, json_object_get(answer, "diags"));

	if (was_refused_by_name(services))
		printf("\nREFUSED counts packets; BY NAME, what the proxy refused (\"uidwall "
		       "show\" "
		       "lists it).\n");
	if (has_monitor(services) && !is_off(answer))
		printf("\nmonitor: everything passes; REFUSED is what enforcing would have "
		       "refused.\n");
	if (n_warnings)
		printf("\n%s: \"uidwall check\" shows them.\n",
		       count_words(cli, (json_int_t)n_warnings, "warning", "warnings"));
	if (n_problems && json_array_size(services) > MANY_ROWS)
		printf("\n%s%s%s: see the top.\n", style->red,
		       count_words(cli, (json_int_t)n_problems, "problem", "problems"),
		       style->plain);
}

static void print_screen(struct cli *cli, const json_t *answer)
{
	struct style style = style_of(stdout);
	const json_t *services = json_object_get(answer, "services");
	struct problems problems = { .style = &style };
	AUTO(mem) char *text = NULL;
	size_t length = 0;

	problems.out = open_memstream(&text, &length);
	if (!problems.out)
		abort();
	write_problems(cli, &problems, answer);
	fclose(problems.out);
	print_headline(cli, &style, answer, problems.n);
	if (problems.n && text)
		fputs(text, stdout);
	if (json_array_size(services))
		print_services(cli, &style, services);
	else if (geteuid() == 0)
		printf("\nNo policies yet. \"uidwall new NAME\" writes a first one.\n");
	else
		printf("\nNo service of yours. Root and the admins see all of them.\n");
	print_footnotes(cli, &style, answer, problems.n);
}

static enum cli_status judge(struct cli *cli, const json_t *answer)
{
	const json_t *entry;
	size_t i;

	if (is_off(answer) || reload_failed(answer) || undo_is_rolled_back(answer) ||
	    get_number(json_object_get(answer, "waiting"), "failed") ||
	    json_is_string(json_object_get(answer, "table_held_by")) || is_contested(answer))
		return CLI_FINDINGS;
	json_array_foreach(json_object_get(answer, "services"), i, entry)
		if (has_problem(entry))
			return CLI_FINDINGS;
	json_array_foreach(json_object_get(answer, "diags"), i, entry)
		if (strcmp(get_text(cli, entry, "severity"), "error") == 0)
			return CLI_FINDINGS;
	return CLI_FINE;
}

enum cli_status verb_status(struct cli *cli)
{
	enum cli_status status;
	json_t *answer = NULL;
	const char *error;
	int r = call_ask(cli, "status", NULL, CALL_ASK_MS, &answer, &error);

	if (r < 0)
		return call_explain(cli, r, error);
	status = judge(cli, answer);
	if (cli->json) {
		json_print(answer);
		return status;
	}
	print_screen(cli, answer);
	json_decref(answer);
	return status;
}
