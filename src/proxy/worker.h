/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker.h - a thread that accepts connections and serves them, with a loop and a table of its own.
 *
 * Workers share the listening sockets, the outbox and the counts of connections; lists are handed
 * to them by the main thread, which frees none that a worker may still look at.
 */
#ifndef UIDWALL_PROXY_WORKER_H
#define UIDWALL_PROXY_WORKER_H

#include "proxy/daemon/outbox.h"
#include "proxy/proxy.h"
#include "proxy/serve/usage.h"

struct lists;

struct worker_options {
	const struct proxy_options *proxy;
	struct outbox *outbox;
	struct usages *usages;
	unsigned n_slots, n_pipes;
	const char *(*trouble)(
		void *data); /* as struct conns_options; called by the worker's thread */
	void *data;
	void (*confine)(void *data); /* called by the worker's thread before it accepts anybody */
	void *confine_data;
};

struct worker;

/* Starts the thread, and waits until it is confined. 0 or -errno. */
int worker_new(const struct worker_options *options, struct worker **ret_worker);
void worker_free(struct worker *worker); /* ends the thread and its connections; NULL is fine */

/* Returns when the worker has them, and the ones before no more. */
void worker_set_lists(struct worker *worker, const struct lists *lists);
/* Returns when the worker has had a turn: never, if it hangs. */
void worker_check(struct worker *worker);
/* From now on it accepts. */
void worker_accept(struct worker *worker);

#endif
