/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proxy_lists.c - policies in force → the answer to the call "lists".
 *
 * Of what was told only hashes are kept, 24 bytes a service: they say which hosts have changed
 * since a number. Nothing is done while nobody asks.
 */
#include "runtime/proxy_lists.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "policy/families.h"
#include "runtime/boot.h"

enum { HOST_ENTRY_ROOM = 288 };

struct told {
	uint64_t service;    /* hash of its name */
	uint64_t hosts;	     /* hash of its hosts */
	uint64_t generation; /* since when they are so */
};

struct proxy_lists {
	uint64_t first, generation;
	uint64_t hash;			/* of all that the proxy is told */
	uint64_t number, n_regroupings; /* of the wall, when it was looked at */
	struct told *told;		/* sorted by service; malloc'd */
	size_t n_told;
};

/* --- hashes: FNV-1a, 64 bits */

#define HASH_FIRST 0xcbf29ce484222325u

static uint64_t mix(uint64_t hash, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	return hash;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
	return text ? mix(hash, text, strlen(text) + 1) : mix(hash, "\1", 2);
}

static uint64_t mix_number(uint64_t hash, uint64_t n)
{
	return mix(hash, &n, sizeof(n));
}

/* What its file says counts for nothing. */
static bool is_refused(const struct wall *wall, size_t i)
{
	return wall->current->states[i] == POLICY_REFUSED;
}

static bool is_off(const struct wall *wall, size_t i)
{
	return wall->switches.all_off || wall->current->set.services[i].state == POLICY_OFF;
}

static uint64_t hash_hosts(const struct wall *wall, size_t i)
{
	const struct policy *policy = wall->current->set.services[i].policy;
	uint64_t hash = HASH_FIRST;

	for (size_t j = 0; !is_refused(wall, i) && j < policy->n_hosts; j++) {
		const struct host_pattern *host = &policy->hosts[j];

		hash = mix_text(hash, host->name);
		hash = mix_number(hash, (uint64_t)host->place.line << 32 |
						(uint64_t)host->port << 1 | host->is_wildcard);
	}
	return hash;
}

static uint64_t mix_service(uint64_t hash, const struct wall *wall, size_t i)
{
	const struct policy *policy = wall->current->set.services[i].policy;

	hash = mix_text(mix_text(hash, policy->service), policy->file);
	return mix_number(hash, (uint64_t)is_refused(wall, i) | (uint64_t)is_off(wall, i) << 1 |
					(uint64_t)policy->mode << 2 | (uint64_t)policy->proxy << 8 |
					(uint64_t)policy->transparent << 9);
}

static uint64_t mix_owners(uint64_t hash, const struct uid_owner *owners, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		hash = mix_number(hash, (uint64_t)owners[i].uids.first << 32 | owners[i].uids.last);
		hash = mix_number(hash, (uint64_t)owners[i].service << 1 | owners[i].is_subuid);
	}
	return mix_number(hash, n);
}

static int compare_told(const void *a, const void *b)
{
	const struct told *x = a, *y = b;

	return x->service < y->service ? -1 : x->service > y->service;
}

static const struct told *find_told(const struct proxy_lists *lists, uint64_t service)
{
	struct told key = { .service = service };

	return lists->n_told ?
		       bsearch(&key, lists->told, lists->n_told, sizeof(key), compare_told) :
		       NULL;
}

static uint64_t hash_name(const char *service)
{
	return mix_text(HASH_FIRST, service);
}

static uint64_t mix_resolvers(uint64_t hash, const struct config *config)
{
	for (size_t i = 0; i < config->n_resolvers; i++) {
		const struct resolver *resolver = &config->resolvers[i];

		hash = mix(hash, &resolver->address, sizeof(resolver->address));
		hash = mix_text(hash, resolver->interface);
	}
	return mix_number(hash, config->n_resolvers);
}

/* All there is to tell, in one number; the hosts' numbers on the way. */
static uint64_t hash_all(const struct wall *wall, struct told *ret_told)
{
	const struct policy_set *set = &wall->current->set;
	uint64_t hash = mix_number(HASH_FIRST, set->config.proxy_is_external);

	hash = mix_resolvers(hash, &set->config);
	for (size_t i = 0; i < set->n_services; i++) {
		ret_told[i] = (struct told){ .service = hash_name(set->services[i].policy->service),
					     .hosts = hash_hosts(wall, i) };
		hash = mix_number(mix_service(hash, wall, i), ret_told[i].hosts);
	}
	hash = mix_owners(hash, set->named, set->n_named);
	hash = mix_owners(hash, set->ranges, set->n_ranges);
	for (size_t i = 0; i < set->n_groups; i++)
		hash = mix_number(mix_number(hash, set->groups[i].id), set->groups[i].service);
	return hash;
}

uint64_t proxy_lists_look(struct proxy_lists *lists, const struct wall *wall)
{
	size_t n = wall->current->set.n_services;
	struct told *told;
	uint64_t hash;

	if (lists->number == wall->number && lists->n_regroupings == wall->n_regroupings)
		return lists->generation;
	told = calloc(n + 1, sizeof(*told));
	if (!told)
		abort(); /* as arenas do */
	hash = hash_all(wall, told);
	lists->generation += hash != lists->hash || !lists->number;
	if (!lists->number)
		lists->first = lists->generation;
	qsort(told, n, sizeof(*told), compare_told);
	for (size_t i = 0; i < n; i++) {
		const struct told *before = find_told(lists, told[i].service);

		told[i].generation = before && before->hosts == told[i].hosts ? before->generation :
										lists->generation;
	}
	free(lists->told);
	lists->told = told;
	lists->n_told = n;
	lists->hash = hash;
	lists->number = wall->number;
	lists->n_regroupings = wall->n_regroupings;
	return lists->generation;
}

/* --- writing */

static void write_uid(const struct policy_set *set, const struct uid_owner *owner, bool is_named,
		      struct writer *w)
{
	const struct policy *policy =
		owner->service == NO_SERVICE ? NULL : set->services[owner->service].policy;

	writer_begin(w, '[');
	writer_int(w, owner->uids.first);
	writer_int(w, owner->uids.last);
	writer_int(w, is_named ? 0 : owner->is_subuid ? 2 : 1);
	writer_text(w, is_named && policy ? policy_claimed_name(policy, owner->place) : NULL);
	writer_end(w, ']');
}

static void write_uids(const struct generation *g, size_t service, struct writer *w)
{
	const struct policy_set *set = &g->set;

	writer_key(w, "uids");
	writer_begin(w, '[');
	for (size_t i = g->first_owner[service]; i < g->first_owner[service + 1]; i++) {
		const struct uid_owner *owner = g->owners[i];

		write_uid(set, owner, owner >= set->named && owner < set->named + set->n_named, w);
	}
	writer_end(w, ']');
}

/* What the proxy hears of a socket is its own control group, while units have those above. */
struct families_of {
	uint32_t service;
	uint64_t id;
};

struct members {
	struct families_of *list; /* sorted by service */
	size_t n;
};

static int compare_groups(const void *a, const void *b)
{
	const struct unit_group *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int compare_members(const void *a, const void *b)
{
	const struct families_of *x = a, *y = b;

	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void read_members(const struct policy_set *set, struct arena *arena, struct members *members)
{
	struct families families;

	*members = (struct members){ NULL };
	if (!set->n_groups)
		return;
	families_read(set, arena, &families);
	for (size_t i = 0; i < families.n; i++) {
		const struct family_member *member = &families.list[i];
		const struct unit_group *found = NULL;

		for (size_t level = member->n_groups; !found && level-- > 0;) {
			struct unit_group key = { .id = member->groups[level] };

			found = bsearch(&key, set->groups, set->n_groups, sizeof(key),
					compare_groups);
		}
		if (found)
			*ARENA_APPEND(arena, members->list, members->n) =
				(struct families_of){ found->service, member->id };
	}
	if (members->n)
		qsort(members->list, members->n, sizeof(*members->list), compare_members);
}

static void write_groups(const struct members *members, size_t *next, uint32_t service,
			 struct writer *w)
{
	writer_key(w, "groups");
	writer_begin(w, '[');
	for (; *next < members->n && members->list[*next].service == service; ++*next)
		writer_int(w, (int64_t)members->list[*next].id);
	writer_end(w, ']');
}

static void write_host(const struct host_pattern *host, struct writer *w)
{
	bool is_v6 = strchr(host->name, ':');
	char text[HOST_ENTRY_ROOM], port[8] = "";

	if (!host->port && !host->is_wildcard && !is_v6) {
		writer_text(w, host->name); /* as most are */
		return;
	}
	if (host->port)
		snprintf(port, sizeof(port), ":%u", host->port);
	snprintf(text, sizeof(text), "%s%s%s%s%s", host->is_wildcard ? "*." : "", is_v6 ? "[" : "",
		 host->name, is_v6 ? "]" : "", port);
	writer_text(w, text);
}

static void write_hosts(const struct policy *policy, size_t n, struct writer *w)
{
	writer_key(w, "hosts");
	writer_begin(w, '[');
	for (size_t i = 0; i < n; i++)
		write_host(&policy->hosts[i], w);
	writer_end(w, ']');
	writer_key(w, "lines");
	writer_begin(w, '[');
	for (size_t i = 0; i < n; i++)
		writer_int(w, policy->hosts[i].place.line);
	writer_end(w, ']');
}

static const char *mode_name(const struct wall *wall, size_t i)
{
	if (is_off(wall, i))
		return "off";
	if (is_refused(wall, i))
		return "enforce";
	return wall->current->set.services[i].policy->mode == MODE_MONITOR ? "monitor" : "enforce";
}

static void write_service(const struct proxy_lists *lists, const struct wall *wall, size_t i,
			  uint64_t since, const struct members *members, size_t *next_member,
			  struct writer *w)
{
	const struct policy *policy = wall->current->set.services[i].policy;
	const struct told *told = find_told(lists, hash_name(policy->service));
	char hash[20];

	snprintf(hash, sizeof(hash), "%016" PRIx64, told->hosts);
	writer_begin(w, '{');
	writer_put_text(w, "service", policy->service);
	writer_put_text(w, "file", policy->file);
	writer_put_text(w, "mode", mode_name(wall, i));
	writer_put_bool(w, "proxy", policy->proxy && !is_refused(wall, i));
	writer_put_bool(w, "transparent", policy->transparent && !is_refused(wall, i));
	write_uids(wall->current, i, w);
	write_groups(members, next_member, (uint32_t)i, w);
	writer_put_text(w, "hash", hash);
	if (told->generation > since)
		write_hosts(policy, is_refused(wall, i) ? 0 : policy->n_hosts, w);
	writer_end(w, '}');
}

static void write_nobody(const struct policy_set *set, const struct members *members,
			 size_t *next_member, struct writer *w)
{
	writer_key(w, "nobody");
	writer_begin(w, '{');
	writer_key(w, "uids");
	writer_begin(w, '[');
	for (size_t i = 0; i < set->n_named; i++)
		if (set->named[i].service == NO_SERVICE)
			write_uid(set, &set->named[i], true, w);
	for (size_t i = 0; i < set->n_ranges; i++)
		if (set->ranges[i].service == NO_SERVICE)
			write_uid(set, &set->ranges[i], false, w);
	writer_end(w, ']');
	write_groups(members, next_member, NO_SERVICE, w);
	writer_end(w, '}');
}

/* Those that the rules let services ask: the proxy resolves by the same. */
static void write_resolvers(const struct config *config, struct writer *w)
{
	writer_key(w, "resolvers");
	writer_begin(w, '[');
	for (size_t i = 0; i < config->n_resolvers; i++) {
		const struct resolver *resolver = &config->resolvers[i];
		char address[PREFIX_TEXT_MAX], text[PREFIX_TEXT_MAX + 32];

		format_prefix(&resolver->address, address);
		snprintf(text, sizeof(text), "%s%s%s", address, resolver->interface ? "%" : "",
			 resolver->interface ? resolver->interface : "");
		writer_text(w, text);
	}
	writer_end(w, ']');
}

void proxy_lists_write(const struct proxy_lists *lists, const struct wall *wall, uint64_t since,
		       struct writer *w)
{
	const struct policy_set *set = &wall->current->set;
	AUTO(arena) struct arena *arena = arena_new();
	struct members members;
	size_t next_member = 0;

	if (since < lists->first || since > lists->generation)
		since = 0; /* another daemon's */
	read_members(set, arena, &members);
	writer_begin(w, '{');
	writer_put_int(w, "generation", (int64_t)lists->generation);
	write_resolvers(&set->config, w);
	writer_key(w, "services");
	writer_begin(w, '[');
	for (size_t i = 0; i < set->n_services; i++)
		write_service(lists, wall, i, since, &members, &next_member, w);
	writer_end(w, ']');
	write_nobody(set, &members, &next_member, w);
	writer_end(w, '}');
}

/* --- the handle */

void proxy_lists_free(struct proxy_lists *lists)
{
	if (!lists)
		return;
	free(lists->told);
	free(lists);
}

/* Counts on from the time since boot in microseconds: a daemon that comes after this one begins
 * above whatever this one can have counted to.
 */
int proxy_lists_new(struct proxy_lists **ret_lists)
{
	struct proxy_lists *lists = calloc(1, sizeof(*lists));

	if (!lists)
		return -ENOMEM;
	lists->generation = (uint64_t)boot_now_ms() * 1000;
	*ret_lists = lists;
	return 0;
}
