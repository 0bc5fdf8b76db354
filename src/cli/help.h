/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help.h - the help screens. */
#ifndef UIDWALL_CLI_HELP_H
#define UIDWALL_CLI_HELP_H

#include "cli/cli.h"

void help_print_all(void);
void help_print_verb(const struct cli_verb *verb);

#endif
