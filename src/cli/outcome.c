/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outcome.c - the daemon's answer to a verb that changes what is in force → words.
 *
 * Diags go to stderr and the outcome to stdout, so that `uidwall apply >/dev/null` in a script
 * speaks only of trouble.
 */
#include "cli/outcome.h"

#include <string.h>

#include "cli/diff_print.h"
#include "cli/undo.h"

static bool is_wall_off(const json_t *answer)
{
	const char *wall = json_string_value(json_object_get(answer, "wall"));

	return wall && strcmp(wall, "off") == 0;
}

/* A warning about no file would repeat what the outcome says: the wall is off. */
static bool is_repetition(const struct diag *diag)
{
	return diag->severity == DIAG_WARNING && !diag->place.file;
}

void outcome_print_diags(struct cli *cli, const json_t *answer)
{
	bool is_off = is_wall_off(answer);
	struct style style = style_of(stderr);
	struct diags diags;

	diags_init(&diags);
	diags_from_json(cli, json_object_get(answer, "diags"), &diags);
	diags_sort(&diags);
	for (size_t i = 0; i < diags.n; i++)
		if (!is_off || !is_repetition(&diags.list[i]))
			diag_print(&diags.list[i], stderr, style.colour);
	diags_done(&diags);
}

size_t outcome_count_errors(struct cli *cli, const json_t *answer)
{
	struct diags diags;
	size_t n;

	diags_init(&diags);
	diags_from_json(cli, json_object_get(answer, "diags"), &diags);
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

static void print_changes(struct cli *cli, const json_t *answer)
{
	json_int_t n_chains = get_number(answer, "chains_changed");
	json_int_t n_elements = get_number(answer, "elements_changed");
	json_int_t n_retries = get_number(answer, "retries");
	const json_t *differs = json_object_get(json_object_get(answer, "diff"), "differs");
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
	if (json_is_false(differs) && (n_chains || n_elements))
		printf(", but nothing in meaning");
	printf("; %s", duration_words(cli, get_number(answer, "total_us")));
	printf(" (kernel %s)", duration_words(cli, get_number(answer, "kernel_us")));
	if (n_retries)
		printf("; tried again %s, for other tools changed rules meanwhile",
		       count_words(cli, n_retries, "time", "times"));
	putchar('\n');
}

/* What came of it: "In force: 7 services; changed 1 chain ..." */
static void print_in_force(struct cli *cli, const json_t *answer, const char *verb,
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

static void print_sockets(struct cli *cli, const json_t *answer)
{
	const json_t *sockets = json_object_get(answer, "sockets");
	json_int_t n_closed = get_number(answer, "sockets_closed");
	json_int_t n_refused = get_number(sockets, "refused");

	if (n_closed)
		printf("Closed %s that these policies refuse; the log of uidwalld names %s.\n",
		       count_words(cli, n_closed, "open connection", "open connections"),
		       n_closed == 1 ? "it" : "them");
	else if (n_refused && json_is_false(json_object_get(sockets, "can_close")))
		printf("This kernel cannot close %s that these policies refuse; no packet of "
		       "theirs passes.\n",
		       count_words(cli, n_refused, "open connection", "open connections"));
}

enum cli_status outcome_print(struct cli *cli, json_t *answer, const char *service)
{
	bool ok = get_bool(answer, "ok");
	enum cli_status status = ok && !outcome_count_errors(cli, answer) ? CLI_FINE : CLI_FINDINGS;

	if (cli->json) {
		json_print(answer);
		return status;
	}
	outcome_print_diags(cli, answer);
	if (ok) {
		diff_print(cli, json_object_get(answer, "diff"));
		print_in_force(cli, answer, cli->verb->name, service);
		print_sockets(cli, answer);
		undo_print(cli, answer, stdout);
	} else {
		say(cli, "nothing changed, the rules in force stay: %s",
		    get_text(cli, answer, "error"));
	}
	json_decref(answer);
	return status;
}
