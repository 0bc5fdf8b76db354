/* SPDX-License-Identifier: GPL-2.0-or-later */
/* owner.c - one question to sock_diag and its answer, for each connection that somebody makes.
 *
 * The kernel answers within send(), so that the answer is there when it returns: no waiting. For a
 * four-tuple that no connection has, inet_lookup() falls back to a listener on the port, and a
 * closed connection is answered with its TIME_WAIT and uid 0: the state tells.
 */
#include "kernel/owner.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include "kernel/netlink.h"

/* A socket bound to a device is found by asking for this one only; between local sockets it can be
 * no other (include/net/inet_hashtables.h, inet_match()).
 */
enum { LOOPBACK_INTERFACE = 1, ANSWER_TIMEOUT_MS = 1000, ANSWER_MAX = 4096 };

/* With a program that holds it, and a peer. */
enum {
	STATES_HELD = 1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 |
		      1 << TCP_CLOSE_WAIT | 1 << TCP_LAST_ACK | 1 << TCP_CLOSING
};

struct owners {
	struct netlink *netlink;
	struct {
		struct nlmsghdr nlh;
		struct inet_diag_req_v2 diag;
	} request;
	union {
		struct nlmsghdr nlh;
		uint8_t bytes[ANSWER_MAX];
	} answer;
};

int owners_open(struct owners **ret_owners)
{
	AUTO(owners) struct owners *owners = calloc(1, sizeof(*owners));
	int r;

	if (!owners)
		return -ENOMEM;
	r = netlink_open(NETLINK_SOCK_DIAG, ANSWER_TIMEOUT_MS, &owners->netlink);
	if (r < 0)
		return r;
	owners->request.nlh = (struct nlmsghdr){
		.nlmsg_len = sizeof(owners->request),
		.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_flags = NLM_F_REQUEST,
	};
	owners->request.diag.sdiag_protocol = IPPROTO_TCP;
	owners->request.diag.idiag_states = STATES_HELD;
	owners->request.diag.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	owners->request.diag.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	*ret_owners = TAKE(owners);
	return 0;
}

void owners_close(struct owners *owners)
{
	if (!owners)
		return;
	netlink_close(owners->netlink);
	free(owners);
}

/* The next answer to this very question; what an earlier one left behind is passed over. */
static int receive(struct owners *owners, const struct nlmsghdr **ret_nlh)
{
	for (;;) {
		ssize_t n = recv(netlink_fd(owners->netlink), &owners->answer,
				 sizeof(owners->answer), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (mnl_nlmsg_ok(&owners->answer.nlh, (int)n) &&
		    owners->answer.nlh.nlmsg_seq == owners->request.nlh.nlmsg_seq)
			break;
	}
	*ret_nlh = &owners->answer.nlh;
	return 0;
}

static int ask(struct owners *owners, const struct nlmsghdr **ret_nlh)
{
	const struct nlmsgerr *error;
	int r;

	owners->request.nlh.nlmsg_seq = netlink_next_seq(owners->netlink);
	if (send(netlink_fd(owners->netlink), &owners->request, sizeof(owners->request), 0) < 0)
		return -errno;
	r = receive(owners, ret_nlh);
	if (r < 0)
		return r;
	if ((*ret_nlh)->nlmsg_type != NLMSG_ERROR)
		return 0;
	error = mnl_nlmsg_get_payload(*ret_nlh);
	return error->error ? error->error : -EPROTO;
}

static uint64_t get_cgroup(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct inet_diag_msg))
	{
		if (mnl_attr_get_type(attr) == INET_DIAG_CGROUP_ID &&
		    mnl_attr_validate2(attr, MNL_TYPE_UNSPEC, sizeof(uint64_t)) == 0)
			return mnl_attr_get_u64(attr);
	}
	return 0;
}

int owners_find(struct owners *owners, const struct prefix *from, uint16_t sport,
		const struct prefix *to, uint16_t dport, struct owner *ret_owner)
{
	struct inet_diag_req_v2 *diag = &owners->request.diag;
	const struct inet_diag_msg *found;
	const struct nlmsghdr *nlh;
	int r;

	if (from->family != to->family)
		return -ENOENT;
	diag->sdiag_family = from->family == ADDR_V4 ? AF_INET : AF_INET6;
	memcpy(diag->id.idiag_src, from->bytes, sizeof(from->bytes));
	memcpy(diag->id.idiag_dst, to->bytes, sizeof(to->bytes));
	diag->id.idiag_sport = htons(sport);
	diag->id.idiag_dport = htons(dport);
	diag->id.idiag_if = 0;
	r = ask(owners, &nlh);
	if (r == -ENOENT) {
		diag->id.idiag_if = LOOPBACK_INTERFACE;
		r = ask(owners, &nlh);
	}
	if (r < 0)
		return r;
	if (nlh->nlmsg_len < NLMSG_HDRLEN + sizeof(*found))
		return -EPROTO;
	found = mnl_nlmsg_get_payload(nlh);
	if (found->idiag_state >= 32 || !(1u << found->idiag_state & STATES_HELD) ||
	    found->idiag_inode == 0)
		return -ENOENT;
	*ret_owner = (struct owner){
		.uid = found->idiag_uid,
		.cgroup = get_cgroup(nlh),
		.inode = found->idiag_inode,
	};
	return 0;
}
