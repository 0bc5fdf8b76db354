/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_proxy.c - the key "proxy" → where services reach which proxy, and how the built-in one
 * works. */
#include "policy/config_proxy.h"

#include <errno.h>
#include <string.h>

#include "policy/values.h"

enum {
	CONNECTIONS_MAX = 1000000,
	SECONDS_MAX = 31536000, /* a year */
	HOST_LENGTH_MAX = 253,	/* RFC 1035, without the last dot */
};

struct proxy_list {
	struct proxy_address *addresses;
	size_t n;
};

struct port_table {
	struct proxy_port *ports;
	size_t n;
};

struct upstream {
	const char *host;
	uint16_t port;
};

struct proxy_parse {
	struct proxy_list listen, external;
	struct port_table ports;
	struct upstream upstream;
	struct proxy_settings settings;
};

/* --- where it listens */

static const struct value_type value_addresses;

static int parse_proxy_address(struct cursor at, struct proxy_list *list, struct diags *diags)
{
	const char *text = json_string_value(at.value);
	struct proxy_address address = { .place = cursor_place(at) };

	if (!text || parse_address_port(text, &address.address, &address.port) < 0 ||
	    prefix_is_unspecified(&address.address) || prefix_is_mapped(&address.address))
		return diag_expected(diags, at,
				     "an address and a port such as \"127.0.0.1:3128\" or "
				     "\"[::1]:3128\"");
	*ARENA_APPEND(cursor_arena(at), list->addresses, list->n) = address;
	return 0;
}

static int parse_addresses(struct cursor at, void *ret, struct diags *diags)
{
	int r = 0;

	if (!json_is_array(at.value))
		return parse_proxy_address(at, ret, diags);
	if (json_array_size(at.value) == 0)
		return diag_expected(diags, at, value_addresses.expected);
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c))
		if (parse_proxy_address(c, ret, diags) < 0)
			r = -EINVAL;
	return r;
}

#define SCHEMA_ADDRESS                                                                             \
	"{'type':'string','pattern':'^([0-9.]{7,15}|\\\\[[0-9a-fA-F:.]{2,45}\\\\]):[1-9][0-9]{0,"  \
	"4}$'}"

static const struct value_type value_addresses = {
	.expected = "an address and port, or a list of them",
	.parse = parse_addresses,
	.schema = "{'anyOf':[" SCHEMA_ADDRESS
		  ",{'type':'array','minItems':1,'items':" SCHEMA_ADDRESS "}]}",
};

/* --- ports of services at an external one */

static const struct value_type value_service_ports;

static bool is_service(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= SERVICE_NAME_MAX && name[0] != '-' && name[0] != '_' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

static int parse_service_port(struct cursor at, struct port_table *table, struct diags *diags)
{
	json_int_t n = json_integer_value(at.value);
	const char *service = cursor_key(at);

	if (!is_service(service))
		return diag_at_key(diags, at, "expected the name of a service, got \"%s\"",
				   text_printable(cursor_arena(at), service, strlen(service), 80));
	if (!json_is_integer(at.value) || n < 1 || n > UINT16_MAX)
		return diag_expected(diags, at, "a port number from 1 to 65535");
	for (size_t i = 0; i < table->n; i++)
		if (table->ports[i].port == n)
			return diag_at(diags, at,
				       "port %u is that of %s: squid could not tell them apart",
				       (unsigned)n, table->ports[i].service);
	*ARENA_APPEND(cursor_arena(at), table->ports, table->n) =
		(struct proxy_port){ arena_strdup(cursor_arena(at), service), (uint16_t)n,
				     cursor_place(at) };
	return 0;
}

static int parse_service_ports(struct cursor at, void *ret, struct diags *diags)
{
	int r = 0;

	if (!json_is_object(at.value))
		return diag_expected(diags, at, value_service_ports.expected);
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c))
		if (parse_service_port(c, ret, diags) < 0)
			r = -EINVAL;
	return r;
}

static const struct value_type value_service_ports = {
	.expected = "an object such as { \"blog\": 3129, \"erp\": 3130 }",
	.parse = parse_service_ports,
	.schema = "{'type':'object','propertyNames':{'pattern':'^[a-z0-9][a-z0-9_-]{0,31}$'},"
		  "'additionalProperties':{'type':'integer','minimum':1,'maximum':65535}}",
};

/* --- the site's own proxy */

#define LETTERS_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static bool is_host_name(const char *host, size_t n)
{
	const char *dot = memrchr(host, '.', n);
	const char *last = dot ? dot + 1 : host;

	if (n < 1 || n > HOST_LENGTH_MAX || !strchr(LETTERS_DIGITS, host[0]) ||
	    !strchr(LETTERS_DIGITS, host[n - 1]) || strspn(host, LETTERS_DIGITS ".-") < n)
		return false;
	/* 1.2.3 and 0x7f.1 are addresses to some, and names to nobody. */
	return (*last < '0' || *last > '9') && !memmem(host, n, "..", 2);
}

/* "HOST:PORT" or "HOST:PORT/", both as in a URL. */
static int parse_host_port(const char *text, struct arena *arena, struct upstream *ret_upstream)
{
	size_t n = strlen(text);
	char *copy = arena_strndup(arena, text, n && text[n - 1] == '/' ? n - 1 : n);
	char *colon = strrchr(copy, ':');
	struct number_range port;
	struct prefix address;
	uint16_t unused;

	if (!colon || parse_number_range(colon + 1, UINT16_MAX, &port) < 0 ||
	    port.first != port.last || !port.first || strchr(colon, '-'))
		return -EINVAL;
	if (parse_address_port(copy, &address, &unused) == 0) {
		char *host = arena_alloc(arena, PREFIX_TEXT_MAX);

		if (prefix_is_unspecified(&address) || prefix_is_mapped(&address))
			return -EINVAL;
		format_prefix(&address, host);
		*ret_upstream = (struct upstream){ host, (uint16_t)port.first };
		return 0;
	}
	if (!is_host_name(copy, (size_t)(colon - copy)))
		return -EINVAL;
	*colon = '\0';
	*ret_upstream = (struct upstream){ copy, (uint16_t)port.first };
	return 0;
}

static const struct value_type value_upstream;

static int parse_upstream(struct cursor at, void *ret, struct diags *diags)
{
	const char *text = json_string_value(at.value);
	size_t n = strlen("http://");

	if (!text || strncmp(text, "http://", n) != 0 ||
	    parse_host_port(text + n, cursor_arena(at), ret) < 0)
		return diag_expected(diags, at, value_upstream.expected);
	return 0;
}

static const struct value_type value_upstream = {
	.expected = "a proxy such as \"http://proxy.example.net:8080\" (http, a host and a port; "
		    "user and password stand in the file that \"credentials\" names)",
	.parse = parse_upstream,
	.schema = "{'type':'string','pattern':'^http://([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9]"
		  ")?|\\\\[[0-9a-fA-F:.]{2,45}\\\\]):[1-9][0-9]{0,4}/?$'}",
};

/* --- bounds */

static int parse_bound(struct cursor at, json_int_t max, const char *expected, void *ret,
		       struct diags *diags)
{
	json_int_t n = json_integer_value(at.value);

	if (!json_is_integer(at.value) || n < 1 || n > max)
		return diag_expected(diags, at, expected);
	*(uint32_t *)ret = (uint32_t)n;
	return 0;
}

static const struct value_type value_connections, value_seconds;

static int parse_connections(struct cursor at, void *ret, struct diags *diags)
{
	return parse_bound(at, CONNECTIONS_MAX, value_connections.expected, ret, diags);
}

static const struct value_type value_connections = {
	.expected = "a number from 1 to 1000000",
	.parse = parse_connections,
	.schema = "{'type':'integer','minimum':1,'maximum':1000000}",
};

static int parse_seconds(struct cursor at, void *ret, struct diags *diags)
{
	return parse_bound(at, SECONDS_MAX, value_seconds.expected, ret, diags);
}

static const struct value_type value_seconds = {
	.expected = "seconds, from 1 to 31536000 (a year)",
	.parse = parse_seconds,
	.schema = "{'type':'integer','minimum':1,'maximum':31536000}",
};

/* --- where connections are led */

static const struct value_type value_transparent_ports;

static int parse_transparent_ports(struct cursor at, void *ret, struct diags *diags)
{
	const char *text = json_string_value(at.value);
	struct number_range *ret_ports = ret, ports;

	if (!text || !strchr(text, '-') || parse_number_range(text, UINT16_MAX, &ports) < 0 ||
	    ports.first == 0 || ports.last - ports.first >= TRANSPARENT_PORTS_MAX)
		return diag_expected(diags, at, value_transparent_ports.expected);
	*ret_ports = ports;
	return 0;
}

static const struct value_type value_transparent_ports = {
	.expected = "two ports such as \"31280-31295\", at most 64 in all",
	.parse = parse_transparent_ports,
	.schema = "{'type':'string','pattern':'^[1-9][0-9]{0,4}-[1-9][0-9]{0,4}$'}",
};

struct number_range config_transparent_ports(const struct config *config)
{
	static const struct number_range usual = { 31280, 31295 };

	return config->proxy.transparent_ports.first ? config->proxy.transparent_ports : usual;
}

/* --- all of it */

#define AT(member) offsetof(struct proxy_parse, member)

static const struct key proxy_key_list[] = {
	{ "listen", KEY_OPTIONAL, &value_addresses, AT(listen), KEY_NO_PLACE,
	  "[\"127.0.0.1:3128\", \"[::1]:3128\"]", "where the built-in proxy listens" },
	{ "external", KEY_OPTIONAL, &value_addresses, AT(external), KEY_NO_PLACE, NULL,
	  "where another proxy listens, squid for example; then no built-in one runs" },
	{ "ports", KEY_OPTIONAL, &value_service_ports, AT(ports), KEY_NO_PLACE, "{}",
	  "ports that services have of their own at the external proxy, which tells them apart by "
	  "these (uidwall wire --squid); the others reach the ports of \"external\"" },
	{ "upstream", KEY_OPTIONAL, &value_upstream, AT(upstream), KEY_NO_PLACE, NULL,
	  "the site's own proxy, which the built-in one sends everything through" },
	{ "credentials", KEY_OPTIONAL, &value_path, AT(settings.credentials),
	  AT(settings.credentials_place), NULL,
	  "the file with user:password for \"upstream\", which only root may read" },
	{ "connections", KEY_OPTIONAL, &value_connections, AT(settings.connections), KEY_NO_PLACE,
	  "what its descriptors allow", "how many connections the built-in proxy has at once" },
	{ "connections_per_service", KEY_OPTIONAL, &value_connections,
	  AT(settings.connections_per_service), KEY_NO_PLACE,
	  "three quarters of all, less when others need them", "how many of them one service has" },
	{ "request_s", KEY_OPTIONAL, &value_seconds, AT(settings.request_s), KEY_NO_PLACE, "30",
	  "how long a client takes to say where to" },
	{ "idle_s", KEY_OPTIONAL, &value_seconds, AT(settings.idle_s), KEY_NO_PLACE, "3600",
	  "how long a connection lives without a byte in either direction" },
	{ "lifetime_s", KEY_OPTIONAL, &value_seconds, AT(settings.lifetime_s), KEY_NO_PLACE,
	  "as long as it is used", "how long a connection lives at most" },
	{ "transparent_ports", KEY_OPTIONAL, &value_transparent_ports,
	  AT(settings.transparent_ports), KEY_NO_PLACE, "\"31280-31295\"",
	  "ports at the first addresses of \"listen\" that connections of transparent services are "
	  "led to; several, so that two from one source port need not have it changed" },
	{ "comment", KEY_IGNORED, &value_anything, 0, KEY_NO_PLACE, NULL, "ignored" },
};

static const struct key_table proxy_keys = {
	"\"proxy\"",
	proxy_key_list,
	ARRAY_SIZE(proxy_key_list),
	"'dependentRequired':{'credentials':['upstream'],'ports':['external']},"
	"'not':{'required':['external'],'anyOf':[{'required':['listen']},{'required':['upstream']},"
	"{'required':['credentials']},{'required':['connections']},"
	"{'required':['connections_per_service']},{'required':['request_s']},"
	"{'required':['idle_s']},{'required':['lifetime_s']},{'required':['transparent_ports']}]}",
};

/* Keys that make no sense beside others. */
static int check_together(struct cursor at, const struct proxy_parse *parse, struct diags *diags)
{
	const struct config config = { .proxy = parse->settings };
	struct number_range led = config_transparent_ports(&config);
	int r = 0;

	for (size_t i = 0; parse->external.n && i < ARRAY_SIZE(proxy_key_list); i++) {
		const struct key *key = &proxy_key_list[i];
		struct cursor c = keys_find(at, key->name);

		if (!c.value || key->flags & KEY_IGNORED || strcmp(key->name, "external") == 0 ||
		    strcmp(key->name, "ports") == 0)
			continue;
		r = diag_at_key(
			diags, c,
			"\"%s\" is for the built-in proxy, and \"external\" says that another "
			"one is used: remove one of them",
			key->name);
	}
	if (!parse->external.n && parse->settings.credentials && !parse->upstream.host)
		r = diag_at_key(
			diags, keys_find(at, "credentials"),
			"\"credentials\" are for the proxy that \"upstream\" names, and there "
			"is none");
	if (!parse->external.n && keys_find(at, "ports").value)
		r = diag_at_key(diags, keys_find(at, "ports"),
				"\"ports\" are those of an \"external\" proxy, and there is none; "
				"the built-in one knows its callers without");
	for (size_t i = 0; i < parse->listen.n; i++)
		if (parse->listen.addresses[i].port >= led.first &&
		    parse->listen.addresses[i].port <= led.last)
			r = diag_at(diags, keys_find(at, "listen"),
				    "port %u is one of \"transparent_ports\" (%u-%u)",
				    parse->listen.addresses[i].port, led.first, led.last);
	for (size_t i = 0; i < parse->external.n; i++)
		for (size_t j = 0; j < parse->ports.n; j++)
			if (parse->external.addresses[i].port == parse->ports.ports[j].port)
				r = diag_at(diags,
					    keys_find(keys_find(at, "ports"),
						      parse->ports.ports[j].service),
					    "port %u is the one in \"external\", which all others "
					    "reach",
					    parse->ports.ports[j].port);
	return r;
}

static int parse_proxy(struct cursor at, void *ret, struct diags *diags)
{
	struct config *config = ret;
	struct proxy_parse parse = { 0 };
	int r = keys_parse(&proxy_keys, at, &parse, diags);

	if (r == 0)
		r = check_together(at, &parse, diags);
	if (r < 0)
		return r;
	config->proxy_is_external = parse.external.n > 0;
	if (parse.external.n)
		parse.listen = parse.external;
	config->proxies = parse.listen.addresses;
	config->n_proxies = parse.listen.n;
	if (parse.ports.n)
		qsort(parse.ports.ports, parse.ports.n, sizeof(*parse.ports.ports),
		      config_compare_proxy_ports);
	config->proxy_ports = parse.ports.ports;
	config->n_proxy_ports = parse.ports.n;
	config->proxy = parse.settings;
	config->proxy.upstream = parse.upstream.host;
	config->proxy.upstream_port = parse.upstream.port;
	return 0;
}

const struct value_type value_proxy = {
	.expected = "an object with \"listen\" or \"external\"",
	.parse = parse_proxy,
	.object = &proxy_keys,
};
