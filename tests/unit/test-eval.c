/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-eval.c - the evaluator by its parts: matches, sets, chains, and the line that decided.
 * (Whole rulesets: test-eval-plan.c; against the kernel: tests/proof.)
 */
#include <endian.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "backend/eval.h"
#include "plan/build.h"

#define NS_2030 1893456000000000000u /* 2030-01-01 in nanoseconds */

static const struct ir_origin no_origin;

/* A ruleset in the making, and one packet. */
struct trial {
	struct arena *arena;
	struct build b;
	struct eval_packet packet;
	struct eval_result result;
};

static struct trial *trial_new(void)
{
	struct trial *trial = calloc(1, sizeof(*trial));

	assert_non_null(trial);
	trial->arena = arena_new();
	trial->b.arena = trial->b.scratch = trial->arena;
	return trial;
}

static void trial_free(struct trial *trial)
{
	if (trial)
		arena_free(trial->arena);
	free(trial);
}

DEFINE_CLEANUP(trial, struct trial *, trial_free)

/* A base chain with one rule, whose statements follow. */
static struct trial *trial_of_rule(void)
{
	struct trial *trial = trial_new();

	build_chain(&trial->b, "output", IR_HOOK_OUTPUT);
	build_rule(&trial->b, no_origin);
	return trial;
}

/* Whether the rule, which ends here with "drop", matches. */
static bool is_matched(struct trial *trial)
{
	add_verdict(&trial->b, IR_DROP, IR_NONE);
	eval_packet(&trial->b.ruleset, &trial->packet, NULL, NULL, &trial->result);
	assert_int_equal(trial->result.n_steps, trial->result.verdict == EVAL_DROP);
	return trial->result.verdict == EVAL_DROP;
}

/* As the kernel loads it: fields are in network order. */
static void write_number(enum ir_field field, uint64_t number, uint8_t *ret_bytes)
{
	uint64_t network = htobe64(number);
	unsigned length = ir_fields[field].length;

	memcpy(ret_bytes, (uint8_t *)&network + sizeof(network) - length, length);
}

/* build.h has no operands that the planner does not need. */
static void add_operand(struct build *b, enum ir_field field, enum ir_op op,
			const uint8_t value[IR_VALUE_MAX])
{
	uint8_t *copy = arena_alloc(b->arena, IR_VALUE_MAX);

	memcpy(copy, value, IR_VALUE_MAX);
	add_match(b, field, op, value);
	b->ruleset.stmts[b->ruleset.n_stmts - 1].value = copy;
}

/* --- matches ---------------------------------------------------------------------------------- */

static void test_numbers(void **state)
{
	static const struct {
		enum ir_field field;
		enum ir_op op;
		uint64_t low, high, value;
		bool matches;
	} cases[] = {
		{ IR_TCP_DPORT, IR_EQ, 443, 0, 443, true },
		{ IR_TCP_DPORT, IR_EQ, 443, 0, 442, false },
		{ IR_TCP_DPORT, IR_EQ, 443, 0, 444, false },
		{ IR_TCP_DPORT, IR_EQ, 0x0102, 0, 0x0201, false },
		{ IR_TCP_DPORT, IR_EQ, 0, 0, 0, true },
		{ IR_TCP_DPORT, IR_NE, 443, 0, 443, false },
		{ IR_TCP_DPORT, IR_NE, 443, 0, 444, true },
		{ IR_UDP_SPORT, IR_LT, 1024, 0, 1023, true },
		{ IR_UDP_SPORT, IR_LT, 1024, 0, 1024, false },
		{ IR_UDP_SPORT, IR_LT, 1024, 0, 0xff, true }, /* as numbers, not as bytes */
		{ IR_UDP_SPORT, IR_LT, 0, 0, 0, false },
		{ IR_UDP_SPORT, IR_GE, 1024, 0, 1023, false },
		{ IR_UDP_SPORT, IR_GE, 1024, 0, 1024, true },
		{ IR_UDP_SPORT, IR_GE, 1024, 0, 65535, true },
		{ IR_UDP_SPORT, IR_GE, 0, 0, 0, true },
		{ IR_TCP_SPORT, IR_RANGE, 8000, 9000, 7999, false },
		{ IR_TCP_SPORT, IR_RANGE, 8000, 9000, 8000, true },
		{ IR_TCP_SPORT, IR_RANGE, 8000, 9000, 8256, true },
		{ IR_TCP_SPORT, IR_RANGE, 8000, 9000, 9000, true },
		{ IR_TCP_SPORT, IR_RANGE, 8000, 9000, 9001, false },
		{ IR_TCP_SPORT, IR_RANGE, 0, 65535, 0, true },
		{ IR_TCP_SPORT, IR_RANGE, 0, 65535, 65535, true },
		{ IR_TCP_SPORT, IR_RANGE, 7, 7, 7, true },
		{ IR_SKUID, IR_EQ, 1001, 0, 1001, true },
		{ IR_SKUID, IR_EQ, 1001, 0, 1002, false },
		{ IR_SKUID, IR_EQ, 1, 0, 1u << 24, false },
		{ IR_SKUID, IR_GE, 0, 0, 0, true },
		{ IR_SKUID, IR_GE, 100000, 0, 99999, false },
		{ IR_SKUID, IR_GE, 100000, 0, 4294967294, true },
		{ IR_SKUID, IR_RANGE, 100000, 165535, 165535, true },
		{ IR_SKUID, IR_RANGE, 100000, 165535, 165536, false },
		{ IR_SKUID, IR_RANGE, 100000, 165535, 99999, false },
		{ IR_TIME, IR_LT, NS_2030, 0, NS_2030 - 1, true },
		{ IR_TIME, IR_LT, NS_2030, 0, NS_2030, false },
		{ IR_TIME, IR_GE, NS_2030, 0, NS_2030, true },
		{ IR_TIME, IR_GE, NS_2030, 0, NS_2030 - 1, false },
		{ IR_TIME, IR_RANGE, 5, NS_2030, NS_2030, true },
		{ IR_TIME, IR_RANGE, 5, NS_2030, NS_2030 + 1, false },
		{ IR_TIME, IR_RANGE, 5, NS_2030, 4, false },
		{ IR_L4PROTO, IR_EQ, IPPROTO_UDP, 0, IPPROTO_UDPLITE, false },
		{ IR_IP_HDRLENGTH, IR_NE, 5, 0, 6, true },
		{ IR_IP_HDRLENGTH, IR_NE, 5, 0, 5, false },
		{ IR_EXTHDR_ROUTING, IR_EQ, 1, 0, 0, false }, /* there is none: 0, not absent */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(trial) struct trial *trial = trial_of_rule();
		uint8_t operand[IR_VALUE_MAX] = { 0 };

		write_number(cases[i].field, cases[i].low, operand);
		if (cases[i].op == IR_RANGE)
			write_number(cases[i].field, cases[i].high,
				     operand + ir_fields[cases[i].field].length);
		add_operand(&trial->b, cases[i].field, cases[i].op, operand);
		eval_set_number(&trial->packet, cases[i].field, cases[i].value);
		if (is_matched(trial) != cases[i].matches)
			fail_msg("case %zu: %s %d", i, ir_fields[cases[i].field].text, cases[i].op);
	}
}

static void test_masks(void **state)
{
	static const struct {
		uint8_t mask, operand, value;
		bool is_equal;
	} cases[] = {
		{ 0x12, 0x02, 0x02, true },  /* SYN */
		{ 0x12, 0x02, 0x12, false }, /* SYN ACK */
		{ 0x12, 0x02, 0x10, false }, /* ACK */
		{ 0x12, 0x02, 0x00, false },
		{ 0x12, 0x02, 0xc2, true }, /* SYN of ECN: other bits do not count */
		{ 0x12, 0x02, 0xd2, false },
		{ 0xff, 0xff, 0xff, true },
		{ 0xff, 0xff, 0x7f, false },
		{ 0x00, 0x00, 0x55, true },
		{ 0x01, 0x02, 0x02, false }, /* an operand that no masked value can have */
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		AUTO(trial) struct trial *trial = trial_of_rule();
		const size_t c = i / 2;
		bool negated = i % 2;

		add_match_masked(&trial->b, IR_TCP_FLAGS, negated ? IR_MASK_NE : IR_MASK_EQ,
				 cases[c].mask, cases[c].operand);
		eval_set_number(&trial->packet, IR_TCP_FLAGS, cases[c].value);
		if (is_matched(trial) != (cases[c].is_equal != negated))
			fail_msg("case %zu%s", c, negated ? ", negated" : "");
	}
}

/* Of an address that differs in one bit: the prefix holds it when the bit is behind the prefix. */
static void check_prefix(enum ir_field field, unsigned length, unsigned bit)
{
	AUTO(trial) struct trial *trial = trial_of_rule();
	uint8_t address[IR_VALUE_MAX] = { 0xa5, 0x5a, 0xc3, 0x3c, 0xff, 0x00, 0x81, 0x7e,
					  0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0 };
	unsigned bits = 8u * ir_fields[field].length;

	add_match(&trial->b, field, IR_PREFIX, address);
	trial->b.ruleset.stmts[0].prefix_length = (uint8_t)length;
	if (bit < bits)
		address[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	eval_set(&trial->packet, field, address);
	if (is_matched(trial) != (bit >= length))
		fail_msg("%s/%u, bit %u differs", ir_fields[field].text, length, bit);
}

static void test_prefixes(void **state)
{
	static const uint8_t lengths[] = { 0,  1,  7,  8,  9,  15, 16, 17,  23, 24,
					   25, 31, 32, 33, 63, 64, 65, 127, 128 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		for (unsigned bit = 0; bit <= 128; bit++) {
			if (lengths[i] <= 32 && bit <= 32)
				check_prefix(IR_IP_DADDR, lengths[i], bit);
			check_prefix(IR_IP6_DADDR, lengths[i], bit);
		}
}

static void test_interfaces(void **state)
{
	static const struct {
		const char *rule, *packet;
		bool matches;
	} cases[] = {
		{ "lo", "lo", true },
		{ "lo", "lo0", false },
		{ "lo", "l", false },
		{ "eth0", "eth1", false },
		{ "eth0", "eth00", false },
		{ "eth0", "eth0", true },
		{ "fifteen-letters", "fifteen-letters", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(trial) struct trial *trial = trial_of_rule();
		char name[IR_VALUE_MAX] = { 0 };

		memcpy(name, cases[i].packet, strlen(cases[i].packet));
		add_match_interface(&trial->b, cases[i].rule);
		eval_set(&trial->packet, IR_OIFNAME, name);
		if (is_matched(trial) != cases[i].matches)
			fail_msg("oifname %s, packet %s", cases[i].rule, cases[i].packet);
	}
}

/* Not even a negation, nor what every value would satisfy. */
static void test_absent_fields(void **state)
{
	static const uint8_t zero[IR_VALUE_MAX], all[IR_VALUE_MAX] = { [8] = 0xff };

	(void)state;
	for (enum ir_field field = 0; field < IR_FIELD_COUNT; field++)
		for (enum ir_op op = IR_EQ; op <= IR_MASK_NE; op++) {
			AUTO(trial) struct trial *trial = trial_of_rule();

			add_operand(&trial->b, field, op, op == IR_RANGE ? all : zero);
			for (enum ir_field other = 0; other < IR_FIELD_COUNT; other++)
				if (other != field)
					eval_set(&trial->packet, other, zero);
			if (is_matched(trial))
				fail_msg("%s %d matches though it is absent", ir_fields[field].text,
					 op);
		}
}

/* --- sets ------------------------------------------------------------------------------------- */

static void add_port(struct build *b, uint32_t first, uint32_t last)
{
	struct ir_element *e = build_element(b);

	write_number(IR_TCP_DPORT, first, e->key);
	write_number(IR_TCP_DPORT, last, e->last);
}

/* Hash and interval sets of 0 to 7 elements, each probed at all its edges. */
static void test_sets(void **state)
{
	static const struct number_range ports[] = {
		{ 0, 0 },     { 2, 2 },		{ 255, 256 },	  { 300, 400 },
		{ 401, 401 }, { 0x4ff, 0x601 }, { 60000, 65535 },
	};

	(void)state;
	for (size_t n = 0; n <= ARRAY_SIZE(ports); n++)
		for (uint32_t port = 0; port < 65536; port += port < 2000 ? 1 : 97) {
			for (unsigned is_interval = 0; is_interval < 2; is_interval++) {
				AUTO(trial) struct trial *trial = trial_new();
				uint32_t set = build_set(&trial->b, "ports", IR_KEY_PORT, false,
							 is_interval);
				uint32_t expected = IR_NONE;

				for (size_t i = 0; i < n; i++) {
					uint32_t last =
						is_interval ? ports[i].last : ports[i].first;

					add_port(&trial->b, ports[i].first, last);
					if (port >= ports[i].first && port <= last)
						expected = (uint32_t)i;
				}
				build_set_finish(&trial->b);
				build_chain(&trial->b, "output", IR_HOOK_OUTPUT);
				build_rule(&trial->b, no_origin);
				add_lookup(&trial->b, IR_TCP_DPORT, IR_FIELD_COUNT, set);
				eval_set_number(&trial->packet, IR_TCP_DPORT, port);
				assert_int_equal(is_matched(trial), expected != IR_NONE);
				if (expected != IR_NONE)
					assert_int_equal(trial->result.steps[0].element, expected);
			}
		}
}

static void add_pair(struct build *b, enum ir_field address, const uint8_t *bytes, uint16_t port)
{
	struct ir_element *e = build_element(b);

	memcpy(e->key, bytes, ir_fields[address].length);
	write_number(IR_UDP_DPORT, port, e->key + ir_fields[address].length);
	memcpy(e->last, e->key, sizeof(e->last));
}

static void check_pair(bool v6, uint8_t last_byte, uint16_t port, bool matches)
{
	AUTO(trial) struct trial *trial = trial_new();
	enum ir_field field = v6 ? IR_IP6_DADDR : IR_IP_DADDR;
	uint8_t bytes[16] = { 192, 0, 2, 0 }, *last = &bytes[ir_fields[field].length - 1];
	uint32_t set = build_set(&trial->b, "pairs", v6 ? IR_KEY_IPV6_PORT : IR_KEY_IPV4_PORT,
				 false, false);

	for (unsigned i = 1; i <= 9; i++) {
		*last = (uint8_t)i;
		add_pair(&trial->b, field, bytes, (uint16_t)(i * 100));
		add_pair(&trial->b, field, bytes, 53);
		add_pair(&trial->b, field, bytes, 0); /* what is absent is not 0 */
	}
	build_set_finish(&trial->b);
	build_chain(&trial->b, "output", IR_HOOK_OUTPUT);
	build_rule(&trial->b, no_origin);
	add_lookup(&trial->b, field, IR_UDP_DPORT, set);
	*last = last_byte;
	if (last_byte)
		eval_set(&trial->packet, field, bytes);
	if (port)
		eval_set_number(&trial->packet, IR_UDP_DPORT, port);
	if (is_matched(trial) != matches)
		fail_msg("v%d, address %u, port %u", v6 ? 6 : 4, last_byte, port);
}

static void test_concatenations(void **state)
{
	static const struct {
		uint8_t last_byte; /* of the address; 0: absent */
		uint16_t port;	   /* 0: absent */
		bool matches;
	} cases[] = {
		{ 1, 100, true },  { 1, 53, true },   { 9, 900, true },	 { 9, 53, true },
		{ 5, 500, true },  { 1, 200, false }, { 2, 100, false }, { 9, 901, false },
		{ 10, 53, false }, { 1, 54, false },  { 0, 53, false },	 { 1, 0, false },
		{ 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (unsigned v6 = 0; v6 < 2; v6++)
			check_pair(v6, cases[i].last_byte, cases[i].port, cases[i].matches);
}

/* A key that is absent, or in no element, ends the rule and not the chain. */
static void test_maps_go_on(void **state)
{
	static const struct {
		int uid; /* -1: absent */
		enum eval_verdict verdict;
	} cases[] = { { 1001, EVAL_DROP }, { 1000, EVAL_RESET }, { -1, EVAL_RESET } };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		AUTO(trial) struct trial *trial = trial_new();
		struct build *b = &trial->b;
		uint32_t dropped = build_chain(b, "dropped", IR_HOOK_NONE), map;
		struct ir_element *e;

		build_rule(b, no_origin);
		add_verdict(b, IR_DROP, IR_NONE);
		map = build_set(b, "map", IR_KEY_UID, true, i % 2);
		e = build_element(b);
		write_number(IR_SKUID, 1001, e->key);
		write_number(IR_SKUID, 1001, e->last);
		e->verdict = IR_GOTO;
		e->chain = dropped;
		build_set_finish(b);
		build_chain(b, "output", IR_HOOK_OUTPUT);
		build_rule(b, no_origin);
		add_vmap(b, IR_SKUID, map);
		build_rule(b, no_origin);
		add_reject(b, IR_REJECT_TCP_RESET);
		if (cases[i / 2].uid >= 0)
			eval_set_number(&trial->packet, IR_SKUID, (uint64_t)cases[i / 2].uid);
		eval_packet(&b->ruleset, &trial->packet, NULL, NULL, &trial->result);
		assert_int_equal(trial->result.verdict, cases[i / 2].verdict);
	}
}

/* --- a packet's fields ------------------------------------------------------------------------ */

static void test_set_number(void **state)
{
	static const uint8_t port[] = { 0x12, 0x34, 0 }, uid[] = { 0, 1, 0x86, 0xa0, 0 };
	static const uint8_t time[] = { 1, 2, 3, 4, 5, 6, 7, 8, 0 };
	struct eval_packet packet = { 0 };

	(void)state;
	eval_set_number(&packet, IR_TCP_DPORT, 0x1234);
	eval_set_number(&packet, IR_SKUID, 100000);
	eval_set_number(&packet, IR_TIME, 0x0102030405060708);
	assert_int_equal(packet.present, 1u << IR_TCP_DPORT | 1u << IR_SKUID | 1u << IR_TIME);
	assert_memory_equal(packet.values[IR_TCP_DPORT], port, sizeof(port));
	assert_memory_equal(packet.values[IR_SKUID], uid, sizeof(uid));
	assert_memory_equal(packet.values[IR_TIME], time, sizeof(time));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),	       cmocka_unit_test(test_masks),
		cmocka_unit_test(test_prefixes),       cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_absent_fields),  cmocka_unit_test(test_sets),
		cmocka_unit_test(test_concatenations), cmocka_unit_test(test_maps_go_on),
		cmocka_unit_test(test_set_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
