/* SPDX-License-Identifier: GPL-2.0-or-later */
/* segment.c - a shot → the bytes of its packet; and back, for what a capture saw.
 *
 * Checksums are true: the kernel answers no refused packet whose checksum is wrong
 * (nf_reject_ipv4.c, nf_send_unreach()).
 */
#include "segment.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

enum {
	OFFSET_MASK = 0x1fff,
	FRAGMENT_AT = 64, /* in units of 8 bytes */
	TTL = 64,
	DATA = 8, /* bytes behind the header */
	SHORT = 4,
	SEGMENTS = 2, /* of a routing header */
};

static uint32_t add_words(uint32_t sum, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	return n % 2 ? sum + ((uint32_t)p[n - 1] << 8) : sum;
}

static uint16_t finish_sum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static size_t write_tcp(const struct shot *shot, uint8_t *at)
{
	size_t n = sizeof(struct tcphdr);

	put16(at, (uint16_t)shot->sport);
	put16(at + 2, (uint16_t)shot->dport);
	at[13] = (uint8_t)shot->tcp_flags;
	put16(at + 14, 1024);
	if (shot->mptcp) {
		/* MP_JOIN of an initial SYN: 12 bytes, RFC 8684 3.2 */
		at[n] = 30;
		at[n + 1] = 12;
		at[n + 2] = 0x10;
		n += 12;
	}
	at[12] = (uint8_t)(n / 4 << 4);
	return n;
}

/* Returns the length of what follows the IP header; *ret_checksum is where its checksum goes. */
static size_t write_transport(const struct shot *shot, uint8_t *at, size_t *ret_checksum)
{
	size_t n;

	*ret_checksum = 2;
	if (shot->l4proto == IPPROTO_TCP) {
		*ret_checksum = 16;
		n = write_tcp(shot, at);
	} else if (shot->l4proto == IPPROTO_UDP || shot->l4proto == IPPROTO_UDPLITE) {
		*ret_checksum = 6;
		n = sizeof(struct udphdr) + DATA;
		put16(at, (uint16_t)shot->sport);
		put16(at + 2, (uint16_t)shot->dport);
		put16(at + 4, shot->damage == DAMAGE_BAD_LENGTH ? SHORT : (uint16_t)n);
	} else {
		n = DATA;
		at[0] = (uint8_t)shot->icmp_type;
	}
	if (shot->damage == DAMAGE_SHORT)
		n = SHORT;
	else if (shot->damage == DAMAGE_NOTHING)
		n = 0;
	return n;
}

static bool has_pseudo_header(const struct shot *shot)
{
	return shot->to.family == ADDR_V6 || shot->l4proto == IPPROTO_TCP ||
	       shot->l4proto == IPPROTO_UDP || shot->l4proto == IPPROTO_UDPLITE;
}

static void put_checksum(const struct shot *shot, const struct prefix *to, uint8_t *at, size_t n,
			 size_t checksum)
{
	size_t address = to->family == ADDR_V4 ? 4 : 16;
	uint32_t sum = add_words(0, at, n);
	uint16_t value;

	if (checksum + 2 > n)
		return;
	if (has_pseudo_header(shot)) {
		sum = add_words(sum, shot->from.bytes, address);
		sum = add_words(sum, to->bytes, address);
		sum += (uint32_t)n + shot->l4proto;
	}
	value = finish_sum(sum);
	put16(at + checksum, value ? value : 0xffff);
}

static size_t write_v4(const struct shot *shot, uint8_t *bytes)
{
	size_t header = sizeof(struct ip) + (shot->ip_options ? 4 : 0), checksum, n;

	n = write_transport(shot, bytes + header, &checksum);
	put_checksum(shot, &shot->to, bytes + header, n, checksum);
	bytes[0] = (uint8_t)(0x40 | header / 4);
	put16(bytes + 2, (uint16_t)(header + n));
	put16(bytes + 6, shot->damage == DAMAGE_FRAGMENT ? FRAGMENT_AT : 0);
	bytes[8] = TTL;
	bytes[9] = (uint8_t)shot->l4proto;
	memcpy(bytes + 12, shot->from.bytes, 4);
	memcpy(bytes + 16, shot->to.bytes, 4);
	if (shot->ip_options)
		memset(bytes + sizeof(struct ip), 1, 3); /* no operation, then the end */
	return header + n;
}

/* A segment routing header (RFC 8754): the packet goes to `via`, the target is inside. */
static size_t write_routing(const struct shot *shot, uint8_t *at)
{
	uint8_t head[] = { (uint8_t)shot->l4proto, 2 * SEGMENTS, 4, 1, SEGMENTS - 1, 0, 0, 0 };

	memcpy(at, head, sizeof(head));
	memcpy(at + 8, shot->to.bytes, 16);
	memcpy(at + 24, shot->via.bytes, 16);
	return 8 + 16 * SEGMENTS;
}

static size_t write_v6(const struct shot *shot, uint8_t *bytes)
{
	bool routed = shot->via.family != ADDR_NONE;
	const struct prefix *to = routed ? &shot->via : &shot->to;
	size_t header = sizeof(struct ip6_hdr), checksum, n;

	if (routed)
		header += write_routing(shot, bytes + header);
	n = write_transport(shot, bytes + header, &checksum);
	put_checksum(shot, to, bytes + header, n, checksum);
	bytes[0] = 0x60;
	put16(bytes + 4, (uint16_t)(header + n - sizeof(struct ip6_hdr)));
	bytes[6] = routed ? IPPROTO_ROUTING : (uint8_t)shot->l4proto;
	bytes[7] = TTL;
	memcpy(bytes + 8, shot->from.bytes, 16);
	memcpy(bytes + 24, to->bytes, 16);
	return header + n;
}

size_t segment_write(const struct shot *shot, uint8_t ret_bytes[SEGMENT_MAX])
{
	memset(ret_bytes, 0, SEGMENT_MAX);
	return shot->to.family == ADDR_V4 ? write_v4(shot, ret_bytes) : write_v6(shot, ret_bytes);
}

/* --- what a capture saw ----------------------------------------------------------------------- */

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void read_transport(const uint8_t *at, size_t n, struct frame *ret)
{
	bool tcp = ret->l4proto == IPPROTO_TCP;

	if ((tcp || ret->l4proto == IPPROTO_UDP) && n >= SHORT) {
		ret->sport = get16(at);
		ret->dport = get16(at + 2);
	}
	if (tcp && n >= sizeof(struct tcphdr))
		ret->tcp_flags = at[13];
	if ((ret->l4proto == IPPROTO_ICMP || ret->l4proto == IPPROTO_ICMPV6) && n)
		ret->icmp_type = at[0];
}

void frame_read(const uint8_t *bytes, size_t n, struct frame *ret)
{
	size_t at = sizeof(struct ip6_hdr);

	*ret = (struct frame){ 0 };
	if (n >= sizeof(struct ip) && bytes[0] >> 4 == 4) {
		at = (bytes[0] & 0xfu) * 4;
		ret->to = (struct prefix){ .family = ADDR_V4, .length = 32 };
		memcpy(ret->to.bytes, bytes + 16, 4);
		ret->l4proto = bytes[9];
		if (get16(bytes + 6) & OFFSET_MASK)
			n = 0;
	} else if (n >= at && bytes[0] >> 4 == 6) {
		ret->to = (struct prefix){ .family = ADDR_V6, .length = 128 };
		memcpy(ret->to.bytes, bytes + 24, 16);
		ret->l4proto = bytes[6];
		if (ret->l4proto == IPPROTO_ROUTING && n >= at + 8) {
			ret->l4proto = bytes[at];
			at += 8 + bytes[at + 1] * 8u;
		}
	}
	if (n > at)
		read_transport(bytes + at, n - at, ret);
}

bool frame_equal(const struct frame *a, const struct frame *b)
{
	return prefix_compare(&a->to, &b->to) == 0 && a->l4proto == b->l4proto &&
	       a->sport == b->sport && a->dport == b->dport && a->tcp_flags == b->tcp_flags &&
	       a->icmp_type == b->icmp_type && a->device == b->device;
}

void frame_print(const struct frame *frame, FILE *out)
{
	char text[PREFIX_TEXT_MAX];

	format_prefix(&frame->to, text);
	fprintf(out, "to %s by %s, protocol %u, ports %u to %u, flags 0x%02x, type %u", text,
		frame->device ? box_devices[frame->device] : "?", frame->l4proto, frame->sport,
		frame->dport, frame->tcp_flags, frame->icmp_type);
}
