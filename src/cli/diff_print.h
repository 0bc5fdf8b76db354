/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff_print.h - what changes in meaning, as the daemon or diff_write() says it → text. */
#ifndef UIDWALL_CLI_DIFF_PRINT_H
#define UIDWALL_CLI_DIFF_PRINT_H

#include "cli/output.h"

/* To stdout: a block for each service, what the configuration changes for all of them, a line that
 * sums up; and, where the answer has "sockets", the connections that would be closed.
 */
void diff_print(struct cli *cli, const json_t *answer);

/* The connections alone, as "sockets" of an answer lists them. */
void diff_print_sockets(struct cli *cli, const json_t *sockets);

#endif
