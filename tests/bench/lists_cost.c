/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lists_cost.c - what new lists cost the proxy, which has all of its clients wait meanwhile: JSON
 * lines, medians of ROUNDS. lists_cost [SERVICES [HOSTS]]
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "proxy/daemon/lists.h"
#include "wire/writer.h"

enum { ROUNDS = 21, TEXT_MAX = 256 * 1024 * 1024 };

enum what { WHOLE, SAME, CHANGES };

struct size {
	int services, hosts;
};

static void write_hosts(struct writer *w, int service, int n)
{
	char name[64];

	writer_key(w, "hosts");
	writer_begin(w, '[');
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "api-%d.service-%d.example.org", i, service);
		writer_text(w, name);
	}
	writer_end(w, ']');
	writer_key(w, "lines");
	writer_begin(w, '[');
	for (int i = 0; i < n; i++)
		writer_int(w, i + 4);
	writer_end(w, ']');
}

/* `salt` is in the hash of the first service, and of all where nothing is to be the same. */
static void write_lists(struct writer *w, struct size size, bool has_all, unsigned salt)
{
	char name[32], hash[20];

	writer_begin(w, '{');
	writer_put_int(w, "generation", salt + 1);
	writer_key(w, "services");
	writer_begin(w, '[');
	for (int i = 0; i < size.services; i++) {
		snprintf(name, sizeof(name), "service-%06d", i);
		snprintf(hash, sizeof(hash), "%016x", (unsigned)i * 1000 + (i ? 0 : salt));
		writer_begin(w, '{');
		writer_put_text(w, "service", name);
		writer_put_text(w, "file", name);
		writer_put_text(w, "mode", "enforce");
		writer_put_bool(w, "proxy", true);
		writer_put_bool(w, "transparent", false);
		writer_key(w, "uids");
		writer_begin(w, '[');
		writer_begin(w, '[');
		writer_int(w, 100000 + i);
		writer_int(w, 100000 + i);
		writer_int(w, 0);
		writer_text(w, name);
		writer_end(w, ']');
		writer_end(w, ']');
		writer_put_text(w, "hash", hash);
		if (has_all || !i)
			write_hosts(w, i, size.hosts);
		writer_end(w, '}');
	}
	writer_end(w, ']');
	writer_end(w, '}');
}

static int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static struct lists *parse(const struct writer *w, const struct lists *before)
{
	struct lists *lists;
	char *error;

	if (lists_parse(w->bytes, w->n, before, &lists, &error) < 0) {
		fprintf(stderr, "lists_cost: %s\n", error ? error : "no memory");
		exit(1);
	}
	return lists;
}

/* Parsing and freeing the ones before. */
static void measure(const char *name, struct size size, enum what what)
{
	int64_t times[ROUNDS];
	struct writer whole, w;
	struct lists *before;

	writer_init(&whole, TEXT_MAX);
	write_lists(&whole, size, true, 0);
	before = parse(&whole, NULL);
	writer_init(&w, TEXT_MAX);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct lists *next;
		int64_t start;

		writer_done(&w);
		writer_init(&w, TEXT_MAX);
		write_lists(&w, size, what != CHANGES, i + 1);
		start = clock_now_us();
		next = parse(&w, what == WHOLE ? NULL : before);
		lists_free(before);
		times[i] = clock_now_us() - start;
		before = next;
	}
	qsort(times, ROUNDS, sizeof(*times), compare_times);
	printf("{\"bench\":\"lists\",\"what\":\"%s\",\"services\":%d,\"hosts\":%d,\"bytes\":%zu,"
	       "\"ms\":%.2f}\n",
	       name, size.services, size.hosts, w.n, (double)times[ROUNDS / 2] / 1000);
	lists_free(before);
	writer_done(&whole);
	writer_done(&w);
}

int main(int argc, char **argv)
{
	struct size size = { argc > 1 ? atoi(argv[1]) : 1000, argc > 2 ? atoi(argv[2]) : 100 };

	measure("all of it, for the first time", size, WHOLE);
	measure("all of it, one service is another one", size, SAME);
	measure("what changed: one service", size, CHANGES);
	return 0;
}
