/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wish.c - what a packet should be like → how somebody sends it. */
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>

#include "aim.h"

/* Ports that policies, resolvers and proxies name often, and their neighbours. */
static uint32_t random_port(struct random *random)
{
	static const uint16_t common[] = {
		1, 22, 53, 80, 443, 3000, 3128, 5432, 8080, 8888, 65535
	};

	if (random_chance(random, 4))
		return 1 + random_below(random, UINT16_MAX);
	return common[random_below(random, ARRAY_SIZE(common))];
}

static struct prefix address(const char *text)
{
	struct prefix address;

	if (parse_address(text, &address) < 0)
		abort();
	return address;
}

struct prefix random_own(struct random *random, enum addr_family family)
{
	const struct prefix *own;

	do
		own = box_own(random_below(random, box_n_own()));
	while (own->family != family || box_is_link_local(own));
	return *own;
}

static struct prefix random_address(struct random *random, enum addr_family family)
{
	static const char *const v4[] = {
		"127.0.0.1",  "127.0.0.2", "127.255.255.254", "0.0.0.0",	 "0.0.0.0",
		"192.0.2.53", "192.0.2.8", "127.0.0.53",      "169.254.169.254", "203.0.113.7",
		"10.1.2.0",   "224.0.0.1", "255.255.255.255", "192.0.2.9",
	};
	static const char *const v6[] = {
		"::1",
		"::",
		"::",
		"2001:db8::53",
		"2001:db8::8",
		"2001:db8:f::7",
		"fd00:ec2::254",
		"fe80::1",
		"ff02::1",
		"64:ff9b::192.0.2.1",
	};

	if (random_chance(random, 4))
		return random_own(random, family);
	if (family == ADDR_V4)
		return address(v4[random_below(random, ARRAY_SIZE(v4))]);
	return address(v6[random_below(random, ARRAY_SIZE(v6))]);
}

void wish_family(struct aim *aim, struct wish *wish, enum addr_family family)
{
	if (wish->to.family != family)
		wish->to = random_address(&aim->random, family);
}

static uint8_t random_protocol(struct random *random)
{
	static const uint8_t protocols[] = {
		IPPROTO_TCP,  IPPROTO_TCP,  IPPROTO_TCP,    IPPROTO_UDP,
		IPPROTO_UDP,  IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_UDPLITE,
		IPPROTO_SCTP, IPPROTO_GRE,  IPPROTO_ESP,    IPPROTO_IGMP,
		253,
	};

	return protocols[random_below(random, ARRAY_SIZE(protocols))];
}

void wish_random(struct aim *aim, struct wish *ret)
{
	struct random *random = &aim->random;
	bool v4 = random_chance(random, 2);

	*ret = (struct wish){
		.uid = aim->uids[random_below(random, AIM_UIDS)],
		.to = random_address(random, v4 ? ADDR_V4 : ADDR_V6),
		.l4proto = random_protocol(random),
		.sport = random_port(random),
		.dport = random_port(random),
		.tcp_flags = TH_SYN,
		.icmp_type = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
	};
	if (random_chance(random, 4))
		ret->tcp_flags = (uint8_t)random_below(random, 256);
	if (random_chance(random, 4))
		ret->icmp_type = (uint8_t)random_below(random, 256);
}

void wish_disturb(struct aim *aim, struct wish *wish)
{
	struct random *random = &aim->random;

	switch (random_below(random, 12)) {
	case 0:
		wish->dport = random_port(random);
		break;
	case 1:
		wish->l4proto = random_protocol(random);
		break;
	case 2:
		wish->to = random_address(random, wish->to.family);
		break;
	case 3:
		wish_family(aim, wish, wish->to.family == ADDR_V4 ? ADDR_V6 : ADDR_V4);
		break;
	case 4:
	case 5:
		wish->way = BOX_LO + random_below(random, BOX_DEVICE_COUNT - BOX_LO);
		break;
	case 6:
		wish->ip_options = true;
		break;
	case 7:
		wish->routing_header = true;
		break;
	case 8:
		wish->foreign = true;
		break;
	case 9:
		wish->tcp_flags = (uint8_t)random_below(random, 256);
		break;
	case 10:
		wish->mptcp = true;
		break;
	case 11:
		wish->sport = random_port(random);
		wish->wants_sport = true;
		break;
	}
}

/* --- how it is sent --------------------------------------------------------------------------- */

static struct prefix random_foreign(struct random *random, enum addr_family family)
{
	struct prefix foreign = address(family == ADDR_V4 ? "198.18.0.1" : "2001:db8:bad::1");

	foreign.bytes[family == ADDR_V4 ? 3 : 15] = (uint8_t)(1 + random_below(random, 254));
	return foreign;
}

static bool is_echo(const struct wish *wish)
{
	return wish->to.family == ADDR_V4 ?
		       wish->l4proto == IPPROTO_ICMP && wish->icmp_type == ICMP_ECHO :
		       wish->l4proto == IPPROTO_ICMPV6 && wish->icmp_type == ICMP6_ECHO_REQUEST;
}

static enum shot_kind choose_kind(struct aim *aim, const struct wish *wish)
{
	struct random *random = &aim->random;
	bool in_pool = false;

	for (unsigned i = 0; i < AIM_UIDS; i++)
		in_pool = in_pool || aim->uids[i] == wish->uid;
	if (random_chance(random, wish->mptcp ? 3 : 16))
		return SHOT_COPY;
	if (!in_pool || random_chance(random, 4) || (wish->foreign && wish->to.family == ADDR_V4))
		return SHOT_RAW;
	if (wish->l4proto == IPPROTO_TCP && wish->tcp_flags == TH_SYN)
		return wish->mptcp ? SHOT_MPTCP : SHOT_TCP;
	if (wish->l4proto == IPPROTO_UDP)
		return SHOT_UDP;
	if (wish->l4proto == IPPROTO_UDPLITE)
		return SHOT_UDPLITE;
	return is_echo(wish) && !wish->routing_header ? SHOT_PING : SHOT_RAW;
}

static void choose_source(struct aim *aim, const struct wish *wish, struct shot *shot)
{
	struct random *random = &aim->random;
	enum addr_family family = wish->to.family;

	if (wish->foreign)
		shot->from = random_foreign(random, family);
	/* not of a copy, which already has the device of its way: it would not count as local there
	 */
	else if (box_is_link_local(&wish->to) && shot->device == BOX_ETH0 &&
		 shot->kind != SHOT_COPY && random_chance(random, 2))
		shot->from = address("fe80::2");
	else if (shot_is_raw(shot) || random_chance(random, 4))
		shot->from = random_own(random, family);
	if (shot_is_raw(shot) || wish->wants_sport)
		shot->sport = wish->sport;
	/* bound to nothing but a port */
	if (shot->from.family == ADDR_NONE && shot->sport)
		shot->from = address(family == ADDR_V4 ? "0.0.0.0" : "::");
}

/* A routing header brings the packet to the wished-for address on its way to some other. */
static void choose_way(struct aim *aim, const struct wish *wish, struct shot *shot)
{
	bool scoped = wish->to.family == ADDR_V6 && !box_is_own(&wish->to) &&
		      ((wish->to.bytes[0] == 0xfe && wish->to.bytes[1] == 0x80) ||
		       wish->to.bytes[0] == 0xff);

	shot->device = wish->way;
	if (scoped && wish->way == BOX_ANY)
		shot->device = random_chance(&aim->random, 2) ? BOX_ETH0 : BOX_WG;
	shot->ip_options = wish->ip_options && wish->to.family == ADDR_V4;
	if (wish->routing_header && wish->to.family == ADDR_V6 && shot->kind != SHOT_PING &&
	    !prefix_is_unspecified(&wish->to)) {
		shot->via = wish->to;
		shot->to = address("2001:db8:77::7");
		/* whether the kernel answers a connected socket depends on its cached route */
		shot->is_connected = false;
	}
}

static uint32_t choose_damage(struct aim *aim, const struct shot *shot)
{
	static const uint8_t damages[] = { DAMAGE_FRAGMENT, DAMAGE_SHORT, DAMAGE_NOTHING,
					   DAMAGE_BAD_LENGTH };
	enum shot_damage damage = damages[random_below(&aim->random, ARRAY_SIZE(damages))];

	if (shot->kind != SHOT_RAW || !random_chance(&aim->random, 10))
		return DAMAGE_NONE;
	/* connection tracking would wait for the fragment's other parts */
	if (damage == DAMAGE_FRAGMENT && (aim->flows->tracked || shot->to.family == ADDR_V6))
		return DAMAGE_NONE;
	if (damage == DAMAGE_BAD_LENGTH && shot->l4proto != IPPROTO_UDP)
		return DAMAGE_NONE;
	return damage;
}

void wish_to_shot(struct aim *aim, const struct wish *wish, struct shot *ret)
{
	struct random *random = &aim->random;
	enum shot_kind kind = choose_kind(aim, wish);
	bool raw = kind == SHOT_RAW || kind == SHOT_COPY, v4 = wish->to.family == ADDR_V4;

	*ret = (struct shot){
		.kind = kind,
		.uid = wish->uid,
		.to = wish->to,
		.dport = wish->dport,
		.is_mapped = !raw && v4 && kind != SHOT_PING && random_chance(random, 4),
		.is_connected = !raw && random_chance(random, 2),
		.recverr = !raw && random_chance(random, 5),
		.l4proto = wish->l4proto,
		.tcp_flags = wish->tcp_flags,
		.mptcp = wish->mptcp,
		.icmp_type = wish->icmp_type,
	};
	/* unconnected, it would really go to :: (ping_v6_sendmsg()) */
	if (kind == SHOT_PING && !v4 && prefix_is_unspecified(&ret->to))
		ret->is_connected = true;
	if (raw && prefix_is_unspecified(&ret->to))
		ret->to = random_own(random, ret->to.family);
	choose_way(aim, wish, ret);
	choose_source(aim, wish, ret);
	ret->damage = choose_damage(aim, ret);
}
