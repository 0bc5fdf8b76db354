/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proxy_seen.c - records of the forward proxy → the latest of each service.
 *
 * A caller can make up any number of host names, so everything is bounded: a service that tries
 * many loses its own oldest, and when all room is taken, whoever has the most loses one.
 */
#include "runtime/proxy_seen.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { ABSENT_S = 3 }; /* between two calls for lists */

struct entry {
	char *host; /* malloc'd; the others are behind it */
	const char *reason, *remedy;
	uint16_t port;
	uint8_t verdict;
	uint32_t line;
	int64_t count, sent, received, first, last;
};

struct service_seen {
	char *service; /* malloc'd */
	struct seen_counts counts;
	struct entry *entries; /* malloc'd */
	size_t n, capacity;
};

struct proxy_seen {
	struct service_seen *services; /* sorted by name; malloc'd */
	size_t n, capacity;
	size_t n_entries;
	struct seen_counts nobodys;
	pid_t pid; /* of the proxy; 0: none has asked */
	int64_t since, heard;
};

/* --- services */

static size_t find_position(const struct proxy_seen *seen, const char *service, bool *ret_found)
{
	size_t low = 0, high = seen->n;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(seen->services[middle].service, service);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct service_seen *find_service(const struct proxy_seen *seen, const char *service)
{
	bool found;
	size_t i = find_position(seen, service, &found);

	return found ? &seen->services[i] : NULL;
}

static struct service_seen *make_service(struct proxy_seen *seen, const char *service)
{
	bool found;
	size_t i = find_position(seen, service, &found);
	char *name;

	if (found)
		return &seen->services[i];
	if (seen->n == seen->capacity) {
		size_t capacity = seen->capacity ? 2 * seen->capacity : 8;
		struct service_seen *grown = reallocarray(seen->services, capacity, sizeof(*grown));

		if (!grown)
			return NULL;
		seen->services = grown;
		seen->capacity = capacity;
	}
	name = strdup(service);
	if (!name)
		return NULL;
	memmove(seen->services + i + 1, seen->services + i,
		(seen->n - i) * sizeof(*seen->services));
	seen->services[i] = (struct service_seen){ .service = name };
	seen->n++;
	return &seen->services[i];
}

static void service_done(struct proxy_seen *seen, struct service_seen *service)
{
	for (size_t i = 0; i < service->n; i++)
		free(service->entries[i].host);
	seen->n_entries -= service->n;
	free(service->entries);
	free(service->service);
}

void proxy_seen_prune(struct proxy_seen *seen, const struct policy_set *set)
{
	size_t kept = 0;

	for (size_t i = 0; i < seen->n; i++) {
		if (policy_set_find(set, seen->services[i].service))
			seen->services[kept++] = seen->services[i];
		else
			service_done(seen, &seen->services[i]);
	}
	seen->n = kept;
}

/* --- entries */

static void drop_oldest(struct proxy_seen *seen, struct service_seen *service)
{
	size_t oldest = 0;

	for (size_t i = 1; i < service->n; i++)
		if (service->entries[i].last < service->entries[oldest].last)
			oldest = i;
	free(service->entries[oldest].host);
	service->entries[oldest] = service->entries[--service->n];
	seen->n_entries--;
}

static void make_room(struct proxy_seen *seen, struct service_seen *service)
{
	struct service_seen *most = service;

	if (service->n >= SEEN_EACH) {
		drop_oldest(seen, service);
		return;
	}
	if (seen->n_entries < SEEN_ALL)
		return;
	for (size_t i = 0; i < seen->n; i++)
		if (seen->services[i].n > most->n)
			most = &seen->services[i];
	drop_oldest(seen, most);
}

static struct entry *find_entry(struct service_seen *service, const struct request_record *record)
{
	for (size_t i = 0; i < service->n; i++) {
		struct entry *entry = &service->entries[i];

		if (entry->port == record->port && entry->verdict == record->verdict &&
		    strcmp(entry->host, record->host) == 0)
			return entry;
	}
	return NULL;
}

/* The texts of an entry, one behind the other. */
static int set_texts(struct entry *entry, const struct request_record *record)
{
	const char *reason = record->reason ? record->reason : "";
	const char *remedy = record->entry ? record->entry : "";
	size_t n_host = strlen(record->host) + 1, n_reason = strlen(reason) + 1;
	char *texts = malloc(n_host + n_reason + strlen(remedy) + 1);

	if (!texts)
		return -ENOMEM;
	memcpy(texts, record->host, n_host);
	entry->reason = memcpy(texts + n_host, reason, n_reason);
	entry->remedy = strcpy(texts + n_host + n_reason, remedy);
	free(entry->host);
	entry->host = texts;
	return 0;
}

static struct entry *make_entry(struct proxy_seen *seen, struct service_seen *service,
				const struct request_record *record)
{
	struct entry entry = { .port = (uint16_t)record->port,
			       .verdict = (uint8_t)record->verdict };

	make_room(seen, service);
	if (service->n == service->capacity) {
		size_t capacity = service->capacity ? 2 * service->capacity : 4;
		struct entry *grown = reallocarray(service->entries, capacity, sizeof(*grown));

		if (!grown)
			return NULL;
		service->entries = grown;
		service->capacity = capacity;
	}
	if (set_texts(&entry, record) < 0)
		return NULL;
	entry.first = record->first;
	service->entries[service->n] = entry;
	seen->n_entries++;
	return &service->entries[service->n++];
}

static int add_entry(struct proxy_seen *seen, struct service_seen *service,
		     const struct request_record *record)
{
	struct entry *entry = find_entry(service, record);
	int r = 0;

	if (!entry)
		entry = make_entry(seen, service, record);
	else if (strcmp(entry->reason, record->reason ? record->reason : "") != 0)
		r = set_texts(entry, record);
	if (!entry || r < 0)
		return -ENOMEM;
	entry->line = (uint32_t)record->line;
	entry->count += record->count;
	entry->sent += record->sent;
	entry->received += record->received;
	if (record->last > entry->last)
		entry->last = record->last;
	return 0;
}

static void count(struct seen_counts *counts, const struct request_record *record)
{
	counts->n[record->verdict] += (uint64_t)record->count;
	counts->sent += (uint64_t)record->sent;
	counts->received += (uint64_t)record->received;
}

int proxy_seen_add(struct proxy_seen *seen, const struct policy_set *set,
		   const struct request_record *records, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		const struct request_record *record = &records[i];
		struct service_seen *service = NULL;

		if (!record->service || !policy_set_find(set, record->service)) {
			count(&seen->nobodys, record);
			continue;
		}
		service = make_service(seen, record->service);
		if (!service) {
			r = -ENOMEM;
			continue;
		}
		count(&service->counts, record);
		if (record->host && add_entry(seen, service, record) < 0)
			r = -ENOMEM;
	}
	return r;
}

/* --- looking at it */

struct seen_counts proxy_seen_count(const struct proxy_seen *seen, const char *service)
{
	const struct service_seen *found = service ? find_service(seen, service) : NULL;

	if (!service)
		return seen->nobodys;
	return found ? found->counts : (struct seen_counts){ 0 };
}

struct seen_counts proxy_seen_count_all(const struct proxy_seen *seen)
{
	struct seen_counts all = seen->nobodys;

	for (size_t i = 0; i < seen->n; i++) {
		const struct seen_counts *counts = &seen->services[i].counts;

		for (size_t j = 0; j < RECORD_VERDICT_COUNT; j++)
			all.n[j] += counts->n[j];
		all.sent += counts->sent;
		all.received += counts->received;
	}
	return all;
}

static int compare_ages(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order;

	if (x->last != y->last)
		return x->last > y->last ? -1 : 1;
	order = strcmp(x->host, y->host);
	return order ? order : x->port != y->port ? x->port - y->port : x->verdict - y->verdict;
}

static void write_entry(const struct entry *entry, struct writer *w)
{
	writer_begin(w, '{');
	writer_put_text(w, "host", entry->host);
	writer_put_int(w, "port", entry->port);
	writer_put_text(w, "verdict", record_verdict_name(entry->verdict));
	writer_put_text(w, "reason", *entry->reason ? entry->reason : NULL);
	writer_put_int(w, "line", entry->line);
	writer_put_text(w, "add", *entry->remedy ? entry->remedy : NULL);
	writer_put_int(w, "count", entry->count);
	writer_put_int(w, "sent", entry->sent);
	writer_put_int(w, "received", entry->received);
	writer_put_int(w, "first", entry->first);
	writer_put_int(w, "last", entry->last);
	writer_end(w, '}');
}

void proxy_seen_write(const struct proxy_seen *seen, const char *service, struct writer *w)
{
	struct service_seen *found = find_service(seen, service);

	if (!found || !found->n)
		return;
	qsort(found->entries, found->n, sizeof(*found->entries), compare_ages);
	for (size_t i = 0; i < found->n; i++)
		write_entry(&found->entries[i], w);
}

/* --- whether it runs */

/* Between two calls it is there as well. */
struct seen_presence proxy_seen_presence(const struct proxy_seen *seen,
					 const struct server_counts *counts)
{
	int64_t last = seen->heard > counts->released ? seen->heard : counts->released;
	struct seen_presence presence = { .was_connected = seen->pid != 0,
					  .since = seen->since,
					  .pid = seen->pid };

	presence.is_connected = seen->pid && (counts->held || time(NULL) - last < ABSENT_S);
	if (seen->pid && !presence.is_connected)
		presence.since = last;
	return presence;
}

void proxy_seen_hear(struct proxy_seen *seen, pid_t pid, const struct server_counts *counts)
{
	struct seen_presence presence = proxy_seen_presence(seen, counts);

	if (!presence.is_connected || presence.pid != pid)
		seen->since = time(NULL);
	seen->pid = pid;
	seen->heard = time(NULL);
}

/* --- the handle */

int proxy_seen_new(struct proxy_seen **ret_seen)
{
	*ret_seen = calloc(1, sizeof(**ret_seen));
	return *ret_seen ? 0 : -ENOMEM;
}

void proxy_seen_free(struct proxy_seen *seen)
{
	if (!seen)
		return;
	for (size_t i = 0; i < seen->n; i++)
		service_done(seen, &seen->services[i]);
	free(seen->services);
	free(seen);
}
