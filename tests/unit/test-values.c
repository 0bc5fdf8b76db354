/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-values.c - ranges of numbers, held to counting them one by one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/random_policies.h"
#include "policy/values.h"

static void test_number_range(void **state)
{
	static const struct {
		const char *text;
		uint32_t max, first, last; /* first > last: wrong */
	} cases[] = {
		{ "0", 10, 0, 0 },
		{ "10", 10, 10, 10 },
		{ "11", 10, 1, 0 },
		{ "3-7", 10, 3, 7 },
		{ "7-7", 10, 7, 7 },
		{ "7-3", 10, 1, 0 },
		{ "0-4294967294", UID_LAST, 0, UID_LAST },
		{ "4294967295", UID_LAST, 1, 0 },
		{ "4294967296", UID_LAST, 1, 0 },
		{ "18446744073709551617", UID_LAST, 1, 0 },
		{ "99999999999999999999999999", UID_LAST, 1, 0 },
		{ "1-18446744073709551618", UID_LAST, 1, 0 },
		{ "", 10, 1, 0 },
		{ "-", 10, 1, 0 },
		{ "-3", 10, 1, 0 },
		{ "3-", 10, 1, 0 },
		{ "3--4", 10, 1, 0 },
		{ "3-4-5", 10, 1, 0 },
		{ "03", 10, 1, 0 },
		{ "3-04", 10, 1, 0 },
		{ "00", 10, 1, 0 },
		{ " 3", 10, 1, 0 },
		{ "3 ", 10, 1, 0 },
		{ "+3", 10, 1, 0 },
		{ "0x3", 10, 1, 0 },
		{ "3.0", 10, 1, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct number_range range;
		int r = parse_number_range(cases[i].text, cases[i].max, &range);

		if ((r == 0) != (cases[i].first <= cases[i].last))
			fail_msg("\"%s\": %d", cases[i].text, r);
		if (r < 0)
			continue;
		assert_int_equal(range.first, cases[i].first);
		assert_int_equal(range.last, cases[i].last);
	}
	(void)state;
}

enum { SMALL = 40, LISTS = 8 };

static size_t random_ranges(struct random *random, struct number_range *ranges, bool *members)
{
	size_t n = random_below(random, LISTS + 1);

	memset(members, 0, SMALL * sizeof(*members));
	for (size_t i = 0; i < n; i++) {
		ranges[i].first = random_below(random, SMALL);
		ranges[i].last = ranges[i].first + random_below(random, SMALL - ranges[i].first);
		for (uint32_t j = ranges[i].first; j <= ranges[i].last; j++)
			members[j] = true;
	}
	return n;
}

static void test_against_counting(void **state)
{
	for (unsigned seed = 1; seed <= 5000; seed++) {
		struct random random = random_start(seed, 7);
		struct number_range a[LISTS], b[LISTS];
		bool in_a[SMALL], in_b[SMALL], meet = false;
		size_t n_a = random_ranges(&random, a, in_a), n_b = random_ranges(&random, b, in_b);

		ranges_normalize(a, &n_a);
		ranges_normalize(b, &n_b);
		for (size_t i = 1; i < n_a; i++)
			assert_true(a[i].first > a[i - 1].last + 1); /* apart, and not touching */
		for (uint32_t i = 0; i < SMALL; i++) {
			assert_int_equal(ranges_contain(a, n_a, i), in_a[i]);
			meet = meet || (in_a[i] && in_b[i]);
		}
		assert_int_equal(ranges_overlap(a, n_a, b, n_b), meet);
		assert_int_equal(ranges_overlap(b, n_b, a, n_a), meet);
	}
	(void)state;
}

static void test_highest(void **state)
{
	struct number_range ranges[] = { { UID_LAST, UID_LAST }, { 5, UINT32_MAX }, { 0, 3 } };
	size_t n = ARRAY_SIZE(ranges);

	ranges_normalize(ranges, &n);
	assert_int_equal(n, 2);
	assert_int_equal(ranges[1].first, 5);
	assert_int_equal(ranges[1].last, UINT32_MAX);
	assert_false(ranges_contain(ranges, n, 4));
	assert_true(ranges_contain(ranges, n, UINT32_MAX));
	n = 0;
	ranges_normalize(NULL, &n);
	assert_int_equal(n, 0);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_range),
		cmocka_unit_test(test_against_counting),
		cmocka_unit_test(test_highest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
