/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - a host that is asked about by name → what the built-in proxy would decide.
 *
 * The proxy asks name servers itself; here the addresses are those that the question brought along,
 * and it may see others.
 */
#include "why/host.h"

#include <errno.h>
#include <string.h>

#include "names/special.h"
#include "policy/parse.h"

/* --- the list --------------------------------------------------------------------------------- */

static struct host_rule rule_of(const struct policy *policy, size_t i)
{
	const struct host_pattern *pattern = &policy->hosts[i];

	return (struct host_rule){ pattern->name, pattern->is_wildcard, pattern->port,
				   (uint32_t)i + 1 };
}

int why_host_list(const struct policy *policy, struct host_list **ret_list)
{
	AUTO(mem) struct host_rule *rules = calloc(policy->n_hosts + 1, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	for (size_t i = 0; i < policy->n_hosts; i++)
		rules[i] = rule_of(policy, i);
	return host_list_new(rules, policy->n_hosts, ret_list);
}

/* Whether one entry by itself lets the host through. */
static bool entry_allows(const struct policy *policy, size_t i, const struct host *host,
			 uint16_t port)
{
	AUTO(host_list) struct host_list *list = NULL;
	struct host_rule rule = rule_of(policy, i);

	return host_list_new(&rule, 1, &list) == 0 &&
	       host_list_decide(list, host, port).verdict == HOST_ALLOWED;
}

/* --- the verdict ------------------------------------------------------------------------------ */

static bool can_reach(const struct why *why)
{
	const struct config *config = &why->world->set->config;
	const struct proxy_port *own = config_find_proxy_port(config, why->own->policy->service);

	for (size_t i = 0; i < config->n_proxies; i++) {
		struct target proxy = { .to = config->proxies[i].address,
					.port = own ? own->port : config->proxies[i].port };
		struct probe probe;

		probe_call(why->world, &why->sender, &proxy, &probe);
		if (!eval_is_refused(&probe.result))
			return true;
	}
	return false;
}

/* A name all of whose addresses are special is refused, too, unless they are listed. None is known
 * of a name that was not resolved.
 */
static bool has_admitted(const struct proxied *p, const struct asked *list, size_t n)
{
	uint32_t line;

	for (size_t i = 0; i < n; i++)
		if (list[i].target.to.family == ADDR_NONE ||
		    host_list_admits(p->list, &list[i].target.to, list[i].target.port, &line))
			return true;
	return false;
}

static void add_host(struct why *why, const struct host *host, uint16_t port,
		     struct changes *changes)
{
	char entry[HOST_ENTRY_MAX];

	host_format_entry(host, port, entry);
	*ARENA_APPEND(changes->arena, changes->list, changes->n) = (struct change){
		.kind = CHANGE_ADD_HOST,
		.service = why->own,
		.name = arena_strdup(why->arena, entry),
	};
}

/* What the list lacks: the host with this port, and, where it has no other addresses, the special
 * ones.
 */
static void add_missing(struct why *why, const struct proxied *p, const struct host *host,
			const struct asked *list, size_t n, struct changes *changes)
{
	uint16_t port = list[0].target.port;

	if (host_list_decide(p->list, host, port).verdict != HOST_ALLOWED)
		add_host(why, host, port, changes);
	if (host->address.family != ADDR_NONE || has_admitted(p, list, n))
		return;
	for (size_t i = 0; i < n; i++) {
		struct host address = { .address = list[i].target.to };

		format_prefix(&address.address, address.name);
		add_host(why, &address, port, changes);
	}
}

static void drop_hosts(struct why *why, const struct host *host, uint16_t port,
		       struct changes *changes)
{
	const struct policy *policy = why->own->policy;

	for (size_t i = 0; i < policy->n_hosts; i++)
		if (entry_allows(policy, i, host, port))
			*ARENA_APPEND(changes->arena, changes->list, changes->n) = (struct change){
				.kind = CHANGE_DROP_HOST, .service = why->own, .line = i
			};
}

static void set_proxy(struct why *why, struct changes *changes)
{
	*ARENA_APPEND(changes->arena, changes->list, changes->n) =
		(struct change){ .kind = CHANGE_SET_PROXY, .service = why->own, .value = true };
}

static void decide(struct why *why, const struct host *host, const struct asked *list, size_t n,
		   struct proxied *p)
{
	const struct policy *policy = why->own->policy;
	uint16_t port = list[0].target.port;
	struct host_decision d = host_list_decide(p->list, host, port);
	bool enforces = policy->mode == MODE_ENFORCE && why->world->is_standing;
	bool lists_it = d.verdict == HOST_ALLOWED;
	struct changes missing = { .arena = why->arena };

	if (lists_it && host->address.family == ADDR_NONE && !has_admitted(p, list, n))
		d.verdict = HOST_ADDRESS_SPECIAL;
	p->reason = host_verdict_name(d.verdict);
	p->words = host_verdict_words(d.verdict);
	p->named = d.line ? &policy->hosts[d.line - 1] : NULL;
	p->is_near = !lists_it;
	p->is_refused = d.verdict != HOST_ALLOWED;
	add_missing(why, p, host, list, n, &missing);
	if (!policy->proxy) {
		p->is_refused = true;
		p->reason = "no-proxy";
		p->words = "is for the proxy, which the service may not use";
		set_proxy(why, &missing);
	}
	if (p->is_refused && !enforces) {
		p->is_refused = false;
		p->would_refuse = true;
		p->remedy.enforce = missing;
		return;
	}
	if (!p->is_reachable && policy->proxy) {
		p->is_refused = true;
		p->reason = "unreachable";
		p->words = "is for the proxy, which the service cannot connect to";
		missing.n = 0;
	}
	if (p->is_refused)
		p->remedy.turn = missing;
	else
		drop_hosts(why, host, port, &p->remedy.turn);
}

void proxied_find(struct why *why, const struct asked *list, size_t n, struct proxied *ret_proxied)
{
	const struct config *config = &why->world->set->config;
	const char *name = why->question->host;
	struct proxied p = { .remedy.turn.arena = why->arena, .remedy.enforce.arena = why->arena };
	struct host_list *hosts = NULL;
	struct host host;

	*ret_proxied = p;
	if (!name || !why->own || why->is_inbound || why->own->state == POLICY_OFF ||
	    list[0].target.protocol != PROTOCOL_TCP || why_host_list(why->own->policy, &hosts) < 0)
		return;
	p.is_asked = true;
	p.list = hosts;
	p.is_external = config->proxy_is_external;
	p.is_reachable = can_reach(why);
	if (p.is_external) {
		p.reason = "external";
		p.words = "is for the external proxy to judge";
	} else if (host_parse(name, strlen(name), &host, &p.words) < 0) {
		p.is_refused = true;
		p.reason = "no-host";
	} else {
		decide(why, &host, list, n, &p);
	}
	*ret_proxied = p;
}

bool proxied_passes(const struct proxied *p)
{
	return p->is_asked && !p->is_external && !p->is_refused;
}

bool proxied_allows(const struct proxied *p)
{
	return proxied_passes(p) && !p->would_refuse;
}

void proxied_done(struct proxied *p)
{
	host_list_free((struct host_list *)p->list);
}

/* --- as JSON ---------------------------------------------------------------------------------- */

static void put_entry(struct why *why, const char *key, const struct host_pattern *pattern)
{
	const struct policy *policy = why->own->policy;

	writer_key(why->w, key);
	if (!pattern) {
		writer_text(why->w, NULL);
		return;
	}
	writer_begin(why->w, '{');
	answer_put_place(why, policy, pattern->place);
	writer_put_text(why->w, "text", edit_excerpt(policy, pattern->place, why->arena));
	writer_end(why->w, '}');
}

static void put_addresses(struct why *why, const struct proxied *p, const struct asked *list,
			  size_t n)
{
	writer_key(why->w, "addresses");
	writer_begin(why->w, '[');
	for (size_t i = 0; i < n; i++) {
		const struct target *target = &list[i].target;
		char text[PREFIX_TEXT_MAX];
		uint32_t line;

		if (target->to.family == ADDR_NONE)
			continue;
		format_prefix(&target->to, text);
		writer_begin(why->w, '{');
		writer_put_text(why->w, "address", text);
		writer_put_text(why->w, "special", special_purpose(&target->to));
		writer_put_bool(why->w, "admitted",
				host_list_admits(p->list, &target->to, target->port, &line));
		writer_end(why->w, '}');
	}
	writer_end(why->w, ']');
}

void proxied_put(struct why *why, const struct proxied *p, const struct asked *list, size_t n)
{
	const struct policy *policy = why->own ? why->own->policy : NULL;

	if (!p->is_asked)
		return;
	writer_key(why->w, "proxy");
	writer_begin(why->w, '{');
	writer_put_text(why->w, "verdict",
			p->is_external ? NULL :
			p->is_refused  ? "refused" :
					 "allowed");
	writer_put_bool(why->w, "would_refuse", p->would_refuse);
	writer_put_text(why->w, "reason", p->reason);
	writer_put_text(why->w, "because", p->words);
	writer_put_bool(why->w, "reachable", p->is_reachable);
	writer_put_bool(why->w, "external", p->is_external);
	writer_put_bool(why->w, "transparent", policy->transparent);
	writer_put_int(why->w, "port", list[0].target.port);
	writer_put_text(why->w, "file", policy->file);
	put_entry(why, "named_by", p->is_near ? NULL : p->named);
	put_entry(why, "near", p->is_near ? p->named : NULL);
	put_addresses(why, p, list, n);
	answer_put_remedy(why, &p->remedy);
	writer_end(why->w, '}');
}
