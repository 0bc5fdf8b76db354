/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shot.c - one attempt to send one packet, in words, in JSON, and as the rules see it. */
#include "shot.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>

const char *const shot_kind_names[SHOT_KIND_COUNT] = {
	[SHOT_TCP] = "tcp",	    [SHOT_MPTCP] = "mptcp", [SHOT_UDP] = "udp",
	[SHOT_UDPLITE] = "udplite", [SHOT_PING] = "ping",   [SHOT_RAW] = "raw",
	[SHOT_COPY] = "copy",
};

/* How a shot is written down: addresses as text, the rest as numbers. */
static const struct {
	const char *key;
	size_t offset;
	bool is_address;
} columns[] = {
#define NUMBER(name)                                                                               \
	{                                                                                          \
#name, offsetof(struct shot, name), false                                          \
	}
#define ADDRESS(name)                                                                              \
	{                                                                                          \
#name, offsetof(struct shot, name), true                                           \
	}
	NUMBER(kind),	   NUMBER(uid),		 ADDRESS(to),	     ADDRESS(from),
	ADDRESS(via),	   NUMBER(sport),	 NUMBER(dport),	     NUMBER(device),
	NUMBER(is_mapped), NUMBER(is_connected), NUMBER(ip_options), NUMBER(recverr),
	NUMBER(l4proto),   NUMBER(tcp_flags),	 NUMBER(mptcp),	     NUMBER(icmp_type),
	NUMBER(damage),
};

bool shot_is_raw(const struct shot *shot)
{
	return shot->kind == SHOT_RAW || shot->kind == SHOT_COPY;
}

uint8_t shot_protocol(const struct shot *shot)
{
	switch ((enum shot_kind)shot->kind) {
	case SHOT_TCP:
	case SHOT_MPTCP:
		return IPPROTO_TCP;
	case SHOT_UDP:
		return IPPROTO_UDP;
	case SHOT_UDPLITE:
		return IPPROTO_UDPLITE;
	case SHOT_PING:
		return shot->to.family == ADDR_V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	case SHOT_RAW:
	case SHOT_COPY:
		return (uint8_t)shot->l4proto;
	case SHOT_KIND_COUNT:
		break;
	}
	abort();
}

enum box_device shot_bound(const struct shot *shot)
{
	if (shot->device)
		return shot->device;
	if (box_is_link_local(&shot->to) || box_is_link_local(&shot->via) ||
	    (box_is_link_local(&shot->from) && !shot_is_raw(shot)))
		return BOX_ETH0; /* the scope that socket.c and send.c give it */
	return BOX_ANY;
}

/* Many are reached by the device of the source address (ip_route_output_key_hash_rcu()), but for
 * raw sockets, which have none.
 */
enum box_device shot_way(const struct shot *shot, const struct sent *sent, const struct prefix *to)
{
	enum box_device bound = shot_bound(shot);

	bool connects = shot->kind == SHOT_TCP || shot->kind == SHOT_MPTCP || shot->is_connected;

	/* connect() looks for the way again when 0.0.0.0 has become an address */
	if (to->family == ADDR_V4 && prefix_is_unspecified(&shot->to) && !connects)
		return BOX_LO;
	if (bound == BOX_ANY && to->family == ADDR_V4 && box_is_for_many(to) && !box_is_own(to) &&
	    !shot_is_raw(shot) && shot->from.family != ADDR_NONE &&
	    !prefix_is_unspecified(&shot->from))
		return box_home(&sent->from);
	return box_way(to, bound);
}

/* Nobody in particular is this machine: 0.0.0.0 is the source address, :: is ::1. */
static struct prefix real_target(const struct shot *shot, const struct sent *sent)
{
	static const struct prefix loopback = { ADDR_V6, 128, { [15] = 1 } };

	if (shot->via.family != ADDR_NONE)
		return shot->via;
	if (!prefix_is_unspecified(&shot->to))
		return shot->to;
	return shot->to.family == ADDR_V4 ? sent->from : loopback;
}

void shot_packet(const struct shot *shot, const struct sent *sent, struct packet *ret_packet)
{
	bool raw = shot_is_raw(shot);

	*ret_packet = (struct packet){
		.uid = shot->kind == SHOT_COPY ? PACKET_NO_OWNER : (int64_t)shot->uid,
		.to = real_target(shot, sent),
		.l4proto = shot_protocol(shot),
		.sport = (uint16_t)sent->sport,
		.dport = (uint16_t)shot->dport,
		.is_foreign = !box_is_own(&sent->from),
		.has_ip_options = shot->ip_options,
		.has_routing_header = shot->via.family != ADDR_NONE,
	};
	ret_packet->oifname = box_devices[shot_way(shot, sent, &ret_packet->to)];
	if (ret_packet->l4proto == IPPROTO_TCP) {
		ret_packet->tcp_flags = raw ? (uint8_t)shot->tcp_flags : TH_SYN;
		ret_packet->has_mptcp = raw ? shot->mptcp : shot->kind == SHOT_MPTCP;
	}
	if (raw)
		ret_packet->icmp_type = (uint8_t)shot->icmp_type;
	else
		ret_packet->icmp_type = shot->to.family == ADDR_V4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
}

static void remove_field(struct eval_packet *fields, enum ir_field field)
{
	fields->present &= ~(1U << field);
}

/* A fragment lacks nothing: nft_payload_fast_eval() reads ports and flags where the transport
 * header of a first fragment would be, whatever is there. Only options are looked for in a header.
 */
void shot_damage_fields(const struct shot *shot, struct eval_packet *fields)
{
	if (!shot_is_raw(shot) || shot->damage == DAMAGE_NONE || shot->damage == DAMAGE_BAD_LENGTH)
		return;
	for (enum ir_field field = IR_TCP_SPORT; field <= IR_UDP_DPORT; field++)
		if (shot->damage == DAMAGE_NOTHING)
			remove_field(fields, field);
	if (shot->damage == DAMAGE_NOTHING) {
		remove_field(fields, IR_ICMP_TYPE);
		remove_field(fields, IR_ICMPV6_TYPE);
	}
	if (shot->damage != DAMAGE_FRAGMENT)
		remove_field(fields, IR_TCP_FLAGS);
	/* not absent: 0. nft_exthdr_tcp_eval() finds no header and so no option */
	if (fields->present & 1U << IR_TCPOPT_MPTCP)
		eval_set_number(fields, IR_TCPOPT_MPTCP, 0);
}

/* --- in words --------------------------------------------------------------------------------- */

static void print_address(const char *before, const struct prefix *address, FILE *out)
{
	char text[PREFIX_TEXT_MAX];

	format_prefix(address, text);
	fprintf(out, "%s%s", before, text);
}

void shot_print(const struct shot *shot, FILE *out)
{
	static const char *const damages[] = { "", ", a fragment", ", cut short", ", no payload",
					       ", bad length" };

	fprintf(out, "uid %u, %s", shot->uid, shot_kind_names[shot->kind]);
	if (shot_is_raw(shot))
		fprintf(out, " protocol %u", shot->l4proto);
	if (shot->from.family != ADDR_NONE)
		print_address(" from ", &shot->from, out);
	if (shot->sport)
		fprintf(out, " port %u", shot->sport);
	print_address(" to ", &shot->to, out);
	fprintf(out, " port %u", shot->dport);
	if (shot->is_mapped)
		fputs(", mapped into IPv6", out);
	if (shot->device)
		fprintf(out, ", bound to %s", box_devices[shot->device]);
	if (shot->is_connected)
		fputs(", connected", out);
	if (shot->ip_options)
		fputs(", IP options", out);
	if (shot->via.family != ADDR_NONE)
		print_address(", routed via ", &shot->via, out);
	if (shot->recverr)
		fputs(", asks for errors", out);
	if (shot_is_raw(shot) && shot->l4proto == IPPROTO_TCP)
		fprintf(out, ", flags 0x%02x%s", shot->tcp_flags,
			shot->mptcp ? ", an MPTCP option" : "");
	if (shot_is_raw(shot) && shot->icmp_type)
		fprintf(out, ", type %u", shot->icmp_type);
	fputs(damages[shot->damage], out);
}

void packet_print(const struct packet *packet, FILE *out)
{
	static const char *const directions[] = { "untracked", "original", "reply" };

	if (packet->uid == PACKET_NO_OWNER)
		fputs("no owner", out);
	else
		fprintf(out, "uid %lld", (long long)packet->uid);
	print_address(", to ", &packet->to, out);
	fprintf(out, " by %s, protocol %u", packet->oifname, packet->l4proto);
	if (packet->l4proto == IPPROTO_TCP)
		fprintf(out, " ports %u to %u flags 0x%02x%s", packet->sport, packet->dport,
			packet->tcp_flags, packet->has_mptcp ? " MPTCP" : "");
	else if (packet->l4proto == IPPROTO_UDP)
		fprintf(out, " ports %u to %u, %s", packet->sport, packet->dport,
			directions[packet->direction]);
	else
		fprintf(out, " type %u", packet->icmp_type);
	fprintf(out, "%s%s%s", packet->is_foreign ? ", foreign source" : "",
		packet->has_ip_options ? ", IP options" : "",
		packet->has_routing_header ? ", routing header" : "");
}

/* --- in JSON ---------------------------------------------------------------------------------- */

json_t *shot_to_json(const struct shot *shot)
{
	json_t *json = json_object();
	char text[PREFIX_TEXT_MAX];
	uint32_t number;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		const char *at = (const char *)shot + columns[i].offset;
		struct prefix address;

		if (!columns[i].is_address) {
			memcpy(&number, at, sizeof(number));
			if (number)
				json_object_set_new(json, columns[i].key, json_integer(number));
			continue;
		}
		memcpy(&address, at, sizeof(address));
		if (address.family == ADDR_NONE)
			continue;
		format_prefix(&address, text);
		json_object_set_new(json, columns[i].key, json_string(text));
	}
	return json;
}

int shot_from_json(const json_t *json, struct shot *ret_shot)
{
	struct shot shot = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		const json_t *value = json_object_get(json, columns[i].key);
		char *at = (char *)&shot + columns[i].offset;

		if (value && columns[i].is_address) {
			if (!json_is_string(value) ||
			    parse_address(json_string_value(value), (struct prefix *)(void *)at) <
				    0)
				return -EINVAL;
		} else if (value) {
			uint32_t number = (uint32_t)json_integer_value(value);

			memcpy(at, &number, sizeof(number));
		}
	}
	if (shot.kind >= SHOT_KIND_COUNT || shot.device >= BOX_DEVICE_COUNT ||
	    shot.to.family == ADDR_NONE ||
	    (shot_is_raw(&shot) && shot.from.family != shot.to.family))
		return -EINVAL;
	*ret_shot = shot;
	return 0;
}
