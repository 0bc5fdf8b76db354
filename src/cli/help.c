/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help.c - the help screens, made from the tables of verbs and options. */
#include "cli/help.h"

#include <string.h>

#include "cli/options.h"
#include "cli/output.h"

const char help_help[] = "Shows what uidwall can do, or what one verb does.\n"
			 "\n"
			 "  uidwall help check\n";

void help_print_all(void)
{
	printf("usage: uidwall [OPTION...] VERB [ARGUMENT...]\n"
	       "\n"
	       "One policy file for each service says what its sockets may reach.\n"
	       "\n");
	for (size_t i = 0; i < cli_n_verbs; i++) {
		const struct cli_verb *verb = &cli_verbs[i];

		printf("  %s %-*s%s\n", verb->name, 24 - (int)strlen(verb->name), verb->args,
		       verb->summary);
	}
	printf("\n");
	options_write_help(NULL, stdout);
	printf("\n"
	       "exit status: 0 yes or fine, 1 no or findings, 2 wrong use, 3 no uidwalld\n"
	       "\n"
	       "Start with \"uidwall new NAME\"; \"uidwall help VERB\" and uidwall(1) say more.\n");
}

void help_print_verb(const struct cli_verb *verb)
{
	printf("usage: uidwall %s%s%s [OPTION...]\n\n%s\n", verb->name, *verb->args ? " " : "",
	       verb->args, verb->help);
	options_write_help(verb, stdout);
	options_write_help(NULL, stdout);
}

static enum cli_status help_json(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cli_n_verbs; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "verb", cli_verbs[i].name,
						      "arguments", cli_verbs[i].args, "summary",
						      cli_verbs[i].summary));
	json_print(json_pack("{s:o}", "verbs", list));
	return CLI_FINE;
}

enum cli_status verb_help(struct cli *cli)
{
	const struct cli_verb *verb = NULL;

	if (cli->n_args) {
		verb = options_find_verb(cli, cli->args[0]);
		if (!verb)
			return CLI_BAD_USE;
	}
	if (cli->json)
		return help_json();
	if (verb)
		help_print_verb(verb);
	else
		help_print_all();
	return CLI_FINE;
}
