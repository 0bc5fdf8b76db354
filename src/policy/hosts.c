/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosts.c - "name", "*.name", "name:port" and addresses in their place → struct host_pattern.
 *
 * Names are kept as they are compared: names/host.h has the one form.
 */
#include <errno.h>
#include <string.h>

#include "names/host.h"
#include "policy/values.h"

#define EXPECTED "a host: \"name\", \"*.name\" or \"name:port\""

enum { TEXT_MAX = 300, FOUND_MAX = 80 };

hosts_to_ascii_fn *hosts_to_ascii;

/* Says what is wrong with a host, and not only that it is none. */
static int complain(struct cursor at, const char *why, struct diags *diags)
{
	AUTO(mem) char *found = json_dumps(at.value, JSON_ENCODE_ANY | JSON_COMPACT);

	if (!found || diags_full(diags))
		return diag_expected(diags, at, EXPECTED);
	return diag_at(diags, at, "expected " EXPECTED ", got %s, which %s",
		       text_printable(diags->arena, found, strlen(found), FOUND_MAX), why);
}

/* The xn-- form is what is compared, so it is what the file has to say; whoever can tells it. */
static int complain_not_ascii(struct cursor at, const char *name, size_t n, struct diags *diags)
{
	const char *why = NULL, *expected = "a host in ASCII (write an international name in its "
					    "xn-- form)";
	struct host host;

	if (!hosts_to_ascii || diags_full(diags))
		return diag_expected(diags, at, expected);
	if (hosts_to_ascii(name, n, &host, &why) < 0)
		return complain(at, why, diags);
	return diag_expected(diags, at,
			     arena_printf(diags->arena,
					  "a host in ASCII (write this name as \"%s\")",
					  host.name));
}

static int parse_host(struct cursor at, struct host_patterns *list, struct diags *diags)
{
	const char *text = json_string_value(at.value), *name = text, *why = NULL;
	struct host_pattern pattern = { .place = cursor_place(at) };
	struct host host;
	int r;

	if (!text || strlen(text) > TEXT_MAX)
		return diag_expected(diags, at, EXPECTED);
	if (strstr(text, "://"))
		return diag_expected(diags, at,
				     "a host without scheme and path, such as "
				     "\"api.example.org\"");
	pattern.is_wildcard = strncmp(text, "*.", 2) == 0;
	if (pattern.is_wildcard)
		name += 2;
	r = host_parse_port(name, strlen(name), 0, &host, &pattern.port, &why);
	if (r == -EILSEQ)
		return complain_not_ascii(at, name, strcspn(name, ":"), diags);
	if (r < 0 && strchr(name, '*'))
		why = "has a \"*\" elsewhere than in \"*.\" at its beginning";
	if (r == 0 && pattern.is_wildcard && host.address.family != ADDR_NONE) {
		why = "is an address behind \"*.\"";
		r = -EINVAL;
	}
	if (r < 0)
		return complain(at, why, diags);
	pattern.name = arena_strdup(cursor_arena(at), host.name);
	*ARENA_APPEND(cursor_arena(at), list->hosts, list->n) = pattern;
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
		  "{'pattern':'^(\\\\*\\\\.)?(" LABEL "\\\\.)*"
		  "(?!([0-9]+|0[xX][0-9A-Fa-f]*)\\\\.?(:[0-9]*)?$)" LABEL
		  "\\\\.?(:" SCHEMA_DECIMAL_PORT ")?$'},"
		  "{'pattern':'^" SCHEMA_V4 "(:" SCHEMA_DECIMAL_PORT ")?$'},"
		  "{'pattern':'^(\\\\[[0-9a-fA-F:.]{2,45}\\\\](:" SCHEMA_DECIMAL_PORT ")?|"
		  "(?=.*:.*:)[0-9a-fA-F:.]{2,45})$'}]}}",
};
