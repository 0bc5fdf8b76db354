/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats.c - how many packets of which kind were judged how: a proof must not become empty. */
#include "stats.h"

#include <string.h>

/* What there should be at least of each class, in 10,000 shots of policies. */
static const struct {
	const char *name;
	unsigned at_least;
} classes[] = {
	{ "kind tcp", 300 },
	{ "kind mptcp", 20 },
	{ "kind udp", 300 },
	{ "kind udplite", 50 },
	{ "kind ping", 50 },
	{ "kind raw", 1000 },
	{ "kind copy", 200 },
	{ "protocol tcp", 2000 },
	{ "protocol udp", 1000 },
	{ "protocol udplite", 100 },
	{ "protocol icmp", 100 },
	{ "protocol icmpv6", 100 },
	{ "protocol another", 200 },
	{ "family IPv4", 2000 },
	{ "family IPv6", 2000 },
	{ "spelling mapped", 100 },
	{ "spelling nobody", 100 },
	{ "way lo", 1000 },
	{ "way eth0", 1000 },
	{ "way wg-a.1", 200 },
	{ "option IP options", 100 },
	{ "option routing header", 100 },
	{ "option foreign source", 100 },
	{ "option bound to a device", 300 },
	{ "option damaged", 50 },
	{ "direction original", 200 },
	{ "direction reply", 30 },
	{ "verdict accept", 2000 },
	{ "verdict drop", 30 },
	{ "verdict reset", 1000 },
	{ "verdict prohibited", 500 },
	{ "rule connect", 300 },
	{ "rule listen", 100 },
	{ "rule resolver", 20 },
	{ "rule forward proxy", 20 },
	{ "rule transparent", 1 },
	{ "rule no rule", 500 },
	{ "rule monitor mode: passes", 100 },
	{ "rule refused: connect() fails at once", 500 },
	{ "rule refused: send() fails at once", 500 },
	{ "rule refused: no answer to a foreign address", 20 },
	{ "rule an MPTCP subflow without an owner", 5 },
	{ "rule MPTCP is refused: older than the policy, or its peer's wish alone", 5 },
	{ "before no line allows it", 500 },
	{ "before IP options are refused", 30 },
	{ "before a routing header is refused", 30 },
	{ "before a foreign source address is refused", 20 },
	{ "before listen: from does not name them", 30 },
	{ "before is wrong and never was right: refused", 10 },
	{ "before a declared port does not call out", 20 },
};

static void count(struct stats *stats, const char *kind, const char *what)
{
	char name[STATS_NAME_MAX];
	unsigned i;

	snprintf(name, sizeof(name), "%s %s", kind, what);
	for (i = 0; i < stats->n_classes; i++)
		if (strcmp(stats->classes[i].name, name) == 0)
			break;
	if (i == STATS_CLASSES_MAX)
		return;
	if (i == stats->n_classes)
		snprintf(stats->classes[stats->n_classes++].name, STATS_NAME_MAX, "%s", name);
	stats->classes[i].n++;
}

static const char *protocol_name(uint8_t l4proto)
{
	switch (l4proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_UDPLITE:
		return "udplite";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	}
	return "another";
}

static void count_packet(struct stats *stats, const struct shot *shot, const struct packet *packet)
{
	count(stats, "kind", shot_kind_names[shot->kind]);
	count(stats, "protocol", protocol_name(packet->l4proto));
	count(stats, "family", packet->to.family == ADDR_V4 ? "IPv4" : "IPv6");
	count(stats, "way", packet->oifname);
	if (shot->is_mapped)
		count(stats, "spelling", "mapped");
	if (prefix_is_unspecified(&shot->to))
		count(stats, "spelling", "nobody");
	if (packet->has_ip_options)
		count(stats, "option", "IP options");
	if (packet->has_routing_header)
		count(stats, "option", "routing header");
	if (packet->is_foreign)
		count(stats, "option", "foreign source");
	if (shot->device)
		count(stats, "option", "bound to a device");
	if (shot->damage)
		count(stats, "option", "damaged");
	if (packet->direction != PACKET_UNTRACKED)
		count(stats, "direction",
		      packet->direction == PACKET_ORIGINAL ? "original" : "reply");
}

/* The rule that decided, and the one that led to it. */
static void count_rules(struct stats *stats, const struct proof *proof,
			const struct eval_result *result)
{
	const struct ir_rule *rules = proof->plain.rules;
	unsigned n = result->n_steps;
	const char *what = n ? rules[result->steps[n - 1].rule].origin.what : "no rule";

	count(stats, "rule", what ? what : "unnamed");
	what = n > 1 ? rules[result->steps[n - 2].rule].origin.what : NULL;
	if (what)
		count(stats, "before", what);
}

void stats_add(struct stats *stats, const struct proof *proof, const struct shot *shot,
	       const struct verdict *verdict)
{
	const struct forecast *forecast = &verdict->forecast;

	stats->n_shots++;
	stats->n_plain += proof->is_plain;
	if (verdict->not_sent) {
		stats->n_not_sent++;
		return;
	}
	stats->n_answers += forecast->n_seen - 1;
	count_packet(stats, shot, &forecast->packet);
	count(stats, "verdict", verdict_names[forecast->result.verdict]);
	count_rules(stats, proof, &forecast->result);
}

static int compare_classes(const void *a, const void *b)
{
	return strcmp(((const struct stats_class *)a)->name, ((const struct stats_class *)b)->name);
}

void stats_print(const struct stats *stats, FILE *out)
{
	struct stats sorted = *stats;

	qsort(sorted.classes, sorted.n_classes, sizeof(*sorted.classes), compare_classes);
	fprintf(out,
		"# %u shots: the kernel made no packet of %u, answered %u; %u against the plain "
		"rules\n",
		stats->n_shots, stats->n_not_sent, stats->n_answers, stats->n_plain);
	for (unsigned i = 0; i < sorted.n_classes; i++)
		fprintf(out, "# %7u  %s\n", sorted.classes[i].n, sorted.classes[i].name);
}

static unsigned find_class(const struct stats *stats, const char *name)
{
	for (unsigned i = 0; i < stats->n_classes; i++)
		if (strcmp(stats->classes[i].name, name) == 0)
			return stats->classes[i].n;
	return 0;
}

bool stats_are_broad(const struct stats *stats, FILE *out)
{
	bool broad = true;

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		unsigned n = find_class(stats, classes[i].name);
		uint64_t at_least = (uint64_t)classes[i].at_least * stats->n_shots / 10000;

		if (n >= at_least)
			continue;
		broad = false;
		fprintf(out, "# %s: only %u packets, at least %llu expected\n", classes[i].name, n,
			(unsigned long long)at_least);
	}
	if (stats->n_not_sent * 10 > stats->n_shots) {
		broad = false;
		fprintf(out, "# the kernel made no packet of %u shots\n", stats->n_not_sent);
	}
	return broad;
}
