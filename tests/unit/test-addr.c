/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-addr.c - addresses and prefixes: one spelling in, one meaning out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix;

	if (parse_prefix(text, &prefix) < 0)
		fail_msg("%s is no prefix", text);
	return prefix;
}

static void test_prefixes(void **state)
{
	static const struct {
		const char *text;
		int r;
		const char *written; /* also of one with host bits: what it would be without */
	} cases[] = {
		{ "192.0.2.1", 0, "192.0.2.1" },
		{ "192.0.2.1/32", 0, "192.0.2.1" },
		{ "192.0.2.0/24", 0, "192.0.2.0/24" },
		{ "0.0.0.0/0", 0, "0.0.0.0/0" },
		{ "255.255.255.255", 0, "255.255.255.255" },
		{ "2001:DB8:0:0::1", 0, "2001:db8::1" },
		{ "2001:db8::/32", 0, "2001:db8::/32" },
		{ "::/0", 0, "::/0" },
		{ "::1/128", 0, "::1" },
		{ "64:ff9b::192.0.2.1", 0, "64:ff9b::c000:201" },
		{ "192.0.2.1/24", -ERANGE, "192.0.2.0/24" },
		{ "192.0.2.1/0", -ERANGE, "0.0.0.0/0" },
		{ "192.0.2.3/31", -ERANGE, "192.0.2.2/31" },
		{ "2001:db8::1/32", -ERANGE, "2001:db8::/32" },
		{ "2001:db8::1/127", -ERANGE, "2001:db8::/127" },
		{ "", -EINVAL, NULL },
		{ "/", -EINVAL, NULL },
		{ "/24", -EINVAL, NULL },
		{ "192.0.2.0/", -EINVAL, NULL },
		{ "192.0.2.0/33", -EINVAL, NULL },
		{ "192.0.2.0/-1", -EINVAL, NULL },
		{ "192.0.2.0/024", -EINVAL, NULL },
		{ "192.0.2.0/ 24", -EINVAL, NULL },
		{ "192.0.2.0/24x", -EINVAL, NULL },
		{ "192.0.2.0/24/24", -EINVAL, NULL },
		{ "192.0.2.0/4294967320", -EINVAL, NULL },
		{ "192.0.2", -EINVAL, NULL },
		{ "192.0.2.01", -EINVAL, NULL },
		{ "0300.0.2.1", -EINVAL, NULL },
		{ "0x7f.0.0.1", -EINVAL, NULL },
		{ "2130706433", -EINVAL, NULL },
		{ "127.1", -EINVAL, NULL },
		{ " 192.0.2.1", -EINVAL, NULL },
		{ "192.0.2.1 ", -EINVAL, NULL },
		{ "::/129", -EINVAL, NULL },
		{ "fe80::1%eth0", -EINVAL, NULL },
		{ "[::1]", -EINVAL, NULL },
		{ "1:2:3:4:5:6:7:8:9", -EINVAL, NULL },
		{ "1::2::3", -EINVAL, NULL },
		{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/128",
		  -EINVAL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix prefix;
		char text[PREFIX_TEXT_MAX];
		int r = parse_prefix(cases[i].text, &prefix);

		if (r != cases[i].r)
			fail_msg("%s: %d", cases[i].text, r);
		if (r == -EINVAL)
			continue;
		format_prefix(&prefix, text);
		assert_string_equal(text, cases[i].written);
	}
	(void)state;
}

static void test_address_port(void **state)
{
	static const struct {
		const char *text;
		const char *address; /* NULL: wrong */
		uint16_t port;
	} cases[] = {
		{ "127.0.0.1:3128", "127.0.0.1", 3128 },
		{ "[::1]:1", "::1", 1 },
		{ "[2001:db8::1]:65535", "2001:db8::1", 65535 },
		{ "127.0.0.1", NULL, 0 },
		{ "127.0.0.1:", NULL, 0 },
		{ "127.0.0.1:0", NULL, 0 },
		{ "127.0.0.1:65536", NULL, 0 },
		{ "127.0.0.1:03128", NULL, 0 },
		{ "127.0.0.1:31x", NULL, 0 },
		{ "[127.0.0.1]:1", NULL, 0 },
		{ "::1:3128", NULL, 0 },
		{ "[::1]", NULL, 0 },
		{ "[::1", NULL, 0 },
		{ "[:1", NULL, 0 },
		{ "[]:1", NULL, 0 },
		{ "[", NULL, 0 },
		{ ":", NULL, 0 },
		{ "]:1", NULL, 0 },
		{ "", NULL, 0 },
		{ "[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]:1",
		  NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix address;
		char text[PREFIX_TEXT_MAX];
		uint16_t port;
		int r = parse_address_port(cases[i].text, &address, &port);

		if ((r == 0) != (cases[i].address != NULL))
			fail_msg("%s: %d", cases[i].text, r);
		if (r < 0)
			continue;
		format_prefix(&address, text);
		assert_string_equal(text, cases[i].address);
		assert_int_equal(port, cases[i].port);
	}
	(void)state;
}

static void test_relations(void **state)
{
	struct prefix all4 = prefix_of("0.0.0.0/0"), all6 = prefix_of("::/0");
	struct prefix net = prefix_of("192.0.2.0/24"), host = prefix_of("192.0.2.7");
	struct prefix odd = prefix_of("192.0.2.8/29"), next = prefix_of("192.0.3.0/24");

	assert_true(prefix_contains(&all4, &host));
	assert_true(prefix_contains(&net, &net));
	assert_true(prefix_contains(&net, &odd));
	assert_false(prefix_contains(&odd, &net));
	assert_false(prefix_contains(&odd, &host));
	assert_false(prefix_contains(&all6, &host));
	assert_false(prefix_contains(&net, &next));
	assert_true(prefix_compare(&net, &host) < 0);
	assert_true(prefix_compare(&net, &next) < 0);
	assert_true(prefix_compare(&all6, &all4) > 0);
	assert_int_equal(prefix_compare(&net, &net), 0);
	(void)state;
}

static void test_kinds(void **state)
{
	static const struct {
		const char *text;
		bool host, loopback, mapped, unspecified;
	} cases[] = {
		{ "192.0.2.1", true, false, false, false },
		{ "127.0.0.1", true, true, false, false },
		{ "127.0.0.0/8", false, true, false, false },
		{ "126.0.0.0/7", false, false, false, false },
		{ "128.0.0.0/8", false, false, false, false },
		{ "::1", true, true, false, false },
		{ "::/127", false, false, false, false },
		{ "::", true, false, false, true },
		{ "0.0.0.0", true, false, false, true },
		{ "0.0.0.0/0", false, false, false, false },
		{ "::ffff:127.0.0.1", true, false, true, false },
		{ "::ffff:0:0/96", false, false, true, false },
		{ "::/0", false, false, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix prefix = prefix_of(cases[i].text);

		assert_int_equal(prefix_is_host(&prefix), cases[i].host);
		assert_int_equal(prefix_is_loopback(&prefix), cases[i].loopback);
		assert_int_equal(prefix_is_mapped(&prefix), cases[i].mapped);
		assert_int_equal(prefix_is_unspecified(&prefix), cases[i].unspecified);
	}
	(void)state;
}

static void test_last(void **state)
{
	static const struct {
		const char *text, *last;
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.255" },
		{ "192.0.2.8/29", "192.0.2.15" },
		{ "0.0.0.0/0", "255.255.255.255" },
		{ "192.0.2.1", "192.0.2.1" },
		{ "2001:db8::/127", "2001:db8::1" },
		{ "2001:db8::/33", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix prefix = prefix_of(cases[i].text), last = prefix_of(cases[i].last);
		uint8_t bytes[16];

		prefix_last(&prefix, bytes);
		assert_memory_equal(bytes, last.bytes, 16);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),  cmocka_unit_test(test_address_port),
		cmocka_unit_test(test_relations), cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
