/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbox.h - records of the workers → the main thread, which alone has the tally. */
#ifndef UIDWALL_PROXY_OUTBOX_H
#define UIDWALL_PROXY_OUTBOX_H

#include "proxy/daemon/record.h"

struct outbox;

/* The tally stays the caller's. 0 or -errno. */
int outbox_new(struct event_base *base, struct tally *tally, struct outbox **ret_outbox);
void outbox_free(struct outbox *outbox); /* hands on what is left; NULL is fine */

/* From any thread: copies the record. It is handed on within OUTBOX_DELAY_MS; where thousands wait,
 * the record is counted as lost.
 */
enum { OUTBOX_DELAY_MS = 50 };
void outbox_add(struct outbox *outbox, const struct record *record);

#endif
