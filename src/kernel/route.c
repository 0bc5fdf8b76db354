/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route.c - an address → the interface by which packets to it leave, as the kernel would route
 * them.
 *
 * The answer is that of RTM_GETROUTE without RTM_F_FIB_MATCH: to one of this machine's own
 * addresses that is lo, where the table itself names the device that has the address (eth0). A
 * socket bound to eth0 leaves by eth0 even for 127.0.0.1 and ::1, and by lo for eth0's own address.
 * All as measured on Linux 6.18: tests/netns/52-sockets.sh.
 */
#include "kernel/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "base/hash.h"
#include "kernel/netlink.h"

enum {
	ANSWER_TIMEOUT_MS = 5000,
	REQUEST_MAX = 256,
	SLOTS_FIRST = 256,	/* a power of two */
	REMEMBERED_MAX = 65536, /* a web server's clients have an address each */
};

/* Compared as bytes: made by make_question() only, which leaves no gap unset. */
struct question {
	struct prefix to, from; /* from.family ADDR_NONE: not chosen yet */
	unsigned ifindex;
	int64_t uid;
};

struct remembered {
	struct question question;
	struct route route;
	int result;
	bool is_used;
};

struct routes {
	struct netlink *netlink;
	struct remembered *slots; /* open addressing, at most half full */
	size_t n_slots, n_used;
	unsigned ifindex; /* whose name was looked up last */
	char name[IFNAMSIZ];
};

int routes_open(struct routes **ret_routes)
{
	AUTO(routes) struct routes *routes = calloc(1, sizeof(*routes));
	int r;

	if (!routes)
		return -ENOMEM;
	r = netlink_open(NETLINK_ROUTE, ANSWER_TIMEOUT_MS, &routes->netlink);
	if (r < 0)
		return r;
	*ret_routes = TAKE(routes);
	return 0;
}

void routes_close(struct routes *routes)
{
	if (!routes)
		return;
	netlink_close(routes->netlink);
	free(routes->slots);
	free(routes);
}

bool routes_is_unreachable(int r)
{
	/* no route or throw, unreachable, prohibit, blackhole, a device that is down or gone */
	return r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EACCES || r == -EINVAL ||
	       r == -ENETDOWN || r == -ENODEV;
}

/* --- what was asked before ----------------------------------------------------------------------
 */

static void make_question(int64_t uid, const struct prefix *from, const struct prefix *to,
			  unsigned ifindex, struct question *ret_question)
{
	memset(ret_question, 0, sizeof(*ret_question));
	ret_question->to = *to;
	if (from)
		ret_question->from = *from;
	ret_question->ifindex = ifindex;
	ret_question->uid = uid;
}

/* The slot that holds the question, or the free one where it belongs. */
static struct remembered *find_slot(struct remembered *slots, size_t n_slots,
				    const struct question *question)
{
	size_t i = hash_bytes(question, sizeof(*question)) & (n_slots - 1);

	while (slots[i].is_used && memcmp(&slots[i].question, question, sizeof(*question)) != 0)
		i = (i + 1) & (n_slots - 1);
	return &slots[i];
}

/* Makes room for one more. */
static int grow(struct routes *routes)
{
	size_t n = routes->n_slots ? routes->n_slots * 2 : SLOTS_FIRST;
	struct remembered *slots;

	if (routes->n_used < routes->n_slots / 2)
		return 0;
	if (routes->n_used >= REMEMBERED_MAX) {
		memset(routes->slots, 0, routes->n_slots * sizeof(*routes->slots));
		routes->n_used = 0;
		return 0;
	}
	slots = calloc(n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < routes->n_slots; i++)
		if (routes->slots[i].is_used)
			*find_slot(slots, n, &routes->slots[i].question) = routes->slots[i];
	free(routes->slots);
	routes->slots = slots;
	routes->n_slots = n;
	return 0;
}

/* --- asking -------------------------------------------------------------------------------------
 */

/* What connect() makes of them. RTM_GETROUTE does so for 0.0.0.0, but takes :: literally. */
static struct prefix to_real(const struct prefix *to)
{
	static const struct prefix v4 = { ADDR_V4, 32, { 127, 0, 0, 1 } };
	static const struct prefix v6 = { ADDR_V6, 128, { [15] = 1 } };
	struct prefix real = { .family = ADDR_V4, .length = 32 };

	if (prefix_is_unspecified(to))
		return to->family == ADDR_V4 ? v4 : v6;
	if (!prefix_is_mapped(to))
		return *to;
	memcpy(real.bytes, to->bytes + 12, 4);
	return prefix_is_unspecified(&real) ? v4 : real;
}

static void put_address(struct nlmsghdr *nlh, uint16_t type, const struct prefix *address)
{
	mnl_attr_put(nlh, type, address->family == ADDR_V4 ? 4 : 16, address->bytes);
}

static void make_request(struct nlmsghdr *nlh, const struct question *question)
{
	struct rtmsg *rtm;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = question->to.family == ADDR_V4 ? AF_INET : AF_INET6;
	rtm->rtm_dst_len = (uint8_t)prefix_max_length(&question->to);
	put_address(nlh, RTA_DST, &question->to);
	if (question->from.family != ADDR_NONE) {
		rtm->rtm_src_len = (uint8_t)prefix_max_length(&question->from);
		put_address(nlh, RTA_SRC, &question->from);
	}
	if (question->ifindex)
		mnl_attr_put_u32(nlh, RTA_OIF, question->ifindex);
	if (question->uid != ROUTE_ANY_UID)
		mnl_attr_put_u32(nlh, RTA_UID, (uint32_t)question->uid);
}

struct answer {
	uint32_t ifindex;
	uint8_t type; /* RTN_... */
};

static int read_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct answer *ret_answer = data;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return -EPROTO;
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		if (mnl_attr_get_type(attr) == RTA_OIF &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			ret_answer->ifindex = mnl_attr_get_u32(attr);
	}
	ret_answer->type = rtm->rtm_type;
	return 0;
}

/* Most questions have the same answer, and each name costs three system calls. */
static int name_interface(struct routes *routes, unsigned ifindex, char ret_name[IFNAMSIZ])
{
	if (!ifindex || routes->ifindex != ifindex) {
		routes->ifindex = 0;
		if (!ifindex || !if_indextoname(ifindex, routes->name))
			return -ENODEV; /* gone in the meantime */
		routes->ifindex = ifindex;
	}
	memcpy(ret_name, routes->name, IFNAMSIZ);
	return 0;
}

static int ask(struct routes *routes, const struct question *question, struct route *ret_route)
{
	char buffer[REQUEST_MAX] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct answer answer = { 0 };
	int r;

	make_request(nlh, question);
	r = netlink_ask(routes->netlink, nlh, read_route, &answer);
	if (r < 0)
		return r;
	ret_route->is_local = answer.type == RTN_LOCAL;
	return name_interface(routes, answer.ifindex, ret_route->oifname);
}

int routes_find_for(struct routes *routes, int64_t uid, const struct prefix *from,
		    const struct prefix *to, unsigned ifindex, struct route *ret_route)
{
	struct prefix real = to_real(to);
	struct question question;
	struct remembered *slot;
	int r = grow(routes);

	if (r < 0)
		return r;
	if (from && from->family != real.family)
		from = NULL;
	make_question(uid, from, &real, ifindex, &question);
	slot = find_slot(routes->slots, routes->n_slots, &question);
	if (!slot->is_used) {
		struct route route = { 0 };

		r = ask(routes, &question, &route);
		if (r < 0 && !routes_is_unreachable(r))
			return r;
		*slot = (struct remembered){ question, route, r, true };
		routes->n_used++;
	}
	if (slot->result == 0)
		*ret_route = slot->route;
	return slot->result;
}

int routes_find(struct routes *routes, const struct prefix *to, unsigned ifindex,
		struct route *ret_route)
{
	return routes_find_for(routes, ROUTE_ANY_UID, NULL, to, ifindex, ret_route);
}
