/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-head.c - a byte that chooses, and a message → its head, its head written anew, its body.
 *
 * What is written must be read again as the same request. A body must end in one place however its
 * bytes come, and where http-parser, which is told where ours ends, sees its end as well.
 */
#include "fuzz.h"

#include <errno.h>
#include <http_parser.h>
#include <string.h>
#include <strings.h>

#include "proxy/parse/head.h"

enum { SOME_PREFIXES = 32, IS_FOR_HEAD = 4, TO_PROXY = 8 };

static void check_prefixes(const char *text, size_t n, enum head_kind kind, int r, size_t length)
{
	size_t step = n / SOME_PREFIXES + 1;

	for (size_t i = 0; i < n; i += step) {
		AUTO(mem) char *copy = malloc(i ? i : 1);
		struct head head;
		struct head_error error;
		int part;

		REQUIRE(copy);
		memcpy(copy, text, i);
		part = head_read(copy, i, kind, &head, &error);
		if (r == 1 && i < length)
			REQUIRE(part == 0);
		else
			REQUIRE(part == r || part == 0);
	}
}

static bool field_is(const struct head_field *field, const char *name)
{
	return field->name_length == strlen(name) &&
	       strncasecmp(field->name, name, field->name_length) == 0;
}

/* Nothing of this hop gets through, and each end is told where the message ends only once. */
static void check_fields(const struct head *head)
{
	static const char *const gone[] = { "TE",
					    "Upgrade",
					    "Keep-Alive",
					    "Proxy-Connection",
					    "Proxy-Authorization",
					    "Proxy-Authenticate" };
	unsigned hosts = 0, connections = 0, lengths = 0;

	for (size_t i = 0; i < head->n_fields; i++) {
		const struct head_field *field = &head->fields[i];

		for (size_t j = 0; j < ARRAY_SIZE(gone); j++)
			REQUIRE(!field_is(field, gone[j]));
		hosts += field_is(field, "Host");
		lengths +=
			field_is(field, "Content-Length") || field_is(field, "Transfer-Encoding");
		if (field_is(field, "Connection")) {
			connections++;
			REQUIRE(field->value_length == 5 && memcmp(field->value, "close", 5) == 0);
		}
	}
	if (head->kind != HEAD_RESPONSE)
		REQUIRE(hosts == 1);
	REQUIRE(lengths <= 1);
	REQUIRE(connections == (head->kind != HEAD_RESPONSE || head->status >= 200));
}

static void check_written(const struct head *head, bool to_proxy)
{
	static char bytes[HEAD_WRITE_MAX];
	ssize_t n = head_write(head, to_proxy, bytes, sizeof(bytes));
	enum head_kind kind = head->kind == HEAD_RESPONSE  ? HEAD_RESPONSE :
			      to_proxy || head->is_connect ? HEAD_EXPLICIT :
							     HEAD_TRANSPARENT;
	struct head_error error;
	struct head again;
	int r;

	REQUIRE(n > 0);
	r = head_read(bytes, (size_t)n, kind, &again, &error);
	if (r < 0) {
		/* it has grown, or gone round once more */
		REQUIRE(n > HEAD_MAX || error.status == 414 || error.status == 431 ||
			error.status == 508 || head->max_forwards == 1);
		return;
	}
	REQUIRE(r == 1 && again.length == n);
	REQUIRE(again.status == head->status && again.minor <= 1);
	REQUIRE(again.body.state == head->body.state && again.body.left == head->body.left);
	check_fields(&again);
	if (kind == HEAD_RESPONSE)
		return;
	REQUIRE(strcmp(again.host.name, head->host.name) == 0 && again.port == head->port);
	REQUIRE(again.is_connect == head->is_connect && again.is_head == head->is_head);
	REQUIRE(again.method_length == head->method_length &&
		memcmp(again.method, head->method, head->method_length) == 0);
}

static int body_in_pieces(const char *head_text, const struct head *head, const char *body,
			  size_t n, size_t *ret_taken)
{
	struct head copy = *head;
	size_t at = 0, seed = n + (unsigned char)head_text[head->length / 2];
	int r = 0;

	*ret_taken = 0;
	while (r == 0 && at < n) {
		size_t part = 1 + seed % 13, taken;

		seed = seed * 31 + 7;
		part = part < n - at ? part : n - at;
		r = head_body(&copy, body + at, part, &taken);
		REQUIRE(taken <= part && (r != 0 || taken == part));
		*ret_taken += taken;
		at += part;
	}
	return r;
}

static int on_headers(http_parser *parser)
{
	const struct head *head = parser->data;

	return head->kind == HEAD_RESPONSE &&
	       (head->is_head || head->status < 200 || head->status == 204 || head->status == 304);
}

static int on_end(http_parser *parser)
{
	http_parser_pause(parser, 1);
	return 0;
}

/* http-parser 2.9.4 takes "Transfer-Encoding-X" for half of a Transfer-Encoding. */
static bool misleads(const struct head *head)
{
	static const char name[] = "Transfer-Encoding";
	size_t n = sizeof(name) - 1;

	for (size_t i = 0; i < head->n_fields; i++)
		if (head->fields[i].name_length > n &&
		    strncasecmp(head->fields[i].name, name, n) == 0)
			return true;
	return false;
}

/* Where ours ends, its message ends too. */
static void check_end(struct head *head, const char *text, size_t n)
{
	static const http_parser_settings settings = {
		.on_headers_complete = on_headers,
		.on_message_complete = on_end,
	};
	size_t skip = 0, parsed;
	http_parser parser;

	http_parser_init(&parser, head->kind == HEAD_RESPONSE ? HTTP_RESPONSE : HTTP_REQUEST);
	parser.data = head;
	if (head->kind != HEAD_RESPONSE && !head->is_connect) {
		skip = head->method_length;
		http_parser_execute(&parser, &settings, "POST", 4);
	}
	parsed = http_parser_execute(&parser, &settings, text + skip, n - skip);
	if (HTTP_PARSER_ERRNO(&parser) == HPE_UNEXPECTED_CONTENT_LENGTH ||
	    HTTP_PARSER_ERRNO(&parser) == HPE_INVALID_CONTENT_LENGTH)
		return; /* in the trailer: its head was read before */
	REQUIRE(parsed == n - skip);
	REQUIRE(HTTP_PARSER_ERRNO(&parser) == HPE_PAUSED);
}

static void check_body(struct head *head, const char *text, size_t n)
{
	const char *body = text + head->length;
	size_t n_body = n - head->length, taken, taken_in_pieces;
	struct head copy = *head;
	int r = head_body(&copy, body, n_body, &taken);
	int r_in_pieces = body_in_pieces(text, head, body, n_body, &taken_in_pieces);

	REQUIRE(taken <= n_body);
	if (n_body > 0)
		REQUIRE(r == r_in_pieces && taken == taken_in_pieces);
	if (r == 1 && !misleads(head))
		check_end(head, text, head->length + taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(mem) char *text = malloc(size ? size : 1);
	enum head_kind kind;
	struct head head;
	struct head_error error = { 0, NULL };
	int r;

	REQUIRE(text);
	if (size == 0)
		return 0;
	memcpy(text, data + 1, size - 1);
	kind = (enum head_kind)(data[0] % 4 % 3);
	r = head_read(text, size - 1, kind, &head, &error);
	REQUIRE(r == 0 || r == 1 || r == -EBADMSG);
	check_prefixes(text, size - 1, kind, r, r == 1 ? head.length : 0);
	if (r < 0) {
		REQUIRE(error.status >= 400 && error.status <= 508);
		fuzz_check_line(error.why);
	}
	if (r != 1)
		return 0;
	REQUIRE(head.length <= size - 1);
	if (kind == HEAD_RESPONSE)
		head.is_head = data[0] & IS_FOR_HEAD;
	check_written(&head, data[0] & TO_PROXY);
	check_body(&head, text, size - 1);
	return 0;
}
