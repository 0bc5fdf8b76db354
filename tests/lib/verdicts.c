/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdicts.c - a packet as text x ruleset → verdict, deciding line and what is counted. */
#include "lib/verdicts.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>

#include "backend/packet.h"
#include "plan/plan.h"

#define NS_2030 1893456000000000000 /* "until": "2029-12-31" ends here, 2030-01-01 UTC */

enum { STRANGER = 9000, DEFAULT_PORT = 40000 };

/* --- text → packet ---------------------------------------------------------------------------- */

static void __attribute__((noreturn)) misspelt(const char *what, const char *word)
{
	fprintf(stderr, "# no %s: %s\n", what, word);
	abort();
}

int64_t verdicts_uid(const char *word)
{
	static const struct {
		const char *name;
		int64_t uid;
	} users[] = {
		{ "root", 0 },		{ "nobody", PACKET_NO_OWNER },
		{ "www", 33 },		{ "caddy", 990 },
		{ "app", 1001 },	{ "web", 1002 },
		{ "watch", 1003 },	{ "broken", 1004 },
		{ "off", 1005 },	{ "many", 1006 },
		{ "v4", 1007 },		{ "blog", 1011 },
		{ "erp", 1012 },	{ "gitea", 1013 },
		{ "mailer", 1014 },	{ "vault", 1015 },
		{ "phpmyadmin", 1016 }, { "wordpress", 1017 },
		{ "other", STRANGER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		if (strcmp(users[i].name, word) == 0)
			return users[i].uid;
	return strtol(word, NULL, 10);
}

static uint8_t parse_protocol(const char *word)
{
	static const struct {
		const char *name;
		uint8_t number;
	} protocols[] = {
		{ "tcp", IPPROTO_TCP },		{ "udp", IPPROTO_UDP },
		{ "udplite", IPPROTO_UDPLITE }, { "icmp", IPPROTO_ICMP },
		{ "icmpv6", IPPROTO_ICMPV6 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strcmp(protocols[i].name, word) == 0)
			return protocols[i].number;
	misspelt("protocol", word);
}

static void set_groups(char *text, struct packet *packet)
{
	static uint64_t groups[CGROUP_LEVELS];

	packet->groups = groups;
	for (char *part = strtok(text, "/"); part; part = strtok(NULL, "/"))
		groups[packet->n_groups++] = strtoull(part, NULL, 10);
}

static void parse_oddity(const char *word, char **rest, struct packet *packet)
{
	static const struct {
		const char *name;
		uint8_t flags;
	} flags[] = {
		{ "synack", TH_SYN | TH_ACK }, { "ack", TH_ACK },	 { "rst", TH_RST },
		{ "fin", TH_FIN | TH_ACK },    { "ecn", TH_SYN | 0xc0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (strcmp(flags[i].name, word) == 0) {
			packet->tcp_flags = flags[i].flags;
			return;
		}
	if (strcmp(word, "by") == 0)
		packet->oifname = strsep(rest, " ");
	else if (strcmp(word, "from") == 0)
		packet->sport = (uint16_t)atoi(strsep(rest, " "));
	else if (strcmp(word, "in") == 0)
		set_groups(strsep(rest, " "), packet);
	else if (strcmp(word, "type") == 0)
		packet->icmp_type = (uint8_t)atoi(strsep(rest, " "));
	else if (strcmp(word, "mptcp") == 0)
		packet->has_mptcp = true;
	else if (strcmp(word, "foreign") == 0)
		packet->is_foreign = true;
	else if (strcmp(word, "options") == 0)
		packet->has_ip_options = true;
	else if (strcmp(word, "routing") == 0)
		packet->has_routing_header = true;
	else if (strcmp(word, "original") == 0)
		packet->direction = PACKET_ORIGINAL;
	else if (strcmp(word, "bound") == 0)
		packet->is_bound = true;
	else if (strcmp(word, "later") == 0)
		packet->nat = EVAL_NAT_LATER;
	else if (strcmp(word, "older") == 0)
		packet->nat = EVAL_NAT_NONE;
	else if (strcmp(word, "reply") == 0)
		packet->direction = PACKET_REPLY;
	else if (strcmp(word, "just-before-2030") == 0)
		packet->time_ns = NS_2030 - 1;
	else if (strcmp(word, "in-2030") == 0)
		packet->time_ns = NS_2030;
	else
		misspelt("oddity", word);
}

/* Changes the text, which the packet refers to. */
static struct packet parse_packet(char *text)
{
	struct packet packet = { .sport = DEFAULT_PORT };
	const char *to, *word;

	packet.uid = verdicts_uid(strsep(&text, " "));
	packet.l4proto = parse_protocol(strsep(&text, " "));
	to = strsep(&text, " ");
	if (parse_address_port(to, &packet.to, &packet.dport) < 0 &&
	    parse_address(to, &packet.to) < 0)
		misspelt("address", to);
	packet.oifname = prefix_is_loopback(&packet.to) ? "lo" : "eth0";
	packet.tcp_flags = packet.l4proto == IPPROTO_TCP ? TH_SYN : 0;
	packet.icmp_type = packet.to.family == ADDR_V4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	while ((word = strsep(&text, " ")))
		parse_oddity(word, &text, &packet);
	return packet;
}

/* --- a packet judged -------------------------------------------------------------------------- */

struct judge {
	struct ir_ruleset ruleset;
	const char *counted; /* the counter; NULL: none */
};

static void count(uint32_t counter, void *data)
{
	struct judge *judge = data;

	judge->counted = judge->counted ?
				 "twice" :
				 judge->ruleset.counters[counter].name + strlen("refused-");
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool judge_packet(struct judge *judge, const struct verdict_case *c)
{
	AUTO(mem) char *text = strdup(c->packet);
	struct packet packet = parse_packet(text);
	struct eval_packet fields;
	struct eval_result result;
	const struct ir_origin *origin;
	char comment[IR_COMMENT_MAX] = "";

	packet_fields(&packet, &fields);
	judge->counted = NULL;
	eval_packet(&judge->ruleset, &fields, count, judge, &result);
	origin = eval_origin(&judge->ruleset, &result);
	if (origin)
		ir_format_origin(origin, comment);
	if (result.verdict == c->verdict && same_text(origin ? comment : NULL, c->origin) &&
	    same_text(judge->counted, c->counted))
		return true;
	fprintf(stderr, "# %s: verdict %u, origin \"%s\", counted %s\n", c->packet, result.verdict,
		comment, judge->counted ? judge->counted : "-");
	return false;
}

size_t verdicts_wrong(const struct policy_set *set, const struct verdict_case *cases, size_t n)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct judge judge = { .counted = NULL };
	size_t wrong = 0;

	plan_build(set, arena, &judge.ruleset);
	for (size_t i = 0; i < n; i++)
		wrong += !judge_packet(&judge, &cases[i]);
	return wrong;
}
