/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handed.h - descriptors that the service manager hands over, by sd_listen_fds(3). */
#ifndef UIDWALL_RUNTIME_HANDED_H
#define UIDWALL_RUNTIME_HANDED_H

#include "base/util.h"

/* What the netlink socket that owns the table is called while the service manager keeps it. */
#define HANDED_TABLE "table"

struct handed {
	unsigned n_control; /* sockets to listen on: one, or somebody's mistake */
	int control;	    /* the last of them, or -1 */
	int table;	    /* -1: none */
};

/* Takes what is there, and $LISTEN_PID, $LISTEN_FDS and $LISTEN_FDNAMES out of the environment. */
void handed_take(struct handed *ret_handed);

#endif
