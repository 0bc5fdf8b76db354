/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.c - uidwall wire: files for other programs. So far, squid's access lists. */
#include <string.h>
#include <time.h>

#include "cli/offline.h"
#include "cli/output.h"
#include "cli/squid.h"
#include "policy/values.h"

const char help_wire[] =
	"Writes, from the policies, what another program needs to do its part. Needs\n"
	"neither the daemon nor root. Policies with mistakes give nothing.\n"
	"\n"
	"--squid: squid's access lists. Squid cannot know which user is calling, so each\n"
	"service gets a port of its own there, and the wall lets no other service reach\n"
	"that port. The ports stand in uidwall.json; whoever lacks one is named, with the\n"
	"line to add, such as \"ports\": { \"blog\": 3129 } beside \"external\".\n"
	"Then: apply, write the file, include it in squid.conf above the first\n"
	"http_access line, and give the app http://127.0.0.1:3129 as its http_proxy.\n"
	"\n"
	"exit status: 0 written, 1 there is no port for some service that has hosts, or\n"
	"errors in the policies (nothing is written)\n"
	"\n"
	"  uidwall apply\n"
	"  uidwall wire --squid > /etc/squid/uidwall.conf\n"
	"  squid -k parse && squid -k reconfigure\n";

struct wiring {
	struct cli *cli;
	const struct policy_set *set;
	json_t *notes;	 /* sentences */
	json_t *lacking; /* names of services that have hosts, and no port */
	json_t *ports;	 /* all of them, with those that could be added */
};

/* --- remarks */

static void note(struct wiring *w, const char *format, ...) PRINTF(2, 3);

static void note(struct wiring *w, const char *format, ...)
{
	AUTO(mem) char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	json_array_append_new(w->notes, json_text(w->cli, text));
}

static bool is_open(const struct endpoint *e, const struct prefix *to, uint16_t port, int64_t now)
{
	bool there =
		e->to.family == ADDR_NONE ? prefix_is_loopback(to) : prefix_contains(&e->to, to);

	return there && e->protocol == PROTOCOL_TCP && e->until > now &&
	       ranges_contain(e->ports, e->n_ports, port);
}

/* A policy may open what is another's by itself. */
static void look_at_endpoints(struct wiring *w, const struct policy *policy)
{
	const struct config *config = &w->set->config;
	const struct prefix *address;
	int64_t now = time(NULL);

	for (size_t i = 0; i < policy->n_connect; i++)
		for (size_t j = 0; j < config->n_proxy_ports; j++)
			for (size_t k = 0; (address = squid_address(config, k)); k++) {
				const struct proxy_port *port = &config->proxy_ports[j];

				if (!strcmp(port->service, policy->service) ||
				    !is_open(&policy->connect[i], address, port->port, now))
					continue;
				note(w,
				     "%s:%u lets %s reach port %u too: squid takes it for %s there",
				     policy->file, policy->connect[i].place.line, policy->service,
				     port->port, port->service);
				break;
			}
}

static void look_at_policies(struct wiring *w)
{
	for (size_t i = 0; i < w->set->n_services; i++) {
		const struct policy *policy = w->set->services[i].policy;

		look_at_endpoints(w, policy);
		if (policy->mode == MODE_MONITOR && w->set->config.n_proxy_ports)
			note(w,
			     "%s:%u says monitor: the wall lets %s reach the ports of others too",
			     policy->file, policy->mode_place.line, policy->service);
	}
}

static void look_at_ports(struct wiring *w)
{
	const struct config *config = &w->set->config;

	for (size_t i = 0; i < config->n_proxy_ports; i++) {
		const struct proxy_port *port = &config->proxy_ports[i];
		const struct service *service = policy_set_find(w->set, port->service);

		if (!service)
			note(w, "uidwall.json:%u: there is no service %s", port->place.line,
			     port->service);
		else if (!service->policy->proxy)
			note(w, "%s:%u keeps %s from the proxy, so its port is left out",
			     service->policy->file, service->policy->proxy_place.line,
			     port->service);
	}
}

static void look_at_addresses(struct wiring *w)
{
	const struct prefix *address;

	for (size_t i = 0; (address = squid_address(&w->set->config, i)); i++) {
		char text[PREFIX_TEXT_MAX];

		format_prefix(address, text);
		if (!prefix_is_loopback(address))
			note(w,
			     "%s is no loopback address: unless it is this machine's, the lists "
			     "are "
			     "for squid over there, where whoever reaches a service's port is "
			     "taken "
			     "for that service",
			     text);
	}
}

/* --- ports that could be added */

static bool is_taken(const struct wiring *w, uint32_t port)
{
	const struct config *config = &w->set->config;
	AUTO(json) json_t *value = json_integer(port);
	const char *key;
	json_t *other;

	json_object_foreach(w->ports, key, other) if (json_equal(value, other)) return true;
	for (size_t i = 0; i < config->n_proxies; i++)
		if (config->proxies[i].port == port)
			return true;
	for (size_t i = 0; i < w->set->n_services; i++) {
		const struct policy *policy = w->set->services[i].policy;

		for (size_t j = 0; j < policy->n_listen; j++)
			if (ranges_contain(policy->listen[j].ports, policy->listen[j].n_ports,
					   port))
				return true;
	}
	return false;
}

/* Upwards from the proxy's own. */
static void suggest_ports(struct wiring *w)
{
	const struct config *config = &w->set->config;
	uint32_t port = config->proxies[0].port;

	for (size_t i = 0; i < config->n_proxy_ports; i++)
		json_object_set_new(w->ports, config->proxy_ports[i].service,
				    json_integer(config->proxy_ports[i].port));
	for (size_t i = 0; i < w->set->n_services; i++) {
		const struct policy *policy = w->set->services[i].policy;

		if (!policy->n_hosts || !policy->proxy ||
		    config_find_proxy_port(config, policy->service))
			continue;
		while (port < UINT16_MAX && is_taken(w, port))
			port++;
		json_array_append_new(w->lacking, json_string(policy->service));
		json_object_set_new(w->ports, policy->service, json_integer(port));
	}
}

static json_t *suggested_proxy(const struct wiring *w)
{
	const struct config *config = &w->set->config;
	json_t *list = json_array();
	AUTO(json) json_t *all = list;

	for (size_t i = 0; config->proxy_is_external && i < config->n_proxies; i++) {
		const struct proxy_address *proxy = &config->proxies[i];
		char text[PREFIX_TEXT_MAX];

		format_prefix(&proxy->address, text);
		json_array_append_new(
			list, json_text(w->cli,
					arena_printf(w->cli->arena,
						     proxy->address.family == ADDR_V6 ? "[%s]:%u" :
											"%s:%u",
						     text, proxy->port)));
	}
	if (!json_array_size(list))
		json_array_append_new(list, json_string("127.0.0.1:3128"));
	return json_pack("{s:O, s:O}", "external",
			 json_array_size(list) == 1 ? json_array_get(list, 0) : all, "ports",
			 w->ports);
}

/* --- what is said */

static void say_lacking(struct wiring *w)
{
	AUTO(json) json_t *proxy = suggested_proxy(w);
	AUTO(mem) char *line = json_dumps(proxy, 0);
	const char *names = "";
	size_t i;
	json_t *name;

	json_array_foreach(w->lacking, i, name)
		names = arena_printf(w->cli->arena, "%s%s%s", names, i ? ", " : "",
				     json_string_value(name));
	say(w->cli, "no port of its own at the proxy, so squid cannot know it: %s", names);
	fprintf(stderr, "  in %s:\n      \"proxy\": %s\n  then: uidwall apply, and this again\n",
		printable(w->cli, w->cli->config), line);
}

static json_t *services_json(struct wiring *w)
{
	json_t *list = json_array();

	for (size_t i = 0; i < w->set->n_services; i++) {
		const struct policy *policy = w->set->services[i].policy;
		const struct proxy_port *port = squid_port(w->set, &w->set->services[i]);

		if (port)
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:i, s:i, s:b}", "service",
						policy->service, "file", policy->file, "port",
						(int)port->port, "hosts", (int)policy->n_hosts,
						"monitor", policy->mode == MODE_MONITOR));
	}
	return list;
}

static enum cli_status finish_squid(struct wiring *w, const char *text)
{
	bool lacks = json_array_size(w->lacking) > 0;
	size_t i;
	json_t *one;

	if (w->cli->json) {
		json_print(json_pack("{s:o, s:o, s:O, s:o, s:O}", "squid", json_text(w->cli, text),
				     "services", services_json(w), "without_port", w->lacking,
				     "proxy", suggested_proxy(w), "notes", w->notes));
	} else {
		fputs(text, stdout);
		json_array_foreach(w->notes, i, one)
			say(w->cli, "note: %s", json_string_value(one));
		if (lacks)
			say_lacking(w);
	}
	return lacks ? CLI_FINDINGS : CLI_FINE;
}

static enum cli_status write_squid(struct wiring *w)
{
	AUTO(mem) char *text = NULL;
	size_t length = 0;
	FILE *out;

	look_at_policies(w);
	look_at_ports(w);
	look_at_addresses(w);
	suggest_ports(w);
	out = open_memstream(&text, &length);
	if (!out)
		return fail(w->cli, "out of memory");
	if (w->set->config.n_proxy_ports)
		squid_write(w->set, w->cli->arena, out);
	if (fclose(out) != 0)
		return fail(w->cli, "out of memory");
	if (!length && !w->cli->json && !json_array_size(w->lacking))
		return fail(w->cli,
			    "nothing to write: no policy that uses the proxy has \"hosts\"");
	return finish_squid(w, text);
}

/* The built-in proxy knows its callers, and needs none of this. */
static enum cli_status no_external(struct wiring *w)
{
	AUTO(json) json_t *proxy = NULL;
	AUTO(mem) char *line = NULL;

	suggest_ports(w);
	proxy = suggested_proxy(w);
	line = json_dumps(proxy, 0);
	say(w->cli, "%s names no external proxy, so the built-in one is used, which needs no lists",
	    printable(w->cli, w->cli->config));
	fprintf(stderr, "  for squid:\n      \"proxy\": %s\n", line);
	return CLI_FINDINGS;
}

enum cli_status verb_wire(struct cli *cli)
{
	struct style style = style_of(stderr);
	AUTO(json) json_t *notes = json_array(), *lacking = json_array(), *ports = json_object();
	struct wiring w = { .cli = cli, .notes = notes, .lacking = lacking, .ports = ports };
	AUTO(offline) struct offline offline = { 0 };

	if (cli->n_args)
		return bad_use(
			cli,
			"\"uidwall wire %s\" does not exist yet; what does: uidwall wire --squid",
			printable(cli, cli->args[0]));
	if (!cli->squid)
		return bad_use(cli, "wire what? So far: uidwall wire --squid");
	offline_read(cli, &offline);
	w.set = &offline.set;
	for (size_t i = 0; i < offline.diags.n; i++)
		if (offline.diags.list[i].severity == DIAG_ERROR)
			diag_print(&offline.diags.list[i], stderr, style.colour);
	if (offline.diags.n_errors)
		return fail(cli, "nothing written: %s",
			    count_words(cli, (json_int_t)offline.diags.n_errors,
					"error in the policies", "errors in the policies"));
	return offline.set.config.proxy_is_external ? write_squid(&w) : no_external(&w);
}
