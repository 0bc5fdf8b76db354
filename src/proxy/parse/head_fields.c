/* SPDX-License-Identifier: GPL-2.0-or-later */
/* head_fields.c - the fields of a head → what they say about the body and the way, and which of
 * them are this hop's own.
 */
#include "proxy/parse/head_parts.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { VIA_MAX = 3 /* times the same pseudonym: two of us in a row are possible */ };

struct known {
	const char *name;
	uint8_t length;
	uint8_t known;
	bool is_dropped; /* this hop's own (RFC 9110, 7.6.1), or written anew */
};

#define KNOWN(name, known, is_dropped)                                                             \
	{                                                                                          \
		name, sizeof(name) - 1, known, is_dropped                                          \
	}

static const struct known known_fields[] = {
	KNOWN("Connection", FIELD_CONNECTION, true),
	KNOWN("Content-Length", FIELD_CONTENT_LENGTH, false),
	KNOWN("Expect", FIELD_EXPECT, false),
	KNOWN("Host", FIELD_HOST, true),
	KNOWN("Keep-Alive", FIELD_HOP, true),
	KNOWN("Max-Forwards", FIELD_MAX_FORWARDS, false),
	KNOWN("Proxy-Authenticate", FIELD_HOP, true),
	KNOWN("Proxy-Authentication-Info", FIELD_HOP, true),
	KNOWN("Proxy-Authorization", FIELD_HOP, true),
	KNOWN("Proxy-Connection", FIELD_HOP, true),
	KNOWN("TE", FIELD_HOP, true),
	KNOWN("Transfer-Encoding", FIELD_TRANSFER_ENCODING, false),
	KNOWN("Upgrade", FIELD_UPGRADE, true),
	KNOWN("Via", FIELD_VIA, false),
};

static const struct known *find_known(const struct head_field *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(known_fields); i++)
		if (known_fields[i].length == field->name_length &&
		    strncasecmp(known_fields[i].name, field->name, field->name_length) == 0)
			return &known_fields[i];
	return NULL;
}

/* The next of a list's elements: no white space around it, and it may be empty. */
static bool next_element(const char **at, const char *end, const char **ret_text, size_t *ret_n)
{
	const char *text = *at, *comma, *last;

	if (text > end)
		return false;
	comma = memchr(text, ',', (size_t)(end - text));
	last = comma ? comma : end;
	*at = last + 1;
	while (text < last && (*text == ' ' || *text == '\t'))
		text++;
	while (last > text && (last[-1] == ' ' || last[-1] == '\t'))
		last--;
	*ret_text = text;
	*ret_n = (size_t)(last - text);
	return true;
}

static bool text_is(const char *text, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(text, word, n) == 0;
}

/* Whatever Connection says: without it the message would mean something else. */
static bool is_kept(const struct head_field *field)
{
	return field->known != FIELD_OTHER && field->known != FIELD_HOP;
}

/* A field that Connection lists is this hop's own. */
static void drop_listed(struct head *head, const char *name, size_t n)
{
	for (size_t i = 0; i < head->n_fields; i++) {
		struct head_field *field = &head->fields[i];

		if (field->name_length == n && strncasecmp(field->name, name, n) == 0 &&
		    !is_kept(field))
			field->is_dropped = true;
	}
}

static void read_connection(struct head *head, const struct head_field *field)
{
	const char *at = field->value, *end = at + field->value_length, *text;
	size_t n;

	while (next_element(&at, end, &text, &n))
		if (n > 0 && !text_is(text, n, "close") && !text_is(text, n, "keep-alive"))
			drop_listed(head, text, n);
}

/* What is gathered of the fields before it is judged as a whole. */
struct gathered {
	const struct head_field *host, *length, *encoding;
	unsigned n_hosts, n_lengths, n_encodings, n_via;
};

static unsigned count_pseudonym(const struct head_field *field)
{
	const char *at = field->value, *end = at + field->value_length;
	unsigned n = 0;

	while ((at = memmem(at, (size_t)(end - at), HEAD_PSEUDONYM, sizeof(HEAD_PSEUDONYM) - 1))) {
		at += sizeof(HEAD_PSEUDONYM) - 1;
		n++;
	}
	return n;
}

/* Digits and nothing else, and no more of them than fit. */
static int parse_number(const struct head_field *field, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (field->value_length < 1 || field->value_length > 18)
		return -1;
	for (size_t i = 0; i < field->value_length; i++) {
		if (field->value[i] < '0' || field->value[i] > '9')
			return -1;
		number = 10 * number + (uint64_t)(field->value[i] - '0');
	}
	*ret_number = number;
	return 0;
}

/* Only where it is for proxies to heed (RFC 9110, 7.6.2). */
static int read_max_forwards(struct head *head, const struct head_field *field,
			     struct head_error *error)
{
	uint64_t number;

	if (head->kind == HEAD_RESPONSE ||
	    !(head_method_is(head, "TRACE") || head_method_is(head, "OPTIONS")))
		return 0;
	if (parse_number(field, &number) < 0 || head->max_forwards != UINT32_MAX)
		return head_fail(error, 400, "the Max-Forwards field is no number");
	if (number == 0)
		return head_fail(error, 501,
				 "it asks the proxies to pass it on no further (Max-Forwards: 0)");
	head->max_forwards = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX - 1;
	return 0;
}

/* A client of HTTP/1.0 cannot mean it (RFC 9110, 10.1.1). */
static int read_expect(struct head *head, struct head_field *field, struct head_error *error)
{
	if (head->kind == HEAD_RESPONSE)
		return 0;
	if (!text_is(field->value, field->value_length, "100-continue"))
		return head_fail(error, 417, "it expects something else than 100-continue");
	field->is_dropped = head->minor == 0;
	head->expects = head->minor > 0;
	return 0;
}

static int read_field(struct head *head, struct head_field *field, struct gathered *got,
		      struct head_error *error)
{
	switch ((enum head_known)field->known) {
	case FIELD_CONNECTION:
		read_connection(head, field);
		break;
	case FIELD_CONTENT_LENGTH:
		got->length = field;
		got->n_lengths++;
		break;
	case FIELD_EXPECT:
		return read_expect(head, field, error);
	case FIELD_HOST:
		got->host = field;
		got->n_hosts++;
		break;
	case FIELD_MAX_FORWARDS:
		return read_max_forwards(head, field, error);
	case FIELD_TRANSFER_ENCODING:
		got->encoding = field;
		got->n_encodings++;
		break;
	case FIELD_UPGRADE:
		head->upgrades = true;
		break;
	case FIELD_VIA:
		got->n_via += count_pseudonym(field);
		break;
	case FIELD_HOP:
	case FIELD_OTHER:
		break;
	}
	return 0;
}

/* One field, and "chunked" is all it says. Anything else is read in different ways by different
 * servers.
 */
static int check_encoding(const struct head *head, const struct gathered *got,
			  struct head_error *error)
{
	const struct head_field *field = got->encoding;
	const char *at = field->value, *text;
	size_t n;

	if (got->n_lengths > 0)
		return head_fail(error, 400, "there are both Content-Length and Transfer-Encoding");
	if (head->minor == 0 && head->kind != HEAD_RESPONSE)
		return head_fail(error, 400, "HTTP/1.0 has no Transfer-Encoding");
	if (got->n_encodings > 1)
		return head_fail(error, 400, "there is more than one Transfer-Encoding field");
	if (text_is(field->value, field->value_length, "chunked"))
		return 0;
	next_element(&at, at + field->value_length, &text, &n);
	if (n == 0 || text_is(text, n, "chunked"))
		return head_fail(error, 400, "the Transfer-Encoding field makes no sense");
	return head_fail(error, 501, "the Transfer-Encoding is something else than chunked");
}

/* Those that must not have any (RFC 9110, 8.6; RFC 9112, 6.1) are not passed on with a lie. */
static void drop_lengths(struct head *head)
{
	for (size_t i = 0; i < head->n_fields; i++)
		if (head->fields[i].known == FIELD_CONTENT_LENGTH ||
		    head->fields[i].known == FIELD_TRANSFER_ENCODING)
			head->fields[i].is_dropped = true;
}

/* RFC 9112, 6.3; that a response to HEAD has none is head_body()'s matter. */
static int read_length(struct head *head, const struct gathered *got, struct head_error *error)
{
	uint64_t length = 0;

	if (got->n_encodings > 0 && check_encoding(head, got, error) < 0)
		return -EBADMSG;
	if (got->n_lengths > 1)
		return head_fail(error, 400, "there is more than one Content-Length");
	if (got->length && parse_number(got->length, &length) < 0)
		return head_fail(error, 400, "the Content-Length field is no number");
	if (head->is_connect && (length > 0 || got->n_encodings > 0))
		return head_fail(error, 400, "CONNECT has no body");

	if (head->kind == HEAD_RESPONSE && (head->status < 200 || head->status == 204))
		drop_lengths(head);
	else if (got->n_encodings > 0) {
		head->body.state = BODY_CHUNKS;
	} else if (length > 0) {
		head->body = (struct head_body){ .state = BODY_LENGTH, .left = length };
	} else if (!got->length && head->kind == HEAD_RESPONSE) {
		head->body.state = BODY_UNTIL_CLOSE;
	}
	return 0;
}

static int check_request(struct head *head, const struct gathered *got, struct head_error *error)
{
	const struct head_field *host = got->host;

	if (got->n_hosts > 1)
		return head_fail(error, 400, "there is more than one Host field");
	if (got->n_via > VIA_MAX)
		return head_fail(error, 508,
				 "it has come through " HEAD_PSEUDONYM
				 " too often: it runs in a circle");
	return head_read_target(head, host ? host->value : NULL, host ? host->value_length : 0,
				error);
}

int head_read_fields(struct head *head, struct head_error *error)
{
	struct gathered got = { .host = NULL };

	for (size_t i = 0; i < head->n_fields; i++) {
		const struct known *known = find_known(&head->fields[i]);

		head->fields[i].known = known ? known->known : FIELD_OTHER;
		head->fields[i].is_dropped = known && known->is_dropped;
	}
	for (size_t i = 0; i < head->n_fields; i++)
		if (read_field(head, &head->fields[i], &got, error) < 0)
			return -EBADMSG;
	if (read_length(head, &got, error) < 0)
		return -EBADMSG;
	return head->kind == HEAD_RESPONSE ? 0 : check_request(head, &got, error);
}
