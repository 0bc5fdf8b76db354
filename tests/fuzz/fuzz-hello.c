/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-hello.c - bytes → what a connection opens with, and the name in its ClientHello.
 *
 * What was said of a beginning must still be said with more behind it, and how the records cut the
 * handshake up must not matter.
 */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "proxy/parse/hello.h"
#include "proxy/parse/opening.h"

enum { RECORD_HEADER = 5, ALL_PREFIXES = 128, SOME_PREFIXES = 64 };

struct result {
	int r;
	struct hello hello;
	enum opening opening;
};

static struct result read_copy(const uint8_t *data, size_t n)
{
	AUTO(mem) uint8_t *copy = malloc(n ? n : 1);
	struct result result = { .r = 0 };
	const char *why = NULL;

	REQUIRE(copy);
	if (n > 0)
		memcpy(copy, data, n);
	result.r = hello_read(copy, n, &result.hello, &why);
	result.opening = opening_tell(copy, n);
	REQUIRE(result.r == 0 || result.r == 1 || result.r == -EINVAL);
	if (result.r < 0)
		fuzz_check_line(why);
	return result;
}

static bool same_hello(const struct result *a, const struct result *b)
{
	return a->r == b->r && (a->r != 1 || (strcmp(a->hello.name, b->hello.name) == 0 &&
					      a->hello.has_ech == b->hello.has_ech));
}

static void check_prefixes(const uint8_t *data, size_t size, const struct result *whole)
{
	size_t step = size <= ALL_PREFIXES ? 1 : size / SOME_PREFIXES;

	for (size_t n = 0; n < size; n += step) {
		struct result part = read_copy(data, n);

		REQUIRE(part.r == 0 || same_hello(&part, whole));
		REQUIRE(part.opening == OPENING_MORE || part.opening == whole->opening);
	}
}

/* Records of so many bytes each, of a handshake that came in one. */
static void check_cut(const uint8_t *data, size_t size, size_t each, const struct result *whole)
{
	size_t length = (size_t)data[3] << 8 | data[4], n = 0;
	AUTO(mem) uint8_t *cut = calloc(1, size + RECORD_HEADER * (length / each + 1));
	struct result result;

	REQUIRE(cut);
	for (size_t at = 0, part; at < length; at += part) {
		part = length - at < each ? length - at : each;
		memcpy(cut + n, data, 3);
		cut[n + 3] = (uint8_t)(part >> 8);
		cut[n + 4] = (uint8_t)part;
		memcpy(cut + n + RECORD_HEADER, data + RECORD_HEADER + at, part);
		n += RECORD_HEADER + part;
	}
	result = read_copy(cut, n);
	REQUIRE(n > HELLO_MAX || same_hello(&result, whole));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole = read_copy(data, size);

	check_prefixes(data, size, &whole);
	if (whole.r != 1)
		return 0;
	REQUIRE(whole.opening == OPENING_TLS);
	if (size >= RECORD_HEADER + ((size_t)data[3] << 8 | data[4]) &&
	    read_copy(data, RECORD_HEADER + ((size_t)data[3] << 8 | data[4])).r == 1) {
		check_cut(data, size, 1, &whole);
		check_cut(data, size, 1 + size % 7 * 31, &whole);
	}
	return 0;
}
