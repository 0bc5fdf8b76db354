/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-host.c - hosts: one spelling in, one meaning out, and no address in disguise. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "names/host.h"

#define L63 "a23456789012345678901234567890123456789012345678901234567890123"
#define N253                                                                                       \
	L63 "." L63 "." L63 "."                                                                    \
	    "a234567890123456789012345678901234567890123456789012345678901"

static void test_hosts(void **state)
{
	static const struct {
		const char *text;
		const char *name; /* NULL: refused */
		uint8_t family;
		const char *why; /* a part of it */
	} cases[] = {
		{ "example.org", "example.org", ADDR_NONE, NULL },
		{ "API.Example.ORG", "api.example.org", ADDR_NONE, NULL },
		{ "api.example.org.", "api.example.org", ADDR_NONE, NULL },
		{ "localhost", "localhost", ADDR_NONE, NULL },
		{ "a", "a", ADDR_NONE, NULL },
		{ "_dmarc.a_b.example", "_dmarc.a_b.example", ADDR_NONE, NULL },
		{ "r3---sn-4g5.example", "r3---sn-4g5.example", ADDR_NONE, NULL },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example", ADDR_NONE, NULL },
		{ "1.example", "1.example", ADDR_NONE, NULL },
		{ "0xg", "0xg", ADDR_NONE, NULL },
		{ "1and1", "1and1", ADDR_NONE, NULL },
		{ "192.0.2.1.nip.io", "192.0.2.1.nip.io", ADDR_NONE, NULL },
		{ L63 ".example", L63 ".example", ADDR_NONE, NULL },
		{ N253, N253, ADDR_NONE, NULL },
		{ N253 ".", N253, ADDR_NONE, NULL },
		{ "192.0.2.1", "192.0.2.1", ADDR_V4, NULL },
		{ "0.0.0.0", "0.0.0.0", ADDR_V4, NULL },
		{ "2001:DB8:0::1", "2001:db8::1", ADDR_V6, NULL },
		{ "[2001:db8::1]", "2001:db8::1", ADDR_V6, NULL },
		{ "::ffff:192.0.2.1", "192.0.2.1", ADDR_V4, NULL },
		{ "[::FFFF:c000:201]", "192.0.2.1", ADDR_V4, NULL },
		{ "", NULL, 0, "empty" },
		{ ".", NULL, 0, "empty part" },
		{ "..", NULL, 0, "empty part" },
		{ "a..b", NULL, 0, "empty part" },
		{ ".a", NULL, 0, "empty part" },
		{ "a..", NULL, 0, "empty part" },
		{ "-a.example", NULL, 0, "\"-\"" },
		{ "a-.example", NULL, 0, "\"-\"" },
		{ "a.-", NULL, 0, "\"-\"" },
		{ "a b", NULL, 0, "character" },
		{ " a", NULL, 0, "character" },
		{ "a\r\nb", NULL, 0, "character" },
		{ "a/b", NULL, 0, "character" },
		{ "a@b", NULL, 0, "character" },
		{ "*.example.org", NULL, 0, "character" },
		{ "a\\b", NULL, 0, "character" },
		{ "a\177", NULL, 0, "character" },
		{ "%61.example", NULL, 0, "decoded" },
		{ "127.0.0.1%00", NULL, 0, "decoded" },
		{ L63 "4.example", NULL, 0, "63" },
		{ "b." N253, NULL, 0, "253" },
		{ N253 "a", NULL, 0, "253" },
		{ "127.1", NULL, 0, "number" },
		{ "127.0.1", NULL, 0, "number" },
		{ "2130706433", NULL, 0, "number" },
		{ "0", NULL, 0, "number" },
		{ "0x7f.1", NULL, 0, "number" },
		{ "0X7F000001", NULL, 0, "number" },
		{ "0x", NULL, 0, "number" },
		{ "017700000001", NULL, 0, "number" },
		{ "0177.0.0.1", NULL, 0, "number" },
		{ "127.0.0.01", NULL, 0, "number" },
		{ "127.0.0.1.", NULL, 0, "number" },
		{ "127.0.0.0x1", NULL, 0, "number" },
		{ "256.0.0.1", NULL, 0, "number" },
		{ "1.2.3.4.5", NULL, 0, "number" },
		{ "example.123", NULL, 0, "number" },
		{ "example.0x1f", NULL, 0, "number" },
		{ "127.0.0.1:80", NULL, 0, "IPv6" },
		{ "[192.0.2.1]", NULL, 0, "IPv6" },
		{ "[example.org]", NULL, 0, "IPv6" },
		{ "[]", NULL, 0, "IPv6" },
		{ "[", NULL, 0, "character" },
		{ "]", NULL, 0, "character" },
		{ "[::1", NULL, 0, "IPv6" },
		{ "::1]", NULL, 0, "IPv6" },
		{ "[[::1]]", NULL, 0, "IPv6" },
		{ "fe80::1%eth0", NULL, 0, "zone" },
		{ "[fe80::1%25eth0]", NULL, 0, "zone" },
		{ "1:2:3:4:5:6:7:8:9", NULL, 0, "IPv6" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = cases[i].text, *why = NULL;
		struct host host;
		int r = host_parse(text, strlen(text), &host, &why);

		if (!cases[i].name) {
			if (r != -EINVAL || !why || !strstr(why, cases[i].why))
				fail_msg("%s: %d, %s", text, r, why ? why : "no reason");
			continue;
		}
		if (r < 0)
			fail_msg("%s: %s", text, why);
		assert_string_equal(host.name, cases[i].name);
		assert_int_equal(host.address.family, cases[i].family);
	}
	(void)state;
}

static void test_bytes(void **state)
{
	const char *why = NULL;
	struct host host;

	assert_int_equal(host_parse("a\0b", 3, &host, &why), -EINVAL);
	assert_int_equal(host_parse("192.0.2.1\0", 10, &host, &why), -EINVAL);
	assert_int_equal(host_parse("[::1\0]", 6, &host, &why), -EINVAL);
	assert_int_equal(host_parse("::1\0", 4, &host, &why), -EINVAL);
	assert_int_equal(host_parse("b\303\274cher.example", 14, &host, &why), -EILSEQ);
	assert_int_equal(host_parse("\377", 1, &host, &why), -EILSEQ);
	/* what is behind it does not count */
	assert_int_equal(host_parse("a.example/", 9, &host, &why), 0);
	assert_string_equal(host.name, "a.example");
	(void)state;
}

static void test_ports(void **state)
{
	static const struct {
		const char *text, *name; /* NULL: refused */
		uint16_t port;
	} cases[] = {
		{ "api.example.org:8443", "api.example.org", 8443 },
		{ "api.example.org", "api.example.org", 7 },
		{ "api.example.org.:1", "api.example.org", 1 },
		{ "192.0.2.1:65535", "192.0.2.1", 65535 },
		{ "[2001:db8::1]:443", "2001:db8::1", 443 },
		{ "[2001:db8::1]", "2001:db8::1", 7 },
		{ "2001:db8::1", "2001:db8::1", 7 },
		{ "2001:db8::1:443", "2001:db8::1:443", 7 },
		{ "api.example.org:", NULL, 0 },
		{ "api.example.org:0", NULL, 0 },
		{ "api.example.org:065", NULL, 0 },
		{ "api.example.org:65536", NULL, 0 },
		{ "api.example.org:4294967739", NULL, 0 },
		{ "api.example.org:18446744073709552059", NULL, 0 },
		{ "api.example.org:+443", NULL, 0 },
		{ "api.example.org: 443", NULL, 0 },
		{ "api.example.org:443 ", NULL, 0 },
		{ "api.example.org:443:443", NULL, 0 },
		{ "api.example.org:https", NULL, 0 },
		{ ":443", NULL, 0 },
		{ ":", NULL, 0 },
		{ "[::1]443", NULL, 0 },
		{ "[::1]:", NULL, 0 },
		{ "[::1]:0", NULL, 0 },
		{ "]:443", NULL, 0 },
		{ "[:443", NULL, 0 },
		{ "", NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = cases[i].text, *why = NULL;
		uint16_t port = 0;
		struct host host;
		int r = host_parse_port(text, strlen(text), 7, &host, &port, &why);

		if (!cases[i].name) {
			if (r != -EINVAL || !why)
				fail_msg("%s: %d", text, r);
			continue;
		}
		if (r < 0)
			fail_msg("%s: %s", text, why);
		assert_string_equal(host.name, cases[i].name);
		assert_int_equal(port, cases[i].port);
	}
	(void)state;
}

/* Numbers in all bases and forms: never a name of something that inet_aton(3) reads. */
static void test_disguises(void **state)
{
	static const char *const parts[] = { "0",   "127", "0x7f", "0177", "1",	   "0x",
					     "00",  "256", "09",   "0x1g", "0X1",  "65536",
					     "08f", "a",   "-1",   "+1",   " 127", "" };
	enum { N = ARRAY_SIZE(parts) };
	size_t n_read = 0;

	for (size_t i = 0; i < (size_t)N * N * N * N * 4; i++) {
		size_t k = i / 4, n = i % 4 + 1;
		const char *why = NULL;
		char text[64] = "";
		struct in_addr in;
		struct host host;

		for (size_t j = 0; j < n; j++, k /= N) {
			strcat(text, j ? "." : "");
			strcat(text, parts[k % N]);
		}
		if (host_parse(text, strlen(text), &host, &why) < 0)
			continue;
		if (host.address.family == ADDR_NONE && inet_aton(host.name, &in))
			fail_msg("%s became the name %s", text, host.name);
		n_read += host.address.family == ADDR_V4;
	}
	assert_true(n_read > 0);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_disguises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
