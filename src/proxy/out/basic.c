/* SPDX-License-Identifier: GPL-2.0-or-later */
/* basic.c - base64 (RFC 4648) of "user:password". libcurl does it for CONNECT; requests in absolute
 * form are written by us.
 */
#include "proxy/out/basic.h"

#include <string.h>

static const char start[] = "Proxy-Authorization: Basic ";

static char *encode(const uint8_t *bytes, size_t n, char *at)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t three = (uint32_t)bytes[i] << 16 |
				 (uint32_t)(i + 1 < n ? bytes[i + 1] : 0) << 8 |
				 (i + 2 < n ? bytes[i + 2] : 0);

		*at++ = digits[three >> 18];
		*at++ = digits[three >> 12 & 63];
		*at++ = i + 1 < n ? digits[three >> 6 & 63] : '=';
		*at++ = i + 2 < n ? digits[three & 63] : '=';
	}
	return at;
}

char *basic_field(const char *user, const char *password)
{
	size_t n = strlen(user) + 1 + strlen(password);
	AUTO(mem) char *plain = malloc(n + 1);
	char *field = malloc(sizeof(start) + (n + 2) / 3 * 4 + 2), *at;

	if (!plain || !field) {
		free(field);
		return NULL;
	}
	snprintf(plain, n + 1, "%s:%s", user, password);
	memcpy(field, start, sizeof(start) - 1);
	at = encode((const uint8_t *)plain, n, field + sizeof(start) - 1);
	memcpy(at, "\r\n", 3);
	explicit_bzero(plain, n);
	return field;
}
