/* SPDX-License-Identifier: GPL-2.0-or-later */
/* head_scan.c - the bytes of a head → where it ends, and whether its lines are such that nobody
 * could read them in two ways.
 *
 * Distributions build http-parser without HTTP_PARSER_STRICT, and so it takes LF for a line's end,
 * any byte for the LF after a CR, and spaces in fields' names. Whoever stands behind us may not.
 */
#include "proxy/parse/head_parts.h"

#include <errno.h>
#include <string.h>

int head_fail(struct head_error *error, int status, const char *why)
{
	*error = (struct head_error){ status, why };
	return -EBADMSG;
}

/* Early, so that someone who speaks HTTP/0.9 is not left waiting for more of us. */
static int check_first_line(const char *line, size_t n, bool is_request, struct head_error *error)
{
	static const char version[] = " HTTP/";
	const char *last;

	if (n == 0)
		return head_fail(error, 400, "there is an empty line in front of it");
	if (!is_request)
		return 0;
	if (n > HEAD_TARGET_MAX + HEAD_METHOD_MAX + sizeof(" HTTP/1.1"))
		return head_fail(error, 414, "the target is longer than 8192 bytes");
	last = memrchr(line, ' ', n);
	if (!last || n - (size_t)(last - line) < sizeof(version) - 1 ||
	    memcmp(last, version, sizeof(version) - 1) != 0)
		return head_fail(error, 505,
				 "the first line does not end in a version, as HTTP/1.1");
	return 0;
}

static int check_unfinished(size_t n, bool is_first, bool is_request, struct head_error *error)
{
	if (is_first && is_request && n > HEAD_TARGET_MAX + HEAD_METHOD_MAX + sizeof(" HTTP/1.1"))
		return head_fail(error, 414, "the target is longer than 8192 bytes");
	if (n >= HEAD_MAX)
		return head_fail(error, 431, "the head is longer than 16384 bytes");
	return 0;
}

/* What is no HTTP at all may never have an end. */
static int check_status(const char *bytes, size_t n, struct head_error *error)
{
	if (memcmp(bytes, "HTTP/", n < 5 ? n : 5) != 0)
		return head_fail(error, 502, "it does not begin as HTTP does");
	return 0;
}

/* Line by line, so that wrong line ends show before the empty line, which may never come. */
static int find_end(const char *bytes, size_t n, bool is_request, size_t *ret_length,
		    struct head_error *error)
{
	size_t at = 0;

	if (!is_request && check_status(bytes, n, error) < 0)
		return -EBADMSG;
	for (unsigned lines = 0;; lines++) {
		const char *line = bytes + at, *end = memchr(line, '\n', n - at);
		size_t length = end ? (size_t)(end - line) : 0;

		if (!end)
			return check_unfinished(n, lines == 0, is_request, error);
		if (length == 0 || line[length - 1] != '\r')
			return head_fail(error, 400, "a line of the head ends in LF, not in CR LF");
		if (lines == 0 && check_first_line(line, length - 1, is_request, error) < 0)
			return -EBADMSG;
		at += length + 1;
		if (at > HEAD_MAX)
			return head_fail(error, 431, "the head is longer than 16384 bytes");
		if (length == 1)
			break;
		if (lines > HEAD_FIELDS_MAX)
			return head_fail(error, 431, "the head has more than 128 fields");
	}
	*ret_length = at;
	return 1;
}

static int check_bytes(const char *bytes, size_t n, struct head_error *error)
{
	bool is_first = true;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if ((c >= ' ' && c != 0x7f) || (c == '\t' && !is_first))
			continue;
		if (c == '\r' && bytes[i + 1] != '\n') /* the last byte is LF */
			return head_fail(error, 400, "the head has a CR that ends no line");
		if (c != '\r')
			return head_fail(error, 400, "the head has a control character in it");
		i++;
		is_first = false;
		if (i + 1 < n && (bytes[i + 1] == ' ' || bytes[i + 1] == '\t'))
			return head_fail(error, 400, "a line of the head begins with white space");
	}
	return 0;
}

int head_scan(const char *bytes, size_t n, bool is_request, size_t *ret_length,
	      struct head_error *error)
{
	int r = find_end(bytes, n, is_request, ret_length, error);

	if (r == 1 && check_bytes(bytes, *ret_length, error) < 0)
		return -EBADMSG;
	return r;
}
