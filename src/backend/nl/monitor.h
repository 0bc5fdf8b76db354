/* SPDX-License-Identifier: GPL-2.0-or-later */
/* monitor.h - the kernel's messages about commits → what others did to our table, and who. */
#ifndef UIDWALL_BACKEND_NL_MONITOR_H
#define UIDWALL_BACKEND_NL_MONITOR_H

#include <linux/netlink.h>

#include "base/util.h"

/* What a commit makes and takes away. */
enum nl_thing { NL_THING_RULE, NL_THING_CHAIN, NL_THING_SET, NL_THING_ELEMENT, NL_THING_OBJECT };
enum {
	NL_THING_COUNT = NL_THING_OBJECT + 1,
	NL_DEED_NAME_MAX = 64,
	NL_DEED_CHAINS_MAX = 8,
	NL_DEED_WORDS_MAX = 640
};

struct nl_deed_count {
	unsigned n;
	char holder[NL_DEED_NAME_MAX]; /* the chain or set, of the first one; printable */
	bool is_several;	       /* others have another */
};

/* One commit of somebody else's, as far as it is about our table. */
struct nl_deed {
	bool is_table_deleted, is_table_made; /* made: or its flags were changed */
	struct nl_deed_count added[NL_THING_COUNT], removed[NL_THING_COUNT];
	char chains[NL_DEED_CHAINS_MAX][NL_DEED_NAME_MAX]; /* whose rules are others now ... */
	unsigned n_chains; /* ... the first ones; of more, one more than there is room for */
	uint32_t generation;
	uint32_t pid;	      /* 0: not known; as the first pid namespace counts */
	char process[16 + 1]; /* its name, printable */
	bool is_noted;	      /* something of it is about our table */
};

/* Takes notice of one message; true when a commit that is about the table is complete. Forget the
 * deed (zero it) before the next one. own_port: whose commits do not count.
 */
bool nl_deed_note(struct nl_deed *deed, const struct nlmsghdr *nlh, const char *table,
		  uint32_t own_port);

/* Whether it is about nothing but the rules of the chains named in it. */
bool nl_deed_is_small(const struct nl_deed *deed);

/* "deleted the table", "added 1 rule (svc-blog), removed 3 elements (services)" */
void nl_deed_words(const struct nl_deed *deed, char ret_words[NL_DEED_WORDS_MAX]);

struct nl_monitor;

int nl_monitor_open(struct nl_monitor **ret_monitor);
void nl_monitor_close(struct nl_monitor *monitor); /* NULL is fine */
DEFINE_CLEANUP(nl_monitor, struct nl_monitor *, nl_monitor_close)

int nl_monitor_fd(const struct nl_monitor *monitor);

/* While nobody listens the kernel writes no messages. */
int nl_monitor_listen(struct nl_monitor *monitor, bool on);

/* The next deed, of those that are known by now: 1 where there is one, 0 where there is none.
 * -ENOBUFS: messages were lost. -EAGAIN: enough for now, there may be more.
 */
int nl_monitor_next(struct nl_monitor *monitor, const char *table, uint32_t own_port,
		    struct nl_deed *ret_deed);

#endif
