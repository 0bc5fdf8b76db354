/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-frame.c - lengths, JSON out, requests in. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "wire/frame.h"
#include "wire/request.h"
#include "wire/writer.h"

static void lengths(void **state)
{
	static const struct {
		uint32_t length;
		uint8_t bytes[FRAME_HEADER];
	} cases[] = {
		{ 0, { 0, 0, 0, 0 } },
		{ 1, { 0, 0, 0, 1 } },
		{ 0x01020304, { 1, 2, 3, 4 } },
		{ UINT32_MAX, { 255, 255, 255, 255 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t bytes[FRAME_HEADER];

		frame_put_length(bytes, cases[i].length);
		assert_memory_equal(bytes, cases[i].bytes, FRAME_HEADER);
		assert_int_equal(frame_get_length(bytes), cases[i].length);
	}
}

static void writes_json(void **state)
{
	struct writer w;

	writer_init(&w, 4096);
	writer_begin(&w, '{');
	writer_put_text(&w, "text", "a\"b\\c\n\x1b\x7f");
	writer_put_text(&w, "none", NULL);
	writer_put_int(&w, "low", INT64_MIN);
	writer_put_bool(&w, "yes", true);
	writer_key(&w, "list");
	writer_begin(&w, '[');
	writer_int(&w, 1);
	writer_bool(&w, false);
	writer_begin(&w, '[');
	writer_end(&w, ']');
	writer_begin(&w, '{');
	writer_end(&w, '}');
	writer_end(&w, ']');
	writer_put_text(&w, "last", "");
	writer_end(&w, '}');
	assert_false(w.failed);
	assert_string_equal(w.bytes, "{\"text\":\"a\\\"b\\\\c\\n\\u001b\\u007f\",\"none\":null,"
				     "\"low\":-9223372036854775808,\"yes\":true,"
				     "\"list\":[1,false,[],{}],\"last\":\"\"}");
	writer_done(&w);
}

/* jansson is what reads it: it must take all that comes out, and find in it what went in. */
static void writes_what_jansson_reads(void **state)
{
	static const struct {
		const char *text, *read; /* read NULL: as text */
	} cases[] = {
		{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8d", NULL },
		{ "\xff", "\xef\xbf\xbd" },
		{ "a\xc3", "a\xef\xbf\xbd" },
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xe0\x80\x80z", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz" },
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\x01\x02\x1f\t\r\n", NULL },
		{ "</script>\"\\", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct writer w;
		json_error_t error;
		json_t *read;

		writer_init(&w, 4096);
		writer_text(&w, cases[i].text);
		read = json_loadb(w.bytes, w.n, JSON_DECODE_ANY, &error);
		if (!read)
			fail_msg("case %zu: %s in %s", i, error.text, w.bytes);
		assert_string_equal(json_string_value(read),
				    cases[i].read ? cases[i].read : cases[i].text);
		json_decref(read);
		writer_done(&w);
	}
}

static void writes_no_more_than_allowed(void **state)
{
	struct writer w;

	writer_init(&w, 10);
	writer_text(&w, "12345678");
	assert_false(w.failed);
	assert_int_equal(w.n, 10);
	writer_int(&w, 1);
	assert_true(w.failed);
	assert_int_equal(w.n, 10);
	writer_done(&w);
}

struct request_case {
	const char *text;
	const char *error; /* part of it; NULL: good */
	enum request_call call;
	const char *service;
};

static void parses_requests(void **state)
{
	static const struct request_case cases[] = {
		{ "{\"call\":\"status\"}", NULL, CALL_STATUS, NULL },
		{ " {\"service\":\"blog\", \"call\":\"show\"} ", NULL, CALL_SHOW, "blog" },
		{ "{\"call\":\"apply\"}", NULL, CALL_APPLY, NULL },
		{ "{\"call\":\"off\"}", NULL, CALL_OFF, NULL },
		{ "{\"call\":\"off\",\"service\":\"blog\"}", NULL, CALL_OFF, "blog" },
		{ "{\"call\":\"on\",\"service\":\"\"}", NULL, CALL_ON, "" },
		{ "{\"call\":\"apply\",\"confirm_s\":86400}", NULL, CALL_APPLY, NULL },
		{ "{\"call\":\"confirm\"}", NULL, CALL_CONFIRM, NULL },
		{ "{\"call\":\"rollback\"}", NULL, CALL_ROLLBACK, NULL },
		{ "{\"call\":\"diff\"}", NULL, CALL_DIFF, NULL },
		{ "{\"call\":\"apply\",\"confirm_s\":0}", "from 1 to 86400 as \"confirm_s\"" },
		{ "{\"call\":\"apply\",\"confirm_s\":86401}", "from 1 to 86400" },
		{ "{\"call\":\"apply\",\"confirm_s\":1.5}", "from 1 to 86400" },
		{ "{\"call\":\"apply\",\"confirm_s\":\"60\"}", "from 1 to 86400" },
		{ "{\"call\":\"confirm\",\"confirm_s\":1}", "takes no \"confirm_s\"" },
		{ "", "not JSON" },
		{ "{", "not JSON" },
		{ "{}", "\"call\"" },
		{ "[\"call\"]", "\"call\"" },
		{ "{\"call\":null}", "\"call\"" },
		{ "{\"call\":\"Status\"}", "unknown call \"Status\"" },
		{ "{\"call\":\"\\u001b[2J\"}", "unknown call \"\\x1b[2J\"" },
		{ "{\"call\":\"show\"}", "needs a \"service\"" },
		{ "{\"call\":\"show\",\"service\":[]}", "expected a string" },
		{ "{\"call\":\"status\",\"service\":\"blog\"}", "takes no \"service\"" },
		{ "{\"call\":\"apply\",\"a\\nb\":1}", "takes no \"a\\x0ab\"" },
		{ "{\"call\":\"status\",\"call\":\"status\"}", "not JSON" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena) struct arena *arena = arena_new();
		struct request request;
		const char *error = "";
		int r = request_parse(cases[i].text, strlen(cases[i].text), arena, &request,
				      &error);

		if ((r == 0) != !cases[i].error)
			fail_msg("case %zu: %d, %s", i, r, error);
		if (r < 0) {
			if (!strstr(error, cases[i].error))
				fail_msg("case %zu: %s", i, error);
			continue;
		}
		assert_int_equal(request.call, cases[i].call);
		if (cases[i].service)
			assert_string_equal(request.service, cases[i].service);
		else
			assert_null(request.service);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(writes_json),
		cmocka_unit_test(writes_what_jansson_reads),
		cmocka_unit_test(writes_no_more_than_allowed),
		cmocka_unit_test(parses_requests),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
