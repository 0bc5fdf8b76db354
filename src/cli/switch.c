/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switch.c - uidwall off and on. */
#include "cli/call.h"
#include "cli/outcome.h"

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

static enum cli_status turn(struct cli *cli)
{
	const char *service = cli->n_args ? cli->args[0] : NULL, *verb = cli->verb->name, *error;
	json_t *answer = NULL;
	int r;

	if (service)
		r = call_ask_service(cli, verb, service, CALL_RELOAD_MS, &answer, &error);
	else
		r = call_ask(cli, verb, NULL, CALL_RELOAD_MS, &answer, &error);
	return r < 0 ? call_explain(cli, r, error) : outcome_print(cli, answer, service);
}

enum cli_status verb_off(struct cli *cli)
{
	return turn(cli);
}

enum cli_status verb_on(struct cli *cli)
{
	return turn(cli);
}
