/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-idna.c - international names: one A-label form, and no address in other digits. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "names/idna.h"

static void test_names(void **state)
{
	static const struct {
		const char *text, *name; /* NULL: refused */
		uint8_t family;
	} cases[] = {
		{ "bücher.example", "xn--bcher-kva.example", ADDR_NONE },
		{ "BÜCHER.Example.", "xn--bcher-kva.example", ADDR_NONE },
		{ "bu\xcc\x88"
		  "cher.example",
		  "xn--bcher-kva.example", ADDR_NONE }, /* u and a combining diaeresis */
		{ "straße.example", "xn--strae-oqa.example", ADDR_NONE }, /* nontransitional */
		{ "例え。テスト", "xn--r8jz45g.xn--zckzah", ADDR_NONE },
		{ "例え．テスト｡", "xn--r8jz45g.xn--zckzah", ADDR_NONE },
		{ "ｅｘａｍｐｌｅ.org", "example.org", ADDR_NONE },
		{ "exam\xc2\xadple.org", "example.org", ADDR_NONE }, /* a soft hyphen */
		{ "ⓔxample.org", "example.org", ADDR_NONE },
		{ "apі.example", "xn--ap-ioc.example", ADDR_NONE }, /* a Cyrillic i is another */
		{ "_dmarc.bücher.example", "_dmarc.xn--bcher-kva.example", ADDR_NONE },
		{ "plain.example", "plain.example", ADDR_NONE },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example", ADDR_NONE },
		{ "192.0.2.1", "192.0.2.1", ADDR_V4 },
		{ "[2001:db8::1]", "2001:db8::1", ADDR_V6 },
		{ "１２７.0.0.1", "127.0.0.1", ADDR_V4 },
		{ "127。0。0。1", "127.0.0.1", ADDR_V4 },
		{ "①②⑦.0.0.1", "127.0.0.1", ADDR_V4 },
		{ "１２７.1", NULL, 0 },
		{ "０x7f000001", NULL, 0 },
		{ "0ｘ7f.1", NULL, 0 },
		{ "２１３０７０６４３３", NULL, 0 },
		{ "127.0.0.1。", NULL, 0 },
		{ "［::1］", NULL, 0 },
		{ "[：：１]", NULL, 0 },
		{ "：：１", NULL, 0 },
		{ "ex．．ample", NULL, 0 },
		{ "。", NULL, 0 },
		{ "a／b.example", NULL, 0 },
		{ "a℀b.example", NULL, 0 }, /* maps to a/c */
		{ "a％41.example", NULL, 0 },
		{ "bü cher.example", NULL, 0 },
		{ "a@bü.example", NULL, 0 },
		{ "\xff", NULL, 0 },
		{ "b\xc3", NULL, 0 },
		{ "\xc0\xae.example", NULL, 0 }, /* an overlong dot */
		{ "xn--bü.example", NULL, 0 },
		{ "", NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = cases[i].text, *why = NULL;
		struct host host;
		int r = idna_parse(text, strlen(text), &host, &why);

		if (!cases[i].name) {
			if (r != -EINVAL || !why)
				fail_msg("%s: %d, %s", text, r, r ? why : host.name);
			continue;
		}
		if (r < 0)
			fail_msg("%s %s", text, why);
		assert_string_equal(host.name, cases[i].name);
		assert_int_equal(host.address.family, cases[i].family);
	}
	(void)state;
}

static void test_lengths(void **state)
{
	const char *why = NULL;
	struct host host;
	char text[4096];

	for (size_t n = 1; n < sizeof(text) / 2; n++) {
		for (size_t i = 0; i < n; i++)
			memcpy(text + 2 * i, "ü", 2);
		if (idna_parse(text, 2 * n, &host, &why) == 0)
			assert_true(strlen(host.name) <= 63);
		else
			assert_true(n > 50);
	}
	assert_int_equal(idna_parse("ü\0", 3, &host, &why), -EINVAL);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
