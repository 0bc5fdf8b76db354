/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main_uidwall.c - the command: the table of its verbs, and what holds for each of them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cli/help.h"
#include "cli/options.h"
#include "cli/output.h"
#include "config.h"
#include "names/idna.h"
#include "policy/values.h"

enum { ANY_NUMBER = 1 << 30 };

const struct cli_verb cli_verbs[] = {
	{ "check", "[PATH...]", "every mistake in the policies, offline", help_check, 0, ANY_NUMBER,
	  verb_check },
	{ "render", "[PATH...]", "the ruleset as text for nft, offline", help_render, 0, ANY_NUMBER,
	  verb_render },
	{ "apply", "", "read the policies again, put them in force", help_apply, 0, 0, verb_apply },
	{ "diff", "", "what apply would change, in meaning", help_diff, 0, 0, verb_diff },
	{ "confirm", "", "keep what \"apply --confirm\" brought", help_confirm, 0, 0,
	  verb_confirm },
	{ "rollback", "", "go back to the policies before", help_rollback, 0, 0, verb_rollback },
	{ "status", "", "is the wall up, and what is wrong", help_status, 0, 0, verb_status },
	{ "show", "SERVICE", "what one service may reach, and why", help_show, 1, 1, verb_show },
	{ "why", "SERVICE|USER [from WHO] TARGET", "may it go there, and which line says so",
	  help_why, 2, 6, verb_why },
	{ "selftest", "[SERVICE]", "become each user, try to get out", help_selftest, 0, 1,
	  verb_selftest },
	{ "wire", "--squid", "lists for squid, from the policies' hosts", help_wire, 0, 1,
	  verb_wire },
	{ "new", "SERVICE", "a first policy for a service", help_new, 1, 1, verb_new },
	{ "off", "[SERVICE]", "take the wall down on purpose", help_off, 0, 1, verb_off },
	{ "on", "[SERVICE]", "put it back up", help_on, 0, 1, verb_on },
	{ "help", "[VERB]", "more about a verb", help_help, 0, 1, verb_help },
};
const size_t cli_n_verbs = ARRAY_SIZE(cli_verbs);

/* A closed standard descriptor would become the control socket or a policy file, and be written to.
 * Opened for reading only, so that writing to it still fails.
 */
static void open_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			_exit(CLI_FINDINGS);
}

static enum cli_status run(struct cli *cli, int argc, char **argv)
{
	enum cli_status status = options_parse(cli, argc, argv);

	if (status != CLI_FINE)
		return status;
	if (cli->help && cli->verb)
		help_print_verb(cli->verb);
	else if (cli->help)
		help_print_all();
	else if (cli->version && cli->json)
		json_print(json_pack("{s:s}", "version", PACKAGE_VERSION));
	else if (cli->version)
		printf("uidwall %s\n", PACKAGE_VERSION);
	else
		return cli->verb->run(cli);
	return CLI_FINE;
}

/* What was not written was not said: a full disk must not look like "no mistakes". */
static enum cli_status finish(enum cli_status status)
{
	bool failed = ferror(stdout);

	errno = 0;
	if (fclose(stdout) == 0 && !failed)
		return status;
	fprintf(stderr, "uidwall: cannot write all of it to stdout%s%s\n", errno ? ": " : "",
		errno ? strerror(errno) : "");
	return status == CLI_FINE ? CLI_FINDINGS : status;
}

int main(int argc, char **argv)
{
	struct cli cli = {
		.config = CLI_CONFIG,
		.policies = CLI_POLICIES,
		.control = CLI_CONTROL,
		.arena = arena_new(),
	};
	enum cli_status status;

	open_standard_descriptors();
	hosts_to_ascii = idna_parse;
	status = run(&cli, argc, argv);
	arena_free(cli.arena);
	return (int)finish(status);
}
