/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdict.h - an answer to "why", as JSON → words on stdout. */
#ifndef UIDWALL_CLI_VERDICT_H
#define UIDWALL_CLI_VERDICT_H

#include "cli/output.h"
#include "cli/question.h"

bool verdict_is_refused(const json_t *answer); /* or one address of it */

bool verdict_has_proxy(const json_t *answer); /* whether it says what the built-in one decides */

void verdict_print(struct cli *cli, const json_t *answer, const struct question *question);

#endif
