/* SPDX-License-Identifier: GPL-2.0-or-later */
/* asking.h - one call to the daemon after the other, while others have their turn. */
#ifndef UIDWALL_PROXY_ASKING_H
#define UIDWALL_PROXY_ASKING_H

#include "base/util.h"

struct event_base;
struct asking;

/* What came of a call: 0 with the payload, -EREMOTEIO with the daemon's own words, or another
 * -errno as client_call() has them. Never called before asking_start() returns; another call may be
 * started from within. bytes: valid during the call, with a NUL behind them.
 */
typedef void (*asking_fn)(void *data, int r, const char *bytes, size_t n);

/* path stays the caller's. 0 or -errno. */
int asking_new(struct event_base *base, const char *path, asking_fn fn, void *data,
	       struct asking **ret_asking);
void asking_free(struct asking *asking); /* NULL is fine */

/* Asks; whatever was asked before is forgotten. The request is copied. is_patient: the answer may
 * begin when it likes.
 */
void asking_start(struct asking *asking, const char *request, size_t n, bool is_patient);
bool asking_is_busy(const struct asking *asking);

#endif
