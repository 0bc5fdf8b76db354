/* SPDX-License-Identifier: GPL-2.0-or-later */
/* head_read.c - bytes → a head.
 *
 * http-parser knows a fixed list of methods, and has rules of its own for some of them. A proxy
 * passes on methods that it does not know (RFC 9110, 9.1), so it is shown POST for all but CONNECT,
 * whose target has another form.
 */
#include <errno.h>
#include <string.h>

#include <http_parser.h>

#include "proxy/parse/head_parts.h"
#include "proxy/parse/token.h"

bool head_method_is(const struct head *head, const char *method)
{
	return strlen(method) == head->method_length &&
	       memcmp(method, head->method, head->method_length) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_token(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!token_has(text[i]))
			return false;
	return n > 0;
}

/* "HTTP/1.1" */
static int read_version(const char *text, size_t n, struct head *head, struct head_error *error)
{
	if (n != 8 || memcmp(text, "HTTP/", 5) != 0 || !is_digit(text[5]) || text[6] != '.' ||
	    !is_digit(text[7]))
		return head_fail(error, 400, "the first line has no version, as HTTP/1.1");
	if (text[5] != '1')
		return head_fail(error, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	head->minor = text[7] > '0'; /* of a later minor version, 1.1 is what both understand */
	return 0;
}

static int read_request_line(const char *line, size_t n, struct head *head,
			     struct head_error *error)
{
	const char *end = line + n, *target = memchr(line, ' ', n), *version = NULL;

	if (target && ++target)
		version = memchr(target, ' ', (size_t)(end - target));
	if (!target || !version || version == target)
		return head_fail(error, 400, "the first line is not method, target and version");
	if (!is_token(line, (size_t)(target - line) - 1))
		return head_fail(error, 400, "the method is no word");
	if (target - line > HEAD_METHOD_MAX + 1)
		return head_fail(error, 501, "the method is a very long word");
	if (version - target > HEAD_TARGET_MAX)
		return head_fail(error, 414, "the target is longer than 8192 bytes");

	head->method = line;
	head->method_length = (uint16_t)(target - line - 1);
	head->target = target;
	head->target_length = (uint16_t)(version - target);
	head->is_connect = head_method_is(head, "CONNECT");
	head->is_head = head_method_is(head, "HEAD");
	return read_version(version + 1, (size_t)(end - version) - 1, head, error);
}

/* "HTTP/1.1 200 OK"; some servers leave the reason's space out as well */
static int read_status_line(const char *line, size_t n, struct head *head, struct head_error *error)
{
	if (n < 12 || line[8] != ' ' || !is_digit(line[9]) || !is_digit(line[10]) ||
	    !is_digit(line[11]) || (n > 12 && line[12] != ' '))
		return head_fail(error, 502, "the first line is not version, status and reason");
	head->status = (uint16_t)((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
	if (head->status < 100)
		return head_fail(error, 502, "the status is none");
	if (head->status == 101)
		return head_fail(error, 502, "it changes to a protocol nobody asked for");
	if (head->status == 407)
		return head_fail(error, 502, "it asks for the password of a proxy");
	head->reason = n > 13 ? line + 13 : "";
	head->reason_length = (uint16_t)(n > 13 ? n - 13 : 0);
	return read_version(line, 8, head, error);
}

static int on_name(http_parser *parser, const char *text, size_t n)
{
	struct head *head = parser->data;

	if (head->n_fields == HEAD_FIELDS_MAX)
		return -1;
	head->fields[head->n_fields] = (struct head_field){
		.name = text,
		.name_length = (uint16_t)n,
	};
	return 0;
}

static int on_value(http_parser *parser, const char *text, size_t n)
{
	struct head *head = parser->data;
	struct head_field *field = &head->fields[head->n_fields];

	if (head->n_fields == HEAD_FIELDS_MAX)
		return -1;
	while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	field->value = text;
	field->value_length = (uint16_t)n;
	head->n_fields++;
	return 0;
}

/* What it makes of the body is not of interest: head_body.c is stricter. */
static int on_complete(http_parser *parser)
{
	http_parser_pause(parser, 1);
	return 0;
}

static const char *parser_words(const http_parser *parser)
{
	enum http_errno e = HTTP_PARSER_ERRNO(parser);

	if (e == HPE_INVALID_HEADER_TOKEN)
		return "there is a field whose name or value has characters that none has";
	if (e == HPE_INVALID_CONTENT_LENGTH)
		return "the Content-Length field is no number";
	if (e == HPE_UNEXPECTED_CONTENT_LENGTH)
		return "there is more than one Content-Length, or Transfer-Encoding as well";
	if (e == HPE_INVALID_URL)
		return "the target has characters that none has, or no form that one has";
	return "it is not written as HTTP is";
}

static int check_names(const struct head *head, struct head_error *error)
{
	for (size_t i = 0; i < head->n_fields; i++)
		if (!is_token(head->fields[i].name, head->fields[i].name_length))
			return head_fail(error, 400, "there is a field with a space in its name");
	return 0;
}

static int parse(const char *bytes, struct head *head, struct head_error *error)
{
	static const http_parser_settings settings = {
		.on_header_field = on_name,
		.on_header_value = on_value,
		.on_headers_complete = on_complete,
	};
	http_parser parser;
	size_t skip = 0;

	http_parser_init(&parser, head->kind == HEAD_RESPONSE ? HTTP_RESPONSE : HTTP_REQUEST);
	parser.data = head;
	if (head->kind != HEAD_RESPONSE && !head->is_connect) {
		skip = head->method_length;
		http_parser_execute(&parser, &settings, "POST", 4);
	}
	http_parser_execute(&parser, &settings, bytes + skip, head->length - skip);
	if (HTTP_PARSER_ERRNO(&parser) != HPE_PAUSED)
		return head_fail(error, 400, parser_words(&parser));
	return check_names(head, error);
}

static int read_all(const char *bytes, size_t n, struct head *head, struct head_error *error)
{
	bool is_response = head->kind == HEAD_RESPONSE;
	size_t length, line;
	int r = head_scan(bytes, n, !is_response, &length, error);

	if (r <= 0)
		return r;
	head->length = (uint16_t)length;
	line = (size_t)((const char *)memchr(bytes, '\r', length) - bytes);
	r = is_response ? read_status_line(bytes, line, head, error) :
			  read_request_line(bytes, line, head, error);
	if (r < 0 || parse(bytes, head, error) < 0 || head_read_fields(head, error) < 0)
		return -EBADMSG;
	return 1;
}

int head_read(const char *bytes, size_t n, enum head_kind kind, struct head *ret_head,
	      struct head_error *ret_error)
{
	int r;

	memset(ret_head, 0, offsetof(struct head, is_head));
	ret_head->kind = (uint8_t)kind;
	ret_head->max_forwards = UINT32_MAX;
	r = read_all(bytes, n, ret_head, ret_error);
	if (r < 0 && kind == HEAD_RESPONSE)
		ret_error->status = 502;
	return r;
}
