/* SPDX-License-Identifier: GPL-2.0-or-later */
/* squid.c - policies → squid's access lists, by listening port.
 *
 * What squid means by its words (squid.conf.documented 5.7; tests/netns/59-squid.sh tries it):
 * - ".example.org" is example.org as well, which "*.example.org" is not: a second list takes it
 * out.
 * - dstdomain looks up what an address in a URL is called, in a zone that belongs to whoever owns
 * the address; -n keeps it from that.
 * - A list with two names, one of which lies in the other, is an error: such ones are left out.
 * - dst is true when any address of the name fits. It is only asked once a name is listed, so that
 *   nobody has names looked up that are not.
 * - A '.' parts our words, which no service's name has in it: lists of two services are never the
 * same.
 */
#include "cli/squid.h"

#include <string.h>

#include "names/special.h"

enum { WEB = 0, A_LINE = 6 /* prefixes on it */ };

struct squid {
	const struct policy_set *set;
	const struct policy *policy; /* whose lists are being written */
	struct arena *arena;
	FILE *out;
};

/* --- addresses */

static bool same_address(const struct prefix *a, const struct prefix *b)
{
	return prefix_compare(a, b) == 0;
}

const struct prefix *squid_address(const struct config *config, size_t n)
{
	for (size_t i = 0; i < config->n_proxies; i++) {
		const struct prefix *address = &config->proxies[i].address;
		size_t j = 0;

		while (!same_address(&config->proxies[j].address, address))
			j++;
		if (j == i && n-- == 0)
			return address;
	}
	return NULL;
}

const struct proxy_port *squid_port(const struct policy_set *set, const struct service *service)
{
	return service->policy->proxy ?
		       config_find_proxy_port(&set->config, service->policy->service) :
		       NULL;
}

static const char *address_text(struct arena *arena, const struct prefix *address)
{
	char *text = arena_alloc(arena, PREFIX_TEXT_MAX);

	format_prefix(address, text);
	return text;
}

/* As it stands in a URL. */
static const char *url_text(struct arena *arena, const struct prefix *address)
{
	const char *text = address_text(arena, address);

	return address->family == ADDR_V6 ? arena_printf(arena, "[%s]", text) : text;
}

/* --- where no name has any business to lead */

struct prefix_list {
	struct prefix *prefixes;
	size_t n;
};

static void add_prefix(struct squid *s, struct prefix_list *list, const struct prefix *prefix)
{
	*ARENA_APPEND(s->arena, list->prefixes, list->n) = *prefix;
}

/* 64:ff9b::/96 with the IPv4 prefix in its last four bytes (NAT64, RFC 6052). */
static struct prefix behind_nat64(const struct prefix *v4)
{
	struct prefix prefix = { .family = ADDR_V6,
				 .length = (uint8_t)(96 + v4->length),
				 .bytes = { 0, 0x64, 0xff, 0x9b } };

	memcpy(prefix.bytes + 12, v4->bytes, 4);
	return prefix;
}

static struct prefix_list special_prefixes(struct squid *s)
{
	static const struct prefix beyond[] = { { ADDR_V6, 2, { 0x40 } },
						{ ADDR_V6, 1, { 0x80 } } }; /* 2000::/3 */
	struct prefix_list list = { 0 };
	struct prefix prefix;

	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
		add_prefix(s, &list, &beyond[i]);
	for (size_t at = 0; special_next(&at, &prefix);) {
		add_prefix(s, &list, &prefix);
		if (prefix.family != ADDR_V4)
			continue;
		prefix = behind_nat64(&prefix);
		add_prefix(s, &list, &prefix);
	}
	return list;
}

static bool lies_in_another(const struct prefix_list *list, size_t i)
{
	for (size_t j = 0; j < list->n; j++)
		if (j != i && prefix_contains(&list->prefixes[j], &list->prefixes[i]) &&
		    (j < i || !same_address(&list->prefixes[i], &list->prefixes[j])))
			return true;
	return false;
}

static void write_special(struct squid *s)
{
	struct prefix_list list = special_prefixes(s);
	unsigned n = 0;

	fputs("# private, loopback, link-local, multicast, metadata and other special addresses",
	      s->out);
	for (size_t i = 0; i < list.n; i++) {
		if (lies_in_another(&list, i))
			continue;
		fprintf(s->out, "%s %s", n++ % A_LINE ? "" : "\nacl uidwall.special dst",
			address_text(s->arena, &list.prefixes[i]));
	}
	fputs("\n", s->out);
}

/* --- everywhere but at some addresses */

struct span {
	uint8_t first[16], last[16]; /* IPv4 as ::ffff:0:0/96, as squid has it */
};

static void as_mapped(const struct prefix *address, uint8_t ret_bytes[16])
{
	memset(ret_bytes, 0, 16);
	if (address->family == ADDR_V6) {
		memcpy(ret_bytes, address->bytes, 16);
		return;
	}
	ret_bytes[10] = ret_bytes[11] = 0xff;
	memcpy(ret_bytes + 12, address->bytes, 4);
}

/* The next one, or with step 0xff the one before. */
static void move(uint8_t bytes[16], uint8_t step)
{
	for (int i = 15; i >= 0; i--) {
		bytes[i] = (uint8_t)(bytes[i] + step);
		if (bytes[i] != (step == 1 ? 0 : 0xff))
			return;
	}
}

static const char *span_end(struct squid *s, const uint8_t bytes[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	bool is_v4 = !memcmp(bytes, mapped, sizeof(mapped));
	struct prefix address = { .family = is_v4 ? ADDR_V4 : ADDR_V6, .length = is_v4 ? 32 : 128 };

	memcpy(address.bytes, is_v4 ? bytes + 12 : bytes, is_v4 ? 4 : 16);
	return address_text(s->arena, &address);
}

static void write_span(struct squid *s, const struct span *span)
{
	if (!memcmp(span->first, span->last, 16))
		fprintf(s->out, " %s", span_end(s, span->first));
	else if (memcmp(span->first, span->last, 16) < 0)
		fprintf(s->out, " %s-%s", span_end(s, span->first), span_end(s, span->last));
}

/* What is left of a part of all addresses; `listed` sorted. */
static void write_gaps(struct squid *s, struct span part, const struct prefix_list *listed)
{
	for (size_t i = 0; i < listed->n; i++) {
		struct span before = part;
		uint8_t at[16];

		as_mapped(&listed->prefixes[i], at);
		if (memcmp(at, part.first, 16) < 0 || memcmp(at, part.last, 16) > 0)
			continue;
		memcpy(before.last, at, 16);
		move(before.last, 0xff);
		if (memcmp(at, part.first, 16) > 0)
			write_span(s, &before);
		if (!memcmp(at, part.last, 16))
			return;
		memcpy(part.first, at, 16);
		move(part.first, 1);
	}
	write_span(s, &part);
}

static int compare_mapped(const void *a, const void *b)
{
	uint8_t x[16], y[16];

	as_mapped(a, x);
	as_mapped(b, y);
	return memcmp(x, y, 16);
}

static void write_elsewhere(struct squid *s, struct prefix_list *listed)
{
	/* below, within and above the IPv4 addresses; squid takes 0.0.0.0 for :: */
	static const struct span parts[] = {
		{ { 0 }, { [10] = 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff } },
		{ { [10] = 0xff, 0xff, [15] = 1 }, { [10] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		{ { [9] = 1 },
		  { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		    0xff, 0xff, 0xff } },
	};

	qsort(listed->prefixes, listed->n, sizeof(*listed->prefixes), compare_mapped);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		write_gaps(s, parts[i], listed);
	fputs("\n", s->out);
}

/* --- the hosts of one service */

enum host_kind { EXACT, BELOW, ADDRESS, HOST_KINDS };

static const char *const kind_words[HOST_KINDS] = {
	[EXACT] = "names",
	[BELOW] = "below",
	[ADDRESS] = "addresses",
};

static enum host_kind kind_of(const struct host_pattern *host, struct prefix *ret_address)
{
	if (parse_address(host->name, ret_address) == 0)
		return ADDRESS;
	return host->is_wildcard ? BELOW : EXACT;
}

static bool is_below(const char *name, const char *domain)
{
	size_t n = strlen(name), m = strlen(domain);

	return n > m && name[n - m - 1] == '.' && !strcmp(name + n - m, domain);
}

/* The line that makes another one needless, or NULL. */
static const struct host_pattern *find_wider(const struct policy *policy, size_t i)
{
	const struct host_pattern *host = &policy->hosts[i];

	for (size_t j = 0; j < policy->n_hosts; j++) {
		const struct host_pattern *other = &policy->hosts[j];
		bool same =
			other->is_wildcard == host->is_wildcard && !strcmp(other->name, host->name);

		if (j == i || other->port != host->port)
			continue;
		if ((same && j < i) ||
		    (host->is_wildcard && other->is_wildcard && is_below(host->name, other->name)))
			return other;
	}
	return NULL;
}

static const char *port_words(struct squid *s, uint16_t port)
{
	return port == WEB ? "web" : arena_printf(s->arena, "%u", port);
}

static const char *host_words(struct squid *s, const struct host_pattern *host)
{
	struct prefix address;
	const char *name =
		kind_of(host, &address) == ADDRESS ? url_text(s->arena, &address) : host->name;

	return arena_printf(s->arena, "%s%s%s%s", host->is_wildcard ? "*." : "", name,
			    host->port == WEB ? "" : ":",
			    host->port == WEB ? "" : port_words(s, host->port));
}

static void write_acl(struct squid *s, const char *kind, uint16_t port, const char *value)
{
	fprintf(s->out, "acl uidwall.%s.%s.%s dstdomain -n %s\n", s->policy->service, kind,
		port_words(s, port), value);
}

static void write_host(struct squid *s, size_t i)
{
	const struct host_pattern *host = &s->policy->hosts[i];
	const struct host_pattern *wider = find_wider(s->policy, i);
	struct prefix address;
	enum host_kind kind = kind_of(host, &address);

	fprintf(s->out, "# %s:%u \"%s\"", s->policy->file, host->place.line, host_words(s, host));
	if (wider) {
		fprintf(s->out, " (line %u says so already)\n", wider->place.line);
		return;
	}
	fputs("\n", s->out);
	if (kind == EXACT)
		write_acl(s, kind_words[kind], host->port, host->name);
	if (kind == ADDRESS)
		write_acl(s, kind_words[kind], host->port, url_text(s->arena, &address));
	if (kind == BELOW) {
		write_acl(s, kind_words[kind], host->port,
			  arena_printf(s->arena, ".%s", host->name));
		write_acl(s, "itself", host->port, host->name);
	}
}

/* What the hosts with one port come to. */
struct port_group {
	uint16_t port;
	bool has[HOST_KINDS];
	struct prefix_list special; /* special addresses that are listed */
};

static struct port_group group_of(struct squid *s, uint16_t port)
{
	struct port_group group = { .port = port };

	for (size_t i = 0; i < s->policy->n_hosts; i++) {
		const struct host_pattern *host = &s->policy->hosts[i];
		struct prefix address;
		enum host_kind kind = kind_of(host, &address);

		if (host->port != port)
			continue;
		group.has[kind] = true;
		if (kind == ADDRESS && special_purpose(&address))
			add_prefix(s, &group.special, &address);
	}
	return group;
}

static void write_allow(struct squid *s, const struct port_group *group, enum host_kind kind,
			const char *but)
{
	const char *service = s->policy->service, *port = port_words(s, group->port);

	fprintf(s->out, "http_access allow uidwall.%s uidwall.%s.%s.%s uidwall.port.%s", service,
		service, kind_words[kind], port, port);
	if (kind == BELOW)
		fprintf(s->out, " !uidwall.%s.itself.%s", service, port);
	fprintf(s->out, "%s\n", but);
}

static void write_group(struct squid *s, uint16_t port)
{
	struct port_group group = group_of(s, port);
	const char *words = port_words(s, port);
	const char *elsewhere =
		arena_printf(s->arena, " !uidwall.%s.elsewhere.%s", s->policy->service, words);

	if (group.has[ADDRESS])
		write_allow(s, &group, ADDRESS, "");
	for (enum host_kind kind = EXACT; kind <= BELOW; kind++)
		if (group.has[kind])
			write_allow(s, &group, kind, " !uidwall.special");
	if (!group.special.n || (!group.has[EXACT] && !group.has[BELOW]))
		return;
	fputs("# names may lead to the special addresses that are listed, and nowhere else\n",
	      s->out);
	fprintf(s->out, "acl uidwall.%s.elsewhere.%s dst", s->policy->service, words);
	write_elsewhere(s, &group.special);
	for (enum host_kind kind = EXACT; kind <= BELOW; kind++)
		if (group.has[kind])
			write_allow(s, &group, kind, elsewhere);
}

static bool is_first_with_port(const struct policy *policy, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (policy->hosts[j].port == policy->hosts[i].port)
			return false;
	return true;
}

static void write_hosts(struct squid *s)
{
	const struct policy *policy = s->policy;

	if (policy->mode == MODE_MONITOR) {
		fprintf(s->out,
			"# %s:%u monitor: everything passes; access.log says where it went\n"
			"http_access allow uidwall.%s\n",
			policy->file, policy->mode_place.line, policy->service);
		return;
	}
	if (!policy->n_hosts)
		fprintf(s->out, "# %s has no \"hosts\": nothing passes\n", policy->file);
	for (size_t i = 0; i < policy->n_hosts; i++)
		write_host(s, i);
	for (size_t i = 0; i < policy->n_hosts; i++)
		if (is_first_with_port(policy, i))
			write_group(s, policy->hosts[i].port);
}

/* --- all of it */

static void write_service(struct squid *s, const struct proxy_port *port)
{
	const char *service = s->policy->service;
	const struct prefix *address;

	fprintf(s->out, "\n# --- %s (uidwall.json:%u)\n", service, port->place.line);
	for (size_t i = 0; (address = squid_address(&s->set->config, i)); i++)
		fprintf(s->out, "http_port %s:%u name=uidwall.%s.%zu\n",
			url_text(s->arena, address), port->port, service, i + 1);
	fprintf(s->out, "acl uidwall.%s myportname", service);
	for (size_t i = 0; squid_address(&s->set->config, i); i++)
		fprintf(s->out, " uidwall.%s.%zu", service, i + 1);
	fputs("\n", s->out);
	fprintf(s->out, "# the app's environment: http_proxy and https_proxy = http://%s:%u\n",
		url_text(s->arena, squid_address(&s->set->config, 0)), port->port);
	write_hosts(s);
	fputs("# no line further down is about this port\n", s->out);
	fprintf(s->out, "http_access deny uidwall.%s\n", service);
}

static int compare_ports(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static void write_ports(struct squid *s)
{
	uint16_t *ports = NULL;
	size_t n = 0;

	for (size_t i = 0; i < s->set->n_services; i++) {
		const struct service *service = &s->set->services[i];

		for (size_t j = 0; squid_port(s->set, service) && j < service->policy->n_hosts; j++)
			*ARENA_APPEND(s->arena, ports, n) = service->policy->hosts[j].port;
	}
	if (n)
		qsort(ports, n, sizeof(*ports), compare_ports);
	for (size_t i = 0; i < n; i++)
		if (ports[i] != WEB && (!i || ports[i] != ports[i - 1]))
			fprintf(s->out, "acl uidwall.port.%u port %u\n", ports[i], ports[i]);
}

static const char header[] = "# From uidwall's policies, by \"uidwall wire --squid\". Not to be "
			     "edited; after a change of\n"
			     "# \"hosts\", and of the ports in uidwall.json:\n"
			     "#\n"
			     "#   uidwall wire --squid > /etc/squid/uidwall.conf && squid -k parse "
			     "&& squid -k reconfigure\n"
			     "#\n"
			     "# Once, in /etc/squid/squid.conf, above the first http_access line:\n"
			     "#\n"
			     "#   include /etc/squid/uidwall.conf\n"
			     "#\n"
			     "# Squid cannot know which user is calling, so each service has a "
			     "port of its own here. The\n"
			     "# wall sees to it that no other service reaches that port.\n"
			     "\n";

void squid_write(const struct policy_set *set, struct arena *arena, FILE *out)
{
	struct squid s = { .set = set, .arena = arena, .out = out };

	fputs(header, out);
	write_special(&s);
	fputs("acl uidwall.port.web port 80 443\n", out);
	write_ports(&s);
	for (size_t i = 0; i < set->n_services; i++) {
		const struct proxy_port *port = squid_port(set, &set->services[i]);

		if (!port)
			continue;
		s.policy = set->services[i].policy;
		write_service(&s, port);
	}
}
