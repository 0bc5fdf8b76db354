/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lists.c - the daemon's lists → whose connection this is, and which hosts it may reach.
 *
 * Texts live in the arena of their lists. The hosts of a service, which are what takes time and
 * memory, are shared by all lists that have them alike.
 */
#include "proxy/daemon/lists.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "wire/reader.h"

enum {
	NOBODYS = UINT32_MAX, /* two services claim it */
	HASH_LENGTH = 16,
	HOSTS_MAX = 65536, /* of one service */
};

struct hosts {
	struct host_list *list;
	uint64_t hash;
	unsigned n_users;
};

struct owner {
	uint32_t first, last; /* uids */
	uint32_t service;     /* index, or NOBODYS */
	const char *name;
};

struct group {
	uint64_t id; /* 0: a free slot */
	uint32_t service;
};

struct owners {
	struct owner *list; /* sorted, disjoint */
	size_t n;
};

struct lists {
	struct arena *arena;
	uint64_t generation;
	struct list *list; /* sorted by service */
	struct hosts **hosts;
	size_t n;
	size_t n_hosts; /* of the array above, while it is filled */
	struct lists_resolvers resolvers;
	struct owners named, ranges;
	struct group *groups; /* a hash table, at most half full; its size is a power of two */
	size_t n_slots;
};

/* --- hosts */

static struct hosts *hosts_take(struct hosts *hosts)
{
	hosts->n_users++;
	return hosts;
}

static void hosts_drop(struct hosts *hosts)
{
	if (!hosts || --hosts->n_users)
		return;
	host_list_free(hosts->list);
	free(hosts);
}

static int hosts_new(const struct host_rule *rules, size_t n, uint64_t hash,
		     struct hosts **ret_hosts)
{
	struct hosts *hosts = calloc(1, sizeof(*hosts));

	if (!hosts || host_list_new(rules, n, &hosts->list) < 0) {
		free(hosts);
		return -ENOMEM;
	}
	hosts->hash = hash;
	hosts->n_users = 1;
	*ret_hosts = hosts;
	return 0;
}

/* --- reading */

/* What is only needed while it is read. */
struct reading {
	struct reader r;
	struct lists *lists;
	const struct lists *before;
	struct arena *whole;   /* until all is read */
	struct arena *scratch; /* of one service */
	struct group *groups;  /* in the order of their coming */
	size_t n_groups;
	bool is_stale;
	bool has_generation, has_services;
};

static const char *keep_text(struct reading *reading, struct reader_text text)
{
	if (!text.bytes)
		return NULL;
	if (memchr(text.bytes, '\0', text.n))
		reader_fail(&reading->r, "a zero byte in a text");
	return arena_strndup(reading->lists->arena, text.bytes, text.n);
}

static uint32_t read_uint32(struct reader *r)
{
	int64_t n = reader_int(r);

	if (n < 0 || n > UINT32_MAX)
		reader_fail(r, "expected a number of 32 bits");
	return (uint32_t)n;
}

/* [first, last, rank, "name" or null], ... */
static void read_uids(struct reading *reading, uint32_t service)
{
	struct reader *r = &reading->r;
	struct lists *lists = reading->lists;

	reader_open(r, '[');
	while (reader_next(r)) {
		struct owner owner = { .service = service };
		struct owners *owners;
		uint32_t parts[3] = { 0 };
		size_t n = 0;

		reader_open(r, '[');
		for (; n <= ARRAY_SIZE(parts) && reader_next(r); n++)
			if (n < ARRAY_SIZE(parts))
				parts[n] = read_uint32(r);
			else
				owner.name = keep_text(reading, reader_text(r));
		if (n <= ARRAY_SIZE(parts) || reader_next(r) || parts[1] < parts[0] || parts[2] > 2)
			reader_fail(r, "expected first and last uid, rank and name");
		if (r->why)
			return;
		owner.first = parts[0];
		owner.last = parts[1];
		owners = parts[2] == 0 ? &lists->named : &lists->ranges;
		*ARENA_APPEND(lists->arena, owners->list, owners->n) = owner;
	}
}

static void read_groups(struct reading *reading, uint32_t service)
{
	struct reader *r = &reading->r;

	reader_open(r, '[');
	while (reader_next(r)) {
		int64_t id = reader_int(r);

		if (id <= 0)
			reader_fail(r, "expected the number of a control group");
		else
			*ARENA_APPEND(reading->whole, reading->groups, reading->n_groups) =
				(struct group){ (uint64_t)id, service };
	}
}

/* "name", "*.name", "name:port", "[2001:db8::1]:port" */
static void take_rule(struct reading *reading, struct reader_text text, struct host_rule *rule)
{
	const char *end, *colon;
	unsigned port = 0;

	*rule = (struct host_rule){ .line = 0 };
	if (text.n > 2 && text.bytes[0] == '*' && text.bytes[1] == '.') {
		rule->is_wildcard = true;
		text.bytes += 2;
		text.n -= 2;
	}
	colon = memrchr(text.bytes, ':', text.n);
	end = text.bytes + text.n;
	if (text.n && text.bytes[0] == '[') {
		const char *bracket = memchr(text.bytes, ']', text.n);

		if (!bracket || (bracket + 1 < end && bracket[1] != ':')) {
			reader_fail(&reading->r, "expected an address in brackets");
			return;
		}
		colon = bracket + 1 < end ? bracket + 1 : NULL;
		text.bytes++;
		text.n = (size_t)(bracket - text.bytes);
	} else if (colon) {
		text.n = (size_t)(colon - text.bytes);
	}
	for (const char *at = colon ? colon + 1 : end; at < end; at++)
		port = *at >= '0' && *at <= '9' && port <= UINT16_MAX ?
			       port * 10 + (unsigned)(*at - '0') :
			       UINT16_MAX + 1;
	if (!text.n || text.n > HOST_NAME_MAX_LENGTH || port > UINT16_MAX || (colon && !port)) {
		reader_fail(&reading->r, "expected a host");
		return;
	}
	rule->port = (uint16_t)port;
	rule->name = arena_strndup(reading->scratch, text.bytes, text.n);
}

struct rules {
	struct host_rule *list;
	size_t n, n_lines;
	bool are_given;
};

static void read_hosts(struct reading *reading, struct rules *rules)
{
	struct reader *r = &reading->r;
	struct host_rule rule;

	reader_open(r, '[');
	while (reader_next(r)) {
		struct reader_text text = reader_text(r);

		if (!text.bytes || rules->n == HOSTS_MAX)
			reader_fail(r, "expected a host");
		else
			take_rule(reading, text, &rule);
		if (r->why)
			return;
		*ARENA_APPEND(reading->scratch, rules->list, rules->n) = rule;
	}
	rules->are_given = true;
}

/* After the hosts. */
static void read_lines(struct reading *reading, struct rules *rules)
{
	struct reader *r = &reading->r;

	reader_open(r, '[');
	while (reader_next(r)) {
		uint32_t line = read_uint32(r);

		if (rules->n_lines == rules->n)
			reader_fail(r, "expected as many lines as hosts");
		else
			rules->list[rules->n_lines++].line = line;
	}
	if (rules->n_lines != rules->n)
		reader_fail(r, "expected as many lines as hosts");
}

static uint8_t read_mode(struct reader *r)
{
	static const char *const modes[] = { "enforce", "monitor", "off" };
	struct reader_text text = reader_text(r);

	for (uint8_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (reader_is(&text, modes[i]))
			return i;
	reader_fail(r, "expected a mode");
	return LIST_ENFORCE;
}

static uint64_t read_hash(struct reader *r)
{
	struct reader_text text = reader_text(r);
	char copy[HASH_LENGTH + 1] = "", *end = copy;
	uint64_t hash = 0;

	if (text.bytes && text.n == HASH_LENGTH) {
		memcpy(copy, text.bytes, text.n);
		hash = strtoull(copy, &end, 16);
	}
	if (end != copy + HASH_LENGTH)
		reader_fail(r, "expected a hash of 16 digits");
	return hash;
}

static struct hosts *find_hosts(const struct lists *lists, const char *service)
{
	const struct list *list = lists ? lists_find_service(lists, service) : NULL;

	return list ? lists->hosts[list - lists->list] : NULL;
}

/* The hosts of before where they are the same, else new ones. */
static int settle_hosts(struct reading *reading, const char *service, uint64_t hash,
			const struct rules *rules, struct hosts **ret_hosts)
{
	struct hosts *old = find_hosts(reading->before, service);

	if (old && old->hash == hash) {
		*ret_hosts = hosts_take(old);
		return 0;
	}
	if (!rules->are_given) {
		reading->is_stale = true;
		reader_fail(&reading->r, "it leaves out hosts that are not known yet");
		return -ESTALE;
	}
	return hosts_new(rules->list, rules->n, hash, ret_hosts);
}

static int finish_service(struct reading *reading, struct list *list, uint64_t hash,
			  const struct rules *rules)
{
	struct lists *lists = reading->lists;
	struct reader *r = &reading->r;
	struct hosts *hosts = NULL;
	int r_hosts;

	if (!list->service || !list->file)
		reader_fail(r, "a service without its name or file");
	else if (lists->n && strcmp(lists->list[lists->n - 1].service, list->service) >= 0)
		reader_fail(r, "services are not in the order of their names");
	if (r->why)
		return 0;
	r_hosts = settle_hosts(reading, list->service, hash, rules, &hosts);
	if (r_hosts < 0)
		return r_hosts == -ESTALE ? 0 : r_hosts;
	list->hosts = hosts->list;
	*ARENA_APPEND(lists->arena, lists->hosts, lists->n_hosts) = hosts;
	*ARENA_APPEND(lists->arena, lists->list, lists->n) = *list;
	return 0;
}

/* The hash comes before the hosts, which are not looked at where they are known. */
static int read_service(struct reading *reading)
{
	struct reader *r = &reading->r;
	uint32_t index = (uint32_t)reading->lists->n;
	struct list list = { NULL };
	struct rules rules = { NULL };
	struct reader_text key;
	struct hosts *old = NULL;
	uint64_t hash = 0;

	reader_open(r, '{');
	while (reader_key(r, &key)) {
		bool is_known = list.service && old && old->hash == hash;

		if (reader_is(&key, "service")) {
			list.service = keep_text(reading, reader_text(r));
			if (list.service)
				old = find_hosts(reading->before, list.service);
		} else if (reader_is(&key, "file")) {
			list.file = keep_text(reading, reader_text(r));
		} else if (reader_is(&key, "mode")) {
			list.mode = read_mode(r);
		} else if (reader_is(&key, "proxy")) {
			list.proxy = reader_bool(r);
		} else if (reader_is(&key, "transparent")) {
			list.transparent = reader_bool(r);
		} else if (reader_is(&key, "uids")) {
			read_uids(reading, index);
		} else if (reader_is(&key, "groups")) {
			read_groups(reading, index);
		} else if (reader_is(&key, "hash")) {
			hash = read_hash(r);
		} else if (reader_is(&key, "hosts") && !is_known) {
			read_hosts(reading, &rules);
		} else if (reader_is(&key, "lines") && !is_known) {
			read_lines(reading, &rules);
		} else {
			reader_skip(r);
		}
	}
	return finish_service(reading, &list, hash, &rules);
}

static int read_services(struct reading *reading)
{
	struct reader *r = &reading->r;
	int result = 0;

	reader_open(r, '[');
	while (result == 0 && reader_next(r)) {
		AUTO(arena) struct arena *scratch = arena_new();

		reading->scratch = scratch;
		result = read_service(reading);
	}
	reading->has_services = true;
	return result;
}

/* What two services claim. */
static void read_nobody(struct reading *reading)
{
	struct reader *r = &reading->r;
	struct reader_text key;

	reader_open(r, '{');
	while (reader_key(r, &key)) {
		if (reader_is(&key, "uids"))
			read_uids(reading, NOBODYS);
		else if (reader_is(&key, "groups"))
			read_groups(reading, NOBODYS);
		else
			reader_skip(r);
	}
}

/* --- look-ups */

static int compare_owners(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static void settle_owners(struct reading *reading, struct owners *owners)
{
	if (owners->n)
		qsort(owners->list, owners->n, sizeof(*owners->list), compare_owners);
	for (size_t i = 1; i < owners->n; i++)
		if (owners->list[i].first <= owners->list[i - 1].last)
			reader_fail(&reading->r, "a uid of two owners");
}

static const struct owner *find_owner(const struct owners *owners, uint32_t uid)
{
	size_t low = 0, high = owners->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (owners->list[middle].last < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < owners->n && owners->list[low].first <= uid ? &owners->list[low] : NULL;
}

/* The slot of a group, or the free one where it belongs. Numbers count up: Fibonacci hashing
 * spreads them.
 */
static struct group *find_group(const struct lists *lists, uint64_t id)
{
	size_t at = (size_t)(id * 0x9e3779b97f4a7c15u >> 32) & (lists->n_slots - 1);

	while (lists->groups[at].id && lists->groups[at].id != id)
		at = (at + 1) & (lists->n_slots - 1);
	return &lists->groups[at];
}

static void settle_groups(struct reading *reading)
{
	struct lists *lists = reading->lists;

	if (!reading->n_groups)
		return;
	lists->n_slots = 16;
	while (lists->n_slots < 2 * reading->n_groups)
		lists->n_slots *= 2;
	lists->groups = arena_alloc(lists->arena, lists->n_slots * sizeof(*lists->groups));
	for (size_t i = 0; i < reading->n_groups; i++) {
		struct group *slot = find_group(lists, reading->groups[i].id);

		if (slot->id && slot->service != reading->groups[i].service)
			reader_fail(&reading->r, "a control group of two services");
		*slot = reading->groups[i];
	}
}

static const struct list *list_of(const struct lists *lists, uint32_t service)
{
	return service == NOBODYS ? NULL : &lists->list[service];
}

const struct list *lists_find(const struct lists *lists, uint32_t uid, uint64_t cgroup,
			      const char **ret_user)
{
	const struct owner *named = find_owner(&lists->named, uid), *range;

	if (ret_user)
		*ret_user = named ? named->name : NULL;
	if (named)
		return list_of(lists, named->service);
	if (cgroup && lists->n_slots) {
		const struct group *group = find_group(lists, cgroup);

		if (group->id)
			return list_of(lists, group->service);
	}
	range = find_owner(&lists->ranges, uid);
	return range ? list_of(lists, range->service) : NULL;
}

const struct list *lists_find_service(const struct lists *lists, const char *service)
{
	size_t low = 0, high = lists->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(lists->list[middle].service, service);

		if (order == 0)
			return &lists->list[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

uint64_t lists_generation(const struct lists *lists)
{
	return lists->generation;
}

size_t lists_count(const struct lists *lists)
{
	return lists->n;
}

const struct lists_resolvers *lists_resolvers(const struct lists *lists)
{
	return &lists->resolvers;
}

const struct list *lists_at(const struct lists *lists, size_t i)
{
	return &lists->list[i];
}

/* --- whole lists */

void lists_free(struct lists *lists)
{
	if (!lists)
		return;
	for (size_t i = 0; i < lists->n_hosts; i++)
		hosts_drop(lists->hosts[i]);
	arena_free(lists->arena);
	free(lists);
}

/* "192.0.2.53", "fe80::1%eth0" */
static void read_resolvers(struct reading *reading)
{
	struct lists_resolvers *resolvers = &reading->lists->resolvers;
	struct arena *arena = reading->lists->arena;
	struct reader *r = &reading->r;
	size_t n_interfaces = 0;

	reader_open(r, '[');
	while (reader_next(r)) {
		const char *text = keep_text(reading, reader_text(r));
		const char *zone = text ? strchr(text, '%') : NULL;
		char *address = text ? arena_strndup(arena, text, strcspn(text, "%")) : NULL;
		struct prefix server;

		if (!address || parse_address(address, &server) < 0) {
			reader_fail(r, "expected the address of a name server");
			return;
		}
		*ARENA_APPEND(arena, resolvers->servers, resolvers->n) = server;
		*ARENA_APPEND(arena, resolvers->interfaces, n_interfaces) = zone ? zone + 1 : NULL;
	}
}

static int read_all(struct reading *reading)
{
	struct reader *r = &reading->r;
	struct reader_text key;
	int result = 0;

	reader_open(r, '{');
	while (result == 0 && reader_key(r, &key)) {
		if (reader_is(&key, "generation")) {
			int64_t n = reader_int(r);

			if (n <= 0)
				reader_fail(r, "expected a generation above zero");
			reading->lists->generation = (uint64_t)n;
			reading->has_generation = true;
		} else if (reader_is(&key, "services") && !reading->has_services) {
			result = read_services(reading);
		} else if (reader_is(&key, "nobody")) {
			read_nobody(reading);
		} else if (reader_is(&key, "resolvers") && !reading->lists->resolvers.n) {
			read_resolvers(reading);
		} else {
			reader_skip(r);
		}
	}
	if (result < 0)
		return result;
	if (!reading->has_generation || !reading->has_services)
		reader_fail(r, "expected a generation and services");
	settle_owners(reading, &reading->lists->named);
	settle_owners(reading, &reading->lists->ranges);
	settle_groups(reading);
	if (reader_end(r))
		return 0;
	return reading->is_stale ? -ESTALE : -EINVAL;
}

int lists_parse(const char *bytes, size_t n, const struct lists *before, struct lists **ret_lists,
		char **ret_error)
{
	AUTO(lists) struct lists *lists = calloc(1, sizeof(*lists));
	AUTO(arena) struct arena *whole = arena_new();
	struct reading reading = { .lists = lists, .before = before, .whole = whole };
	int r;

	*ret_error = NULL;
	if (!lists)
		return -ENOMEM;
	lists->arena = arena_new();
	reader_init(&reading.r, bytes, n, whole);
	r = read_all(&reading);
	if (r == -EINVAL || r == -ESTALE) {
		if (asprintf(ret_error, "byte %td of %zu: %s", reading.r.at - bytes, n,
			     reading.r.why) < 0)
			*ret_error = NULL;
	}
	if (r < 0)
		return r;
	*ret_lists = TAKE(lists);
	return 0;
}
