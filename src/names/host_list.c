/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_list.c - the hosts of one service, looked up by name.
 *
 * One block of memory: rules in their order, an open-addressed table of the names among them, and
 * the names' bytes. Names are hashed from their end, so that the hash of each suffix, under which
 * a wildcard would be found, falls out on the way to that of the whole.
 */
#include "names/host_list.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "names/special.h"

enum { NO_RULE = UINT32_MAX };

enum rule_kind { RULE_NAME, RULE_WILDCARD, RULE_ADDRESS };

struct rule {
	uint32_t name; /* where its bytes begin in the text */
	uint32_t next; /* rule with the same name, or NO_RULE */
	uint32_t line;
	uint16_t port;
	uint8_t length;
	uint8_t kind; /* enum rule_kind */
};

struct slot {
	uint32_t hash;
	uint32_t rule; /* the first one with the name, or NO_RULE */
};

struct host_list {
	uint32_t n;
	uint32_t mask;	 /* slots, less one: a power of two */
	uint64_t depths; /* bit i: there is a wildcard behind i labels, the last bit: or more */
	bool has_addresses;
	const char *text;
	struct rule *rules;
	struct slot slots[];
};

/* --- names ------------------------------------------------------------------------------------ */

static bool takes_port(const struct rule *rule, uint16_t port)
{
	return rule->port ? rule->port == port : port == 80 || port == 443;
}

static uint64_t depth_bit(unsigned labels)
{
	return UINT64_C(1) << (labels < 63 ? labels : 63);
}

static uint32_t hash_step(uint32_t hash, char c)
{
	return hash_byte(hash, (uint8_t)c);
}

/* A wildcard's hash goes on where its suffix's ends, with the dot before it. */
static uint32_t hash_name(const char *name, size_t n, bool is_wildcard)
{
	uint32_t hash = HASH_START;

	while (n)
		hash = hash_step(hash, name[--n]);
	return is_wildcard ? hash_step(hash, '.') : hash;
}

/* The slot of the name, or the free one where it would go. */
static uint32_t find_slot(const struct host_list *list, uint32_t hash, const char *name, size_t n,
			  bool is_wildcard)
{
	/* FNV's low bits are its best */
	for (uint32_t i = hash & list->mask;; i = (i + 1) & list->mask) {
		const struct slot *slot = &list->slots[i];
		const struct rule *rule;

		if (slot->rule == NO_RULE)
			return i;
		if (slot->hash != hash)
			continue;
		rule = &list->rules[slot->rule];
		if (rule->length == n && (rule->kind == RULE_WILDCARD) == is_wildcard &&
		    memcmp(list->text + rule->name, name, n) == 0)
			return i;
	}
}

/* --- deciding --------------------------------------------------------------------------------- */

struct search {
	const struct host_list *list;
	uint16_t port;
	uint32_t found; /* the first rule that lets it through */
	uint32_t near;	/* the narrowest one that names the host, and of these the first */
};

static void search_name(struct search *s, uint32_t hash, const char *name, size_t n,
			bool is_wildcard)
{
	const struct host_list *list = s->list;
	uint32_t first = list->slots[find_slot(list, hash, name, n, is_wildcard)].rule;

	for (uint32_t i = first; i != NO_RULE && i < s->found; i = list->rules[i].next)
		if (takes_port(&list->rules[i], s->port)) {
			s->found = i;
			break;
		}
	if (first != NO_RULE)
		s->near = first; /* suffixes come shortest first, the whole name last */
}

static void search_host(struct search *s, const char *name, bool is_address)
{
	const struct host_list *list = s->list;
	uint32_t hash = HASH_START;
	size_t n = strlen(name);
	unsigned labels = 1;

	for (size_t i = n; i > 0; i--) {
		hash = hash_step(hash, name[i - 1]);
		if (name[i - 1] != '.')
			continue;
		if (!is_address && list->depths & depth_bit(labels))
			search_name(s, hash, name + i, n - i, true);
		labels++;
	}
	search_name(s, hash, name, n, false);
}

struct host_decision host_list_decide(const struct host_list *list, const struct host *host,
				      uint16_t port)
{
	bool is_address = host->address.family != ADDR_NONE;
	struct search s = { list, port, NO_RULE, NO_RULE };

	search_host(&s, host->name, is_address);
	if (s.found != NO_RULE)
		return (struct host_decision){ HOST_ALLOWED, list->rules[s.found].line };
	if (s.near != NO_RULE)
		return (struct host_decision){ HOST_PORT_NOT_LISTED, list->rules[s.near].line };
	return (struct host_decision){ is_address ? HOST_ADDRESS_NOT_LISTED : HOST_NOT_LISTED, 0 };
}

bool host_list_admits(const struct host_list *list, const struct prefix *address, uint16_t port,
		      uint32_t *ret_line)
{
	struct search s = { list, port, NO_RULE, NO_RULE };
	struct prefix plain = prefix_unmapped(address);
	char text[PREFIX_TEXT_MAX];

	*ret_line = 0;
	if (list->has_addresses) {
		format_prefix(&plain, text);
		search_host(&s, text, true);
		if (s.found != NO_RULE) {
			*ret_line = list->rules[s.found].line;
			return true;
		}
	}
	return !special_purpose(&plain);
}

static bool has_other_port(const struct rule *rule)
{
	return rule->port && !takes_port(&(struct rule){ 0 }, rule->port);
}

const char *host_list_next_name(const struct host_list *list, uint16_t port, size_t *at)
{
	while (*at < list->n) {
		const struct rule *rule = &list->rules[(*at)++];

		if (rule->kind == RULE_NAME &&
		    (port ? takes_port(rule, port) : has_other_port(rule)))
			return list->text + rule->name;
	}
	return NULL;
}

bool host_list_has_port(const struct host_list *list, uint16_t port)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (takes_port(&list->rules[i], port))
			return true;
	return false;
}

/* --- words ------------------------------------------------------------------------------------ */

static const struct {
	const char *name, *words;
} verdicts[] = {
	[HOST_ALLOWED] = { "allowed", "is among its hosts" },
	[HOST_NOT_LISTED] = { "not-listed", "is not among its hosts" },
	[HOST_PORT_NOT_LISTED] = { "port-not-listed",
				   "is among its hosts, but not with this port" },
	[HOST_ADDRESS_NOT_LISTED] = { "address-not-listed",
				      "is an address, and not among its hosts" },
	[HOST_ADDRESS_SPECIAL] = { "address-special",
				   "has no address on the internet, and what it has is not among "
				   "its hosts" },
};
static_assert(ARRAY_SIZE(verdicts) == HOST_VERDICT_COUNT, "every host_verdict needs a row");

const char *host_verdict_name(enum host_verdict verdict)
{
	return verdicts[verdict].name;
}

const char *host_verdict_words(enum host_verdict verdict)
{
	return verdicts[verdict].words;
}

void host_format_entry(const struct host *host, uint16_t port, char ret_text[HOST_ENTRY_MAX])
{
	bool v6 = host->address.family == ADDR_V6;

	if (host->address.family == ADDR_NONE && (port == 80 || port == 443))
		snprintf(ret_text, HOST_ENTRY_MAX, "%s", host->name);
	else
		snprintf(ret_text, HOST_ENTRY_MAX, "%s%s%s:%u", v6 ? "[" : "", host->name,
			 v6 ? "]" : "", port);
}

/* --- building --------------------------------------------------------------------------------- */

static uint8_t kind_of(const struct host_rule *rule, size_t n)
{
	struct prefix address;

	if (rule->is_wildcard)
		return RULE_WILDCARD;
	/* only what ends in a digit or has a colon is looked at again */
	if (n && (rule->name[n - 1] <= '9' || strchr(rule->name, ':')) &&
	    parse_address(rule->name, &address) == 0)
		return RULE_ADDRESS;
	return RULE_NAME;
}

static unsigned count_labels(const char *name)
{
	unsigned n = 1;

	for (; *name; name++)
		n += *name == '.';
	return n;
}

static void insert_rule(struct host_list *list, uint32_t i, uint32_t *tails)
{
	struct rule *rule = &list->rules[i];
	const char *name = list->text + rule->name;
	bool is_wildcard = rule->kind == RULE_WILDCARD;
	uint32_t hash = hash_name(name, rule->length, is_wildcard);
	uint32_t at = find_slot(list, hash, name, rule->length, is_wildcard);

	if (list->slots[at].rule == NO_RULE)
		list->slots[at] = (struct slot){ hash, i };
	else
		list->rules[tails[at]].next = i;
	tails[at] = i;
	if (is_wildcard)
		list->depths |= depth_bit(count_labels(name));
	list->has_addresses = list->has_addresses || rule->kind == RULE_ADDRESS;
}

int host_list_new(const struct host_rule *rules, size_t n, struct host_list **ret_list)
{
	AUTO(mem) uint32_t *tails = NULL; /* of the chain that begins in a slot */
	size_t n_slots = 4, n_text = 0;
	AUTO(host_list) struct host_list *list = NULL;
	char *text;

	if (n > UINT32_MAX / 8)
		return -ENOMEM;
	while (n_slots * 3 < n * 4) /* three in four at most are taken */
		n_slots *= 2;
	for (size_t i = 0; i < n; i++)
		n_text += strlen(rules[i].name) + 1;
	list = malloc(sizeof(*list) + n_slots * sizeof(list->slots[0]) +
		      n * sizeof(list->rules[0]) + n_text);
	tails = calloc(n_slots, sizeof(*tails));
	if (!list || !tails || n_text > UINT32_MAX)
		return -ENOMEM;
	*list = (struct host_list){ .n = (uint32_t)n, .mask = (uint32_t)n_slots - 1 };
	list->rules = (struct rule *)&list->slots[n_slots];
	text = (char *)&list->rules[n];
	list->text = text;
	memset(list->slots, 0xff, n_slots * sizeof(list->slots[0])); /* NO_RULE */
	for (size_t i = 0, at = 0; i < n; i++) {
		size_t length = strlen(rules[i].name);

		list->rules[i] = (struct rule){
			.name = (uint32_t)at,
			.next = NO_RULE,
			.line = rules[i].line,
			.port = rules[i].port,
			.length = length <= HOST_NAME_MAX_LENGTH ? (uint8_t)length : 0,
			.kind = kind_of(&rules[i], length),
		};
		memcpy(text + at, rules[i].name, length + 1);
		at += length + 1;
		insert_rule(list, (uint32_t)i, tails);
	}
	*ret_list = TAKE(list);
	return 0;
}

void host_list_free(struct host_list *list)
{
	free(list);
}
