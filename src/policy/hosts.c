/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosts.c - "name", "*.name", "name:port" and addresses in their place → struct host_pattern.
 *
 * Names are kept as they are compared: lower case, without the dot of the root.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "policy/values.h"

/* RFC 1123 labels, and '_', which real names use. A last label of digits would be an address. */
static bool is_host_name(const char *name)
{
	size_t n = strlen(name), label = 0;
	bool digits = true;

	if (n < 1 || n > 253)
		return false;
	for (size_t i = 0; i <= n; i++) {
		if (i == n || name[i] == '.') {
			if (label == 0 || label > 63 || name[i - 1] == '-')
				return false;
			if (i == n)
				return !digits;
			label = 0;
			digits = true;
			continue;
		}
		if (!isalnum((unsigned char)name[i]) && name[i] != '_' &&
		    (name[i] != '-' || label == 0))
			return false;
		digits = digits && isdigit((unsigned char)name[i]);
		label++;
	}
	return false;
}

/* Splits "name:port", "[v6]:port", "[v6]" and bare addresses. */
static int split_host(char *text, char **ret_name, uint16_t *ret_port)
{
	char *colon = strrchr(text, ':'), *name = text;
	struct number_range port = { 0, 0 };
	struct prefix address;

	if (text[0] == '[') {
		char *end = strchr(text, ']');

		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		colon = end[1] ? end + 1 : NULL;
		*end = '\0';
		name = text + 1;
		if (parse_address(name, &address) < 0 || address.family != ADDR_V6)
			return -EINVAL;
	} else if (parse_address(text, &address) == 0) {
		colon = NULL; /* 2001:db8::1 */
	}
	if (colon) {
		if (parse_number_range(colon + 1, UINT16_MAX, &port) < 0 || port.first == 0 ||
		    port.first != port.last || strchr(colon, '-'))
			return -EINVAL;
		*colon = '\0';
	}
	*ret_name = name;
	*ret_port = (uint16_t)port.first;
	return 0;
}

static int parse_host(struct cursor at, struct host_patterns *list, struct diags *diags)
{
	const char *expected = "a host: \"name\", \"*.name\" or \"name:port\"";
	const char *text = json_string_value(at.value);
	struct host_pattern host = { .place = cursor_place(at) };
	struct prefix address;
	char *copy, *name;
	size_t n;

	if (!text || strlen(text) > 300)
		return diag_expected(diags, at, expected);
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p >= 0x80)
			return diag_expected(diags, at,
					     "a host in ASCII (write an international name in "
					     "its xn-- form)");
	if (strstr(text, "://"))
		return diag_expected(diags, at,
				     "a host without scheme and path, such as "
				     "\"api.example.org\"");
	copy = arena_strdup(cursor_arena(at), text);
	if (split_host(copy, &name, &host.port) < 0)
		return diag_expected(diags, at, expected);
	if (strncmp(name, "*.", 2) == 0) {
		host.is_wildcard = true;
		name += 2;
	}
	n = strlen(name);
	if (n && name[n - 1] == '.')
		name[n - 1] = '\0';
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (!is_host_name(name) && (host.is_wildcard || parse_address(name, &address) < 0))
		return diag_expected(diags, at, expected);
	host.name = name;
	*ARENA_APPEND(cursor_arena(at), list->hosts, list->n) = host;
	return 0;
}

static int parse_hosts(struct cursor at, void *ret, struct diags *diags)
{
	int r = 0;

	if (!json_is_array(at.value))
		return diag_expected(diags, at, value_hosts.expected);
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c))
		if (parse_host(c, ret, diags) < 0)
			r = -EINVAL;
	return r;
}

#define LABEL "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"

const struct value_type value_hosts = {
	.expected = "a list of hosts: \"name\", \"*.name\" or \"name:port\"",
	.parse = parse_hosts,
	.schema = "{'type':'array','items':{'type':'string','maxLength':300,'anyOf':["
		  "{'pattern':'^(\\\\*\\\\.)?(" LABEL "\\\\.)*(?![0-9]+[.:]?[0-9]*$)" LABEL
		  "\\\\.?(:" SCHEMA_DECIMAL_PORT ")?$'},"
		  "{'pattern':'^" SCHEMA_V4 "(:" SCHEMA_DECIMAL_PORT ")?$'},"
		  "{'pattern':'^(\\\\[[0-9a-fA-F:.]{2,45}\\\\](:" SCHEMA_DECIMAL_PORT ")?|"
		  "(?=.*:.*:)[0-9a-fA-F:.]{2,45})$'}]}}",
};
