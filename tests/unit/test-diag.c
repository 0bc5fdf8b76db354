/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-diag.c - messages: printable, in order, with the caret under the right letter. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"

static char *print_all(struct diags *diags, bool colour)
{
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);

	assert_non_null(f);
	diags_sort(diags);
	for (size_t i = 0; i < diags->n; i++)
		diag_print(&diags->list[i], f, colour);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void test_printable(void **state)
{
	static const struct {
		const char *text;
		size_t n, max;
		const char *shown;
	} cases[] = {
		{ "plain", 5, 60, "plain" },
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9d\x84\x9e", 14, 60,
		  "caf\xc3\xa9 \xe2\x82\xac \xf0\x9d\x84\x9e" },
		{ "a\nb\r\t\0c", 7, 60, "a\\x0ab\\x0d\\x09\\x00c" },
		{ "\033[2J\x7f", 5, 60, "\\x1b[2J\\x7f" },
		{ "\xc2\x9b"
		  "31m",
		  5, 60, "\\xc2\\x9b31m" },	     /* C1: CSI */
		{ "\xc0\xaf", 2, 60, "\\xc0\\xaf" }, /* overlong */
		{ "\xe0\x80\xaf", 3, 60, "\\xe0\\x80\\xaf" },
		{ "\xed\xa0\x80", 3, 60, "\\xed\\xa0\\x80" },	       /* surrogate */
		{ "\xf4\x90\x80\x80", 4, 60, "\\xf4\\x90\\x80\\x80" }, /* above U+10FFFF */
		{ "\xe2\x80\xae", 3, 60, "\\xe2\\x80\\xae" },	       /* right-to-left override */
		{ "\xe2\x80\x8b", 3, 60, "\\xe2\\x80\\x8b" },	       /* zero width */
		{ "\xe2\x80\xa8", 3, 60, "\\xe2\\x80\\xa8" },	       /* line separator */
		{ "\xef\xbb\xbf", 3, 60, "\\xef\\xbb\\xbf" },	       /* byte order mark */
		{ "\xe2\x82", 2, 60, "\\xe2\\x82" },		       /* cut */
		{ "abcdef", 6, 3, "abc..." },
		{ "abc", 3, 3, "abc" },
		{ "", 0, 60, "" },
		{ "x", 1, 0, "..." },
	};
	AUTO(arena) struct arena *arena = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(text_printable(arena, cases[i].text, cases[i].n, cases[i].max),
				    cases[i].shown);
	(void)state;
}

static void test_suggest(void **state)
{
	static const char *const words[] = { "connect", "comment", "dns",   "listen", "mode",
					     "port",	"to",	   "until", "users" };
	static const struct {
		const char *found, *suggestion;
	} cases[] = {
		{ "conect", "connect" },  { "Connect", "connect" },
		{ "conncet", "connect" }, { "DNS", "dns" },
		{ "dn", "dns" },	  { "prot", "port" },
		{ "tp", "to" },		  { "user", "users" },
		{ "lisen", "listen" },	  { "", NULL },
		{ "host", NULL },	  { "x", NULL },
		{ "firewall", NULL },	  { "connections", NULL },
	};
	char many[200];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *s = text_suggest(cases[i].found, words, ARRAY_SIZE(words));

		if (!cases[i].suggestion)
			assert_null(s);
		else if (!s)
			fail_msg("nothing for %s", cases[i].found);
		else
			assert_string_equal(s, cases[i].suggestion);
	}
	memset(many, 'a', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	assert_null(text_suggest(many, words, ARRAY_SIZE(words)));
	(void)state;
}

static void test_excerpts(void **state)
{
	static const char text[] = "{\n\t\"a\": b\xc3\xbc,\n  \"c\": 5\r\n}";
	AUTO(diags) struct diags diags;
	AUTO(mem) char *printed = NULL;

	diags_init(&diags);
	diag_add_in(&diags, DIAG_ERROR, (struct place){ "f", 3, 8 }, text, sizeof(text) - 1,
		    "five");
	diag_add_in(&diags, DIAG_WARNING, (struct place){ "f", 2, 10 }, text, sizeof(text) - 1,
		    "behind the umlaut");
	diag_add_in(&diags, DIAG_ERROR, (struct place){ "f", 9, 1 }, text, sizeof(text) - 1,
		    "no such line");
	diag_add_in(&diags, DIAG_ERROR, (struct place){ "f", 4, 99 }, text, sizeof(text) - 1,
		    "no such column");
	printed = print_all(&diags, false);
	assert_string_equal(printed, "f:2:10: warning: behind the umlaut\n"
				     "    \"a\": b\xc3\xbc,\n"
				     "           ^\n"
				     "f:3:8: error: five\n"
				     "    \"c\": 5\n"
				     "         ^\n"
				     "f:4:99: error: no such column\n"
				     "    }\n"
				     "     ^\n"
				     "f:9:1: error: no such line\n");
	(void)state;
}

static void test_long_lines(void **state)
{
	char text[5001];
	AUTO(diags) struct diags diags;

	memset(text, 'x', 5000);
	text[5000] = '\0';
	text[2999] = '!';
	diags_init(&diags);
	for (uint32_t column = 1; column <= 5000; column += 7) {
		const struct diag *diag;

		diag_add_in(&diags, DIAG_ERROR, (struct place){ "f", 1, column }, text, 5000, "x");
		diag = &diags.list[diags.n - 1];
		assert_in_range(strlen(diag->excerpt), 1, 170);
		assert_in_range(diag->caret, 1, strlen(diag->excerpt) + 1);
	}
	diag_add_in(&diags, DIAG_ERROR, (struct place){ "f", 1, 3000 }, text, 5000, "x");
	assert_int_equal(diags.list[diags.n - 1].excerpt[diags.list[diags.n - 1].caret - 1], '!');
	(void)state;
}

static void test_order(void **state)
{
	AUTO(diags) struct diags diags;
	AUTO(mem) char *printed = NULL;

	diags_init(&diags);
	assert_int_equal(diag_add(&diags, DIAG_ERROR, (struct place){ "b", 1, 1 }, "3"), -EINVAL);
	assert_int_equal(diag_add(&diags, DIAG_NOTE, (struct place){ "a", 0, 0 }, "2"), 0);
	diag_add(&diags, DIAG_WARNING, (struct place){ "a", 10, 1 }, "1");
	diag_add(&diags, DIAG_ERROR, (struct place){ "b", 1, 1 }, "4");
	diag_add(&diags, DIAG_ERROR, (struct place){ "b", 1, 0 }, "2b");
	diag_add(&diags, DIAG_ERROR, (struct place){ NULL, 0, 0 }, "0");
	diag_add(&diags, DIAG_ERROR, (struct place){ "evil\nname", 0, 0 }, "5");
	printed = print_all(&diags, false);
	assert_string_equal(printed, "error: 0\n"
				     "a:10:1: warning: 1\n"
				     "a: note: 2\n"
				     "b:1:0: error: 2b\n"
				     "b:1:1: error: 3\n"
				     "b:1:1: error: 4\n"
				     "evil\\x0aname: error: 5\n");
	assert_int_equal(diags.n_errors, 5);
	assert_int_equal(diags.n_warnings, 1);
	(void)state;
}

static void test_bound(void **state)
{
	AUTO(diags) struct diags diags;

	diags_init(&diags);
	diag_add(&diags, DIAG_ERROR, (struct place){ 0 }, "before");
	assert_false(diags_full(&diags));
	diags.bound = diags.n + 2;
	for (int i = 0; i < 5; i++)
		diag_add_in(&diags, DIAG_ERROR, (struct place){ "f", 1, 1 }, "text", 4, "%d", i);
	assert_true(diags_full(&diags));
	assert_int_equal(diags.n, 3);
	assert_int_equal(diags.n_hidden, 3);
	assert_int_equal(diags.n_errors, 6);
	(void)state;
}

static void test_colour(void **state)
{
	AUTO(diags) struct diags diags;
	AUTO(mem) char *printed = NULL;

	diags_init(&diags);
	diag_add_in(&diags, DIAG_ERROR, (struct place){ "f", 1, 1 }, "x", 1, "red");
	printed = print_all(&diags, true);
	assert_non_null(strstr(printed, "\033[1;31merror:\033[0m red\n"));
	assert_non_null(strstr(printed, "\033[1;32m^\033[0m\n"));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printable), cmocka_unit_test(test_suggest),
		cmocka_unit_test(test_excerpts),  cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_order),	  cmocka_unit_test(test_bound),
		cmocka_unit_test(test_colour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
