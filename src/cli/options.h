/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - argv → struct cli. */
#ifndef UIDWALL_CLI_OPTIONS_H
#define UIDWALL_CLI_OPTIONS_H

#include "cli/cli.h"

/* Options may stand before and after the verb. CLI_BAD_USE after one line on stderr; CLI_FINE also
 * for --help and --version, which the caller heeds.
 */
enum cli_status options_parse(struct cli *cli, int argc, char **argv);

/* Writes the options of one verb, or where verb is NULL those of every verb. */
void options_write_help(const struct cli_verb *verb, FILE *out);

/* The verb of that name; NULL after one line on stderr. */
const struct cli_verb *options_find_verb(struct cli *cli, const char *name);

#endif
