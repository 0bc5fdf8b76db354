/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outcome.h - what came of a verb that changes what is in force, in words. */
#ifndef UIDWALL_CLI_OUTCOME_H
#define UIDWALL_CLI_OUTCOME_H

#include "cli/output.h"

/* The messages of an answer, on stderr. */
void outcome_print_diags(struct cli *cli, const json_t *answer);
size_t outcome_count_errors(struct cli *cli, const json_t *answer);

/* All of it, or JSON; takes the reference. `service`: the one that the verb was about, or NULL. */
enum cli_status outcome_print(struct cli *cli, json_t *answer, const char *service);

#endif
