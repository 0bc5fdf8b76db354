/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-source.c - every value of a text knows where it stands, and no text leads astray. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/random_policies.h"
#include "policy/keys.h"
#include "policy/source.h"

struct text {
	struct arena *arena;
	struct diags diags;
	struct document *document;
	int r;
};

static struct text open_text(const char *bytes, size_t length)
{
	struct text text = { .arena = arena_new() };
	struct source source = {
		.path = "t.json",
		.file = "t.json",
		.text = arena_strndup(text.arena, bytes, length),
		.length = length,
	};

	diags_init(&text.diags);
	text.r = document_parse(&source, text.arena, &text.document, &text.diags);
	return text;
}

static void close_text(struct text *text)
{
	document_free(text->document);
	diags_done(&text->diags);
	arena_free(text->arena);
}

static void assert_place(struct place place, uint32_t line, uint32_t column)
{
	assert_string_equal(place.file, "t.json");
	assert_int_equal(place.line, line);
	assert_int_equal(place.column, column);
}

static void test_places(void **state)
{
	static const char bytes[] =
		"\n { \"a\" : [ 1,\n  -2.5e3 , [] ], \"b\\u0063\":{\"d\":null},\n"
		"\t\"e\": \"x\\\"}y\",\"\": true }\n";
	struct text t = open_text(bytes, sizeof(bytes) - 1);
	struct cursor root, a, c;

	assert_int_equal(t.r, 0);
	root = document_root(t.document);
	assert_place(cursor_place(root), 2, 2);
	assert_null(cursor_key(root));
	a = keys_find(root, "a");
	assert_place(cursor_key_place(a), 2, 4);
	assert_place(cursor_place(a), 2, 10);
	c = cursor_first(a);
	assert_place(cursor_place(c), 2, 12);
	assert_int_equal(json_integer_value(c.value), 1);
	c = cursor_next(c);
	assert_place(cursor_place(c), 3, 3);
	c = cursor_next(c);
	assert_place(cursor_place(c), 3, 12);
	assert_null(cursor_first(c).value);
	assert_null(cursor_next(c).value);
	c = keys_find(root, "bc");
	assert_place(cursor_key_place(c), 3, 18);
	assert_place(cursor_place(cursor_first(c)), 3, 33);
	c = keys_find(root, "e");
	assert_string_equal(json_string_value(c.value), "x\"}y");
	assert_place(cursor_place(c), 4, 7);
	c = cursor_next(c);
	assert_string_equal(cursor_key(c), "");
	assert_true(json_is_true(c.value));
	assert_null(cursor_next(c).value);
	assert_null(keys_find(root, "nothing").value);
	close_text(&t);
	(void)state;
}

/* The last one counts, the others are reported, and what is in them is passed over. */
static void test_duplicates(void **state)
{
	static const char bytes[] =
		"{ \"a\": { \"b\": 1, \"b\": [2] }, \"c\": 3,\n  \"a\": [4], \"\\u0061\": 5 }";
	struct text t = open_text(bytes, sizeof(bytes) - 1);
	struct cursor c;

	assert_int_equal(t.r, -EINVAL);
	assert_non_null(t.document);
	assert_int_equal(t.diags.n_errors, 3);
	diags_sort(&t.diags);
	assert_place(t.diags.list[0].place, 1, 18);
	assert_place(t.diags.list[1].place, 2, 3);
	assert_place(t.diags.list[2].place, 2, 13);
	c = cursor_first(document_root(t.document));
	assert_string_equal(cursor_key(c), "c");
	c = cursor_next(c);
	assert_string_equal(cursor_key(c), "a");
	assert_int_equal(json_integer_value(c.value), 5);
	assert_null(cursor_next(c).value);
	close_text(&t);
	(void)state;
}

static void test_no_json(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		uint32_t line, column;
		const char *words;
	} cases[] = {
		{ "", 0, 0, 0, "is empty" },
		{ " \n\t", 3, 0, 0, "is empty" },
		{ "{", 1, 1, 2, "end of file" },
		{ "{ \"a\": 1\n\n", 10, 1, 9, "end of file" },
		{ "{ \"a\": 1, }", 11, 1, 11, "remove the comma" },
		{ "[1,\n2,\n]", 8, 3, 1, "remove the comma" },
		{ "{ \"a\": 1 \"b\": 2 }", 17, 1, 10, "a comma or a colon is missing" },
		{ "// x\n{}", 7, 1, 1, "no comments" },
		{ "{ 'a': 1 }", 10, 1, 3, "double quotes" },
		{ "{ a: 1 }", 8, 1, 3, "keys are written in double quotes" },
		{ "{ \"a\": \xe2\x80\x9cx\xe2\x80\x9d }", 16, 1, 8, "straight" },
		{ "{} {}", 5, 1, 4, "end of file expected" },
		{ "\xef\xbb\xbf{}", 5, 1, 1, "byte order mark" },
		{ "{ \"a\": 1\0 }", 11, 1, 9, "NUL" },
		{ "{}\0", 3, 1, 3, "NUL" },
		{ "{ \"a\": \"\\u0000\" }", 17, 1, 8, "holds \\u0000" },
		{ "{ \"a\": 12345678901234567890 }", 29, 1, 8, "too big" },
		{ "{ \"a\": -12345678901234567890 }", 30, 1, 8, "too big" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct text t = open_text(cases[i].bytes, cases[i].length);

		assert_int_equal(t.r, -EINVAL);
		assert_null(t.document);
		assert_int_equal(t.diags.n, 1);
		if (!strstr(t.diags.list[0].message, cases[i].words))
			fail_msg("%zu: %s", i, t.diags.list[0].message);
		assert_place(t.diags.list[0].place, cases[i].line, cases[i].column);
		close_text(&t);
	}
	(void)state;
}

static void visit(struct cursor at, const char *bytes, size_t length, size_t *n)
{
	struct place place = cursor_place(at);
	const char *start = bytes;

	++*n;
	for (uint32_t line = 1; line < place.line; line++)
		start = (const char *)memchr(start, '\n', length - (size_t)(start - bytes)) + 1;
	start += place.column - 1;
	if (json_is_object(at.value))
		assert_int_equal(*start, '{');
	else if (json_is_array(at.value))
		assert_int_equal(*start, '[');
	else if (json_is_string(at.value))
		assert_int_equal(*start, '"');
	else
		assert_non_null(strchr("tfn-0123456789", *start));
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c))
		visit(c, bytes, length, n);
}

/* Every value's place holds a value of its kind, whatever bytes were changed. */
static void test_random_texts(void **state)
{
	unsigned n_parsed = 0;

	for (unsigned seed = 1; seed <= 3000; seed++) {
		struct random random = random_start(seed, 99);
		char *bytes = NULL;
		size_t length = 0, n = 0;
		FILE *f = open_memstream(&bytes, &length);
		struct text t;

		random_policy_print(seed % 50, seed, f);
		assert_int_equal(fclose(f), 0);
		for (unsigned i = random_below(&random, 3); i; i--)
			bytes[random_below(&random, (uint32_t)length)] =
				"{}[]\",:0\\ \n\"a\0"[random_below(&random, 14)];
		t = open_text(bytes, length);
		if (t.document) {
			n_parsed++;
			visit(document_root(t.document), bytes, length, &n);
			assert_true(n > 0);
		} else {
			assert_int_equal(t.diags.n_errors, 1);
		}
		close_text(&t);
		free(bytes);
	}
	assert_true(n_parsed > 500);
	(void)state;
}

struct salvaged {
	size_t n;
	struct place place;
	json_int_t sum;
};

static void salvage_one(void *data, size_t key, const json_t *value, struct place place)
{
	struct salvaged *salvaged = data;

	salvaged->n++;
	salvaged->place = place;
	salvaged->sum = salvaged->sum * 10 + (json_int_t)key + json_integer_value(value);
}

static void test_salvage(void **state)
{
	static const char *const keys[] = { "user", "uids" };
	static const struct {
		const char *text;
		size_t n;
		uint32_t line, column; /* of the last */
	} cases[] = {
		{ "", 0, 0, 0 },
		{ "\"user\"", 0, 0, 0 },
		{ "\"user\":", 0, 0, 0 },
		{ "\"user\": ]", 0, 0, 0 },
		{ "{\n \"user\" : 5", 1, 2, 11 },
		{ "{\n \"user\":\n5,, \"user\":6", 2, 3, 12 },
		{ "\"uids\":7 \"user\":8", 2, 1, 8 },
		{ "{ \"user\": \"unfinished", 0, 0, 0 },
		{ "{ \"user\": [1, 2 }", 0, 0, 0 },
		{ "'user': 5, \"users\": 6", 0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct source source = { "t.json", "t.json", cases[i].text, strlen(cases[i].text) };
		struct salvaged salvaged = { 0 };

		source_salvage(&source, keys, ARRAY_SIZE(keys), salvage_one, &salvaged);
		assert_int_equal(salvaged.n, cases[i].n);
		if (salvaged.n)
			assert_place(salvaged.place, cases[i].line, cases[i].column);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),	cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_no_json), cmocka_unit_test(test_random_texts),
		cmocka_unit_test(test_salvage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
