/* SPDX-License-Identifier: GPL-2.0-or-later */
/* undo.h - that a change waits to be confirmed, or that one went back, in words. */
#ifndef UIDWALL_CLI_UNDO_H
#define UIDWALL_CLI_UNDO_H

#include "cli/output.h"

bool undo_is_waiting(const json_t *answer);
bool undo_is_rolled_back(const json_t *answer);

/* A line or two, where the answer has "waiting" or "rolled_back". */
void undo_print(struct cli *cli, const json_t *answer, FILE *out);

#endif
