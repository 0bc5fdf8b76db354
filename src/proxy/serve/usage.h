/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usage.h - how many connections each service has open, over all workers. */
#ifndef UIDWALL_PROXY_USAGE_H
#define UIDWALL_PROXY_USAGE_H

#include "base/util.h"

struct usages;
struct usage;

/* n_all: how many there can be. n_each: of one service; 0: three quarters of all, and once as many
 * are open in all, no more than a sixteenth, so that who takes much leaves room for others. NULL:
 * no memory.
 */
struct usages *usages_new(unsigned n_all, unsigned n_each);
void usages_free(struct usages *usages); /* NULL is fine */

/* One more for the service, or the uid that no policy governs (service NULL). 0; -EUSERS: it has as
 * many as it may; -ENFILE: all together have; -ENOMEM.
 */
int usage_take(struct usages *usages, const char *service, int64_t uid, struct usage **ret_usage);
/* Whether one more name may be asked for on its behalf: who invents names leaves others their share
 * of the resolver. Each true is to be followed by usage_answered().
 */
enum { USAGE_QUESTIONS_MAX = 128 };
bool usage_ask(struct usages *usages, struct usage *usage);
void usage_answered(struct usages *usages, struct usage *usage);

void usage_drop(struct usages *usages, struct usage *usage); /* NULL is fine */

#endif
