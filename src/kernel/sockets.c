/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.c - sock_diag's dumps → the connected sockets of this network namespace; and their end.
 *
 * As measured on Linux 6.18 (docs/decisions/live-connections.md): an orphan is listed with the uid
 * of who had it, what waits to be accepted with the listener's, a connection that is only being
 * asked for (SYN_RECV) as root's and without a control group. The subflows of MPTCP are TCP sockets
 * here; what they belong to cannot be closed (EOPNOTSUPP). UDP is closed by disconnecting it;
 * UDP-Lite cannot be closed (EOPNOTSUPP).
 */
#include "kernel/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/utsname.h>

#include <libmnl/libmnl.h>
#include <linux/mptcp.h>
#include <linux/sock_diag.h>

#include "kernel/netlink.h"

enum { ANSWER_TIMEOUT_MS = 5000, REQUEST_MAX = 128 };

struct sockets {
	struct netlink *netlink;
	bool can_destroy;
	bool forgets_owners;
};

static const char *const state_names[] = {
	[TCP_ESTABLISHED] = "established",
	[TCP_SYN_SENT] = "syn-sent",
	[TCP_SYN_RECV] = "syn-received",
	[TCP_FIN_WAIT1] = "fin-wait-1",
	[TCP_FIN_WAIT2] = "fin-wait-2",
	[TCP_TIME_WAIT] = "time-wait",
	[TCP_CLOSE] = "closed",
	[TCP_CLOSE_WAIT] = "close-wait",
	[TCP_LAST_ACK] = "last-ack",
	[TCP_LISTEN] = "listening",
	[TCP_CLOSING] = "closing",
};

enum {
	STATES_CONNECTED = 1 << TCP_ESTABLISHED | 1 << TCP_SYN_SENT | 1 << TCP_SYN_RECV |
			   1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSE_WAIT |
			   1 << TCP_LAST_ACK | 1 << TCP_CLOSING,
	STATES_LISTENING = 1 << TCP_LISTEN,
};

const char *sockets_state_name(const struct live_socket *socket)
{
	if (socket->state < ARRAY_SIZE(state_names) && state_names[socket->state])
		return state_names[socket->state];
	return "unknown";
}

bool sockets_is_orphan(const struct live_socket *socket)
{
	/* In the other states a socket without a program has not been accepted yet. */
	return socket->inode == 0 &&
	       (socket->state == TCP_FIN_WAIT1 || socket->state == TCP_FIN_WAIT2 ||
		socket->state == TCP_CLOSING || socket->state == TCP_LAST_ACK);
}

/* sock_diag asked the inode for the owner, which an orphan has none of: sock_i_uid() in
 * net/core/sock.c until "net: remove sock_i_uid()".
 */
bool sockets_forget_owners(const char *release)
{
	unsigned major, minor;

	return sscanf(release, "%u.%u", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 17));
}

bool sockets_knows_owner(const struct sockets *sockets, const struct live_socket *socket)
{
	return !sockets->forgets_owners || socket->uid != 0 || !sockets_is_orphan(socket);
}

static struct inet_diag_req_v2 *make_request(void *buffer, uint16_t type, uint8_t family,
					     uint8_t protocol)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *request;

	nlh->nlmsg_type = type;
	request = mnl_nlmsg_put_extra_header(nlh, sizeof(*request));
	request->sdiag_family = family;
	request->sdiag_protocol = protocol;
	return request;
}

static struct prefix make_address(uint8_t family, const __be32 address[4])
{
	struct prefix found = { .family = family == AF_INET ? ADDR_V4 : ADDR_V6 };

	found.length = (uint8_t)prefix_max_length(&found);
	memcpy(found.bytes, address, found.length / 8);
	if (prefix_is_mapped(&found)) {
		found = (struct prefix){ .family = ADDR_V4, .length = 32 };
		memcpy(found.bytes, &address[3], 4);
	}
	return found;
}

/* --- attributes */

/* Inside of `outer`, or NULL. */
static const struct nlattr *find_nested(const struct nlattr *outer, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, outer)
	{
		if (mnl_attr_get_type(attr) == type)
			return attr;
	}
	return NULL;
}

/* A socket that fell back to plain TCP keeps being called a subflow; the far side's consent it
 * never had.
 */
static bool read_is_mptcp(const struct nlattr *ulp_info)
{
	const struct nlattr *mptcp = find_nested(ulp_info, INET_ULP_INFO_MPTCP);
	const struct nlattr *flags = mptcp ? find_nested(mptcp, MPTCP_SUBFLOW_ATTR_FLAGS) : NULL;

	return flags && mnl_attr_validate(flags, MNL_TYPE_U32) == 0 &&
	       mnl_attr_get_u32(flags) &
		       (MPTCP_SUBFLOW_FLAG_MCAP_REM | MPTCP_SUBFLOW_FLAG_JOIN_REM);
}

static void read_attributes(const struct nlmsghdr *nlh, struct live_socket *socket)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct inet_diag_msg))
	{
		if (mnl_attr_get_type(attr) == INET_DIAG_CGROUP_ID &&
		    mnl_attr_validate(attr, MNL_TYPE_U64) == 0)
			socket->cgroup = mnl_attr_get_u64(attr);
		else if (mnl_attr_get_type(attr) == INET_DIAG_ULP_INFO)
			socket->is_mptcp = read_is_mptcp(attr);
	}
}

/* --- listing */

struct listing {
	uint8_t protocol;
	uint32_t states;
	int (*fn)(const struct live_socket *socket, void *data);
	void *data;
};

static int read_socket(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	const struct listing *listing = data;
	struct live_socket found;

	if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY || mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg))
		return -EPROTO;
	if (!(listing->states & 1U << msg->idiag_state))
		return 0; /* a kernel that does not heed the request's states */
	found = (struct live_socket){
		.l4proto = listing->protocol,
		.state = msg->idiag_state,
		.uid = msg->idiag_uid,
		.inode = msg->idiag_inode,
		.from = make_address(msg->idiag_family, msg->id.idiag_src),
		.to = make_address(msg->idiag_family, msg->id.idiag_dst),
		.sport = ntohs(msg->id.idiag_sport),
		.dport = ntohs(msg->id.idiag_dport),
		.ifindex = msg->id.idiag_if,
		.family = msg->idiag_family,
		.diag_protocol = listing->protocol,
		.id = msg->id,
	};
	read_attributes(nlh, &found);
	if (listing->protocol == IPPROTO_RAW) { /* its port is the protocol: raw_v4_hash() */
		found.l4proto = (uint8_t)found.sport;
		found.sport = found.dport = 0;
	}
	return listing->fn(&found, listing->data);
}

static int list_family(struct sockets *sockets, uint8_t family, struct listing *listing)
{
	char buffer[REQUEST_MAX] = { 0 };
	struct nlmsghdr *nlh = (void *)buffer;
	struct inet_diag_req_v2 *request =
		make_request(buffer, SOCK_DIAG_BY_FAMILY, family, listing->protocol);

	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->idiag_states = listing->states;
	if (listing->protocol == IPPROTO_TCP) /* with it comes INET_DIAG_ULP_INFO */
		request->idiag_ext = 1 << (INET_DIAG_INFO - 1);
	return netlink_ask(sockets->netlink, nlh, read_socket, listing);
}

static int list_states(struct sockets *sockets, struct listing *listing)
{
	int r = list_family(sockets, AF_INET, listing);

	/* An IPv6 socket with IPv4-mapped addresses is listed here, and only here. */
	return r ? r : list_family(sockets, AF_INET6, listing);
}

int sockets_list(struct sockets *sockets, uint8_t l4proto,
		 int (*fn)(const struct live_socket *socket, void *data), void *data)
{
	struct listing listing = { l4proto, STATES_CONNECTED, fn, data };

	return list_states(sockets, &listing);
}

int sockets_list_listening(struct sockets *sockets,
			   int (*fn)(const struct live_socket *socket, void *data), void *data)
{
	struct listing listing = { IPPROTO_TCP, STATES_LISTENING, fn, data };

	return list_states(sockets, &listing);
}

static int destroy(struct sockets *sockets, uint8_t family, uint8_t protocol,
		   const struct inet_diag_sockid *id)
{
	char buffer[REQUEST_MAX] = { 0 };
	struct nlmsghdr *nlh = (void *)buffer;
	struct inet_diag_req_v2 *request = make_request(buffer, SOCK_DESTROY, family, protocol);

	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	request->idiag_states = UINT32_MAX;
	request->id = *id;
	return netlink_ask(sockets->netlink, nlh, NULL, NULL);
}

/* The cookie in the id keeps this from hitting whoever has the same addresses by now. */
int sockets_destroy(struct sockets *sockets, const struct live_socket *socket)
{
	return destroy(sockets, socket->family, socket->diag_protocol, &socket->id);
}

/* Nothing is connected from port 0 of no address: ENOENT where the kernel would close it. But
 * ENOENT is also what a kernel says that cannot even list (no CONFIG_INET_TCP_DIAG), to both.
 */
static bool probe(struct sockets *sockets)
{
	struct listing nothing = { .protocol = IPPROTO_TCP };
	static const struct inet_diag_sockid nobody = {
		.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE },
	};

	return list_family(sockets, AF_INET, &nothing) == 0 &&
	       destroy(sockets, AF_INET, IPPROTO_TCP, &nobody) == -ENOENT;
}

int sockets_open(struct sockets **ret_sockets)
{
	AUTO(sockets) struct sockets *sockets = calloc(1, sizeof(*sockets));
	struct utsname name;
	int r;

	if (!sockets)
		return -ENOMEM;
	r = netlink_open(NETLINK_SOCK_DIAG, ANSWER_TIMEOUT_MS, &sockets->netlink);
	if (r < 0)
		return r;
	sockets->can_destroy = probe(sockets);
	sockets->forgets_owners = uname(&name) == 0 && sockets_forget_owners(name.release);
	*ret_sockets = TAKE(sockets);
	return 0;
}

void sockets_close(struct sockets *sockets)
{
	if (!sockets)
		return;
	netlink_close(sockets->netlink);
	free(sockets);
}

bool sockets_can_destroy(const struct sockets *sockets)
{
	return sockets->can_destroy;
}
