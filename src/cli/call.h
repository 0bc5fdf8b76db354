/* SPDX-License-Identifier: GPL-2.0-or-later */
/* call.h - ask the daemon, and say what to do where it does not answer. */
#ifndef UIDWALL_CLI_CALL_H
#define UIDWALL_CLI_CALL_H

#include "wire/client.h"
#include "cli/output.h"

enum { CALL_ASK_MS = 10 * 1000, CALL_RELOAD_MS = 120 * 1000 };

/* Takes the reference to the request, and no longer than timeout_ms; on a terminal the wait shows
 * after a second. On failure 0 is not returned, *ret_error is one line (not printed yet) and lives
 * as long as the process.
 */
int call_send(struct cli *cli, json_t *request, int timeout_ms, json_t **ret_answer,
	      const char **ret_error);

/* {"call": name} or, where service is not NULL, with "service". As call_send(). */
int call_ask(struct cli *cli, const char *name, const char *service, int timeout_ms,
	     json_t **ret_answer, const char **ret_error);

/* Says on stderr why a call failed and what to do; returns the exit status. */
enum cli_status call_explain(struct cli *cli, int r, const char *error);

/* call_ask() for a service that may be misspelt: then the error names one that exists. */
int call_ask_service(struct cli *cli, const char *name, const char *service, int timeout_ms,
		     json_t **ret_answer, const char **ret_error);

#endif
