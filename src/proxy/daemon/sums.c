/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sums.c - decisions that are alike → how many they were.
 *
 * Clients can name any number of hosts: once there are SUMS_MAX rows, those of further hosts are
 * summed up service by service, and once these are too many, all together.
 */
#include "proxy/daemon/sums.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"

enum {
	SUMS_MAX = 1024,
	ROWS_MAX = 1536, /* with those of services */
	SLOTS = 4096,	 /* a power of two, at most half of them taken */
	TAKE_MAX = 1000, /* rows in one call */
};

struct row {
	char *host;				     /* malloc'd; the other texts are behind it */
	const char *service, *reason, *file, *entry; /* "": none */
	uint16_t port;
	uint8_t verdict;
	uint32_t line, hash;
	uint64_t count, sent, received;
	int64_t first, last; /* seconds */
};

struct sums {
	struct row rows[ROWS_MAX];
	size_t n;
	uint16_t slots[SLOTS];		       /* index of a row and one; 0: free */
	struct row rest[RECORD_VERDICT_COUNT]; /* without texts */
	bool has_rest;
	void (*on_news)(void *data);
	void *data;
};

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

/* --- the table */

static uint32_t mix_text(uint32_t hash, const char *text)
{
	for (; *text; text++)
		hash = hash_byte(hash, (uint8_t)*text);
	return hash_byte(hash, 0);
}

static uint32_t hash_key(const char *service, const char *host, uint16_t port, uint8_t verdict)
{
	uint32_t hash = mix_text(mix_text(HASH_START, service), host);

	return hash_byte(hash_byte(hash_byte(hash, (uint8_t)port), (uint8_t)(port >> 8)), verdict);
}

static bool is_key(const struct row *row, const char *service, const char *host, uint16_t port,
		   uint8_t verdict)
{
	return row->port == port && row->verdict == verdict && strcmp(row->host, host) == 0 &&
	       strcmp(row->service, service) == 0;
}

/* The slot of the row, or the free one where it belongs. */
static uint16_t *find_slot(struct sums *sums, uint32_t hash, const char *service, const char *host,
			   uint16_t port, uint8_t verdict)
{
	uint32_t at = hash % SLOTS;

	for (; sums->slots[at]; at = (at + 1) % SLOTS) {
		const struct row *row = &sums->rows[sums->slots[at] - 1];

		if (row->hash == hash && is_key(row, service, host, port, verdict))
			break;
	}
	return &sums->slots[at];
}

static const char *copy(char **at, const char *text)
{
	size_t n = strlen(text) + 1;
	char *to = *at;

	*at += n;
	return memcpy(to, text, n);
}

/* host "": of any. NULL: no room, or no memory. */
static struct row *find_row(struct sums *sums, const struct record *record, const char *host,
			    uint16_t port, size_t max)
{
	const char *service = text_or_empty(record->service);
	const char *texts[] = { host, service, text_or_empty(record->reason),
				text_or_empty(record->file), text_or_empty(record->entry) };
	uint32_t hash = hash_key(service, host, port, record->verdict);
	uint16_t *slot = find_slot(sums, hash, service, host, port, record->verdict);
	struct row row = { .port = port, .verdict = record->verdict, .hash = hash };
	size_t n = 0;
	char *at;

	if (*slot)
		return &sums->rows[*slot - 1];
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		n += strlen(texts[i]) + 1;
	if (sums->n >= max || !(at = row.host = malloc(n)))
		return NULL;
	copy(&at, host);
	row.service = copy(&at, service);
	row.reason = copy(&at, *host ? texts[2] : "");
	row.file = copy(&at, *host ? texts[3] : "");
	row.entry = copy(&at, *host ? texts[4] : "");
	sums->rows[sums->n++] = row;
	*slot = (uint16_t)sums->n;
	return &sums->rows[sums->n - 1];
}

void sums_add(struct sums *sums, const struct record *record)
{
	const char *host = text_or_empty(record->host);
	int64_t first = record->start_ms / 1000;
	int64_t last = (record->start_ms + record->duration_us / 1000) / 1000;
	bool were_news = sums_count(sums) > 0;
	struct row *row = find_row(sums, record, host, *host ? record->port : 0, SUMS_MAX);

	if (!row)
		row = find_row(sums, record, "", 0, ROWS_MAX);
	if (!row) {
		row = &sums->rest[record->verdict];
		sums->has_rest = true;
	}
	row->line = record->line;
	row->first = row->count && row->first < first ? row->first : first;
	row->last = row->last > last ? row->last : last;
	row->count++;
	row->sent += record->sent;
	row->received += record->received;
	if (!were_news && sums->on_news)
		sums->on_news(sums->data);
}

size_t sums_count(const struct sums *sums)
{
	return sums->n + sums->has_rest;
}

/* --- telling */

static void put_some(struct writer *w, const char *key, const char *text)
{
	if (text && *text)
		writer_put_text(w, key, text);
}

static void put_row(struct writer *w, const struct row *row)
{
	writer_begin(w, '{');
	put_some(w, "service", row->service);
	put_some(w, "host", row->host);
	if (row->port)
		writer_put_int(w, "port", row->port);
	writer_put_text(w, "verdict", record_verdict_name(row->verdict));
	put_some(w, "reason", row->reason);
	put_some(w, "file", row->file);
	if (row->line)
		writer_put_int(w, "line", row->line);
	put_some(w, "entry", row->entry);
	writer_put_int(w, "count", (int64_t)row->count);
	writer_put_int(w, "sent", (int64_t)row->sent);
	writer_put_int(w, "received", (int64_t)row->received);
	writer_put_int(w, "first", row->first);
	writer_put_int(w, "last", row->last);
	writer_end(w, '}');
}

static void index_rows(struct sums *sums)
{
	memset(sums->slots, 0, sizeof(sums->slots));
	for (size_t i = 0; i < sums->n; i++) {
		const struct row *row = &sums->rows[i];

		*find_slot(sums, row->hash, row->service, row->host, row->port, row->verdict) =
			(uint16_t)(i + 1);
	}
}

static void take_rest(struct sums *sums, struct writer *w)
{
	for (size_t i = 0; i < RECORD_VERDICT_COUNT; i++) {
		sums->rest[i].verdict = (uint8_t)i;
		if (sums->rest[i].count)
			put_row(w, &sums->rest[i]);
		sums->rest[i] = (struct row){ NULL };
	}
	sums->has_rest = false;
}

/* A row that does not fit in is taken back, unless it is the first: then it never would. */
void sums_take(struct sums *sums, struct writer *w, size_t max_bytes)
{
	const size_t start = w->n;

	for (size_t taken = 0; sums->n && taken < TAKE_MAX; taken++) {
		const struct row *row = &sums->rows[sums->n - 1];
		const struct writer before = *w;

		put_row(w, row);
		if (taken && w->n - start > max_bytes) {
			w->n = before.n;
			w->needs_comma = before.needs_comma;
			break;
		}
		free(row->host);
		sums->n--;
	}
	if (!sums->n && sums->has_rest)
		take_rest(sums, w);
	index_rows(sums);
}

void sums_on_news(struct sums *sums, void (*fn)(void *data), void *data)
{
	sums->on_news = fn;
	sums->data = data;
}

int sums_new(struct sums **ret_sums)
{
	*ret_sums = calloc(1, sizeof(**ret_sums));
	return *ret_sums ? 0 : -ENOMEM;
}

void sums_free(struct sums *sums)
{
	if (!sums)
		return;
	for (size_t i = 0; i < sums->n; i++)
		free(sums->rows[i].host);
	free(sums);
}
