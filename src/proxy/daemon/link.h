/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.h - the proxy's calls to the daemon: lists as soon as they change, and what was decided,
 * once a second.
 *
 * The call "lists" names the generation that the proxy has, and is answered when there is another
 * one. With the daemon gone it is tried again, at most once a second, and the proxy keeps what it
 * has.
 */
#ifndef UIDWALL_PROXY_LINK_H
#define UIDWALL_PROXY_LINK_H

#include "proxy/daemon/lists.h"
#include "proxy/daemon/record.h"

struct event_base;

struct link_options {
	struct event_base *base;
	const char *control; /* the daemon's socket */
	/* New ones; the old ones are still whole, and go once this returns. */
	void (*on_lists)(void *data, const struct lists *lists);
	/* Why there are none, as link_trouble() says it; NULL is fine. */
	void (*on_trouble)(void *data, const char *words);
	void *data;
	struct tally *tally; /* what is reported */
	int pause_ms;	     /* between attempts that fail, and between reports; 0: 1000 */
};

struct link;

int link_new(const struct link_options *options, struct link **ret_link); /* 0 or -errno */
void link_free(struct link *link);					  /* NULL is fine */
const struct lists *link_lists(const struct link *link);		  /* NULL: none yet */
/* Why there are none yet, for the answer to a client: "uidwalld does not run". */
const char *link_trouble(const struct link *link);

#endif
