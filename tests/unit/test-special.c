/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-special.c - which addresses are special, and what for: borders included. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "names/special.h"

static void test_addresses(void **state)
{
	static const struct {
		const char *address;
		const char *words; /* a part of them; NULL: an ordinary one */
	} cases[] = {
		{ "1.1.1.1", NULL },
		{ "93.184.216.34", NULL },
		{ "0.0.0.0", "unspecified" },
		{ "0.0.0.1", "this network" },
		{ "0.255.255.255", "this network" },
		{ "1.0.0.0", NULL },
		{ "9.255.255.255", NULL },
		{ "10.0.0.0", "private" },
		{ "10.255.255.255", "private" },
		{ "11.0.0.0", NULL },
		{ "100.63.255.255", NULL },
		{ "100.64.0.0", "CGNAT" },
		{ "100.100.100.200", "metadata" },
		{ "100.127.255.255", "CGNAT" },
		{ "100.128.0.0", NULL },
		{ "126.255.255.255", NULL },
		{ "127.0.0.1", "loopback" },
		{ "127.255.255.255", "loopback" },
		{ "128.0.0.0", NULL },
		{ "168.63.129.16", "metadata" },
		{ "168.63.129.17", NULL },
		{ "169.253.255.255", NULL },
		{ "169.254.0.0", "link-local" },
		{ "169.254.169.254", "metadata" },
		{ "169.254.170.2", "metadata" },
		{ "169.254.255.255", "link-local" },
		{ "169.255.0.0", NULL },
		{ "172.15.255.255", NULL },
		{ "172.16.0.0", "private" },
		{ "172.31.255.255", "private" },
		{ "172.32.0.0", NULL },
		{ "192.0.0.0", "protocols" },
		{ "192.0.0.192", "metadata" },
		{ "192.0.0.255", "protocols" },
		{ "192.0.1.0", NULL },
		{ "192.0.2.0", "documentation" },
		{ "192.0.3.0", NULL },
		{ "192.31.196.1", "AS112" },
		{ "192.52.193.1", "AMT" },
		{ "192.88.99.1", "6to4" },
		{ "192.167.255.255", NULL },
		{ "192.168.0.0", "private" },
		{ "192.169.0.0", NULL },
		{ "192.175.48.1", "AS112" },
		{ "198.17.255.255", NULL },
		{ "198.18.0.0", "benchmarks" },
		{ "198.19.255.255", "benchmarks" },
		{ "198.20.0.0", NULL },
		{ "198.51.100.1", "documentation" },
		{ "203.0.113.255", "documentation" },
		{ "203.0.114.0", NULL },
		{ "223.255.255.255", NULL },
		{ "224.0.0.0", "multicast" },
		{ "239.255.255.255", "multicast" },
		{ "240.0.0.0", "reserved" },
		{ "255.255.255.254", "reserved" },
		{ "255.255.255.255", "broadcast" },

		{ "2606:4700:4700::1111", NULL },
		{ "2a00:1450:4001::200e", NULL },
		{ "::", "unspecified" },
		{ "::1", "loopback" },
		{ "::2", "compatible" },
		{ "::1.1.1.1", "compatible" },
		{ "::ffff:1.1.1.1", NULL },
		{ "::ffff:10.0.0.1", "private" },
		{ "::ffff:127.0.0.1", "loopback" },
		{ "::ffff:0:1.1.1.1", "translator" },
		{ "64:ff9b::1.1.1.1", NULL },
		{ "64:ff9b::10.0.0.1", "private" },
		{ "64:ff9b::169.254.169.254", "metadata" },
		{ "64:ff9b::1:0:0", "reserved" },
		{ "64:ff9b:1::1.1.1.1", "NAT64" },
		{ "64:ff9b:1:ffff::", "NAT64" },
		{ "64:ff9b:2::", "reserved" },
		{ "100::", "discarded" },
		{ "100::ffff:ffff:ffff:ffff", "discarded" },
		{ "100:0:0:1::1", "dummy" },
		{ "100:0:0:2::", "reserved" },
		{ "1fff:ffff::", "reserved" },
		{ "2000::", NULL },
		{ "2001::1", "Teredo" },
		{ "2001:0:53aa:64c:0:fbfe:feee:fefe", "Teredo" },
		{ "2001:1::1", "protocols" },
		{ "2001:2::1", "benchmarks" },
		{ "2001:2:1::1", "protocols" },
		{ "2001:10::1", "ORCHID)" },
		{ "2001:1f::1", "ORCHID)" },
		{ "2001:20::1", "ORCHIDv2" },
		{ "2001:30::1", "protocols" },
		{ "2001:1ff:ffff::", "protocols" },
		{ "2001:200::", NULL },
		{ "2001:db7:ffff::", NULL },
		{ "2001:db8::1", "documentation" },
		{ "2001:db9::", NULL },
		{ "2002:0101:0101::1", "6to4" },
		{ "2002:7f00:1::1", "6to4" },
		{ "2003::", NULL },
		{ "2620:4f:8000::1", "AS112" },
		{ "3ffe::1", NULL },
		{ "3fff::1", "documentation" },
		{ "3fff:fff:ffff::", "documentation" },
		{ "3fff:1000::", NULL },
		{ "4000::", "reserved" },
		{ "5eff::", "reserved" },
		{ "5f00::1", "SRv6" },
		{ "5f01::", "reserved" },
		{ "fbff::", "reserved" },
		{ "fc00::", "private" },
		{ "fd00:ec2::254", "metadata" },
		{ "fd00:ec2::23", "metadata" },
		{ "fd20:ce::254", "metadata" },
		{ "fd00:42::42", "metadata" },
		{ "fd00:ec2::253", "private" },
		{ "fdff:ffff::1", "private" },
		{ "fe00::", "reserved" },
		{ "fe80::1", "link-local" },
		{ "fe80::a9fe:a9fe", "metadata" },
		{ "febf::1", "link-local" },
		{ "fec0::1", "site-local" },
		{ "feff::1", "site-local" },
		{ "ff02::1", "multicast" },
		{ "2a00::5efe:10.0.0.1", "ISATAP" },
		{ "2a00::200:5efe:1.1.1.1", "ISATAP" },
		{ "2a00::100:5efe:1.1.1.1", NULL },
		{ "2a00::5eff:1.1.1.1", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix address;
		const char *words;

		if (parse_address(cases[i].address, &address) < 0)
			fail_msg("%s is no address", cases[i].address);
		words = special_purpose(&address);
		if (!words != !cases[i].words || (words && !strstr(words, cases[i].words)))
			fail_msg("%s: %s", cases[i].address, words ? words : "ordinary");
	}
	(void)state;
}

static void test_prefixes(void **state)
{
	static const char *const some[] = { "10.0.0.0/8", "169.254.169.254", "fc00::/7",
					    "2001:db8::/32" };
	bool seen[ARRAY_SIZE(some)] = { false };
	struct prefix prefix;
	const char *words;
	size_t n = 0;

	for (size_t at = 0; (words = special_next(&at, &prefix)); n++) {
		struct prefix address = prefix;
		char text[PREFIX_TEXT_MAX];

		format_prefix(&prefix, text);
		for (size_t i = 0; i < ARRAY_SIZE(some); i++)
			seen[i] = seen[i] || strcmp(some[i], text) == 0;
		address.length = (uint8_t)prefix_max_length(&prefix);
		if (!special_purpose(&address))
			fail_msg("the first of %s is ordinary", text);
		prefix_last(&prefix, address.bytes);
		if (!special_purpose(&address) || !*words)
			fail_msg("the last of %s is ordinary", text);
	}
	assert_true(n > 40);
	for (size_t i = 0; i < ARRAY_SIZE(some); i++)
		if (!seen[i])
			fail_msg("%s is missing", some[i]);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
