/* SPDX-License-Identifier: GPL-2.0-or-later */
/* opening.c - the first bytes of a connection → TLS, HTTP or something else.
 *
 * "EHLO relay.example.net" has the form of an HTTP request's beginning as much as "GET /" has. A
 * method that is known is believed at once; another one when the first line says HTTP at its end.
 */
#include "proxy/parse/opening.h"

#include <string.h>

#include "proxy/parse/token.h"

/* IANA's registry of methods, PRI (of HTTP/2) among them, and what UPnP and caches use. */
static const char methods[] =
	" ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET "
	"HEAD LABEL LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL "
	"MKREDIRECTREF MKWORKSPACE MOVE NOTIFY OPTIONS ORDERPATCH PATCH POST "
	"PRI PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SUBSCRIBE "
	"TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UNSUBSCRIBE UPDATE "
	"UPDATEREDIRECTREF VERSION-CONTROL ";

enum { METHOD_MAX = 32, VERSION_LENGTH = sizeof(" HTTP/1.1") - 1 };

static bool is_known(const char *method, size_t n)
{
	char word[METHOD_MAX + 3];

	snprintf(word, sizeof(word), " %.*s ", (int)n, method);
	return strstr(methods, word);
}

/* 80 xx, a ClientHello, of version 2 or for whoever knows SSL 3 and TLS as well (RFC 5246, E.2). */
static enum opening tell_ssl2(const uint8_t *bytes, size_t n)
{
	static const uint8_t first[] = { 1, 3 }, second[] = { 1, 0, 2 };
	size_t have;

	if (n <= 2)
		return OPENING_MORE;
	have = n - 2;
	if (memcmp(bytes + 2, first, have < 2 ? have : 2) == 0)
		return have >= 2 ? OPENING_TLS : OPENING_MORE;
	if (memcmp(bytes + 2, second, have < 3 ? have : 3) == 0)
		return have >= 3 ? OPENING_TLS : OPENING_MORE;
	return OPENING_OTHER;
}

static bool ends_with_version(const char *line, size_t n)
{
	if (n > 0 && line[n - 1] == '\r')
		n--;
	return n > VERSION_LENGTH && memcmp(line + n - VERSION_LENGTH, " HTTP/", 6) == 0;
}

static enum opening tell_line(const char *line, size_t n)
{
	size_t length = 0;

	while (length < n && ((unsigned char)line[length] >= ' ' || line[length] == '\r'))
		length++;
	if (length < n)
		return line[length] == '\n' && ends_with_version(line, length) ? OPENING_HTTP :
										 OPENING_OTHER;
	return n < OPENING_MAX ? OPENING_MORE : OPENING_OTHER;
}

static enum opening tell_text(const char *text, size_t n)
{
	size_t length = 0;

	while (length < n && length <= METHOD_MAX && token_has(text[length]))
		length++;
	if (length > METHOD_MAX)
		return OPENING_OTHER;
	if (length == n)
		return OPENING_MORE;
	if (length == 0 || text[length] != ' ')
		return OPENING_OTHER;
	return is_known(text, length) ? OPENING_HTTP : tell_line(text, n);
}

enum opening opening_tell(const uint8_t *bytes, size_t n)
{
	if (n == 0)
		return OPENING_MORE;
	if (bytes[0] == 0x16)
		return n < 2 ? OPENING_MORE : bytes[1] == 3 ? OPENING_TLS : OPENING_OTHER;
	if (bytes[0] & 0x80)
		return tell_ssl2(bytes, n);
	/* Servers skip empty lines in front of a request (RFC 9112, 2.2): that must be no way
	 * around being read as one. */
	if (bytes[0] == '\r' || bytes[0] == '\n')
		return OPENING_HTTP;
	return tell_text((const char *)bytes, n < OPENING_MAX ? n : OPENING_MAX);
}
