/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hello.c - a ClientHello → the server name in it.
 *
 * The handshake's bytes are a stream of their own, which records cut up as they like (RFC 8446,
 * 5.1): a record may hold one byte of the hello, and the hello's last record more than the hello.
 */
#include "proxy/parse/hello.h"

#include <errno.h>
#include <string.h>

enum {
	RECORD_HEADER = 5,
	RECORD_MAX = 1 << 14, /* RFC 8446, 5.1 */
	RECORD_HANDSHAKE = 22,
	RECORD_ALERT = 21,
	HANDSHAKE_HEADER = 4,
	HANDSHAKE_CLIENT_HELLO = 1,
	RANDOM_LENGTH = 32,
	SESSION_ID_MAX = 32,
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_ECH = 0xfe0d,
	NAME_TYPE_HOST = 0,
};

/* What is left of some bytes. Whoever takes more than there is gets zeros, and `short_` is set. */
struct reader {
	const uint8_t *at, *end;
	bool short_;
};

static struct reader reader_of(const uint8_t *bytes, size_t n)
{
	return (struct reader){ .at = bytes, .end = bytes + n };
}

static bool reader_is_empty(const struct reader *r)
{
	return r->at == r->end;
}

static struct reader take_bytes(struct reader *r, size_t n)
{
	struct reader part = reader_of(r->at, 0);

	if (n > (size_t)(r->end - r->at)) {
		r->at = r->end;
		r->short_ = part.short_ = true;
		return part;
	}
	part.end = r->at += n;
	return part;
}

static unsigned take_number(struct reader *r, unsigned n_bytes)
{
	struct reader part = take_bytes(r, n_bytes);
	unsigned number = 0;

	while (part.at < part.end)
		number = number << 8 | *part.at++;
	return number;
}

/* TLS's vectors: their length, in so many bytes, and then they. */
static struct reader take_vector(struct reader *r, unsigned n_bytes)
{
	return take_bytes(r, take_number(r, n_bytes));
}

static size_t vector_length(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

/* What a host's name or an address may be made of. Whether it is one is host_parse()'s to say. */
static bool is_name_character(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == ':';
}

static const char *read_server_name(struct reader extension, struct hello *hello)
{
	struct reader list = take_vector(&extension, 2);
	unsigned type = take_number(&list, 1);
	struct reader name = take_vector(&list, 2);
	size_t n = vector_length(&name);

	if (hello->name[0])
		return "the ClientHello has the extension for the server's name twice";
	if (extension.short_ || list.short_ || !reader_is_empty(&extension) || n == 0)
		return "the ClientHello has a server name that is cut off or empty";
	if (type != NAME_TYPE_HOST)
		return "the ClientHello asks for a server by something else than a host's name";
	if (!reader_is_empty(&list))
		return "the ClientHello asks for more than one server name";
	if (n >= sizeof(hello->name))
		return "the ClientHello asks for a server name that is too long";
	for (const uint8_t *c = name.at; c < name.end; c++)
		if (!is_name_character(*c))
			return "the ClientHello asks for a server name with characters that no "
			       "host's name has";

	memcpy(hello->name, name.at, n);
	hello->name[n] = '\0';
	return NULL;
}

static const char *read_extensions(struct reader extensions, struct hello *hello)
{
	const char *why = NULL;

	while (!why && !reader_is_empty(&extensions)) {
		unsigned type = take_number(&extensions, 2);
		struct reader extension = take_vector(&extensions, 2);

		if (extensions.short_)
			return "the ClientHello has an extension that is cut off";
		if (type == EXTENSION_SERVER_NAME)
			why = read_server_name(extension, hello);
		else if (type == EXTENSION_ECH)
			hello->has_ech = true;
	}
	return why;
}

/* RFC 8446, 4.1.2, and RFC 5246, 7.4.1.2, whose hello need not have extensions. */
static const char *read_body(struct reader body, struct hello *hello)
{
	unsigned version = take_number(&body, 2);
	struct reader session, ciphers, compression, extensions;

	take_bytes(&body, RANDOM_LENGTH);
	session = take_vector(&body, 1);
	ciphers = take_vector(&body, 2);
	compression = take_vector(&body, 1);
	if (body.short_)
		return "the ClientHello is cut off";
	if (version >> 8 != 3)
		return "the ClientHello is of no version of TLS";
	if (version == 0x0300)
		return "the ClientHello is SSL 3's, which nobody should use any more";
	if (vector_length(&session) > SESSION_ID_MAX || vector_length(&ciphers) < 2 ||
	    vector_length(&ciphers) % 2 || vector_length(&compression) < 1)
		return "the ClientHello has lengths that cannot be";
	if (reader_is_empty(&body))
		return NULL;

	extensions = take_vector(&body, 2);
	if (body.short_ || !reader_is_empty(&body))
		return "the ClientHello has extensions of the wrong length";
	return read_extensions(extensions, hello);
}

static const char too_long[] = "the ClientHello is too long";

static const char *check_first(const uint8_t *bytes, size_t n)
{
	if (n >= 3 && bytes[0] & 0x80 && bytes[2] == HANDSHAKE_CLIENT_HELLO)
		return "the ClientHello is SSL 2's, which nobody should use any more";
	if (bytes[0] == RECORD_ALERT)
		return "this is no ClientHello but an alert";
	/* SSL 2's is told by its third byte. */
	if (bytes[0] != RECORD_HANDSHAKE && (n >= 3 || !(bytes[0] & 0x80)))
		return "this is no ClientHello";
	return NULL;
}

static const char *check_record(const uint8_t *header, size_t n)
{
	size_t length = n >= 5 ? (size_t)header[3] << 8 | header[4] : 1;

	if (header[0] != RECORD_HANDSHAKE)
		return "the ClientHello breaks off for a record of another kind";
	/* 0x0300 is SSL 3; some clients have it in the first record although they mean TLS. */
	if ((n >= 2 && header[1] != 3) || (n >= 3 && header[2] > 4))
		return "the ClientHello is of no version of TLS";
	if (n >= 4 && (header[3] << 8) > RECORD_MAX)
		return "the ClientHello is in a record that is too long";
	if (length > RECORD_MAX)
		return "the ClientHello is in a record that is too long";
	if (length == 0) /* RFC 8446, 5.1: never for handshakes */
		return "the ClientHello is in records one of which is empty";
	return NULL;
}

static const char *check_handshake(const uint8_t *header, size_t have, size_t *ret_length)
{
	size_t most = HELLO_MAX - RECORD_HEADER - HANDSHAKE_HEADER;

	if (have >= 1 && header[0] != HANDSHAKE_CLIENT_HELLO)
		return "this is no ClientHello but another message of the handshake";
	if (have < HANDSHAKE_HEADER)
		return NULL;
	*ret_length = (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
	return *ret_length > most ? too_long : NULL;
}

/* The stream of the records' contents, without copying more of it than the handshake's header. */
struct stream {
	size_t at;   /* of the next record */
	size_t have; /* bytes of the handshake */
	size_t body; /* how long it says it is; 0: not known */
	uint8_t header[HANDSHAKE_HEADER];
};

static bool stream_is_complete(const struct stream *s)
{
	return s->have >= HANDSHAKE_HEADER && s->have - HANDSHAKE_HEADER >= s->body;
}

static const char *stream_next(struct stream *s, const uint8_t *bytes, size_t n)
{
	const uint8_t *record = bytes + s->at;
	size_t left = n - s->at, length, part;
	const char *why = check_record(record, left);

	if (why || left < RECORD_HEADER) {
		s->at = n;
		return why;
	}
	length = (size_t)record[3] << 8 | record[4];
	part = length < left - RECORD_HEADER ? length : left - RECORD_HEADER;
	for (size_t i = 0; i < part && s->have + i < HANDSHAKE_HEADER; i++)
		s->header[s->have + i] = record[RECORD_HEADER + i];
	s->have += part;
	s->at += RECORD_HEADER + part;
	return check_handshake(s->header, s->have, &s->body);
}

/* Only of bytes that stream_next() has been through. */
static void copy_contents(const uint8_t *bytes, uint8_t *to, size_t n)
{
	while (n > 0) {
		size_t length = (size_t)bytes[3] << 8 | bytes[4];
		size_t part = length < n ? length : n;

		memcpy(to, bytes + RECORD_HEADER, part);
		to += part;
		n -= part;
		bytes += RECORD_HEADER + part;
	}
}

static const char *read_hello(const uint8_t *bytes, size_t n, struct hello *ret_hello,
			      bool *ret_complete)
{
	struct stream s = { 0 };
	uint8_t copy[HELLO_MAX];
	const uint8_t *handshake = bytes + RECORD_HEADER;
	const char *why = n > 0 ? check_first(bytes, n) : NULL;

	/* what begins as SSL 2 does and cannot be told yet */
	if (!why && n > 0 && bytes[0] != RECORD_HANDSHAKE)
		return NULL;
	while (!why && s.at < n && !stream_is_complete(&s))
		why = stream_next(&s, bytes, n);
	if (why)
		return why;
	if (!stream_is_complete(&s))
		return n == HELLO_MAX ? too_long : NULL;
	if (((size_t)bytes[3] << 8 | bytes[4]) < HANDSHAKE_HEADER + s.body) {
		copy_contents(bytes, copy, HANDSHAKE_HEADER + s.body);
		handshake = copy;
	}
	*ret_complete = true;
	return read_body(reader_of(handshake + HANDSHAKE_HEADER, s.body), ret_hello);
}

int hello_read(const uint8_t *bytes, size_t n, struct hello *ret_hello, const char **ret_why)
{
	struct hello hello = { .name = "" };
	bool complete = false;
	const char *why = read_hello(bytes, n < HELLO_MAX ? n : HELLO_MAX, &hello, &complete);

	if (why) {
		*ret_why = why;
		return -EINVAL;
	}
	if (!complete)
		return 0;
	*ret_hello = hello;
	return 1;
}
