/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply.c - uidwall apply, confirm and rollback. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cli/call.h"
#include "cli/diff_print.h"
#include "cli/outcome.h"
#include "cli/undo.h"

const char help_apply[] =
	"Makes uidwalld read the policies again and puts them in force, all at once. A\n"
	"file with mistakes changes nothing, for its service or any other. Says what\n"
	"changes in meaning, and closes the open connections that are refused now.\n"
	"\n"
	"With --confirm the policies from before return by themselves unless \"uidwall\n"
	"confirm\" follows in time: also when the connection to this machine is lost,\n"
	"uidwalld is killed or the machine is booted anew. TIME is 90, 90s, 5m or 1h.\n"
	"\n"
	"exit status: 0 all in force, 1 mistakes in policies, or nothing was changed\n"
	"\n"
	"  uidwall apply --dry-run\n"
	"  uidwall apply --confirm 60s\n"
	"  uidwall confirm\n";

const char help_confirm[] =
	"Keeps what \"uidwall apply --confirm\" brought. Without it, the policies from\n"
	"before return when the time is over.\n"
	"\n"
	"exit status: 0 it stays, 1 nothing waits to be confirmed\n"
	"\n"
	"  uidwall apply --confirm 60s && ssh blog@this.machine true && uidwall confirm\n";

const char help_rollback[] =
	"Puts the policies from before the last change back in force, or from before the\n"
	"one that waits for \"uidwall confirm\". The files stay as they are: until the\n"
	"next \"uidwall apply\" they are not read, not even when uidwalld starts again.\n"
	"\n"
	"exit status: 0 back, 1 nothing to go back to\n"
	"\n"
	"  uidwall rollback\n"
	"  uidwall diff\n";

enum { CONFIRM_MAX_S = 24 * 60 * 60 };

/* "60s", "5m", "1h" or "60" → seconds */
static int parse_time(const char *text, json_int_t *ret_seconds)
{
	static const struct {
		const char *name;
		long seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 60 * 60 } };
	char *end;
	long n;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || n < 1 || n > CONFIRM_MAX_S)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(end, units[i].name) == 0 && n <= CONFIRM_MAX_S / units[i].seconds) {
			*ret_seconds = n * units[i].seconds;
			return 0;
		}
	return -EINVAL;
}

static enum cli_status dry_run(struct cli *cli)
{
	enum cli_status status;
	json_t *answer = NULL;
	const char *error;
	int r = call_ask(cli, "diff", NULL, CALL_RELOAD_MS, &answer, &error);

	if (r < 0)
		return call_explain(cli, r, error);
	status = get_bool(answer, "ok") && !outcome_count_errors(cli, answer) ? CLI_FINE :
										CLI_FINDINGS;
	if (cli->json) {
		json_print(answer);
		return status;
	}
	outcome_print_diags(cli, answer);
	if (!get_bool(answer, "ok"))
		say(cli, "nothing would change, the rules in force would stay: %s",
		    get_text(cli, answer, "error"));
	else if (!get_bool(answer, "differs"))
		puts("Nothing would change in meaning.");
	if (get_bool(answer, "ok"))
		diff_print(cli, answer);
	undo_print(cli, answer, stdout);
	json_decref(answer);
	return status;
}

enum cli_status verb_apply(struct cli *cli)
{
	json_t *request, *answer = NULL;
	json_int_t seconds = 0;
	const char *error;
	int r;

	if (cli->confirm && parse_time(cli->confirm, &seconds) < 0)
		return bad_use(
			cli, "--confirm %s: expected a time from 1s to 24h, such as 60s, 5m or 1h",
			printable(cli, cli->confirm));
	if (cli->confirm && cli->dry_run)
		return bad_use(cli, "--dry-run changes nothing, so there is nothing to --confirm");
	if (cli->dry_run)
		return dry_run(cli);
	request = json_pack("{s:s}", "call", "apply");
	if (seconds)
		json_object_set_new(request, "confirm_s", json_integer(seconds));
	r = call_send(cli, request, CALL_RELOAD_MS, &answer, &error);
	return r < 0 ? call_explain(cli, r, error) : outcome_print(cli, answer, NULL);
}

enum cli_status verb_confirm(struct cli *cli)
{
	json_t *answer = NULL;
	const char *error;
	int r = call_ask(cli, "confirm", NULL, CALL_RELOAD_MS, &answer, &error);

	if (r < 0)
		return call_explain(cli, r, error);
	if (cli->json) {
		json_print(answer);
		return CLI_FINE;
	}
	printf("Confirmed: the change of %s stays in force.\n",
	       clock_words(cli->arena, get_number(answer, "since")));
	json_decref(answer);
	return CLI_FINE;
}

enum cli_status verb_rollback(struct cli *cli)
{
	json_t *answer = NULL;
	const char *error;
	int r = call_ask(cli, "rollback", NULL, CALL_RELOAD_MS, &answer, &error);

	return r < 0 ? call_explain(cli, r, error) : outcome_print(cli, answer, NULL);
}
