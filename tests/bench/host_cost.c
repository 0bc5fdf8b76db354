/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_cost.c - what a decision by name costs: 1,000 services of 100 hosts each, a different
 * service and host each time, so that little of it is in the processor's caches. A JSON line a
 * measurement.
 *
 *   host_cost [SERVICES [HOSTS]]
 */
#include <malloc.h>
#include <string.h>
#include <time.h>

#include "names/host_list.h"
#include "names/special.h"

enum { DECISIONS = 1 << 20, QUESTIONS = 1 << 14, ROUNDS = 9 };

struct question {
	uint32_t service;
	uint16_t port;
	struct host host;
};

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % below;
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* One in ten is a wildcard, one in fifty an address, one in five has a port of its own. */
static void make_rules(struct host_rule *rules, char (*names)[64], size_t n, size_t service)
{
	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]),
			 i % 50 == 7 ? "192.0.%zu.%zu" : "api-%zu.service-%zu.example.org",
			 i % 50 == 7 ? i % 256 : i, service % (i % 50 == 7 ? 256 : service + 1));
		rules[i] = (struct host_rule){
			.name = names[i],
			.is_wildcard = i % 10 == 3,
			.port = i % 5 == 2 ? 8443 : 0,
			.line = (uint32_t)i + 3,
		};
	}
}

static void make_question(struct question *q, uint32_t n_services, uint32_t n_hosts)
{
	static const char *const forms[] = {
		"api-%u.service-%u.example.org",	   /* listed, or only for another port */
		"www.eu.api-%u.service-%u.example.org",	   /* below one that may be a wildcard */
		"cdn-%u.service-%u.elsewhere.example",	   /* not listed */
		"API-%u.Service-%u.Example.ORG.evil.test", /* not listed, a longer one */
	};
	const char *why;
	char text[128];

	q->service = draw(n_services);
	q->port = draw(4) ? 443 : 8443;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), forms[draw(ARRAY_SIZE(forms))], draw(n_hosts), q->service);
#pragma GCC diagnostic pop
	if (host_parse(text, strlen(text), &q->host, &why) < 0)
		abort();
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *times)
{
	qsort(times, ROUNDS, sizeof(*times), compare);
	return times[ROUNDS / 2];
}

/* All lists built anew ROUNDS times; the last ones stay. */
static void measure_build(struct host_list **lists, size_t n_services, size_t n_hosts)
{
	struct host_rule *rules = calloc(n_services * n_hosts, sizeof(*rules));
	char(*names)[64] = calloc(n_services * n_hosts, sizeof(*names));
	double times[ROUNDS];
	size_t bytes;

	if (!rules || !names)
		abort();
	for (size_t i = 0; i < n_services; i++)
		make_rules(&rules[i * n_hosts], &names[i * n_hosts], n_hosts, i);
	bytes = mallinfo2().uordblks + mallinfo2().hblkhd;
	for (size_t round = 0; round < ROUNDS; round++) {
		double start = now_ns();

		for (size_t i = 0; i < n_services; i++) {
			host_list_free(lists[i]);
			if (host_list_new(&rules[i * n_hosts], n_hosts, &lists[i]) < 0)
				abort();
		}
		times[round] = now_ns() - start;
	}
	bytes = mallinfo2().uordblks + mallinfo2().hblkhd - bytes;
	printf("{\"what\": \"build lists\", \"services\": %zu, \"hosts\": %zu, \"ms\": %.2f, "
	       "\"bytes_each\": %zu}\n",
	       n_services, n_hosts, median(times) / 1e6, bytes / n_services);
	free(rules);
	free(names);
}

static void measure_decisions(struct host_list *const *lists, const struct question *questions,
			      uint32_t n_services, const char *what, bool parses)
{
	double times[ROUNDS];
	size_t allowed = 0;

	for (size_t round = 0; round < ROUNDS; round++) {
		double start = now_ns();

		for (size_t i = 0; i < DECISIONS; i++) {
			const struct question *q = &questions[i % QUESTIONS];
			struct host host;
			const char *why;

			if (parses && host_parse(q->host.name, strlen(q->host.name), &host, &why))
				abort();
			allowed += host_list_decide(lists[q->service], parses ? &host : &q->host,
						    q->port)
					   .verdict == HOST_ALLOWED;
		}
		times[round] = (now_ns() - start) / DECISIONS;
	}
	printf("{\"what\": \"%s\", \"services\": %u, \"ns\": %.0f, \"allowed\": %.2f}\n", what,
	       n_services, median(times), (double)allowed / DECISIONS / ROUNDS);
}

static void measure_addresses(void)
{
	static struct prefix addresses[QUESTIONS];
	double times[ROUNDS];
	size_t special = 0;

	for (size_t i = 0; i < QUESTIONS; i++) {
		addresses[i].family = draw(2) ? ADDR_V4 : ADDR_V6;
		addresses[i].length = (uint8_t)prefix_max_length(&addresses[i]);
		for (size_t j = 0; j < addresses[i].length / 8; j++)
			addresses[i].bytes[j] = (uint8_t)draw(256);
		if (addresses[i].family == ADDR_V6)
			addresses[i].bytes[0] = 0x2a;
	}
	for (size_t round = 0; round < ROUNDS; round++) {
		double start = now_ns();

		for (size_t i = 0; i < DECISIONS; i++)
			special += special_purpose(&addresses[i % QUESTIONS]) != NULL;
		times[round] = (now_ns() - start) / DECISIONS;
	}
	printf("{\"what\": \"judge an address\", \"ns\": %.0f, \"special\": %.2f}\n", median(times),
	       (double)special / DECISIONS / ROUNDS);
}

int main(int argc, char **argv)
{
	uint32_t n_services = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000;
	uint32_t n_hosts = argc > 2 ? (uint32_t)atoi(argv[2]) : 100;
	static struct question questions[QUESTIONS];
	struct host_list **lists;

	if (n_services < 1 || n_hosts < 1)
		return 2;
	lists = calloc(n_services, sizeof(struct host_list *));
	if (!lists)
		return 1;
	measure_build(lists, n_services, n_hosts);
	for (size_t i = 0; i < QUESTIONS; i++)
		make_question(&questions[i], n_services, n_hosts);
	measure_decisions(lists, questions, n_services, "decide", false);
	measure_decisions(lists, questions, n_services, "parse and decide", true);
	measure_addresses();
	for (size_t i = 0; i < n_services; i++)
		host_list_free(lists[i]);
	free(lists);
	return 0;
}
