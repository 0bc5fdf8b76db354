/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdict.h - an answer to "why", as JSON → words on stdout. */
#ifndef UIDWALL_CLI_VERDICT_H
#define UIDWALL_CLI_VERDICT_H

#include "cli/output.h"

bool verdict_is_refused(const json_t *answer); /* or one address of it */

/* is_web: the question was a URL of http or https; is_name: it was about a name, and not this
 * machine's own. Both make the proxy worth words.
 */
void verdict_print(struct cli *cli, const json_t *answer, bool is_web, bool is_name);

#endif
