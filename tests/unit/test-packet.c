/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-packet.c - which fields a packet in words has, with which values, and what its program sees
 * of a verdict.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <linux/netfilter.h>
#include <linux/rtnetlink.h>

#include "backend/packet.h"

#define BIT(field) (1u << (field))

enum {
	EVERY = BIT(IR_OIFNAME) | BIT(IR_NFPROTO) | BIT(IR_L4PROTO) | BIT(IR_TIME) |
		BIT(IR_SADDR_TYPE),
	OWNED = BIT(IR_SKUID),
	V4 = BIT(IR_IP_DADDR) | BIT(IR_IP_HDRLENGTH),
	V6 = BIT(IR_IP6_DADDR) | BIT(IR_EXTHDR_ROUTING),
	TCP = BIT(IR_TCP_SPORT) | BIT(IR_TCP_DPORT) | BIT(IR_TCP_FLAGS) | BIT(IR_TCPOPT_MPTCP),
	UDP = BIT(IR_UDP_SPORT) | BIT(IR_UDP_DPORT),
	ICMP = BIT(IR_ICMP_TYPE),
	ICMPV6 = BIT(IR_ICMPV6_TYPE),
	TRACKED = BIT(IR_CT_DIRECTION) | BIT(IR_CT_STATUS),
};

static struct packet packet_to(const char *to, struct packet packet)
{
	if (parse_address(to, &packet.to) < 0)
		fail_msg("%s is no address", to);
	if (!packet.oifname)
		packet.oifname = "eth0";
	return packet;
}

static struct eval_packet fields_of(const char *to, struct packet packet)
{
	struct eval_packet fields;

	packet = packet_to(to, packet);
	memset(&fields, 0xa5, sizeof(fields)); /* nothing of what was there stays */
	packet_fields(&packet, &fields);
	return fields;
}

static void test_presence(void **state)
{
	static const struct {
		const char *to;
		struct packet packet;
		uint32_t present;
	} cases[] = {
		{ "192.0.2.1", { .uid = 1001, .l4proto = IPPROTO_TCP }, OWNED | V4 | TCP },
		{ "2001:db8::1", { .uid = 1001, .l4proto = IPPROTO_TCP }, OWNED | V6 | TCP },
		{ "192.0.2.1", { .uid = 0, .l4proto = IPPROTO_UDP }, OWNED | V4 | UDP },
		{ "::1", { .uid = PACKET_NO_OWNER, .l4proto = IPPROTO_UDP }, V6 | UDP },
		{ "192.0.2.1", { .uid = 1, .l4proto = IPPROTO_UDPLITE }, OWNED | V4 },
		{ "192.0.2.1", { .uid = 1, .l4proto = IPPROTO_SCTP }, OWNED | V4 },
		{ "192.0.2.1", { .uid = 1, .l4proto = IPPROTO_ICMP }, OWNED | V4 | ICMP },
		{ "2001:db8::1", { .uid = 1, .l4proto = IPPROTO_ICMPV6 }, OWNED | V6 | ICMPV6 },
		{ "192.0.2.1",
		  { .uid = PACKET_NO_OWNER, .l4proto = IPPROTO_TCP, .direction = PACKET_ORIGINAL },
		  V4 | TCP | TRACKED },
		{ "192.0.2.1",
		  { .uid = 4294967294, .l4proto = IPPROTO_UDP, .direction = PACKET_REPLY },
		  OWNED | V4 | UDP | TRACKED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct eval_packet fields = fields_of(cases[i].to, cases[i].packet);

		if (fields.present != (EVERY | cases[i].present))
			fail_msg("case %zu: fields %x, not %x", i, fields.present,
				 EVERY | cases[i].present);
		for (enum ir_field field = 0; field < IR_FIELD_COUNT; field++)
			for (unsigned j = 0; j < IR_VALUE_MAX; j++)
				if (!(fields.present & BIT(field)) || j >= ir_fields[field].length)
					assert_int_equal(fields.values[field][j], 0);
	}
}

/* What stands in one byte, or in two as a port. */
static void test_values(void **state)
{
	static const struct {
		const char *to;
		struct packet packet;
		enum ir_field field;
		uint8_t value[2];
	} cases[] = {
		{ "192.0.2.1", { 0 }, IR_NFPROTO, { NFPROTO_IPV4 } },
		{ "::ffff:192.0.2.1", { 0 }, IR_NFPROTO, { NFPROTO_IPV6 } },
		{ "192.0.2.1", { .l4proto = IPPROTO_UDPLITE }, IR_L4PROTO, { 136 } },
		{ "192.0.2.1", { 0 }, IR_IP_HDRLENGTH, { 5 } },
		{ "192.0.2.1", { .has_ip_options = true }, IR_IP_HDRLENGTH, { 6 } },
		{ "::1", { 0 }, IR_EXTHDR_ROUTING, { 0 } },
		{ "::1", { .has_routing_header = true }, IR_EXTHDR_ROUTING, { 1 } },
		{ "::1",
		  { .l4proto = IPPROTO_TCP, .sport = 0x1234 },
		  IR_TCP_SPORT,
		  { 0x12, 0x34 } },
		{ "::1", { .l4proto = IPPROTO_TCP, .dport = 443 }, IR_TCP_DPORT, { 1, 187 } },
		{ "::1", { .l4proto = IPPROTO_TCP, .dport = 443 }, IR_TCP_SPORT, { 0, 0 } },
		{ "::1",
		  { .l4proto = IPPROTO_UDP, .sport = 0x1234 },
		  IR_UDP_SPORT,
		  { 0x12, 0x34 } },
		{ "::1", { .l4proto = IPPROTO_UDP, .dport = 53 }, IR_UDP_DPORT, { 0, 53 } },
		{ "::1", { .l4proto = IPPROTO_TCP, .tcp_flags = 0x12 }, IR_TCP_FLAGS, { 0x12 } },
		{ "::1", { .l4proto = IPPROTO_TCP }, IR_TCPOPT_MPTCP, { 0 } },
		{ "::1", { .l4proto = IPPROTO_TCP, .has_mptcp = true }, IR_TCPOPT_MPTCP, { 1 } },
		{ "127.0.0.1", { .l4proto = IPPROTO_ICMP, .icmp_type = 8 }, IR_ICMP_TYPE, { 8 } },
		{ "::1", { .l4proto = IPPROTO_ICMPV6, .icmp_type = 128 }, IR_ICMPV6_TYPE, { 128 } },
		{ "::1", { .direction = PACKET_ORIGINAL }, IR_CT_DIRECTION, { 0 } },
		{ "::1", { .direction = PACKET_REPLY }, IR_CT_DIRECTION, { 1 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct eval_packet fields = fields_of(cases[i].to, cases[i].packet);

		assert_true(fields.present & BIT(cases[i].field));
		if (memcmp(fields.values[cases[i].field], cases[i].value, 2) != 0)
			fail_msg("case %zu: %s is %02x%02x", i, ir_fields[cases[i].field].text,
				 fields.values[cases[i].field][0],
				 fields.values[cases[i].field][1]);
	}
}

static void check_bytes(const struct eval_packet *fields, enum ir_field field, const void *bytes)
{
	assert_memory_equal(fields->values[field], bytes, ir_fields[field].length);
}

static void test_longer_values(void **state)
{
	static const uint8_t uid[] = { 0, 1, 0x86, 0xa0 }, v4[] = { 192, 0, 2, 1 };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x01 };
	static const uint8_t time[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	static const char name[16] = "veth-a", longest[16] = "fifteen-letters";
	const uint32_t local = RTN_LOCAL, unicast = RTN_UNICAST; /* in host order */
	struct eval_packet fields;

	(void)state;
	fields = fields_of("192.0.2.1", (struct packet){ .uid = 100000, .oifname = "veth-a" });
	check_bytes(&fields, IR_SKUID, uid);
	check_bytes(&fields, IR_IP_DADDR, v4);
	check_bytes(&fields, IR_OIFNAME, name);
	check_bytes(&fields, IR_SADDR_TYPE, &local);
	fields = fields_of("2001:db8::1", (struct packet){ .oifname = longest,
							   .is_foreign = true,
							   .time_ns = 0x0102030405060708 });
	check_bytes(&fields, IR_IP6_DADDR, v6);
	check_bytes(&fields, IR_OIFNAME, longest);
	check_bytes(&fields, IR_SADDR_TYPE, &unicast);
	check_bytes(&fields, IR_TIME, time);
}

static void test_errno(void **state)
{
	static const struct {
		uint8_t l4proto, tcp_flags;
		enum eval_verdict verdict;
		int error;
	} cases[] = {
		{ IPPROTO_TCP, TH_SYN, EVAL_ACCEPT, 0 },
		{ IPPROTO_TCP, TH_SYN, EVAL_RESET, ECONNREFUSED },
		{ IPPROTO_TCP, TH_ACK, EVAL_RESET, ECONNRESET },
		{ IPPROTO_TCP, TH_SYN | TH_ACK, EVAL_RESET, ECONNRESET },
		{ IPPROTO_TCP, TH_SYN, EVAL_DROP, ETIMEDOUT },
		{ IPPROTO_UDP, 0, EVAL_ACCEPT, 0 },
		{ IPPROTO_UDP, 0, EVAL_DROP, EPERM },
		{ IPPROTO_UDP, 0, EVAL_PROHIBITED, EPERM },
		{ IPPROTO_UDPLITE, 0, EVAL_PROHIBITED, EPERM },
		{ IPPROTO_ICMP, 0, EVAL_PROHIBITED, EPERM },
		{ IPPROTO_ICMPV6, 0, EVAL_PROHIBITED, EACCES },
		{ IPPROTO_ICMPV6, 0, EVAL_DROP, 0 }, /* tests/proof: send() succeeds */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct eval_result result = { .verdict = (uint8_t)cases[i].verdict };
		struct packet packet =
			packet_to(cases[i].l4proto == IPPROTO_ICMPV6 ? "::1" : "127.0.0.1",
				  (struct packet){
					  .l4proto = cases[i].l4proto,
					  .tcp_flags = cases[i].tcp_flags,
				  });

		assert_int_equal(packet_errno(&packet, &result), cases[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_presence),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_longer_values),
		cmocka_unit_test(test_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
