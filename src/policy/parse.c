/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parse.c - one policy file → struct policy, by the tables of its keys.
 *
 * Also a file with mistakes yields whose sockets it meant, down to one that is no JSON at all: a
 * service whose policy cannot be read is refused everything, so somebody has to know who it is.
 */
#include "policy/parse.h"

#include <errno.h>
#include <string.h>

#include "policy/values.h"

/* --- whose sockets ---------------------------------------------------------------------------- */

struct claim_list {
	struct claim *claims;
	size_t n;
};

static struct claim *claim_add(struct cursor at, struct claim_list *list, enum claim_kind kind)
{
	struct claim *claim = ARENA_APPEND(cursor_arena(at), list->claims, list->n);

	claim->kind = kind;
	claim->place = cursor_place(at);
	return claim;
}

static int parse_claim(struct cursor at, struct claim_list *list, enum claim_kind kind,
		       const char *expected, struct diags *diags)
{
	const char *name;
	uint32_t number = 0;
	struct claim *claim;

	if (parse_account(at, expected, &name, &number, diags) < 0)
		return -EINVAL;
	if (!name && kind == CLAIM_USER && number == 0)
		return diag_at(diags, at,
			       "uid 0 cannot be governed: root removes any rule and owns "
			       "the system's own sockets");
	claim = claim_add(at, list, kind);
	claim->name = name;
	claim->range = (struct number_range){ number, number };
	return 0;
}

static const struct value_type value_user;
static const struct value_type value_users;
static const struct value_type value_group;
static const struct value_type value_uids;

static int parse_user(struct cursor at, void *ret, struct diags *diags)
{
	return parse_claim(at, ret, CLAIM_USER, value_user.expected, diags);
}

static const struct value_type value_user = {
	.expected = "a user's name or number",
	.parse = parse_user,
	.schema = SCHEMA_ACCOUNT("1"),
};

static int parse_users(struct cursor at, void *ret, struct diags *diags)
{
	int r = 0;

	if (!json_is_array(at.value) || json_array_size(at.value) == 0)
		return diag_expected(diags, at, value_users.expected);
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c))
		if (parse_user(c, ret, diags) < 0)
			r = -EINVAL;
	return r;
}

static const struct value_type value_users = {
	.expected = "a list of at least one user, by name or number",
	.parse = parse_users,
	.schema = "{'type':'array','minItems':1,'items':" SCHEMA_ACCOUNT("1") "}",
};

static int parse_group(struct cursor at, void *ret, struct diags *diags)
{
	return parse_claim(at, ret, CLAIM_GROUP, value_group.expected, diags);
}

static const struct value_type value_group = {
	.expected = "a group's name or number",
	.parse = parse_group,
	.schema = SCHEMA_ACCOUNT("0"),
};

static int parse_uid_range(struct cursor at, void *ret, struct diags *diags)
{
	json_int_t n = json_integer_value(at.value);
	const char *text = json_string_value(at.value);
	struct number_range range;

	if (json_is_integer(at.value) && n >= 0 && n <= UID_LAST)
		range = (struct number_range){ (uint32_t)n, (uint32_t)n };
	else if (!text || parse_number_range(text, UID_LAST, &range) < 0)
		return diag_expected(diags, at, value_uids.expected);
	if (range.first == 0)
		return diag_at(diags, at,
			       "the range holds uid 0, which cannot be governed: root "
			       "removes any rule and owns the system's own sockets");
	claim_add(at, ret, CLAIM_UIDS)->range = range;
	return 0;
}

static int parse_uids(struct cursor at, void *ret, struct diags *diags)
{
	int r = 0;

	if (!json_is_array(at.value))
		return parse_uid_range(at, ret, diags);
	if (json_array_size(at.value) == 0)
		return diag_expected(diags, at, value_uids.expected);
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c))
		if (parse_uid_range(c, ret, diags) < 0)
			r = -EINVAL;
	return r;
}

#define SCHEMA_UID_RANGE                                                                           \
	"{'type':['string','integer'],'minimum':1,'maximum':4294967294,"                           \
	"'pattern':'^[1-9][0-9]{0,9}(-[1-9][0-9]{0,9})?$'}"

static const struct value_type value_uids = {
	.expected = "a range of uids such as \"61184-65519\", a uid, or a list of them",
	.parse = parse_uids,
	.schema = "{'anyOf':[" SCHEMA_UID_RANGE
		  ",{'type':'array','minItems':1,'items':" SCHEMA_UID_RANGE "}]}",
};

/* --- connect ---------------------------------------------------------------------------------- */

struct endpoint_parse {
	struct endpoint endpoint;
	struct port_list ports;
	struct date until;
};

#define AT(type, member) offsetof(struct type, member)

static const struct key endpoint_key_list[] = {
	{ "to", KEY_REQUIRED, &value_prefix, AT(endpoint_parse, endpoint.to), KEY_NO_PLACE, NULL,
	  "address or prefix, IPv4 or IPv6, or \"localhost\" for both loopbacks" },
	{ "port", KEY_OPTIONAL, &value_ports, AT(endpoint_parse, ports), KEY_NO_PLACE, NULL,
	  "a port, a range such as \"587-588\", or a list; not with icmp, else required" },
	{ "protocol", KEY_OPTIONAL, &value_protocol, AT(endpoint_parse, endpoint.protocol),
	  KEY_NO_PLACE, "\"tcp\"", "tcp, udp or icmp (echo requests)" },
	{ "interface", KEY_OPTIONAL, &value_interface, AT(endpoint_parse, endpoint.interface),
	  KEY_NO_PLACE, NULL, "only by this interface" },
	{ "until", KEY_OPTIONAL, &value_date, AT(endpoint_parse, until), KEY_NO_PLACE, NULL,
	  "the last day (UTC) on which the line holds, \"2026-12-31\"" },
	{ "comment", KEY_IGNORED, &value_anything, 0, KEY_NO_PLACE, NULL, "ignored" },
	{ "$schema", KEY_IGNORED, &value_anything, 0, KEY_NO_PLACE, NULL, "ignored" },
};

static const struct key_table endpoint_keys = {
	"an endpoint of \"connect\"",
	endpoint_key_list,
	ARRAY_SIZE(endpoint_key_list),
	"'if':{'properties':{'protocol':{'const':'icmp'}},'required':['protocol']},"
	"'then':{'properties':{'port':false}},'else':{'required':['port']}",
};

struct endpoint_list {
	struct endpoint *endpoints;
	size_t n;
};

static int parse_endpoint(struct cursor at, struct endpoint_list *list, struct diags *diags)
{
	struct endpoint_parse parse = { .until.end = INT64_MAX };
	struct cursor port, to;
	int r = keys_parse(&endpoint_keys, at, &parse, diags);

	if (!json_is_object(at.value))
		return r;
	port = keys_find(at, "port");
	to = keys_find(at, "to");
	if (parse.endpoint.protocol == PROTOCOL_ICMP && port.value)
		r = diag_at_key(diags, port, "icmp has no ports; expected no key \"port\"");
	if (parse.endpoint.protocol != PROTOCOL_ICMP && !keys_mention(&endpoint_keys, at, "port"))
		r = diag_at(diags, at,
			    "missing key \"port\" in %s; expected %s (\"1-65535\" is every port)",
			    endpoint_keys.name, value_ports.expected);
	if (r == 0 && parse.endpoint.interface && strcmp(parse.endpoint.interface, "lo") != 0 &&
	    (parse.endpoint.to.family == ADDR_NONE || prefix_is_loopback(&parse.endpoint.to)))
		r = diag_at(diags, to,
			    "loopback is only reached by the interface \"lo\", not by "
			    "\"%s\"",
			    parse.endpoint.interface);
	if (r < 0)
		return r;
	parse.endpoint.ports = parse.ports.ports;
	parse.endpoint.n_ports = parse.ports.n;
	parse.endpoint.until = parse.until.end;
	parse.endpoint.until_text = parse.until.text;
	parse.endpoint.place = cursor_place(at);
	*ARENA_APPEND(cursor_arena(at), list->endpoints, list->n) = parse.endpoint;
	return 0;
}

static const struct value_type value_connect;

static int parse_connect(struct cursor at, void *ret, struct diags *diags)
{
	int r = 0;

	if (!json_is_array(at.value))
		return diag_expected(diags, at, value_connect.expected);
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c))
		if (parse_endpoint(c, ret, diags) < 0)
			r = -EINVAL;
	return r;
}

static const struct value_type value_connect = {
	.expected = "a list of endpoints such as { \"to\": \"192.0.2.7\", \"port\": 443 }",
	.parse = parse_connect,
	.object = &endpoint_keys,
};

/* --- listen ----------------------------------------------------------------------------------- */

struct listener_parse {
	struct listener listener;
	struct port_list ports;
	struct user_list from;
};

static const struct key listener_key_list[] = {
	{ "port", KEY_REQUIRED, &value_ports, AT(listener_parse, ports), KEY_NO_PLACE, NULL,
	  "a port, a range such as \"8000-8003\", or a list" },
	{ "protocol", KEY_OPTIONAL, &value_transport, AT(listener_parse, listener.protocol),
	  KEY_NO_PLACE, "\"tcp\"", "tcp or udp" },
	{ "from", KEY_OPTIONAL, &value_user_refs, AT(listener_parse, from), KEY_NO_PLACE, NULL,
	  "which local users may connect over loopback (root always may); without it, anyone" },
	{ "comment", KEY_IGNORED, &value_anything, 0, KEY_NO_PLACE, NULL, "ignored" },
	{ "$schema", KEY_IGNORED, &value_anything, 0, KEY_NO_PLACE, NULL, "ignored" },
};

static const struct key_table listener_keys = {
	"an entry of \"listen\"",
	listener_key_list,
	ARRAY_SIZE(listener_key_list),
	NULL,
};

struct listener_list {
	struct listener *listeners;
	size_t n;
};

static int parse_listener(struct cursor at, struct listener_list *list, struct diags *diags)
{
	struct listener_parse parse = { 0 };
	int r = keys_parse(&listener_keys, at, &parse, diags);

	if (r < 0)
		return r;
	parse.listener.ports = parse.ports.ports;
	parse.listener.n_ports = parse.ports.n;
	parse.listener.has_from = keys_find(at, "from").value != NULL;
	parse.listener.from = parse.from.users;
	parse.listener.n_from = parse.from.n;
	parse.listener.place = cursor_place(at);
	*ARENA_APPEND(cursor_arena(at), list->listeners, list->n) = parse.listener;
	return 0;
}

static const struct value_type value_listen;

static int parse_listen(struct cursor at, void *ret, struct diags *diags)
{
	int r = 0;

	if (!json_is_array(at.value))
		return diag_expected(diags, at, value_listen.expected);
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c))
		if (parse_listener(c, ret, diags) < 0)
			r = -EINVAL;
	return r;
}

static const struct value_type value_listen = {
	.expected = "a list of ports it answers on, such as { \"port\": 3000 }",
	.parse = parse_listen,
	.object = &listener_keys,
};

/* --- socket ----------------------------------------------------------------------------------- */

static const struct key socket_key_list[] = {
	{ "path", KEY_REQUIRED, &value_path, AT(policy, socket_path), KEY_NO_PLACE, NULL,
	  "where the socket is" },
	{ "peer", KEY_OPTIONAL, &value_account, AT(policy, socket_peer), KEY_NO_PLACE, NULL,
	  "the web server's user or group" },
	{ "comment", KEY_IGNORED, &value_anything, 0, KEY_NO_PLACE, NULL, "ignored" },
	{ "$schema", KEY_IGNORED, &value_anything, 0, KEY_NO_PLACE, NULL, "ignored" },
};

static const struct key_table socket_keys = {
	"\"socket\"",
	socket_key_list,
	ARRAY_SIZE(socket_key_list),
	NULL,
};

static const struct value_type value_socket = {
	.expected = "an object with \"path\" and \"peer\"",
	.object = &socket_keys,
};

/* --- the policy ------------------------------------------------------------------------------- */

static const struct key policy_key_list[] = {
	{ "service", KEY_OPTIONAL, &value_service, AT(policy, service), KEY_NO_PLACE,
	  "the file's name", "the name used in chains, logs and commands" },
	{ "user", KEY_OPTIONAL, &value_user, AT(policy, claims), KEY_NO_PLACE, NULL,
	  "whose sockets: a user, by name or number" },
	{ "users", KEY_OPTIONAL, &value_users, AT(policy, claims), KEY_NO_PLACE, NULL,
	  "whose sockets: a list of users" },
	{ "group", KEY_OPTIONAL, &value_group, AT(policy, claims), KEY_NO_PLACE, NULL,
	  "whose sockets: the members of a group" },
	{ "uids", KEY_OPTIONAL, &value_uids, AT(policy, claims), KEY_NO_PLACE, NULL,
	  "whose sockets: ranges of uids; a user that another policy names wins" },
	{ "unit", KEY_OPTIONAL, &value_unit, AT(policy, unit), AT(policy, unit_place), "none",
	  "also everything in this systemd unit's control group, whoever owns it" },
	{ "mode", KEY_OPTIONAL, &value_mode, AT(policy, mode), AT(policy, mode_place),
	  "\"enforce\"", "\"monitor\" lets everything pass and counts what would be refused" },
	{ "dns", KEY_OPTIONAL, &value_bool, AT(policy, dns), AT(policy, dns_place), "true",
	  "may ask the configured resolvers" },
	{ "proxy", KEY_OPTIONAL, &value_bool, AT(policy, proxy), AT(policy, proxy_place), "true",
	  "may connect to the forward proxy" },
	{ "hosts", KEY_OPTIONAL, &value_hosts, AT(policy, hosts), KEY_NO_PLACE, "[]",
	  "names that the proxy reaches for it; ports 80 and 443 where none is given" },
	{ "transparent", KEY_OPTIONAL, &value_bool, AT(policy, transparent),
	  AT(policy, transparent_place), "false",
	  "its TCP connections to ports 80, 443 and those in \"hosts\" are led to the proxy" },
	{ "connect", KEY_OPTIONAL, &value_connect, AT(policy, connect), KEY_NO_PLACE, "[]",
	  "what it may connect to directly" },
	{ "listen", KEY_OPTIONAL, &value_listen, AT(policy, listen), KEY_NO_PLACE, "[]",
	  "ports it answers on" },
	{ "socket", KEY_OPTIONAL, &value_socket, 0, AT(policy, socket_place), "none",
	  "the unix socket between web server and app" },
	{ "comment", KEY_IGNORED, &value_anything, 0, KEY_NO_PLACE, NULL, "ignored" },
	{ "$schema", KEY_IGNORED, &value_anything, 0, KEY_NO_PLACE, NULL, "ignored" },
};

const struct key_table policy_keys = {
	"a policy",
	policy_key_list,
	ARRAY_SIZE(policy_key_list),
	"'anyOf':[{'required':['user']},{'required':['users']},{'required':['group']},"
	"{'required':['uids']}]",
};

/* The name of a file is shown in comments inside nft strings, which know no escapes. */
static int check_file_name(const struct source *source, struct diags *diags)
{
	size_t n = strlen(source->file);

	if (n > 64 + strlen(".json") || source->file[0] == '-' ||
	    strspn(source->file, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "._-") != n)
		return diag_add(diags, DIAG_ERROR, (struct place){ .file = source->path },
				"expected a file name of at most 64 letters, digits, '.', '_' and "
				"'-' before .json; rename the file");
	return 0;
}

/* The service is named like its file where the policy does not say. */
static int default_service(struct policy *policy, struct diags *diags)
{
	size_t n = strlen(policy->file);
	char *stem;

	if (policy->service)
		return 0;
	if (n > 5 && strcmp(policy->file + n - 5, ".json") == 0)
		n -= 5;
	stem = arena_strndup(diags->arena, policy->file, n);
	if (n > SERVICE_NAME_MAX || n < 1 ||
	    strspn(stem, "abcdefghijklmnopqrstuvwxyz0123456789_-") != n || stem[0] == '_' ||
	    stem[0] == '-') {
		return diag_add(diags, DIAG_ERROR, (struct place){ .file = policy->path },
				"the file's name is no name of a service: expected %s; rename the "
				"file or add the key \"service\"",
				value_service.expected);
	}
	policy->service = stem;
	return 0;
}

struct salvage {
	struct policy *policy;
	struct arena *arena;
};

static void salvage_claim(void *data, size_t key, const json_t *value, struct place place)
{
	static const enum claim_kind kinds[] = { CLAIM_USER, CLAIM_USER, CLAIM_GROUP, CLAIM_UIDS };
	struct salvage *salvage = data;
	const char *name = json_string_value(value);
	json_int_t number = json_integer_value(value);
	struct claim claim = { .kind = (uint8_t)kinds[key], .place = place };
	const json_t *element;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach(value, i, element)
			if (!json_is_array(element))
				salvage_claim(data, key, element, place);
		return;
	}
	if (name && claim.kind == CLAIM_UIDS) {
		if (parse_number_range(name, UID_LAST, &claim.range) < 0)
			return;
	} else if (name) {
		claim.name = arena_strdup(salvage->arena, name);
	} else if (json_is_integer(value) && number > 0 && number <= UID_LAST) {
		claim.range = (struct number_range){ (uint32_t)number, (uint32_t)number };
	} else {
		return;
	}
	*ARENA_APPEND(salvage->arena, salvage->policy->claims, salvage->policy->n_claims) = claim;
}

static const char *const claim_keys[] = { "user", "users", "group", "uids" };

static bool mentions_claim(struct cursor root)
{
	for (size_t i = 0; i < ARRAY_SIZE(claim_keys); i++)
		if (keys_mention(&policy_keys, root, claim_keys[i]))
			return true;
	return false;
}

static int parse_text(const struct source *source, struct arena *arena, struct policy *policy,
		      struct diags *diags)
{
	AUTO(document) struct document *document = NULL;
	struct salvage salvage = { policy, arena };
	struct cursor root;
	int r = document_parse(source, arena, &document, diags);
	bool has_duplicates = r < 0;

	if (document) {
		root = document_root(document);
		policy->place = cursor_place(root);
		if (keys_parse(&policy_keys, root, policy, diags) < 0)
			r = -EINVAL;
		if (json_is_object(root.value) && !mentions_claim(root))
			r = diag_at(diags, root,
				    "the policy governs nobody; expected one of the keys \"user\", "
				    "\"users\", \"group\" or \"uids\"");
		if (!has_duplicates)
			return r;
	}
	/* whoever is named anywhere in it, by the first of two keys, too */
	policy->claims = NULL;
	policy->n_claims = 0;
	source_salvage(source, claim_keys, ARRAY_SIZE(claim_keys), salvage_claim, &salvage);
	return r;
}

int policy_parse(const struct source *source, struct arena *arena, struct policy *ret_policy,
		 struct diags *diags)
{
	struct policy policy = {
		.file = source->file,
		.path = source->path,
		.text = source->text,
		.text_length = source->length,
		.place = { source->path, 1, 1 },
		.dns = true,
		.proxy = true,
	};
	int r_name = check_file_name(source, diags), r = r_name;

	if (parse_text(source, arena, &policy, diags) < 0)
		r = -EINVAL;
	if (r_name == 0 && default_service(&policy, diags) < 0)
		r = -EINVAL;
	if (policy.service)
		policy.service = arena_strdup(arena, policy.service);
	*ret_policy = policy;
	return r;
}

size_t policy_keys_without_effect(const struct policy *policy, const char *ret_names[], size_t max)
{
	const struct {
		const char *name;
		bool used;
	} keys[] = {
		{ "socket", policy->socket_path != NULL },
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys) && n < max; i++)
		if (keys[i].used)
			ret_names[n++] = keys[i].name;
	return n;
}
