/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.h - one call to the daemon: JSON request → JSON answer. */
#ifndef UIDWALL_WIRE_CLIENT_H
#define UIDWALL_WIRE_CLIENT_H

#include <jansson.h>

#include "base/util.h"

/* Sends the request (a JSON object; the reference stays the caller's) and waits for the answer,
 * both together no longer than timeout_ms. On success *ret_answer is a new reference. Otherwise
 * -errno, and *ret_error says in one printable line what went wrong (malloc'd, NULL when out of
 * memory):
 *
 *     -ENOENT, -ECONNREFUSED  nothing listens there: the daemon does not run
 *     -EACCES                 the socket may not be opened
 *     -ETIMEDOUT              no answer in time
 *     -EREMOTEIO              the daemon's own words: it refused or failed
 *     -ECONNRESET, -EPROTO    it hung up, or answered something that is no answer
 *     -E2BIG                  the request does not fit into a frame
 */
int client_call(const char *path, json_t *request, int timeout_ms, json_t **ret_answer,
		char **ret_error);

/* Whether a result of client_call() means that the daemon could not be reached at all. */
bool client_is_unreachable(int r);

#endif
