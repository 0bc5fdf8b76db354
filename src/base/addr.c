/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.c - addresses and prefixes, strict in what they accept.
 *
 * inet_pton(3) takes neither "127.1" nor "0x7f.1" nor leading zeros, so no two programs can read
 * one of our addresses differently.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

unsigned prefix_max_length(const struct prefix *prefix)
{
	return prefix->family == ADDR_V4 ? 32 : 128;
}

static int parse_decimal(const char *text, unsigned max, unsigned *ret_value)
{
	unsigned value = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(*text - '0');
		if (value > max)
			return -EINVAL;
	}
	*ret_value = value;
	return 0;
}

int parse_address(const char *text, struct prefix *ret_address)
{
	struct prefix address = { 0 };

	if (inet_pton(AF_INET, text, address.bytes) == 1)
		address.family = ADDR_V4;
	else if (inet_pton(AF_INET6, text, address.bytes) == 1)
		address.family = ADDR_V6;
	else
		return -EINVAL;
	address.length = (uint8_t)prefix_max_length(&address);
	*ret_address = address;
	return 0;
}

/* Clears the bits behind the length; says whether one was set. */
static bool clear_host_bits(struct prefix *prefix)
{
	bool cleared = false;

	for (unsigned bit = prefix->length; bit < prefix_max_length(prefix); bit++) {
		uint8_t mask = (uint8_t)(0x80u >> (bit % 8));

		if (prefix->bytes[bit / 8] & mask) {
			prefix->bytes[bit / 8] &= (uint8_t)~mask;
			cleared = true;
		}
	}
	return cleared;
}

int parse_prefix(const char *text, struct prefix *ret_prefix)
{
	const char *slash = strchr(text, '/');
	char address[PREFIX_TEXT_MAX];
	struct prefix prefix;
	unsigned length;
	bool cleared;

	if (!slash)
		return parse_address(text, ret_prefix);
	if ((size_t)(slash - text) >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (parse_address(address, &prefix) < 0 ||
	    parse_decimal(slash + 1, prefix_max_length(&prefix), &length) < 0)
		return -EINVAL;
	prefix.length = (uint8_t)length;
	cleared = clear_host_bits(&prefix);
	*ret_prefix = prefix;
	return cleared ? -ERANGE : 0;
}

int parse_address_port(const char *text, struct prefix *ret_address, uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	bool bracket = text[0] == '[';
	char address[PREFIX_TEXT_MAX];
	struct prefix parsed;
	unsigned port;
	size_t n;

	if (!colon || parse_decimal(colon + 1, UINT16_MAX, &port) < 0 || port == 0)
		return -EINVAL;
	if (bracket && (colon == text || colon[-1] != ']'))
		return -EINVAL;
	n = (size_t)(colon - text) - (bracket ? 2 : 0);
	if (n >= sizeof(address))
		return -EINVAL;
	memcpy(address, text + (bracket ? 1 : 0), n);
	address[n] = '\0';
	if (parse_address(address, &parsed) < 0 || (parsed.family == ADDR_V6) != bracket)
		return -EINVAL;
	*ret_address = parsed;
	*ret_port = (uint16_t)port;
	return 0;
}

void format_prefix(const struct prefix *prefix, char ret_text[PREFIX_TEXT_MAX])
{
	inet_ntop(prefix->family == ADDR_V4 ? AF_INET : AF_INET6, prefix->bytes, ret_text,
		  PREFIX_TEXT_MAX);
	if (!prefix_is_host(prefix)) {
		size_t n = strlen(ret_text);

		snprintf(ret_text + n, PREFIX_TEXT_MAX - n, "/%u", prefix->length);
	}
}

bool prefix_is_host(const struct prefix *prefix)
{
	return prefix->length == prefix_max_length(prefix);
}

bool prefix_contains(const struct prefix *outer, const struct prefix *inner)
{
	unsigned whole = outer->length / 8, rest = outer->length % 8;

	if (outer->family != inner->family || outer->length > inner->length)
		return false;
	if (memcmp(outer->bytes, inner->bytes, whole) != 0)
		return false;
	return !rest || ((outer->bytes[whole] ^ inner->bytes[whole]) >> (8 - rest)) == 0;
}

bool prefix_is_loopback(const struct prefix *prefix)
{
	static const struct prefix v4 = { ADDR_V4, 8, { 127 } };
	static const struct prefix v6 = { ADDR_V6, 128, { [15] = 1 } };

	return prefix_contains(&v4, prefix) || prefix_contains(&v6, prefix);
}

bool prefix_is_mapped(const struct prefix *prefix)
{
	static const struct prefix mapped = { ADDR_V6, 96, { [10] = 0xff, [11] = 0xff } };

	return prefix_contains(&mapped, prefix);
}

struct prefix prefix_unmapped(const struct prefix *prefix)
{
	struct prefix v4 = { ADDR_V4, 32, { 0 } };

	if (!prefix_is_host(prefix) || !prefix_is_mapped(prefix))
		return *prefix;
	memcpy(v4.bytes, prefix->bytes + 12, 4);
	return v4;
}

bool prefix_is_unspecified(const struct prefix *prefix)
{
	static const uint8_t zero[16];

	return prefix_is_host(prefix) && memcmp(prefix->bytes, zero, sizeof(zero)) == 0;
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
	int r;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	r = memcmp(a->bytes, b->bytes, sizeof(a->bytes));
	if (r)
		return r;
	return a->length < b->length ? -1 : a->length > b->length;
}

void prefix_last(const struct prefix *prefix, uint8_t ret_bytes[16])
{
	memcpy(ret_bytes, prefix->bytes, 16);
	for (unsigned bit = prefix->length; bit < prefix_max_length(prefix); bit++)
		ret_bytes[bit / 8] |= (uint8_t)(0x80u >> (bit % 8));
}
