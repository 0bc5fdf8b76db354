/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reader.c - JSON text → values (RFC 8259).
 *
 * Numbers are integers. Whether texts are UTF-8 is not looked at: they are compared, and written
 * again by writer.c, which does.
 */
#include "wire/reader.h"

#include <string.h>

enum { DEPTH_MAX = 32, DIGITS_MAX = 18 };

void reader_init(struct reader *r, const char *bytes, size_t n, struct arena *arena)
{
	*r = (struct reader){
		.start = bytes, .at = bytes, .end = bytes + n, .arena = arena, .is_first = true
	};
}

void reader_fail(struct reader *r, const char *why)
{
	if (!r->why)
		r->why = why;
}

bool reader_is(const struct reader_text *text, const char *word)
{
	return text->bytes && strlen(word) == text->n && memcmp(text->bytes, word, text->n) == 0;
}

/* The next byte that is no blank, or 0. */
static char peek(struct reader *r)
{
	while (r->at < r->end &&
	       (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
		r->at++;
	return !r->why && r->at < r->end ? *r->at : '\0';
}

static bool take(struct reader *r, char c)
{
	if (peek(r) != c || r->at == r->end)
		return false;
	r->at++;
	return true;
}

void reader_open(struct reader *r, char bracket)
{
	if (!take(r, bracket))
		reader_fail(r, bracket == '{' ? "expected an object" : "expected a list");
	r->is_first = true;
}

static bool has_more(struct reader *r, char bracket)
{
	char c = peek(r);

	if (c == bracket) {
		r->at++;
		r->is_first = false;
		return false;
	}
	if (!r->is_first && !take(r, ','))
		reader_fail(r, "expected a comma or the end");
	c = peek(r);
	if (!c || c == '}' || c == ']')
		reader_fail(r, "expected one more value");
	r->is_first = false;
	return !r->why;
}

bool reader_next(struct reader *r)
{
	return has_more(r, ']');
}

bool reader_key(struct reader *r, struct reader_text *ret_key)
{
	*ret_key = (struct reader_text){ "", 0 };
	if (!has_more(r, '}'))
		return false;
	*ret_key = reader_text(r);
	if (!ret_key->bytes || !take(r, ':'))
		reader_fail(r, "expected a member's name and a colon");
	return !r->why;
}

/* --- texts */

static int hex_digits(const char *s)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		char c = s[i];
		int digit = c >= '0' && c <= '9' ? c - '0' :
			    c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			    c >= 'A' && c <= 'F' ? c - 'A' + 10 :
						   -1;

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

static size_t put_utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	to[0] = (char)(0xe0 | c >> 12);
	to[1] = (char)(0x80 | (c >> 6 & 0x3f));
	to[2] = (char)(0x80 | (c & 0x3f));
	return 3;
}

/* One escape behind its backslash, of at most three bytes; false: none that we take. Pairs of
 * surrogates are none: the writer has no need of them.
 */
static bool take_escape(const char **at, const char *end, char *to, size_t *n)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *found = *at < end && **at ? strchr(letters, **at) : NULL;
	int c;

	if (found) {
		to[(*n)++] = meant[found - letters];
		++*at;
		return true;
	}
	if (end - *at < 5 || **at != 'u')
		return false;
	c = hex_digits(*at + 1);
	if (c <= 0 || (c >= 0xd800 && c < 0xe000))
		return false;
	*n += put_utf8(to + *n, (unsigned)c);
	*at += 5;
	return true;
}

static struct reader_text unescape(struct reader *r, const char *from, const char *end)
{
	char *to = arena_alloc(r->arena, (size_t)(end - from) + 1);
	size_t n = 0;

	while (from < end) {
		if (*from != '\\') {
			to[n++] = *from++;
			continue;
		}
		from++;
		if (!take_escape(&from, end, to, &n)) {
			reader_fail(r, "an escape that is none");
			break;
		}
	}
	return (struct reader_text){ to, n };
}

static bool take_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	peek(r);
	if (r->why || (size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
		return false;
	r->at += n;
	return true;
}

struct reader_text reader_text(struct reader *r)
{
	const struct reader_text none = { NULL, 0 };
	const char *from, *at;
	bool is_escaped = false;

	if (take_word(r, "null"))
		return none;
	if (!take(r, '"')) {
		reader_fail(r, "expected a text");
		return none;
	}
	from = r->at;
	for (at = from; at < r->end && *at != '"'; at++) {
		if ((unsigned char)*at < 0x20) {
			reader_fail(r, "a control character in a text");
			return none;
		}
		if (*at == '\\') {
			is_escaped = true;
			at++;
		}
	}
	if (at >= r->end) {
		reader_fail(r, "a text without its end");
		return none;
	}
	r->at = at + 1;
	return is_escaped ? unescape(r, from, at) :
			    (struct reader_text){ from, (size_t)(at - from) };
}

/* --- the others */

int64_t reader_int(struct reader *r)
{
	bool is_negative = take(r, '-');
	const char *from = r->at; /* take() went past blanks */
	int64_t value = 0;

	while (!r->why && r->at < r->end && *r->at >= '0' && *r->at <= '9' &&
	       r->at - from < DIGITS_MAX)
		value = value * 10 + (*r->at++ - '0');
	if (r->at == from || (*from == '0' && r->at - from > 1) ||
	    (r->at < r->end && strchr("0123456789.eE", *r->at) && *r->at)) {
		reader_fail(r, "expected a whole number of at most 18 digits");
		return 0;
	}
	return is_negative ? -value : value;
}

bool reader_bool(struct reader *r)
{
	if (take_word(r, "true"))
		return true;
	if (!take_word(r, "false"))
		reader_fail(r, "expected true or false");
	return false;
}

static void skip_value(struct reader *r, unsigned depth);

static void skip_members(struct reader *r, bool is_object, unsigned depth)
{
	struct reader_text key;

	if (depth == DEPTH_MAX) {
		reader_fail(r, "values in values in values, too deep");
		return;
	}
	reader_open(r, is_object ? '{' : '[');
	while (is_object ? reader_key(r, &key) : reader_next(r))
		skip_value(r, depth + 1);
}

static void skip_value(struct reader *r, unsigned depth)
{
	char c = peek(r);

	if (c == '{' || c == '[')
		skip_members(r, c == '{', depth);
	else if (c == '"')
		reader_text(r);
	else if (c == '-' || (c >= '0' && c <= '9'))
		reader_int(r);
	else if (!take_word(r, "null"))
		reader_bool(r);
}

void reader_skip(struct reader *r)
{
	skip_value(r, 0);
}

bool reader_end(struct reader *r)
{
	peek(r);
	if (r->at < r->end)
		reader_fail(r, "more behind the end");
	return !r->why;
}
