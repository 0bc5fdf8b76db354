/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-job.c - what the self-test and its helper say to each other survives the way there. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "selftest/job.h"

static void test_jobs(void **state)
{
	static const struct {
		const char *text;
		uint8_t protocol;
	} rows[] = {
		{ "tcp 2003 2003 203.0.113.1 443", IPPROTO_TCP },
		{ "udp 4294967294 0 2001:db8::1 65535", IPPROTO_UDP },
		{ "ping 1 65534 203.0.113.1 0", IPPROTO_ICMP },
		{ "ping 1 65534 2001:db8::1 0", IPPROTO_ICMPV6 },
		{ "dns-udp 1 1 192.0.2.53 53", IPPROTO_UDP },
		{ "dns-tcp 1 1 192.0.2.53 53", IPPROTO_TCP },
		{ "http 1 1 192.0.2.1 80", IPPROTO_TCP },
		{ "https 1 1 192.0.2.1 443", IPPROTO_TCP },
		{ "proxy-http 1 1 127.0.0.1 3128", IPPROTO_TCP },
		{ "proxy-https 1 1 ::1 3128", IPPROTO_TCP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[JOB_LINE_MAX];
		struct job job;

		assert_int_equal(job_parse(rows[i].text, &job), 0);
		assert_int_equal(job_protocol(&job), rows[i].protocol);
		job_format(&job, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void test_wrong_jobs(void **state)
{
	static const char *const rows[] = {
		"",
		"tcp",
		"tcp 1 1 203.0.113.1",
		"tcp 1 1 203.0.113.1 0",
		"ping 1 1 203.0.113.1 7",
		"tcp 1 1 203.0.113.1 443 more",
		"tcp 1 1 localhost 443",
		"tcp 1 1 203.0.113.0/24 443",
		"sctp 1 1 203.0.113.1 443",
		"tcp x 1 203.0.113.1 443",
		"proxy-https-and-a-long-tail 1 1 203.0.113.1 443",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct job job;

		if (job_parse(rows[i], &job) != -EINVAL)
			fail_msg("taken: %s", rows[i]);
	}
}

static void test_seen(void **state)
{
	static const char *const rows[] = {
		"0 answer connect 0 182 40112 0 yes lo",
		"7 error connect 111 182 40112 0 no -",
		"7 silence answer 0 2000312 1 0 yes abcdefghijklmno",
		"1048575 error become 1 4294967295 0 0 unknown -",
		"3 answer answer 0 812 65535 403 yes eth0",
		"3 lost become 0 0 0 0 no -",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[JOB_LINE_MAX];
		struct seen seen;
		size_t index;

		assert_int_equal(seen_parse(rows[i], &index, &seen), 0);
		seen_format(index, &seen, text);
		assert_string_equal(text, rows[i]);
	}
}

static void test_wrong_seen(void **state)
{
	static const char *const rows[] = {
		"",
		"end",
		"7 error connect 111 182 40112 0 no",
		"7 error connect 111 182 40112 0 perhaps -",
		"7 well connect 111 182 40112 0 no -",
		"7 error there 111 182 40112 0 no -",
		"7 error connect 111 182 40112 0 no - -",
		"x error connect 111 182 40112 0 no -",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct seen seen;
		size_t index;

		if (seen_parse(rows[i], &index, &seen) != -EINVAL)
			fail_msg("taken: %s", rows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_wrong_jobs),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_wrong_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
