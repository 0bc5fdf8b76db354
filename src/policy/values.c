/* SPDX-License-Identifier: GPL-2.0-or-later */
/* values.c - JSON value → port list, prefix, date, ... or a message saying what was expected. */
#include "policy/values.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

/* A JSON string's bytes; NULL for anything else. jansson refuses "\u0000", so it ends at its NUL.
 */
static const char *string_of(struct cursor at)
{
	return json_string_value(at.value);
}

static int parse_anything(struct cursor at, void *ret, struct diags *diags)
{
	(void)at;
	(void)ret;
	(void)diags;
	return 0;
}

const struct value_type value_anything = {
	.expected = "anything",
	.parse = parse_anything,
	.schema = "true",
};

static int parse_bool(struct cursor at, void *ret, struct diags *diags)
{
	if (!json_is_boolean(at.value))
		return diag_expected(diags, at, value_bool.expected);
	*(bool *)ret = json_is_true(at.value);
	return 0;
}

const struct value_type value_bool = {
	.expected = "true or false",
	.parse = parse_bool,
	.schema = "{'type':'boolean'}",
};

static int parse_service(struct cursor at, void *ret, struct diags *diags)
{
	const char *name = string_of(at);
	size_t n = name ? strlen(name) : 0;

	if (n < 1 || n > SERVICE_NAME_MAX ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != n || name[0] == '_' ||
	    name[0] == '-')
		return diag_expected(diags, at, value_service.expected);
	*(const char **)ret = arena_strdup(cursor_arena(at), name);
	return 0;
}

const struct value_type value_service = {
	.expected = "a name of 1 to 32 of a-z, 0-9, _ and -, starting with a letter or digit",
	.parse = parse_service,
	.schema = "{'type':'string','pattern':'^[a-z0-9][a-z0-9_-]{0,31}$'}",
};

/* --- numbers ---------------------------------------------------------------------------------- */

static const char *parse_number(const char *text, uint32_t max, uint32_t *ret_number)
{
	uint64_t number = 0;
	const char *p = text;

	while (*p >= '0' && *p <= '9' && number <= max)
		number = number * 10 + (uint64_t)(*p++ - '0');
	if (p == text || number > max || (text[0] == '0' && p > text + 1))
		return NULL;
	*ret_number = (uint32_t)number;
	return p;
}

int parse_number_range(const char *text, uint32_t max, struct number_range *ret_range)
{
	struct number_range range;
	const char *p = parse_number(text, max, &range.first);

	if (!p)
		return -EINVAL;
	range.last = range.first;
	if (*p == '-')
		p = parse_number(p + 1, max, &range.last);
	if (!p || *p || range.last < range.first)
		return -EINVAL;
	*ret_range = range;
	return 0;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct number_range *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->last < y->last ? -1 : x->last > y->last;
}

void ranges_normalize(struct number_range *ranges, size_t *n)
{
	size_t kept = 0;

	if (*n)
		qsort(ranges, *n, sizeof(*ranges), compare_ranges);
	for (size_t i = 0; i < *n; i++) {
		if (kept && (uint64_t)ranges[kept - 1].last + 1 >= ranges[i].first) {
			if (ranges[i].last > ranges[kept - 1].last)
				ranges[kept - 1].last = ranges[i].last;
		} else {
			ranges[kept++] = ranges[i];
		}
	}
	*n = kept;
}

bool ranges_overlap(const struct number_range *a, size_t n_a, const struct number_range *b,
		    size_t n_b)
{
	for (size_t i = 0, j = 0; i < n_a && j < n_b;) {
		if (a[i].last < b[j].first)
			i++;
		else if (b[j].last < a[i].first)
			j++;
		else
			return true;
	}
	return false;
}

bool ranges_contain(const struct number_range *outer, size_t n, uint32_t number)
{
	struct number_range one = { number, number };

	return ranges_overlap(outer, n, &one, 1);
}

/* --- ports ------------------------------------------------------------------------------------ */

static int parse_port_item(struct cursor at, struct number_range *ret_range, struct diags *diags)
{
	json_int_t n = json_integer_value(at.value);
	const char *text = string_of(at);

	if (json_is_integer(at.value) && n >= 1 && n <= UINT16_MAX) {
		*ret_range = (struct number_range){ (uint32_t)n, (uint32_t)n };
		return 0;
	}
	if (!text || parse_number_range(text, UINT16_MAX, ret_range) < 0 || ret_range->first == 0)
		return diag_expected(diags, at,
				     "a port number from 1 to 65535 or a range such as "
				     "\"587-588\"");
	return 0;
}

static int parse_ports(struct cursor at, void *ret, struct diags *diags)
{
	struct port_list *list = ret;
	struct number_range range;
	int r = 0;

	if (!json_is_array(at.value)) {
		if (parse_port_item(at, &range, diags) < 0)
			return -EINVAL;
		*ARENA_APPEND(cursor_arena(at), list->ports, list->n) = range;
		return 0;
	}
	if (json_array_size(at.value) == 0)
		return diag_expected(diags, at, "at least one port");
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c)) {
		if (parse_port_item(c, &range, diags) < 0)
			r = -EINVAL;
		else
			*ARENA_APPEND(cursor_arena(at), list->ports, list->n) = range;
	}
	ranges_normalize(list->ports, &list->n);
	return r;
}

#define SCHEMA_PORT                                                                                \
	"{'type':['integer','string'],'minimum':1,'maximum':65535,"                                \
	"'pattern':'^" SCHEMA_DECIMAL_PORT "(-" SCHEMA_DECIMAL_PORT ")?$'}"

const struct value_type value_ports = {
	.expected = "a port number from 1 to 65535, a range such as \"587-588\", or a list of them",
	.parse = parse_ports,
	.schema =
		"{'anyOf':[" SCHEMA_PORT ",{'type':'array','minItems':1,'items':" SCHEMA_PORT "}]}",
};

/* --- words ------------------------------------------------------------------------------------ */

static int parse_word(struct cursor at, const char *const *words, size_t n, const char *expected,
		      uint8_t *ret, struct diags *diags)
{
	const char *text = string_of(at), *suggestion;

	for (size_t i = 0; text && i < n; i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret = (uint8_t)i;
			return 0;
		}
	}
	suggestion = text ? text_suggest(text, words, n) : NULL;
	if (suggestion)
		return diag_expected(diags, at,
				     arena_printf(diags->arena, "%s (did you mean \"%s\"?)",
						  expected, suggestion));
	return diag_expected(diags, at, expected);
}

static const char *const protocol_names[] = {
	[PROTOCOL_TCP] = "tcp",
	[PROTOCOL_UDP] = "udp",
	[PROTOCOL_ICMP] = "icmp",
};

static int parse_protocol(struct cursor at, void *ret, struct diags *diags)
{
	return parse_word(at, protocol_names, 3, value_protocol.expected, ret, diags);
}

const struct value_type value_protocol = {
	.expected = "\"tcp\", \"udp\" or \"icmp\"",
	.parse = parse_protocol,
	.schema = "{'enum':['tcp','udp','icmp']}",
};

static int parse_transport(struct cursor at, void *ret, struct diags *diags)
{
	return parse_word(at, protocol_names, 2, value_transport.expected, ret, diags);
}

const struct value_type value_transport = {
	.expected = "\"tcp\" or \"udp\"",
	.parse = parse_transport,
	.schema = "{'enum':['tcp','udp']}",
};

static int parse_mode(struct cursor at, void *ret, struct diags *diags)
{
	static const char *const names[] = {
		[MODE_ENFORCE] = "enforce",
		[MODE_MONITOR] = "monitor",
	};

	return parse_word(at, names, ARRAY_SIZE(names), value_mode.expected, ret, diags);
}

const struct value_type value_mode = {
	.expected = "\"enforce\" or \"monitor\"",
	.parse = parse_mode,
	.schema = "{'enum':['enforce','monitor']}",
};

/* --- addresses -------------------------------------------------------------------------------- */

static int parse_to(struct cursor at, void *ret, struct diags *diags)
{
	const char *text = string_of(at);
	char shown[PREFIX_TEXT_MAX];
	struct prefix prefix;
	int r;

	if (!text)
		return diag_expected(diags, at, value_prefix.expected);
	if (strcmp(text, "localhost") == 0) {
		*(struct prefix *)ret = (struct prefix){ .family = ADDR_NONE };
		return 0;
	}
	r = parse_prefix(text, &prefix);
	if (r == -ERANGE) {
		format_prefix(&prefix, shown);
		return diag_expected(diags, at,
				     arena_printf(diags->arena,
						  "a prefix without host bits (did you mean "
						  "\"%s\"?)",
						  shown));
	}
	if (r < 0 && strchr(text, '%'))
		return diag_expected(diags, at,
				     "an address without a zone (name the interface with the "
				     "key \"interface\")");
	if (r < 0 && text[0] && strspn(text, "0123456789.:/abcdefABCDEF") != strlen(text))
		return diag_expected(diags, at,
				     "an address, a prefix or \"localhost\" (names belong in "
				     "\"hosts\", which the proxy resolves)");
	if (r < 0)
		return diag_expected(diags, at, value_prefix.expected);
	if (prefix_is_mapped(&prefix))
		return diag_expected(diags, at,
				     "an IPv4 address in its own form (packets to a mapped "
				     "address leave as IPv4)");
	if (prefix_is_unspecified(&prefix))
		return diag_expected(diags, at,
				     "an address that can be reached (for this machine itself "
				     "write \"localhost\", for everything a prefix of length 0)");
	*(struct prefix *)ret = prefix;
	return 0;
}

const struct value_type value_prefix = {
	.expected = "an IPv4 or IPv6 address or prefix, or \"localhost\"",
	.parse = parse_to,
	.schema = "{'type':'string','anyOf':[{'const':'localhost'},"
		  "{'pattern':'^" SCHEMA_V4 "(/(3[0-2]|[12]?[0-9]))?$'},"
		  "{'pattern':'^(?=.*:)(?!.*:::)[0-9a-fA-F:]{2,39}([0-9.]{7,15})?"
		  "(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?$'}]}",
};

/* dev_valid_name() in net/core/dev.c refuses '/', ':' and white space; a trailing '*' would be a
 * wildcard to nft, and quotes or backslashes have no escape in its strings.
 */
static int parse_interface(struct cursor at, void *ret, struct diags *diags)
{
	const char *name = string_of(at);
	size_t n = name ? strlen(name) : 0;

	if (n < 1 || n > 15 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return diag_expected(diags, at, value_interface.expected);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-+@", name[i]))
			return diag_expected(diags, at, value_interface.expected);
	*(const char **)ret = arena_strdup(cursor_arena(at), name);
	return 0;
}

const struct value_type value_interface = {
	.expected = "an interface's name: 1 to 15 of letters, digits, . _ - + and @",
	.parse = parse_interface,
	.schema =
		"{'type':'string','pattern':'^[A-Za-z0-9._+@-]{1,15}$','not':{'enum':['.','..']}}",
};

/* --- dates ------------------------------------------------------------------------------------ */

static bool all_digits(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return true;
}

static int parse_date(struct cursor at, void *ret, struct diags *diags)
{
	const char *text = string_of(at);
	struct date *date = ret;
	struct tm tm = { 0 }, normal;

	if (!text || strlen(text) != 10 || text[4] != '-' || text[7] != '-' ||
	    !all_digits(text, 4) || !all_digits(text + 5, 2) || !all_digits(text + 8, 2))
		return diag_expected(diags, at, value_date.expected);
	tm.tm_year = atoi(text) - 1900;
	tm.tm_mon = atoi(text + 5) - 1;
	tm.tm_mday = atoi(text + 8);
	normal = tm;
	/* timegm() turns February 30 into March 2. The kernel counts nanoseconds in 64 bits. */
	if (timegm(&normal) < 0 || normal.tm_mon != tm.tm_mon || normal.tm_mday != tm.tm_mday ||
	    tm.tm_year > 2199 - 1900)
		return diag_expected(diags, at, "a day of the calendar, from 1970 to 2199");
	tm.tm_mday++;
	date->end = timegm(&tm);
	date->text = arena_strdup(cursor_arena(at), text);
	return 0;
}

const struct value_type value_date = {
	.expected = "a date such as \"2026-12-31\", the last day (UTC) on which it holds",
	.parse = parse_date,
	.schema = "{'type':'string','pattern':'^(19[789][0-9]|2[01][0-9]{2})-(0[1-9]|1[0-2])-"
		  "(0[1-9]|[12][0-9]|3[01])$'}",
};

/* --- accounts --------------------------------------------------------------------------------- */

/* Debian's useradd takes almost anything; /etc/passwd sets the limits: no ':', no line feed. */
static bool is_account_name(const char *name)
{
	size_t n = strlen(name);

	if (n < 1 || n > 32)
		return false;
	for (size_t i = 0; i < n; i++)
		if (iscntrl((unsigned char)name[i]) || strchr(":/, ", name[i]))
			return false;
	return true;
}

int parse_account(struct cursor at, const char *expected, const char **ret_name,
		  uint32_t *ret_number, struct diags *diags)
{
	const char *name = string_of(at);
	json_int_t n = json_integer_value(at.value);

	if (name && is_account_name(name)) {
		*ret_name = arena_strdup(cursor_arena(at), name);
		return 0;
	}
	if (name && *name)
		return diag_expected(diags, at,
				     arena_printf(diags->arena,
						  "%s (a name has at most 32 bytes, no white "
						  "space and none of : , /)",
						  expected));
	if (!json_is_integer(at.value) || n < 0 || n > UID_LAST)
		return diag_expected(diags, at, expected);
	*ret_name = NULL;
	*ret_number = (uint32_t)n;
	return 0;
}

static int parse_user_ref(struct cursor at, struct user_list *list, struct diags *diags)
{
	struct user_ref ref = { .place = cursor_place(at) };

	if (parse_account(at, "a user's name or number", &ref.name, &ref.uid, diags) < 0)
		return -EINVAL;
	*ARENA_APPEND(cursor_arena(at), list->users, list->n) = ref;
	return 0;
}

static int parse_user_refs(struct cursor at, void *ret, struct diags *diags)
{
	int r = 0;

	if (!json_is_array(at.value))
		return diag_expected(diags, at, value_user_refs.expected);
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c))
		if (parse_user_ref(c, ret, diags) < 0)
			r = -EINVAL;
	return r;
}

const struct value_type value_user_refs = {
	.expected = "a list of users, by name or number",
	.parse = parse_user_refs,
	.schema = "{'type':'array','items':" SCHEMA_ACCOUNT("0") "}",
};

static int parse_account_name(struct cursor at, void *ret, struct diags *diags)
{
	const char *name = string_of(at);

	if (!name || !is_account_name(name))
		return diag_expected(diags, at, value_account.expected);
	*(const char **)ret = arena_strdup(cursor_arena(at), name);
	return 0;
}

const struct value_type value_account = {
	.expected = "the name of a user or group",
	.parse = parse_account_name,
	.schema = "{'type':'string','minLength':1,'maxLength':32,"
		  "'pattern':'^[^:/, \\\\x00-\\\\x1f\\\\x7f]+$'}",
};

/* --- units and sockets ------------------------------------------------------------------------ */

static bool is_unit_name(const char *name)
{
	static const char *const suffixes[] = { ".service", ".slice", ".scope", ".socket" };
	size_t n = strlen(name);

	if (n > 255 || name[0] == '-') /* "-.slice" holds the whole system */
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr(":-_.\\@", name[i]))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t m = strlen(suffixes[i]);

		if (n > m && strcmp(name + n - m, suffixes[i]) == 0)
			return true;
	}
	return false;
}

/* A path below the cgroup2 mount: no empty, "." or ".." part. */
static bool is_group_path(const char *path)
{
	size_t n = strlen(path);
	unsigned level = 0;

	if (path[0] != '/' || n < 2 || n > 1024)
		return false;
	for (const char *p = path; *p;) {
		size_t part = strcspn(p + 1, "/");

		if (++level > CGROUP_LEVELS || part == 0 || (part == 1 && p[1] == '.') ||
		    (part == 2 && p[1] == '.' && p[2] == '.'))
			return false;
		for (size_t i = 1; i <= part; i++)
			if (!isgraph((unsigned char)p[i]) || p[i] == '"')
				return false;
		p += part + 1;
	}
	return true;
}

static int parse_unit(struct cursor at, void *ret, struct diags *diags)
{
	const char *text = string_of(at);

	if (!text || (text[0] == '/' ? !is_group_path(text) : !is_unit_name(text)))
		return diag_expected(diags, at, value_unit.expected);
	*(const char **)ret = arena_strdup(cursor_arena(at), text);
	return 0;
}

const struct value_type value_unit = {
	.expected = "a systemd unit such as \"blog.service\", or a path of at most 8 folders "
		    "below the cgroup2 mount such as \"/system.slice/blog.service\"",
	.parse = parse_unit,
	.schema = "{'type':'string','anyOf':[{'maxLength':255,'pattern':"
		  "'^[A-Za-z0-9:_.\\\\\\\\@][A-Za-z0-9:_.\\\\\\\\@-]*\\\\.(service|slice|scope|"
		  "socket)$'},"
		  "{'maxLength':1024,'pattern':'^(/(?!\\\\.{1,2}(/|$))[!#-.0-~]+){1,8}$'}]}",
};

static int parse_path(struct cursor at, void *ret, struct diags *diags)
{
	const char *text = string_of(at);

	/* unix(7): sun_path, with its NUL */
	if (!text || text[0] != '/' || !text[1] ||
	    strlen(text) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return diag_expected(diags, at, value_path.expected);
	for (const char *p = text; *p; p++)
		if (iscntrl((unsigned char)*p))
			return diag_expected(diags, at, value_path.expected);
	*(const char **)ret = arena_strdup(cursor_arena(at), text);
	return 0;
}

const struct value_type value_path = {
	.expected = "an absolute path of at most 107 bytes, none of them a control character",
	.parse = parse_path,
	.schema = "{'type':'string','pattern':'^/[^\\\\x00-\\\\x1f\\\\x7f]+$','maxLength':107}",
};
