/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracked.c - what connection tracking knows of one TCP connection.
 *
 * ctnetlink is a module of its own (nf_conntrack_netlink), which the kernel loads by itself where
 * it has it; without it the question is answered with EOPNOTSUPP or EINVAL.
 */
#include "kernel/tracked.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "kernel/netlink.h"

enum { ANSWER_TIMEOUT_MS = 5000, REQUEST_MAX = 256 };

struct tracked {
	struct netlink *netlink;
};

int tracked_open(struct tracked **ret_tracked)
{
	AUTO(tracked) struct tracked *tracked = calloc(1, sizeof(*tracked));
	int r = tracked ? netlink_open(NETLINK_NETFILTER, ANSWER_TIMEOUT_MS, &tracked->netlink) :
			  -ENOMEM;

	if (r < 0)
		return r;
	*ret_tracked = TAKE(tracked);
	return 0;
}

void tracked_close(struct tracked *tracked)
{
	if (!tracked)
		return;
	netlink_close(tracked->netlink);
	free(tracked);
}

static void put_addresses(struct nlmsghdr *nlh, const struct prefix *from, const struct prefix *to)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	bool v4 = from->family == ADDR_V4;

	mnl_attr_put(nlh, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, v4 ? 4 : 16, from->bytes);
	mnl_attr_put(nlh, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, v4 ? 4 : 16, to->bytes);
	mnl_attr_nest_end(nlh, nest);
}

static void put_ports(struct nlmsghdr *nlh, uint16_t sport, uint16_t dport)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);

	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, IPPROTO_TCP);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(sport));
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(dport));
	mnl_attr_nest_end(nlh, nest);
}

static int read_status(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr;
	uint32_t *status = data;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == CTA_STATUS &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			*status = ntohl(mnl_attr_get_u32(attr));
	}
	return 0;
}

int tracked_is_led(struct tracked *tracked, const struct prefix *from, uint16_t sport,
		   const struct prefix *to, uint16_t dport)
{
	uint8_t buffer[REQUEST_MAX] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(nlh, sizeof(*head));
	uint32_t status = 0;
	struct nlattr *nest;
	int r;

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	head->nfgen_family = from->family == ADDR_V4 ? AF_INET : AF_INET6;
	head->version = NFNETLINK_V0;
	nest = mnl_attr_nest_start(nlh, CTA_TUPLE_ORIG);
	put_addresses(nlh, from, to);
	put_ports(nlh, sport, dport);
	mnl_attr_nest_end(nlh, nest);
	r = netlink_ask(tracked->netlink, nlh, read_status, &status);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : (status & IPS_DST_NAT) != 0;
}
