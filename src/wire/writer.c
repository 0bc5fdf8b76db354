/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writer.c - values → JSON text.
 *
 * What a JSON reader refuses must not get in: one invalid byte in one file's name would make the
 * whole status unreadable. So UTF-8 is checked as strictly as jansson does.
 */
#include "wire/writer.h"

#include <string.h>

void writer_init(struct writer *w, size_t max)
{
	*w = (struct writer){ .max = max };
}

void writer_done(struct writer *w)
{
	free(w->bytes);
	*w = (struct writer){ 0 };
}

static void put(struct writer *w, const char *bytes, size_t n)
{
	if (w->failed || n > w->max - w->n) {
		w->failed = true;
		return;
	}
	if (w->n + n + 1 > w->capacity) {
		size_t capacity = w->capacity ? w->capacity : 512;
		char *grown;

		while (capacity < w->n + n + 1)
			capacity *= 2;
		grown = realloc(w->bytes, capacity);
		if (!grown) {
			w->failed = w->lacked_memory = true;
			return;
		}
		w->bytes = grown;
		w->capacity = capacity;
	}
	memcpy(w->bytes + w->n, bytes, n);
	w->n += n;
	w->bytes[w->n] = '\0';
}

static void separate(struct writer *w)
{
	if (w->needs_comma)
		put(w, ",", 1);
	w->needs_comma = true;
}

void writer_begin(struct writer *w, char bracket)
{
	separate(w);
	put(w, &bracket, 1);
	w->needs_comma = false;
}

void writer_end(struct writer *w, char bracket)
{
	put(w, &bracket, 1);
	w->needs_comma = true;
}

/* The length of the UTF-8 sequence at s, or 0 where there is none. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (s[0] > 0xf4 || length > n)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0; /* overlong, surrogates, above U+10FFFF */
	return length;
}

static void put_escaped(struct writer *w, unsigned char c)
{
	char text[8];

	if (c == '"' || c == '\\')
		put(w, (char[]){ '\\', (char)c }, 2);
	else if (c == '\n')
		put(w, "\\n", 2);
	else if (c == '\t')
		put(w, "\\t", 2);
	else
		put(w, text, (size_t)snprintf(text, sizeof(text), "\\u%04x", c));
}

/* Most of all bytes. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_string(struct writer *w, const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t plain = 0, length;

	put(w, "\"", 1);
	for (size_t i = 0; i < n; i += length) {
		length = is_plain(s[i]) ? 1 : utf8_length(s + i, n - i);
		if (is_plain(s[i]) || length > 1)
			continue;
		put(w, text + plain, i - plain);
		if (length)
			put_escaped(w, s[i]);
		else
			put(w, "\xef\xbf\xbd", 3);
		length = 1;
		plain = i + 1;
	}
	put(w, text + plain, n - plain);
	put(w, "\"", 1);
}

void writer_key(struct writer *w, const char *key)
{
	separate(w);
	put_string(w, key, strlen(key));
	put(w, ":", 1);
	w->needs_comma = false;
}

void writer_text_n(struct writer *w, const char *text, size_t n)
{
	separate(w);
	put_string(w, text, n);
}

void writer_text(struct writer *w, const char *text)
{
	if (text) {
		writer_text_n(w, text, strlen(text));
		return;
	}
	separate(w);
	put(w, "null", 4);
}

void writer_int(struct writer *w, int64_t value)
{
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char text[24], *end = text + sizeof(text), *at = end;

	/* A quarter of what snprintf() takes, and lists have 100,000 of them. */
	do
		*--at = (char)('0' + rest % 10);
	while (rest /= 10);
	if (value < 0)
		*--at = '-';
	separate(w);
	put(w, at, (size_t)(end - at));
}

void writer_bool(struct writer *w, bool value)
{
	separate(w);
	put(w, value ? "true" : "false", value ? 4 : 5);
}

void writer_put_text(struct writer *w, const char *key, const char *text)
{
	writer_key(w, key);
	writer_text(w, text);
}

void writer_put_int(struct writer *w, const char *key, int64_t value)
{
	writer_key(w, key);
	writer_int(w, value);
}

void writer_put_bool(struct writer *w, const char *key, bool value)
{
	writer_key(w, key);
	writer_bool(w, value);
}
