/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - text where a host is expected → a name or an address, normalised.
 *
 * What one program takes for a name and another for an address must not get through as a name: the
 * list would compare letters, and the C library connect to 127.0.0.1. inet_aton(3) reads numbers of
 * one to four parts, octal and hexadecimal ones too; the URL standard calls a host whose last label
 * is such a number an IPv4 address or a mistake, and so does this file.
 */
#include "names/host.h"

#include <errno.h>
#include <string.h>

enum { LABEL_MAX = 63, PORT_DIGITS_MAX = 5 };

static int refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_hex(char c)
{
	return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f');
}

/* "12", "017", "0x7f", "0x": what the last part of an address may look like to somebody. */
static bool is_number(const char *label, size_t n)
{
	bool hex = n >= 2 && label[0] == '0' && to_lower(label[1]) == 'x';

	for (size_t i = hex ? 2 : 0; i < n; i++)
		if (!(hex ? is_hex(label[i]) : is_digit(label[i])))
			return false;
	return n > 0;
}

static void set_address(struct host *host, const struct prefix *address)
{
	host->address = prefix_unmapped(address); /* the kernel sends IPv4 packets there */
	format_prefix(&host->address, host->name);
}

static int parse_v6(const char *text, size_t n, struct host *ret_host, const char **ret_why)
{
	char copy[PREFIX_TEXT_MAX];
	struct prefix address;

	if (memchr(text, '%', n))
		return refuse(ret_why, "has a zone, which only this machine knows");
	if (n >= sizeof(copy))
		return refuse(ret_why, "is no IPv6 address");
	memcpy(copy, text, n);
	copy[n] = '\0';
	if (memchr(copy, '\0', n) || parse_address(copy, &address) < 0 || address.family != ADDR_V6)
		return refuse(ret_why, "is no IPv6 address");
	set_address(ret_host, &address);
	return 0;
}

/* Copies it, lower case, without the root's dot; finds the last label. */
static int normalize_name(const char *text, size_t n, struct host *host, size_t *ret_last,
			  const char **ret_why)
{
	size_t label = 0; /* where it starts */

	for (size_t i = 0; i <= n; i++) {
		char c = i < n ? to_lower(text[i]) : '.';

		if (c == '.') {
			if (i == label)
				return refuse(ret_why, "has an empty part between dots");
			if (i - label > LABEL_MAX)
				return refuse(ret_why, "has a part of more than 63 characters");
			if (text[label] == '-' || text[i - 1] == '-')
				return refuse(ret_why, "has a part that begins or ends with \"-\"");
			*ret_last = label;
			label = i + 1;
		} else if (c == '%') {
			return refuse(ret_why, "has a \"%\", and is not decoded here");
		} else if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_') {
			return refuse(ret_why, "has a character that no host name has");
		}
		host->name[i] = c;
	}
	host->name[n] = '\0';
	return 0;
}

static int parse_name(const char *text, size_t n, struct host *host, const char **ret_why)
{
	bool rooted = n > 1 && text[n - 1] == '.';
	size_t length = n - rooted, last = 0;
	struct prefix address;
	int r;

	if (length > HOST_NAME_MAX_LENGTH)
		return refuse(ret_why, "is longer than 253 characters");
	r = normalize_name(text, length, host, &last, ret_why);
	if (r < 0)
		return r;
	if (!is_number(host->name + last, length - last))
		return 0;
	if (rooted || parse_address(host->name, &address) < 0)
		return refuse(ret_why, "ends in a number, but is no plain address such as "
				       "192.0.2.1");
	set_address(host, &address);
	return 0;
}

int host_parse(const char *text, size_t n, struct host *ret_host, const char **ret_why)
{
	struct host host = { .address.family = ADDR_NONE };
	int r;

	if (n == 0)
		return refuse(ret_why, "is empty");
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] >= 0x80) {
			*ret_why = "is not in ASCII";
			return -EILSEQ;
		}
	if (text[0] == '[' && text[n - 1] == ']')
		r = parse_v6(text + 1, n - 2, &host, ret_why);
	else if (memchr(text, ':', n))
		r = parse_v6(text, n, &host, ret_why);
	else
		r = parse_name(text, n, &host, ret_why);
	if (r == 0)
		*ret_host = host;
	return r;
}

static int parse_port(const char *text, size_t n, uint16_t *ret_port, const char **ret_why)
{
	uint32_t port = 0;

	for (size_t i = 0; i < n && i <= PORT_DIGITS_MAX; i++) {
		if (!is_digit(text[i]))
			return refuse(ret_why, "has a port that is no number");
		port = port * 10 + (uint32_t)(text[i] - '0');
	}
	if (n == 0 || n > PORT_DIGITS_MAX || text[0] == '0' || port > UINT16_MAX)
		return refuse(ret_why, "has a port that is none from 1 to 65535");
	*ret_port = (uint16_t)port;
	return 0;
}

int host_parse_port(const char *text, size_t n, uint16_t default_port, struct host *ret_host,
		    uint16_t *ret_port, const char **ret_why)
{
	const char *colon = memrchr(text, ':', n);
	uint16_t port = default_port;
	int r;

	/* "[::1]" and "::1" have colons and no port */
	if (colon &&
	    (text[0] == '[' ? colon > text && colon[-1] == ']' : memchr(text, ':', n) == colon)) {
		r = parse_port(colon + 1, n - (size_t)(colon + 1 - text), &port, ret_why);
		if (r < 0)
			return r;
		n = (size_t)(colon - text);
	}
	r = host_parse(text, n, ret_host, ret_why);
	if (r == 0)
		*ret_port = port;
	return r;
}
