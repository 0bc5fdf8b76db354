/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.c - /etc/uidwall/uidwall.json and /etc/resolv.conf → struct config. */
#include "policy/config.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "policy/config_proxy.h"
#include "policy/schema.h"
#include "policy/values.h"

enum { CONFIG_FILE_MAX = 1024 * 1024, NFLOG_GROUP_DEFAULT = 3128 };

struct resolver_list {
	struct resolver *resolvers;
	size_t n;
};

#define AT(type, member) offsetof(struct type, member)

/* "192.0.2.53", "2001:db8::53" or "fe80::1%eth0". */
static int parse_resolver(const char *text, struct arena *arena, struct resolver *ret_resolver)
{
	const char *zone = strchr(text, '%');
	char *address = arena_strndup(arena, text, zone ? (size_t)(zone - text) : strlen(text));

	if (parse_address(address, &ret_resolver->address) < 0 ||
	    prefix_is_mapped(&ret_resolver->address) ||
	    prefix_is_unspecified(&ret_resolver->address))
		return -EINVAL;
	ret_resolver->interface = NULL;
	if (!zone)
		return 0;
	if (ret_resolver->address.family != ADDR_V6 || !zone[1] || strlen(zone + 1) > 15 ||
	    strspn(zone + 1,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+") !=
		    strlen(zone + 1))
		return -EINVAL;
	ret_resolver->interface = arena_strdup(arena, zone + 1);
	return 0;
}

static const struct value_type value_resolvers;

static int parse_resolvers(struct cursor at, void *ret, struct diags *diags)
{
	struct resolver_list *list = ret;
	int r = 0;

	if (!json_is_array(at.value))
		return diag_expected(diags, at, value_resolvers.expected);
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c)) {
		const char *text = json_string_value(c.value);
		struct resolver resolver = { .place = cursor_place(c) };

		if (!text || parse_resolver(text, cursor_arena(at), &resolver) < 0)
			r = diag_expected(diags, c,
					  "the address of a name server, such as \"192.0.2.53\" or "
					  "\"fe80::1%eth0\" (port 53 goes without saying)");
		else
			*ARENA_APPEND(cursor_arena(at), list->resolvers, list->n) = resolver;
	}
	return r;
}

static const struct value_type value_resolvers = {
	.expected = "a list of addresses of name servers",
	.parse = parse_resolvers,
	.schema = "{'type':'array','items':{'type':'string','pattern':"
		  "'^[0-9a-fA-F:.]{2,45}(%[A-Za-z0-9._+-]{1,15})?$'}}",
};

static int parse_log_group(struct cursor at, void *ret, struct diags *diags)
{
	json_int_t n = json_integer_value(at.value);

	if (!json_is_integer(at.value) || n < 0 || n > UINT16_MAX)
		return diag_expected(diags, at, "an NFLOG group from 0 to 65535");
	*(uint16_t *)ret = (uint16_t)n;
	return 0;
}

static const struct value_type value_log_group = {
	.expected = "an NFLOG group from 0 to 65535",
	.parse = parse_log_group,
	.schema = "{'type':'integer','minimum':0,'maximum':65535}",
};

static const struct key log_key_list[] = {
	{ "group", KEY_OPTIONAL, &value_log_group, AT(config, log_group), KEY_NO_PLACE, "3128",
	  "the NFLOG group that refused packets go to" },
	{ "comment", KEY_IGNORED, &value_anything, 0, KEY_NO_PLACE, NULL, "ignored" },
};

static const struct key_table log_keys = { "\"log\"", log_key_list, ARRAY_SIZE(log_key_list),
					   NULL };

static const struct value_type value_log = {
	.expected = "an object such as { \"group\": 3128 }",
	.object = &log_keys,
};

static const struct key config_key_list[] = {
	{ "resolvers", KEY_OPTIONAL, &value_resolvers, AT(config, resolvers), KEY_NO_PLACE,
	  "the name servers of /etc/resolv.conf", "what \"dns\" lets a service ask" },
	{ "proxy", KEY_OPTIONAL, &value_proxy, 0, KEY_NO_PLACE, NULL,
	  "the forward proxy that \"proxy\" lets a service reach" },
	{ "subuids", KEY_OPTIONAL, &value_bool, AT(config, subuids), KEY_NO_PLACE, "true",
	  "the subordinate ids of /etc/subuid are governed like their user" },
	{ "log", KEY_OPTIONAL, &value_log, 0, KEY_NO_PLACE, NULL, "how refusals are logged" },
	{ "admins", KEY_OPTIONAL, &value_user_refs, AT(config, admins), KEY_NO_PLACE, "[]",
	  "users who may do all on the control socket, like root" },
	{ "comment", KEY_IGNORED, &value_anything, 0, KEY_NO_PLACE, NULL, "ignored" },
	{ "$schema", KEY_IGNORED, &value_anything, 0, KEY_NO_PLACE, NULL, "ignored" },
};

const struct key_table config_keys = {
	"the configuration",
	config_key_list,
	ARRAY_SIZE(config_key_list),
	NULL,
};

static void default_proxies(struct config *config, struct arena *arena)
{
	static const char *const addresses[] = { "127.0.0.1:3128", "[::1]:3128" };

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct proxy_address *proxy =
			ARENA_APPEND(arena, config->proxies, config->n_proxies);

		parse_address_port(addresses[i], &proxy->address, &proxy->port);
	}
}

/* resolv.conf(5): "nameserver ADDRESS", the keyword at the start of the line; glibc uses three. */
int config_read_resolvers(const char *resolv_conf, struct arena *arena, struct config *config,
			  struct diags *diags)
{
	const char *path = resolv_conf ? resolv_conf : "/etc/resolv.conf";
	AUTO(file) FILE *f = NULL;
	AUTO(mem) char *line = NULL;
	size_t capacity = 0;
	uint32_t number = 0;
	int r = file_open_lines(path, &f);

	config->resolvers = NULL;
	config->n_resolvers = 0;
	while (f && getline(&line, &capacity, f) >= 0) {
		struct resolver resolver = { .place = { arena_strdup(arena, path), ++number, 1 } };
		char *rest = line, *word = strsep(&rest, " \t\r\n"), *address = NULL;

		if (strcmp(word, "nameserver") != 0)
			continue;
		while (rest && (address = strsep(&rest, " \t\r\n")) && !*address)
			;
		if (!address || parse_resolver(address, arena, &resolver) < 0)
			diag_add(diags, DIAG_WARNING, resolver.place,
				 "expected the address of a name server; the line is ignored");
		else
			*ARENA_APPEND(arena, config->resolvers, config->n_resolvers) = resolver;
	}
	if (r == 0)
		r = file_lines_end(f);
	if (r < 0)
		diag_add(diags, DIAG_ERROR, (struct place){ arena_strdup(arena, path), 0, 0 },
			 "cannot be read: %s", strerror(-r));
	return r;
}

bool config_same_resolvers(const struct config *a, const struct config *b)
{
	if (a->n_resolvers != b->n_resolvers)
		return false;
	for (size_t i = 0; i < a->n_resolvers; i++) {
		const struct resolver *x = &a->resolvers[i], *y = &b->resolvers[i];

		if (prefix_compare(&x->address, &y->address) != 0 ||
		    strcmp(x->interface ? x->interface : "", y->interface ? y->interface : "") != 0)
			return false;
	}
	return true;
}

int config_compare_proxy_ports(const void *a, const void *b)
{
	const struct proxy_port *x = a, *y = b;

	return strcmp(x->service, y->service);
}

const struct proxy_port *config_find_proxy_port(const struct config *config, const char *service)
{
	const struct proxy_port key = { .service = service };

	return config->n_proxy_ports ? bsearch(&key, config->proxy_ports, config->n_proxy_ports,
					       sizeof(key), config_compare_proxy_ports) :
				       NULL;
}

static int parse_source(const struct source *source, struct arena *arena, struct config *ret_config,
			struct diags *diags)
{
	AUTO(document) struct document *document = NULL;
	struct config config = { .subuids = true,
				 .log_group = NFLOG_GROUP_DEFAULT,
				 .resolvers_are_system = true };
	int r = 0;

	if (source->text) {
		config.text = source->text;
		config.text_length = source->length;
		r = document_parse(source, arena, &document, diags);
		if (document &&
		    keys_parse(&config_keys, document_root(document), &config, diags) < 0)
			r = -EINVAL;
		if (r < 0)
			return r;
		config.resolvers_are_system =
			!keys_find(document_root(document), "resolvers").value;
	}
	if (!config.n_proxies)
		default_proxies(&config, arena);
	*ret_config = config;
	return 0;
}

int config_read(const char *path, uid_t owner, const char *resolv_conf, struct arena *arena,
		struct config *ret_config, struct diags *diags)
{
	struct source source = { 0 };
	int r;

	path = arena_strdup(arena, path);
	if (access(path, F_OK) == 0 || errno != ENOENT) {
		r = source_read(path, owner, CONFIG_FILE_MAX, arena, &source, diags);
		if (r < 0)
			return r;
	}
	r = parse_source(&source, arena, ret_config, diags);
	if (r == 0 && ret_config->resolvers_are_system)
		r = config_read_resolvers(resolv_conf, arena, ret_config, diags);
	return r;
}

int config_from_text(const char *path, const char *text, size_t length, const char *resolv_conf,
		     struct arena *arena, struct config *ret_config, struct diags *diags)
{
	struct source source = { .path = arena_strdup(arena, path), .file = "uidwall.json" };
	int r;

	if (text) {
		source.text = arena_strndup(arena, text, length);
		source.length = length;
	}
	r = parse_source(&source, arena, ret_config, diags);
	/* A machine that starts from what it remembers does without those that cannot be read. */
	if (r == 0 && ret_config->resolvers_are_system)
		ret_config->unread = config_read_resolvers(resolv_conf, arena, ret_config, diags);
	return r;
}
