/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proxy_lists.h - what is in force → who may go where by name, as the forward proxy is told. */
#ifndef UIDWALL_RUNTIME_PROXY_LISTS_H
#define UIDWALL_RUNTIME_PROXY_LISTS_H

#include "runtime/wall.h"

struct proxy_lists;

int proxy_lists_new(struct proxy_lists **ret_lists);
void proxy_lists_free(struct proxy_lists *lists); /* NULL is fine */
DEFINE_CLEANUP(proxy_lists, struct proxy_lists *, proxy_lists_free)

/* The number of the lists as they are now: another one if, and only if, they are others. Numbers of
 * different daemons differ.
 */
uint64_t proxy_lists_look(struct proxy_lists *lists, const struct wall *wall);

/* All of it for whoever has those of the number `since`: hosts that are the same are left out. To
 * be called after proxy_lists_look().
 */
void proxy_lists_write(const struct proxy_lists *lists, const struct wall *wall, uint64_t since,
		       struct writer *w);

#endif
