/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolve.c - names → addresses, each answer kept for as long as it says.
 *
 * What goes first: /etc/hosts, then "localhost" (RFC 6761, 6.3: never asked of a name server), then
 * the name servers. When /etc/hosts changes, nothing that was known before counts any more.
 */
#include "proxy/resolve/resolve.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/hash.h"
#include "proxy/resolve/dns.h"
#include "proxy/resolve/hosts_file.h"
#include "proxy/resolve/seen.h"

enum {
	BUCKETS = 4096,
	HOSTS_LOOK_MS = 1000, /* at most so often */
	LOCAL_TTL_S = 60,     /* of what comes from /etc/hosts */
	FOLLOW_FAILED_S = 30,
	FOLLOW_BUSY_MS = 1000,
	FOLLOW_APART_MS = 2, /* not all at once */
};

struct followed {
	LIST_ENTRY(followed) entry;
	struct name *name;
	struct event *timer;
	unsigned turn; /* the resolver_follow() that asked for it last */
	struct seen seen;
};

struct resolver_query {
	TAILQ_ENTRY(resolver_query) entry; /* of its name's askers, or of those to be told */
	struct name *name;
	bool is_due;
	unsigned turn; /* of telling, in which it became due */
	void (*fn)(void *data, const struct resolution *resolution);
	void *data;
};

TAILQ_HEAD(queries, resolver_query);

struct name {
	struct resolver *resolver;
	struct name *next;	 /* in the bucket */
	TAILQ_ENTRY(name) entry; /* by use, latest first; not where it is followed */
	struct followed *followed;
	unsigned n_queries;   /* waiting or due */
	unsigned n_questions; /* open at the name servers */
	bool is_asked;	      /* there is one whose answer the askers wait for */
	struct queries askers;
	int64_t expires_ms;
	unsigned edition; /* of /etc/hosts */
	char *words;
	struct resolution resolution;
	char text[];
};

struct resolver {
	struct event_base *base;
	struct dns *dns;
	unsigned timeout_ms;
	struct hosts_file *hosts; /* NULL: none */
	int64_t hosts_looked_ms;
	unsigned edition;
	struct name *buckets[BUCKETS];
	TAILQ_HEAD(names, name) names;
	size_t n_names; /* in that list */
	struct event *teller;
	struct queries due;
	unsigned tell_turn;
	LIST_HEAD(all_followed, followed) followed;
	size_t n_followed;
	unsigned follow_turn;
};

/* --- the table of names */

static struct name **find_bucket(struct resolver *resolver, const char *text)
{
	return &resolver->buckets[hash_text(text) % BUCKETS];
}

static struct name *find_name(struct resolver *resolver, const char *text)
{
	struct name *name = *find_bucket(resolver, text);

	while (name && strcmp(name->text, text) != 0)
		name = name->next;
	return name;
}

static void list_name(struct name *name)
{
	TAILQ_INSERT_HEAD(&name->resolver->names, name, entry);
	name->resolver->n_names++;
}

static void unlist_name(struct name *name)
{
	TAILQ_REMOVE(&name->resolver->names, name, entry);
	name->resolver->n_names--;
}

static void touch_name(struct name *name)
{
	if (name->followed)
		return;
	unlist_name(name);
	list_name(name);
}

static void name_free(struct name *name)
{
	struct name **at = find_bucket(name->resolver, name->text);

	while (*at != name)
		at = &(*at)->next;
	*at = name->next;
	if (!name->followed)
		unlist_name(name);
	free(name->words);
	free(name);
}

/* The one that was not asked for the longest time, of those that nobody waits for. */
static void forget_one(struct resolver *resolver)
{
	struct name *name = TAILQ_LAST(&resolver->names, names);

	while (name && (name->n_queries || name->n_questions))
		name = TAILQ_PREV(name, names, entry);
	if (name)
		name_free(name);
}

static struct name *get_name(struct resolver *resolver, const char *text)
{
	struct name **bucket = find_bucket(resolver, text);
	struct name *name = find_name(resolver, text);
	size_t size = strlen(text) + 1;

	if (name) {
		touch_name(name);
		return name;
	}
	if (resolver->n_names >= RESOLVE_NAMES_MAX)
		forget_one(resolver);
	name = calloc(1, sizeof(*name) + size);
	if (!name)
		return NULL;
	name->resolver = resolver;
	memcpy(name->text, text, size);
	TAILQ_INIT(&name->askers);
	name->next = *bucket;
	*bucket = name;
	list_name(name);
	return name;
}

/* --- what is known */

static void look_at_hosts(struct resolver *resolver, int64_t now_ms)
{
	const struct timeval at_once = { 0 };
	struct followed *at;

	if (!resolver->hosts || now_ms - resolver->hosts_looked_ms < HOSTS_LOOK_MS)
		return;
	resolver->hosts_looked_ms = now_ms;
	if (!hosts_file_update(resolver->hosts))
		return;
	resolver->edition++;
	for (at = LIST_FIRST(&resolver->followed); at; at = LIST_NEXT(at, entry))
		event_add(at->timer, &at_once);
}

static bool is_known(const struct name *name, int64_t now_ms)
{
	return name->expires_ms > now_ms && name->edition == name->resolver->edition;
}

static void note_seen(struct name *name)
{
	const struct resolution *resolution = &name->resolution;

	for (uint8_t i = 0; i < resolution->n; i++)
		seen_note(&name->followed->seen, &resolution->addresses[i], name->expires_ms,
			  RESOLVE_SEEN_MAX);
}

static void ask_again_in(struct followed *followed, int64_t ms)
{
	struct timeval in = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(followed->timer, &in);
}

static char *error_words(const struct resolver *resolver, const char *name, int error)
{
	const char *servers = dns_servers(resolver->dns);
	char *words = NULL;
	int r;

	if (error == -ENOENT)
		r = asprintf(&words, "%s does not exist", name);
	else if (error == -ENODATA)
		r = asprintf(&words, "%s has no address", name);
	else if (error == -ETIMEDOUT)
		r = asprintf(&words, "no answer from %s in %g s", servers,
			     resolver->timeout_ms / 1000.0);
	else if (error == -EIO)
		r = asprintf(&words, "%s cannot be looked up: %s refuses, fails or does not run",
			     name, servers);
	else
		r = asprintf(&words, "%s cannot be looked up: %s", name, strerror(-error));
	return r < 0 ? NULL : words;
}

/* Keeps a resolution, without words, for its lifetime. */
static void keep(struct name *name, const struct resolution *resolution, uint32_t ttl_s)
{
	struct resolver *resolver = name->resolver;
	bool failed = resolution->error != 0;

	free(name->words);
	name->words = failed ? error_words(resolver, name->text, resolution->error) : NULL;
	name->resolution = *resolution;
	name->resolution.words = failed && !name->words ? "out of memory" : name->words;
	name->expires_ms = clock_now_ms() + (int64_t)ttl_s * 1000;
	name->edition = resolver->edition;
	if (!name->followed)
		return;
	note_seen(name);
	ask_again_in(name->followed, (int64_t)(failed ? FOLLOW_FAILED_S : ttl_s) * 1000);
}

/* --- asking */

/* In the loop's next turn; event_active() would be in this one. */
static void tell_soon(struct resolver *resolver)
{
	const struct timeval at_once = { 0 };

	event_add(resolver->teller, &at_once);
}

static void make_due(struct resolver_query *query)
{
	struct resolver *resolver = query->name->resolver;

	query->is_due = true;
	query->turn = resolver->tell_turn;
	TAILQ_INSERT_TAIL(&resolver->due, query, entry);
	tell_soon(resolver);
}

static uint32_t bounded_ttl(uint32_t ttl_s)
{
	return ttl_s < RESOLVE_TTL_MIN_S ? RESOLVE_TTL_MIN_S :
	       ttl_s > RESOLVE_TTL_MAX_S ? RESOLVE_TTL_MAX_S :
					   ttl_s;
}

static void on_answer(void *data, const struct dns_answer *answer)
{
	struct name *name = data;
	struct resolution resolution = { .error = answer->error, .n = answer->n };
	struct resolver_query *query;

	if (answer->is_last)
		name->n_questions--;
	if (answer->is_late && answer->error)
		return;
	memcpy(resolution.addresses, answer->addresses, sizeof(resolution.addresses));
	keep(name, &resolution, answer->error ? RESOLVE_FAILED_S : bounded_ttl(answer->ttl_s));
	name->is_asked = false;
	while ((query = TAILQ_FIRST(&name->askers))) {
		TAILQ_REMOVE(&name->askers, query, entry);
		make_due(query);
	}
}

static bool is_localhost(const char *text)
{
	const char *end = strrchr(text, '.');

	return !strcmp(end ? end + 1 : text, "localhost");
}

/* Both families in turn, IPv6 first. */
static void take_turns(struct resolution *resolution)
{
	struct prefix *list = resolution->addresses;

	for (uint8_t i = 0; i < resolution->n; i++) {
		uint8_t wanted = i % 2 ? ADDR_V4 : ADDR_V6;
		uint8_t j = i;

		while (j < resolution->n && list[j].family != wanted)
			j++;
		if (j < resolution->n && j > i) {
			struct prefix found = list[j];

			memmove(&list[i + 1], &list[i], (j - i) * sizeof(*list));
			list[i] = found;
		}
	}
}

static bool find_here(struct name *name)
{
	struct resolver *resolver = name->resolver;
	struct resolution resolution = { 0 };

	if (resolver->hosts)
		resolution.n = (uint8_t)hosts_file_find(
			resolver->hosts, name->text, resolution.addresses, RESOLVE_ADDRESSES_MAX);
	if (!resolution.n && is_localhost(name->text)) {
		parse_address("::1", &resolution.addresses[resolution.n++]);
		parse_address("127.0.0.1", &resolution.addresses[resolution.n++]);
	}
	if (!resolution.n)
		return false;
	take_turns(&resolution);
	keep(name, &resolution, LOCAL_TTL_S);
	return true;
}

static int ask_servers(struct name *name)
{
	int r;

	name->is_asked = true;
	name->n_questions++;
	r = dns_ask(name->resolver->dns, name->text, on_answer, name);
	if (r < 0) {
		name->is_asked = false;
		name->n_questions--;
	}
	return r;
}

const struct resolution *resolver_known(struct resolver *resolver, const char *text)
{
	int64_t now_ms = clock_now_ms();
	struct name *name = find_name(resolver, text);

	look_at_hosts(resolver, now_ms);
	if (!name || !is_known(name, now_ms))
		return NULL;
	touch_name(name);
	return &name->resolution;
}

int resolver_ask(struct resolver *resolver, const char *text,
		 void (*fn)(void *data, const struct resolution *resolution), void *data,
		 struct resolver_query **ret_query)
{
	int64_t now_ms = clock_now_ms();
	struct name *name = get_name(resolver, text);
	struct resolver_query *query = name ? calloc(1, sizeof(*query)) : NULL;
	int r = 0;

	if (!query)
		return -ENOMEM;
	look_at_hosts(resolver, now_ms);
	*query = (struct resolver_query){ .name = name, .fn = fn, .data = data };
	name->n_queries++;
	if (!is_known(name, now_ms) && (name->is_asked || !find_here(name))) {
		TAILQ_INSERT_TAIL(&name->askers, query, entry);
		r = name->is_asked ? 0 : ask_servers(name);
	} else {
		make_due(query);
	}
	if (r < 0) {
		resolver_cancel(query);
		return r;
	}

	*ret_query = query;
	return 0;
}

static void take_out(struct resolver_query *query)
{
	struct name *name = query->name;

	if (query->is_due)
		TAILQ_REMOVE(&name->resolver->due, query, entry);
	else
		TAILQ_REMOVE(&name->askers, query, entry);
	name->n_queries--;
	free(query);
}

void resolver_cancel(struct resolver_query *query)
{
	if (query)
		take_out(query);
}

/* What is told may make others due: their turn is the next one, or nobody else would have one. */
static void on_due(evutil_socket_t fd, short events, void *data)
{
	struct resolver *resolver = data;
	struct resolver_query *query;

	resolver->tell_turn++;
	while ((query = TAILQ_FIRST(&resolver->due)) && query->turn != resolver->tell_turn) {
		struct resolution resolution = query->name->resolution; /* may change meanwhile */
		AUTO(mem) char *words = resolution.words ? strdup(resolution.words) : NULL;
		void (*fn)(void *, const struct resolution *) = query->fn;
		void *to = query->data;

		if (resolution.words)
			resolution.words = words ? words : "out of memory";
		take_out(query);
		fn(to, &resolution);
	}
}

/* --- following */

static void on_follow_timer(evutil_socket_t fd, short events, void *data)
{
	struct followed *followed = data;
	struct name *name = followed->name;
	int64_t now_ms = clock_now_ms();

	look_at_hosts(name->resolver, now_ms);
	if (is_known(name, now_ms)) {
		ask_again_in(followed, name->expires_ms - now_ms);
		return;
	}
	if (name->is_asked || find_here(name))
		return; /* either sets the timer again, now or later */
	if (ask_servers(name) < 0)
		ask_again_in(followed, FOLLOW_BUSY_MS);
}

static void unfollow(struct followed *followed)
{
	struct name *name = followed->name;

	LIST_REMOVE(followed, entry);
	name->resolver->n_followed--;
	name->followed = NULL;
	list_name(name);
	event_free(followed->timer);
	seen_done(&followed->seen);
	free(followed);
}

static struct followed *follow(struct name *name)
{
	struct resolver *resolver = name->resolver;
	struct followed *followed = calloc(1, sizeof(*followed));

	if (!followed)
		return NULL;
	followed->name = name;
	followed->timer = evtimer_new(resolver->base, on_follow_timer, followed);
	if (!followed->timer) {
		free(followed);
		return NULL;
	}
	unlist_name(name);
	name->followed = followed;
	LIST_INSERT_HEAD(&resolver->followed, followed, entry);
	resolver->n_followed++;
	return followed;
}

/* New ones are asked for one after the other. */
static int follow_all(struct resolver *resolver, const char *const *names, size_t n)
{
	int64_t delay_ms = 0;

	for (size_t i = 0; i < n; i++) {
		struct name *name = get_name(resolver, names[i]);

		if (!name)
			return -ENOMEM;
		if (name->followed) {
			name->followed->turn = resolver->follow_turn;
			continue;
		}
		if (resolver->n_followed >= RESOLVE_FOLLOWED_MAX)
			return -E2BIG;
		if (!follow(name))
			return -ENOMEM;
		name->followed->turn = resolver->follow_turn;
		if (is_known(name, clock_now_ms()))
			note_seen(name);
		ask_again_in(name->followed, delay_ms);
		delay_ms += FOLLOW_APART_MS;
	}
	return 0;
}

static void unfollow_others(struct resolver *resolver)
{
	struct followed *followed = LIST_FIRST(&resolver->followed), *next;

	for (; followed; followed = next) {
		next = LIST_NEXT(followed, entry);
		if (followed->turn != resolver->follow_turn)
			unfollow(followed);
	}
	for (size_t n = resolver->n_names; n > RESOLVE_NAMES_MAX; n--)
		forget_one(resolver);
}

int resolver_follow(struct resolver *resolver, const char *const *names, size_t n)
{
	int r;

	resolver->follow_turn++;
	for (size_t i = 0; i < n && i < RESOLVE_FOLLOWED_MAX; i++) {
		struct name *name = find_name(resolver, names[i]);

		if (name && name->followed)
			name->followed->turn = resolver->follow_turn;
	}
	unfollow_others(resolver); /* first, to make room */
	r = follow_all(resolver, names, n);
	return r;
}

bool resolver_had(struct resolver *resolver, const char *text, const struct prefix *address)
{
	int64_t now_ms = clock_now_ms();
	struct name *name = find_name(resolver, text);
	int64_t until_ms;

	look_at_hosts(resolver, now_ms);
	if (!name || !name->followed)
		return false;
	until_ms = seen_until(&name->followed->seen, address);
	return until_ms != INT64_MIN && now_ms < until_ms + (int64_t)RESOLVE_GRACE_S * 1000;
}

/* --- from start to end */

int resolver_new(const struct resolve_options *options, struct resolver **ret_resolver)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	int r = 0;

	if (!resolver)
		return -ENOMEM;
	resolver->base = options->base;
	resolver->timeout_ms = options->timeout_ms ? options->timeout_ms : RESOLVE_TIMEOUT_MS;
	TAILQ_INIT(&resolver->names);
	TAILQ_INIT(&resolver->due);
	resolver->teller = evtimer_new(options->base, on_due, resolver);
	if (!resolver->teller)
		r = -ENOMEM;
	if (!r)
		r = dns_new(options, &resolver->dns);
	if (!r && options->hosts_file)
		r = hosts_file_new(options->hosts_file, &resolver->hosts);
	if (r < 0) {
		resolver_free(resolver);
		return r;
	}
	resolver->hosts_looked_ms = clock_now_ms();

	*ret_resolver = resolver;
	return 0;
}

void resolver_set_servers(struct resolver *resolver, const struct prefix *servers,
			  const char *const *interfaces, size_t n)
{
	dns_set_servers(resolver->dns, servers, interfaces, n);
}

void resolver_free(struct resolver *resolver)
{
	struct resolver_query *query;
	struct name *name;

	if (!resolver)
		return;
	dns_free(resolver->dns);
	while (!LIST_EMPTY(&resolver->followed))
		unfollow(LIST_FIRST(&resolver->followed));
	while ((query = TAILQ_FIRST(&resolver->due)))
		take_out(query);
	while ((name = TAILQ_FIRST(&resolver->names))) {
		while ((query = TAILQ_FIRST(&name->askers)))
			take_out(query);
		name_free(name);
	}
	hosts_file_free(resolver->hosts);
	if (resolver->teller)
		event_free(resolver->teller);
	free(resolver);
}
