/* SPDX-License-Identifier: GPL-2.0-or-later */
/* head_body.c - the bytes after a head → how many of them belong to the message (RFC 9112, 6 and
 * 7).
 *
 * They are passed on as they are, so whatever two servers could take for the end in two places must
 * not get through. http-parser lets any byte pass for the LF after a chunk's size and anything for
 * the CR LF after its data, so it is not asked; the fuzzer compares what it says about what we
 * take.
 */
#include <errno.h>
#include <string.h>

#include "proxy/parse/head_parts.h"
#include "proxy/parse/token.h"

enum {
	CHUNK_DIGITS_MAX = 15,
	CHUNK_LINE_MAX = 1024, /* with the extensions, which nobody uses */
	TRAILER_MAX = 8 * 1024,
};

enum chunk_state {
	CHUNK_SIZE = BODY_CHUNKS,
	CHUNK_SIZE_MORE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	TRAILER_LINE,
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	TRAILER_END_LF,
	BODY_BROKEN,
};

/* RFC 9112, 6.3: whatever its fields say. */
static bool is_without_body(const struct head *head)
{
	return head->kind == HEAD_RESPONSE &&
	       (head->is_head || head->status < 200 || head->status == 204 || head->status == 304);
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool is_text(char c)
{
	return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

static int chunk_size(struct head_body *body, char c)
{
	int digit = digit_value(c);

	if (digit >= 0) {
		body->left = body->left << 4 | (uint64_t)digit;
		return body->line <= CHUNK_DIGITS_MAX ? CHUNK_SIZE_MORE : -EBADMSG;
	}
	if (body->state == CHUNK_SIZE)
		return -EBADMSG;
	if (c == '\r')
		return CHUNK_SIZE_LF;
	/* some servers fill the size up with spaces */
	return c == ';' || c == ' ' ? CHUNK_EXTENSION : -EBADMSG;
}

/* The state after one byte that is not a chunk's data. */
static int next_state(struct head_body *body, char c)
{
	if (++body->line > (body->state < TRAILER_LINE ? CHUNK_LINE_MAX : TRAILER_MAX))
		return -EBADMSG;
	switch ((enum chunk_state)body->state) {
	case CHUNK_SIZE:
	case CHUNK_SIZE_MORE:
		return chunk_size(body, c);
	case CHUNK_EXTENSION:
		if (c == '\r')
			return CHUNK_SIZE_LF;
		return is_text(c) ? CHUNK_EXTENSION : -EBADMSG;
	case CHUNK_SIZE_LF:
		body->line = 0;
		if (c != '\n')
			return -EBADMSG;
		return body->left > 0 ? CHUNK_DATA : TRAILER_LINE;
	case CHUNK_DATA_CR:
		return c == '\r' ? CHUNK_DATA_LF : -EBADMSG;
	case CHUNK_DATA_LF:
		body->line = 0;
		return c == '\n' ? CHUNK_SIZE : -EBADMSG;
	case TRAILER_LINE:
		if (c == '\r')
			return TRAILER_END_LF;
		return token_has(c) ? TRAILER_NAME : -EBADMSG;
	case TRAILER_NAME:
		if (c == ':')
			return TRAILER_VALUE;
		return token_has(c) ? TRAILER_NAME : -EBADMSG;
	case TRAILER_VALUE:
		if (c == '\r')
			return TRAILER_LF;
		return is_text(c) ? TRAILER_VALUE : -EBADMSG;
	case TRAILER_LF:
		return c == '\n' ? TRAILER_LINE : -EBADMSG;
	case TRAILER_END_LF:
		return c == '\n' ? BODY_END : -EBADMSG;
	case CHUNK_DATA:
	case BODY_BROKEN:
		break;
	}
	abort(); /* head_body() lets no other state through */
}

static size_t take_data(struct head_body *body, size_t n, uint8_t next)
{
	size_t part = body->left < n ? (size_t)body->left : n;

	body->left -= part;
	if (body->left == 0)
		body->state = next;
	return part;
}

static int take_chunks(struct head_body *body, const char *bytes, size_t n, size_t *ret_taken)
{
	size_t at = 0;

	while (at < n && body->state != BODY_END) {
		int state;

		if (body->state == CHUNK_DATA) {
			at += take_data(body, n - at, CHUNK_DATA_CR);
			continue;
		}
		state = next_state(body, bytes[at]);
		if (state < 0) {
			body->state = BODY_BROKEN;
			*ret_taken = at;
			return state;
		}
		body->state = (uint8_t)state;
		at++;
	}
	*ret_taken = at;
	return body->state == BODY_END;
}

bool head_body_may_end(const struct head *head)
{
	return is_without_body(head) || head->body.state == BODY_END ||
	       head->body.state == BODY_UNTIL_CLOSE;
}

int head_body(struct head *head, const char *bytes, size_t n, size_t *ret_taken)
{
	struct head_body *body = &head->body;

	*ret_taken = 0;
	if (is_without_body(head) || body->state == BODY_END)
		return 1;
	switch (body->state) {
	case BODY_UNTIL_CLOSE:
		*ret_taken = n;
		return 0;
	case BODY_LENGTH:
		*ret_taken = take_data(body, n, BODY_END);
		return body->state == BODY_END;
	case BODY_BROKEN:
		return -EBADMSG;
	default:
		return take_chunks(body, bytes, n, ret_taken);
	}
}
