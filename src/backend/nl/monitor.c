/* SPDX-License-Identifier: GPL-2.0-or-later */
/* monitor.c - the kernel's messages about commits → what others did to our table, and who.
 *
 * Facts of Linux 6.18: after each commit the kernel sends one message for each thing that was made
 * or taken away, in order and not mixed with those of other commits, and at the end NFT_MSG_NEWGEN
 * with the new generation and the name and pid of the process. A batch that was refused sends
 * nothing. nlmsg_pid is the committing socket's port, which its owner cannot forge.
 *
 * Listening has a price that the one who commits pays: the kernel takes 4 KiB for each message
 * until all are sent. 1,000 services load in 200 ms instead of 147, and take 130 MB for that
 * moment. So who has nothing to hear does not listen.
 */
#include "backend/nl/monitor.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "backend/nl/attr.h"
#include "kernel/netlink.h"

enum {
	RECEIVE_BUFFER = 32 << 20, /* memory only when used: what deletes 1,000 services takes 8 */
	DRAIN_MAX = 100000,	   /* pieces */
	PIECES_MAX = 64,	   /* read at once; others want to be served, too */
};

/* NFNL_MSG_TYPE(): what the messages are about. */
static const struct {
	uint16_t added, removed;
	enum nl_thing thing;
	uint16_t holder; /* the attribute with the name */
} kinds[] = {
	{ NFT_MSG_NEWRULE, NFT_MSG_DELRULE, NL_THING_RULE, NFTA_RULE_CHAIN },
	{ NFT_MSG_NEWCHAIN, NFT_MSG_DELCHAIN, NL_THING_CHAIN, NFTA_CHAIN_NAME },
	{ NFT_MSG_NEWSET, NFT_MSG_DELSET, NL_THING_SET, NFTA_SET_NAME },
	{ NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM, NL_THING_ELEMENT, NFTA_SET_ELEM_LIST_SET },
	{ NFT_MSG_NEWOBJ, NFT_MSG_DELOBJ, NL_THING_OBJECT, NFTA_OBJ_NAME },
	{ NFT_MSG_NEWFLOWTABLE, NFT_MSG_DELFLOWTABLE, NL_THING_OBJECT, NFTA_FLOWTABLE_NAME },
};

/* --- deeds */

/* Names may hold anything that root wrote into them. */
static void copy_printable(char *to, size_t size, const struct nlattr *attr)
{
	const char *from = mnl_attr_get_payload(attr);
	size_t n = strnlen(from, mnl_attr_get_payload_len(attr));

	if (n >= size)
		n = size - 1;
	for (size_t i = 0; i < n; i++)
		to[i] = isprint((unsigned char)from[i]) ? from[i] : '?';
	to[n] = '\0';
}

static void count(struct nl_deed_count *count, const struct nlattr *holder)
{
	char name[NL_DEED_NAME_MAX] = "";

	if (holder)
		copy_printable(name, sizeof(name), holder);
	if (!count->n++)
		memcpy(count->holder, name, sizeof(name));
	else if (strcmp(count->holder, name) != 0)
		count->is_several = true;
}

static void note_chain(struct nl_deed *deed, const struct nlattr *holder)
{
	char name[NL_DEED_NAME_MAX] = "";

	if (holder)
		copy_printable(name, sizeof(name), holder);
	for (unsigned i = 0; i < deed->n_chains && i < NL_DEED_CHAINS_MAX; i++)
		if (strcmp(deed->chains[i], name) == 0)
			return;
	if (deed->n_chains < NL_DEED_CHAINS_MAX)
		memcpy(deed->chains[deed->n_chains], name, sizeof(name));
	if (deed->n_chains <= NL_DEED_CHAINS_MAX)
		deed->n_chains++;
}

static bool is_about(const struct nlmsghdr *nlh, const struct nlattr *attrs, size_t n,
		     const char *table)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *name = nl_attr_find(attrs, n, NFTA_TABLE_NAME);

	return nfg->nfgen_family == NFPROTO_INET && name &&
	       mnl_attr_get_payload_len(name) == strlen(table) + 1 &&
	       memcmp(mnl_attr_get_payload(name), table, strlen(table) + 1) == 0;
}

static void note_thing(struct nl_deed *deed, uint16_t type, const struct nlattr *attrs, size_t n)
{
	deed->is_noted = true;
	deed->is_table_made |= type == NFT_MSG_NEWTABLE;
	deed->is_table_deleted |= type == NFT_MSG_DELTABLE;
	if (type == NFT_MSG_NEWRULE || type == NFT_MSG_DELRULE)
		note_chain(deed, nl_attr_find(attrs, n, NFTA_RULE_CHAIN));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct nlattr *holder = nl_attr_find(attrs, n, kinds[i].holder);

		if (type == kinds[i].added)
			count(&deed->added[kinds[i].thing], holder);
		else if (type == kinds[i].removed)
			count(&deed->removed[kinds[i].thing], holder);
	}
}

static uint32_t read_u32(const struct nlattr *attrs, size_t n, uint16_t type)
{
	const struct nlattr *attr = nl_attr_find(attrs, n, type);

	return attr && mnl_attr_get_payload_len(attr) == sizeof(uint32_t) ?
		       ntohl(mnl_attr_get_u32(attr)) :
		       0;
}

/* The end of a commit: whether it was about us. */
static bool note_end(struct nl_deed *deed, const struct nlattr *attrs, size_t n)
{
	const struct nlattr *name = nl_attr_find(attrs, n, NFTA_GEN_PROC_NAME);

	if (!deed->is_noted)
		return false;
	deed->generation = read_u32(attrs, n, NFTA_GEN_ID);
	deed->pid = read_u32(attrs, n, NFTA_GEN_PROC_PID);
	if (name)
		copy_printable(deed->process, sizeof(deed->process), name);
	return true;
}

bool nl_deed_note(struct nl_deed *deed, const struct nlmsghdr *nlh, const char *table,
		  uint32_t own_port)
{
	uint16_t type = NFNL_MSG_TYPE(nlh->nlmsg_type);
	const struct nlattr *attrs;
	size_t n;

	if (NFNL_SUBSYS_ID(nlh->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    nlh->nlmsg_len < NLMSG_HDRLEN + sizeof(struct nfgenmsg) || nlh->nlmsg_pid == own_port)
		return false;
	attrs = nl_message_attrs(nlh, &n);
	if (type == NFT_MSG_NEWGEN)
		return note_end(deed, attrs, n);
	if (is_about(nlh, attrs, n, table))
		note_thing(deed, type, attrs, n);
	return false;
}

bool nl_deed_is_small(const struct nl_deed *deed)
{
	if (deed->is_table_deleted || deed->is_table_made || deed->n_chains > NL_DEED_CHAINS_MAX)
		return false;
	for (size_t i = 0; i < NL_THING_COUNT; i++)
		if (i != NL_THING_RULE && (deed->added[i].n || deed->removed[i].n))
			return false;
	return deed->n_chains > 0;
}

/* --- words */

static const char *const singular[] = { "rule", "chain", "set", "element", "object" };
static const char *const plural[] = { "rules", "chains", "sets", "elements", "objects" };
static_assert(ARRAY_SIZE(singular) == NL_THING_COUNT && ARRAY_SIZE(plural) == NL_THING_COUNT,
	      "every nl_thing needs a word");

static void put_counts(FILE *out, const char *verb, const struct nl_deed_count counts[])
{
	for (size_t i = 0; i < NL_THING_COUNT; i++) {
		const struct nl_deed_count *c = &counts[i];

		if (c->n)
			fprintf(out, "%s%s %u %s (%s%s)", ftell(out) > 0 ? ", " : "", verb, c->n,
				c->n == 1 ? singular[i] : plural[i], c->holder,
				c->is_several ? " and others" : "");
	}
}

void nl_deed_words(const struct nl_deed *deed, char ret_words[NL_DEED_WORDS_MAX])
{
	FILE *out = fmemopen(ret_words, NL_DEED_WORDS_MAX, "w");

	ret_words[0] = '\0';
	if (!out)
		return;
	if (deed->is_table_deleted && deed->is_table_made) {
		fputs("deleted the table and made another one of its name", out);
	} else if (deed->is_table_deleted) {
		fputs("deleted the table", out);
	} else {
		if (deed->is_table_made)
			fputs("made the table or changed its flags", out);
		put_counts(out, "removed", deed->removed);
		put_counts(out, "added", deed->added);
	}
	fclose(out);
	ret_words[NL_DEED_WORDS_MAX - 1] = '\0';
}

/* --- the socket */

struct nl_monitor {
	struct netlink *netlink;
	const struct nlmsghdr *next; /* of the piece that was read last ... */
	int left;		     /* ... so many bytes are left */
	struct nl_deed deed;	     /* under way */
};

int nl_monitor_open(struct nl_monitor **ret_monitor)
{
	AUTO(nl_monitor) struct nl_monitor *monitor = calloc(1, sizeof(*monitor));
	int size = RECEIVE_BUFFER, fd, r;

	if (!monitor)
		return -ENOMEM;
	r = netlink_open(NETLINK_NETFILTER, 0, &monitor->netlink);
	if (r < 0)
		return r;
	fd = netlink_fd(monitor->netlink);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	r = nl_monitor_listen(monitor, true);
	if (r < 0)
		return r;
	*ret_monitor = TAKE(monitor);
	return 0;
}

void nl_monitor_close(struct nl_monitor *monitor)
{
	if (!monitor)
		return;
	netlink_close(monitor->netlink);
	free(monitor);
}

int nl_monitor_fd(const struct nl_monitor *monitor)
{
	return netlink_fd(monitor->netlink);
}

int nl_monitor_listen(struct nl_monitor *monitor, bool on)
{
	int group = NFNLGRP_NFTABLES;

	return setsockopt(netlink_fd(monitor->netlink), SOL_NETLINK,
			  on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group,
			  sizeof(group)) < 0 ?
		       -errno :
		       0;
}

/* Looks through what is left of a piece: whether it ends a deed. */
static bool find_deed(struct nl_monitor *monitor, const char *table, uint32_t own_port)
{
	while (mnl_nlmsg_ok(monitor->next, monitor->left)) {
		const struct nlmsghdr *nlh = monitor->next;

		monitor->next = mnl_nlmsg_next(nlh, &monitor->left);
		if (nl_deed_note(&monitor->deed, nlh, table, own_port))
			return true;
	}
	monitor->left = 0;
	return false;
}

/* Messages were lost. Those that came before are of a commit whose end is among the lost ones. */
static void drain(struct nl_monitor *monitor)
{
	monitor->deed = (struct nl_deed){ 0 };
	monitor->left = 0;
	for (unsigned i = 0; i < DRAIN_MAX; i++)
		if (netlink_receive(monitor->netlink, 0, &monitor->next) == -EAGAIN)
			return;
}

int nl_monitor_next(struct nl_monitor *monitor, const char *table, uint32_t own_port,
		    struct nl_deed *ret_deed)
{
	for (unsigned i = 0;; i++) {
		int n;

		if (monitor->left && find_deed(monitor, table, own_port)) {
			*ret_deed = monitor->deed;
			monitor->deed = (struct nl_deed){ 0 };
			return 1;
		}
		if (i == PIECES_MAX)
			return -EAGAIN; /* nothing is left but what makes the socket readable */
		n = netlink_receive(monitor->netlink, 0, &monitor->next);
		if (n == -EAGAIN)
			return 0;
		if (n == -ENOBUFS)
			drain(monitor);
		if (n < 0)
			return n;
		monitor->left = n;
	}
}
