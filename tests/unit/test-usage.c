/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-usage.c - how many connections a service may have, and what its password looks like on the
 * wire. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/out/basic.h"
#include "proxy/serve/usage.h"

enum { ALL = 160 };

/* Takes as many as there are for it. */
static unsigned take_all(struct usages *usages, const char *service, int64_t uid,
			 struct usage **ret_last, int expected)
{
	unsigned n = 0;
	int r;

	while ((r = usage_take(usages, service, uid, ret_last)) == 0)
		n++;
	assert_int_equal(r, expected);
	return n;
}

static void test_one_takes_most(void **state)
{
	struct usages *usages = usages_new(ALL, 0);
	struct usage *greedy = NULL, *other = NULL, *nobody = NULL;

	assert_int_equal(take_all(usages, "greedy", -1, &greedy, -EUSERS), ALL * 3 / 4);
	/* The rest is for those that have little. */
	assert_int_equal(take_all(usages, "other", -1, &other, -EUSERS), ALL / 16 + 1);
	assert_int_equal(take_all(usages, NULL, 1000, &nobody, -EUSERS), ALL / 16 + 1);
	assert_int_equal(usage_take(usages, "greedy", -1, &greedy), -EUSERS);
	for (unsigned i = 0; i < ALL / 2; i++)
		usage_drop(usages, greedy);
	assert_int_equal(usage_take(usages, "other", -1, &other), 0);
	usages_free(usages);
}

static void test_configured(void **state)
{
	struct usages *usages = usages_new(ALL, 10);
	struct usage *usage = NULL, *other = NULL;

	assert_int_equal(take_all(usages, "blog", -1, &usage, -EUSERS), 10);
	usage_drop(usages, usage);
	assert_int_equal(usage_take(usages, "blog", -1, &usage), 0);
	for (unsigned i = 0; i < 15; i++) {
		char name[16];

		snprintf(name, sizeof(name), "other-%u", i);
		assert_int_equal(take_all(usages, name, -1, &other, i < 14 ? -EUSERS : -ENFILE),
				 10);
	}
	usages_free(usages);
}

static void test_all_gone(void **state)
{
	struct usages *usages = usages_new(ALL, 0);
	struct usage *usage = NULL;

	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(usage_take(usages, NULL, i, &usage), 0);
		usage_drop(usages, usage);
	}
	assert_int_equal(take_all(usages, "blog", -1, &usage, -EUSERS), ALL * 3 / 4);
	usages_free(usages);
	usages_free(NULL);
}

/* RFC 7617, 2; and each remainder of three. */
static void test_basic(void **state)
{
	static const struct {
		const char *user, *password, *expected;
	} cases[] = {
		{ "Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==" },
		{ "a", "b", "YTpi" },
		{ "a", "", "YTo=" },
		{ "a", "bc", "YTpiYw==" },
		{ "user", "\xc3\xa4\xff:x", "dXNlcjrDpP86eA==" },
	};
	char expected[128];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *field = basic_field(cases[i].user, cases[i].password);

		snprintf(expected, sizeof(expected), "Proxy-Authorization: Basic %s\r\n",
			 cases[i].expected);
		assert_string_equal(field, expected);
		free(field);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_takes_most),
		cmocka_unit_test(test_configured),
		cmocka_unit_test(test_all_gone),
		cmocka_unit_test(test_basic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
