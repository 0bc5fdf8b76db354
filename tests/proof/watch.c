/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.c - what the kernel did: which counters counted, which packets left by which device.
 *
 * Both are complete when the sending call has returned: rules run inside it, and so does the hand
 * over to a device that has no queue, where a packet socket takes its copy.
 */
#include "watch.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "backend/nl/socket.h"

enum { ROOM = 8 << 20, DUMP_TRIES = 100 };

/* A counter of the kernel's, in the order in which the kernel lists them. */
struct place_of {
	char name[IR_NAME_MAX];
	uint32_t index; /* in the ruleset, or one of these: */
};
enum { INDEX_SEEN = UINT32_MAX - 1, INDEX_OTHER = UINT32_MAX };

struct watch {
	int fd;
	struct nl_sock *sock;
	const struct ir_ruleset *ruleset;
	struct place_of *places;
	size_t n_places;
	size_t at; /* while a dump is read: the next place */
	uint64_t *values, *before, *counts;
	uint64_t seen, seen_before;
	unsigned devices[BOX_DEVICE_COUNT];
};

struct watch *watch_new(void)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int room = ROOM;

	if (!watch || nl_sock_open(&watch->sock) < 0)
		abort();
	watch->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
	if (watch->fd < 0)
		abort();
	setsockopt(watch->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	for (unsigned i = BOX_LO; i < BOX_DEVICE_COUNT; i++)
		watch->devices[i] = if_nametoindex(box_devices[i]);
	return watch;
}

static void forget(struct watch *watch)
{
	free(watch->places);
	free(watch->values);
	free(watch->before);
	free(watch->counts);
	watch->places = NULL;
	watch->n_places = 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	forget(watch);
	nl_sock_close(watch->sock);
	close(watch->fd);
	free(watch);
}

/* --- counters --------------------------------------------------------------------------------- */

struct dumped {
	const char *table, *name;
	uint64_t packets;
};

static void parse_object(const struct nlmsghdr *nlh, struct dumped *ret)
{
	const struct nlattr *attr, *inner;

	*ret = (struct dumped){ "", "", 0 };
	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		switch (mnl_attr_get_type(attr)) {
		case NFTA_OBJ_TABLE:
			ret->table = mnl_attr_get_str(attr);
			break;
		case NFTA_OBJ_NAME:
			ret->name = mnl_attr_get_str(attr);
			break;
		case NFTA_OBJ_DATA:
			mnl_attr_for_each_nested(inner, attr)
			{
				if (mnl_attr_get_type(inner) == NFTA_COUNTER_PACKETS)
					ret->packets = be64toh(mnl_attr_get_u64(inner));
			}
			break;
		}
	}
}

static uint32_t find_counter(const struct ir_ruleset *ruleset, const struct dumped *dumped)
{
	if (strcmp(dumped->table, "proof") == 0)
		return INDEX_SEEN;
	for (uint32_t i = 0; strcmp(dumped->table, IR_TABLE_NAME) == 0 && i < ruleset->n_counters;
	     i++)
		if (strcmp(ruleset->counters[i].name, dumped->name) == 0)
			return i;
	return INDEX_OTHER;
}

static int learn_place(const struct nlmsghdr *nlh, void *data)
{
	struct watch *watch = data;
	struct place_of *place;
	struct dumped dumped;

	parse_object(nlh, &dumped);
	watch->places = realloc(watch->places, (watch->n_places + 1) * sizeof(*watch->places));
	if (!watch->places)
		abort();
	place = &watch->places[watch->n_places++];
	snprintf(place->name, sizeof(place->name), "%s", dumped.name);
	place->index = find_counter(watch->ruleset, &dumped);
	return 0;
}

static int read_value(const struct nlmsghdr *nlh, void *data)
{
	struct watch *watch = data;
	const struct place_of *place = &watch->places[watch->at];
	struct dumped dumped;

	parse_object(nlh, &dumped);
	if (watch->at++ >= watch->n_places || strcmp(dumped.name, place->name) != 0)
		return -ESTALE;
	if (place->index == INDEX_SEEN)
		watch->seen = dumped.packets;
	else if (place->index != INDEX_OTHER)
		watch->values[place->index] = dumped.packets;
	return 0;
}

static void dump(struct watch *watch, nl_answer_fn fn)
{
	uint8_t buffer[NL_REQUEST_MAX];
	int r = -EINTR;

	for (unsigned i = 0; r == -EINTR && i < DUMP_TRIES; i++) {
		watch->at = 0;
		if (fn == learn_place)
			watch->n_places = 0;
		r = nl_sock_ask(watch->sock, nl_request_init(buffer, NFT_MSG_GETOBJ, NLM_F_DUMP),
				fn, watch);
	}
	if (r < 0) {
		fprintf(stderr, "reading counters: %s\n", strerror(-r));
		abort();
	}
}

/* --- packets ---------------------------------------------------------------------------------- */

static void look_at_packets(struct watch *watch, struct sight *ret)
{
	uint8_t bytes[2048];
	struct sockaddr_ll from;
	socklen_t length;
	ssize_t n;

	ret->n_frames = 0;
	for (;;) {
		struct frame *frame = &ret->frames[ret->n_frames];

		length = sizeof(from);
		n = recvfrom(watch->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &length);
		if (n < 0)
			return;
		if (from.sll_pkttype != PACKET_OUTGOING || ret->n_frames == WATCH_FRAMES_MAX)
			continue;
		frame_read(bytes, (size_t)n, frame);
		for (uint8_t i = BOX_LO; i < BOX_DEVICE_COUNT; i++)
			if (watch->devices[i] == (unsigned)from.sll_ifindex)
				frame->device = i;
		ret->n_frames++;
	}
}

void watch_look(struct watch *watch, struct sight *ret_sight)
{
	size_t n = watch->ruleset->n_counters;

	dump(watch, read_value);
	for (size_t i = 0; i < n; i++)
		watch->counts[i] = watch->values[i] - watch->before[i];
	memcpy(watch->before, watch->values, n * sizeof(*watch->values));
	ret_sight->counts = watch->counts;
	ret_sight->n_seen = (unsigned)(watch->seen - watch->seen_before);
	watch->seen_before = watch->seen;
	look_at_packets(watch, ret_sight);
}

void watch_ruleset(struct watch *watch, const struct ir_ruleset *ruleset)
{
	size_t n = ruleset->n_counters + 1;
	struct sight sight;

	forget(watch);
	watch->ruleset = ruleset;
	watch->values = calloc(n, sizeof(*watch->values));
	watch->before = calloc(n, sizeof(*watch->before));
	watch->counts = calloc(n, sizeof(*watch->counts));
	if (!watch->values || !watch->before || !watch->counts)
		abort();
	dump(watch, learn_place);
	watch_look(watch, &sight); /* what was before does not count */
}

/* --- flows ------------------------------------------------------------------------------------ */

void watch_forget_flows(void)
{
	uint8_t buffer[NL_REQUEST_MAX];
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *nfg;
	ssize_t n;

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	memset(nfg, 0, sizeof(*nfg));
	if (!sock || mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) < 0)
		abort();
	n = mnl_socket_recvfrom(sock, buffer, sizeof(buffer));
	if (n < 0 || mnl_cb_run(buffer, (size_t)n, 1, mnl_socket_get_portid(sock), NULL, NULL) < 0)
		abort();
	mnl_socket_close(sock);
}
