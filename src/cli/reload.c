/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reload.c - uidwall apply, off and on: the verbs that change what is in force, and what came of
 * it.
 *
 * Diags go to stderr and the outcome to stdout, so that `uidwall apply >/dev/null` in a script
 * speaks only of trouble.
 */
#include <string.h>

#include "cli/call.h"
#include "cli/output.h"

const char help_apply[] =
	"Makes uidwalld read the policies again and puts them in force, all at once. A\n"
	"file with mistakes changes nothing, for its service or any other.\n"
	"\n"
	"exit status: 0 all in force, 1 mistakes in policies, or nothing was changed\n"
	"\n"
	"  uidwall check && uidwall apply\n";

const char help_off[] =
	"Takes the wall down on purpose: the whole one, or that of one service. Whoever\n"
	"is not governed may reach whatever the machine can reach. It stays down when\n"
	"uidwalld restarts, until \"uidwall on\" or a reboot.\n"
	"\n"
	"  uidwall off blog    only blog, until \"uidwall on blog\"\n"
	"  uidwall off         everybody, until \"uidwall on\"\n";

const char help_on[] = "Puts the wall back up after \"uidwall off\", or that of one service.\n"
		       "\n"
		       "  uidwall on\n"
		       "  uidwall on blog\n";

/* A warning about no file would repeat what the outcome says: the wall is off. */
static bool is_repetition(const struct diag *diag)
{
	return diag->severity == DIAG_WARNING && !diag->place.file;
}

static void print_diags(struct cli *cli, const json_t *list, bool is_off, size_t *ret_n_errors)
{
	struct style style = style_of(stderr);
	struct diags diags;

	diags_init(&diags);
	diags_from_json(cli, list, &diags);
	diags_sort(&diags);
	for (size_t i = 0; i < diags.n; i++)
		if (!is_off || !is_repetition(&diags.list[i]))
			diag_print(&diags.list[i], stderr, style.colour);
	*ret_n_errors = diags.n_errors;
	diags_done(&diags);
}

static size_t count_errors(struct cli *cli, const json_t *list)
{
	struct diags diags;
	size_t n;

	diags_init(&diags);
	diags_from_json(cli, list, &diags);
	n = diags.n_errors;
	diags_done(&diags);
	return n;
}

/* "7 services (5 good, 1 on its last good policy, 1 refused everything)" */
static void print_services(struct cli *cli, const json_t *answer)
{
	static const struct {
		const char *key, *words;
	} states[] = {
		{ "good", "good" },
		{ "last_good", "on the last good policy" },
		{ "refused", "refused everything" },
		{ "off", "off" },
	};
	json_int_t n = get_number(answer, "services");
	const char *separator = " (";

	printf("%s", count_words(cli, n, "service", "services"));
	if (!n || get_number(answer, "good") == n)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		json_int_t n_state = get_number(answer, states[i].key);

		if (!n_state)
			continue;
		printf("%s%lld %s", separator, (long long)n_state, states[i].words);
		separator = ", ";
	}
	putchar(')');
}

static bool is_wall_off(const json_t *answer)
{
	const char *wall = json_string_value(json_object_get(answer, "wall"));

	return wall && strcmp(wall, "off") == 0;
}

static void print_changes(struct cli *cli, const json_t *answer)
{
	json_int_t n_chains = get_number(answer, "chains_changed");
	json_int_t n_elements = get_number(answer, "elements_changed");
	json_int_t n_retries = get_number(answer, "retries");
	bool is_new = get_bool(answer, "replaced_whole");

	if (is_new)
		printf("the whole table is new");
	else if (!n_chains && !n_elements)
		printf("no rule changed");
	else
		printf("changed ");
	if (n_chains && !is_new)
		printf("%s%s", count_words(cli, n_chains, "chain", "chains"),
		       n_elements ? " and " : "");
	if (n_elements && !is_new)
		printf("%s", count_words(cli, n_elements, "set element", "set elements"));
	printf("; %s", duration_words(cli, get_number(answer, "total_us")));
	printf(" (kernel %s)", duration_words(cli, get_number(answer, "kernel_us")));
	if (n_retries)
		printf("; tried again %s, for other tools changed rules meanwhile",
		       count_words(cli, n_retries, "time", "times"));
	putchar('\n');
}

/* What came of it: "In force: 7 services; changed 1 chain ..." */
static void print_outcome(struct cli *cli, const json_t *answer, const char *verb,
			  const char *service)
{
	struct style style = style_of(stdout);

	if (is_wall_off(answer)) {
		printf("%sThe wall is off%s: every service may reach whatever the machine can "
		       "reach, until \"uidwall on\" or a reboot.\n",
		       style.alarm, style.plain);
		return;
	}
	if (service && strcmp(verb, "off") == 0)
		printf("%s%s is off%s: it may reach whatever the machine can reach, until "
		       "\"uidwall on %s\" or a reboot.\n",
		       style.alarm, printable(cli, service), style.plain, printable(cli, service));
	printf("%sIn force%s: ", style.green, style.plain);
	print_services(cli, answer);
	printf("; ");
	print_changes(cli, answer);
}

static enum cli_status reload(struct cli *cli, const char *verb)
{
	const char *service = cli->n_args ? cli->args[0] : NULL, *error = NULL;
	json_t *answer = NULL;
	size_t n_errors = 0;
	bool ok;
	int r;

	if (service)
		r = call_ask_service(cli, verb, service, CALL_RELOAD_MS, &answer, &error);
	else
		r = call_ask(cli, verb, NULL, CALL_RELOAD_MS, &answer, &error);
	if (r < 0)
		return call_explain(cli, r, error);
	ok = get_bool(answer, "ok");
	if (cli->json) {
		n_errors = count_errors(cli, json_object_get(answer, "diags"));
		json_print(answer);
		return ok && !n_errors ? CLI_FINE : CLI_FINDINGS;
	}
	print_diags(cli, json_object_get(answer, "diags"), is_wall_off(answer), &n_errors);
	if (ok)
		print_outcome(cli, answer, verb, service);
	else
		say(cli, "nothing changed, the rules in force stay: %s",
		    get_text(cli, answer, "error"));
	json_decref(answer);
	return ok && !n_errors ? CLI_FINE : CLI_FINDINGS;
}

enum cli_status verb_apply(struct cli *cli)
{
	return reload(cli, "apply");
}

enum cli_status verb_off(struct cli *cli)
{
	return reload(cli, "off");
}

enum cli_status verb_on(struct cli *cli)
{
	return reload(cli, "on");
}

const char help_confirm[] = "";
const char help_rollback[] = "";
enum cli_status verb_confirm(struct cli *cli)
{
	return reload(cli, "confirm");
}

enum cli_status verb_rollback(struct cli *cli)
{
	return reload(cli, "rollback");
}
