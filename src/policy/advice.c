/* SPDX-License-Identifier: GPL-2.0-or-later */
/* advice.c - policies → warnings about what is not wrong, but probably not meant. */
#include "policy/advice.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "policy/advice_hosts.h"
#include "policy/values.h"

static void warn_at(const struct policy *policy, struct place place, struct diags *diags,
		    const char *format, ...) PRINTF(4, 5);

static void warn_at(const struct policy *policy, struct place place, struct diags *diags,
		    const char *format, ...)
{
	AUTO(mem) char *message = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&message, format, args) < 0)
		abort();
	va_end(args);
	diag_add_in(diags, DIAG_WARNING, place, policy->text, policy->text_length, "%s", message);
}

/* --- endpoints -------------------------------------------------------------------------------- */

static void advise_endpoints(const struct policy *policy, struct diags *diags)
{
	static const struct prefix loopback[] = {
		{ ADDR_V4, 8, { 127 } },
		{ ADDR_V6, 128, { [15] = 1 } },
	};
	int64_t now = time(NULL);

	for (size_t i = 0; i < policy->n_connect; i++) {
		const struct endpoint *e = &policy->connect[i];

		if (e->until <= now)
			warn_at(policy, e->place, diags,
				"the line ended on %s and lets nothing pass any more",
				e->until_text);
		for (size_t j = 0; j < ARRAY_SIZE(loopback); j++)
			if (e->protocol != PROTOCOL_ICMP && e->to.family != ADDR_NONE &&
			    !prefix_is_loopback(&e->to) && !e->interface &&
			    prefix_contains(&e->to, &loopback[j]))
				warn_at(policy, e->place, diags,
					"the prefix holds loopback too: every local service on "
					"these ports is open to %s; pin it with \"interface\" "
					"unless that is meant",
					policy->service);
	}
}

/* Whether a policy lets its users connect to a port on loopback. */
static bool reaches_loopback(const struct policy *policy, uint8_t protocol, uint32_t port)
{
	if (policy->mode == MODE_MONITOR)
		return true;
	for (size_t i = 0; i < policy->n_connect; i++) {
		const struct endpoint *e = &policy->connect[i];
		bool local = e->to.family == ADDR_NONE || prefix_is_loopback(&e->to) ||
			     e->to.length == 0;

		if (local && e->protocol == protocol && ranges_contain(e->ports, e->n_ports, port))
			return true;
	}
	return false;
}

/* --- listeners -------------------------------------------------------------------------------- */

struct kernel_ports {
	struct number_range ephemeral;
	struct number_range *reserved;
	size_t n_reserved;
};

static struct kernel_ports read_kernel_ports(struct arena *arena)
{
	AUTO(file) FILE *range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	AUTO(file) FILE *reserved = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
	struct kernel_ports ports = { .ephemeral = { 32768, 60999 } };
	AUTO(mem) char *line = NULL;
	size_t capacity = 0;

	if (range && fscanf(range, "%u %u", &ports.ephemeral.first, &ports.ephemeral.last) != 2)
		ports.ephemeral = (struct number_range){ 32768, 60999 };
	if (reserved && getline(&line, &capacity, reserved) > 0) {
		char *rest = line, *item;
		struct number_range one;

		while ((item = strsep(&rest, ",\n")))
			if (parse_number_range(item, UINT16_MAX, &one) == 0)
				*ARENA_APPEND(arena, ports.reserved, ports.n_reserved) = one;
	}
	ranges_normalize(ports.reserved, &ports.n_reserved);
	return ports;
}

static bool is_reserved(const struct kernel_ports *kernel, struct number_range ports)
{
	for (size_t i = 0; i < kernel->n_reserved; i++)
		if (kernel->reserved[i].first <= ports.first &&
		    ports.last <= kernel->reserved[i].last)
			return true;
	return false;
}

static void warn_ephemeral(const struct policy *policy, const struct listener *listener,
			   const struct kernel_ports *kernel, struct number_range ports,
			   struct diags *diags)
{
	bool one = ports.first == ports.last;
	char text[32];

	if (one)
		snprintf(text, sizeof(text), "%u", ports.first);
	else
		snprintf(text, sizeof(text), "%u-%u", ports.first, ports.last);
	warn_at(policy, listener->place, diags,
		"%s %s %s where the kernel picks source ports (%u-%u), so connections of other "
		"programs may start from there and be judged as %s's; choose another port or add "
		"%s to sysctl net.ipv4.ip_local_reserved_ports",
		one ? "port" : "ports", text, one ? "lies" : "lie", kernel->ephemeral.first,
		kernel->ephemeral.last, policy->service, text);
}

static void advise_ephemeral(const struct policy *policy, const struct listener *listener,
			     const struct kernel_ports *kernel, struct diags *diags)
{
	for (size_t i = 0; i < listener->n_ports; i++) {
		struct number_range within = listener->ports[i];

		if (within.first < kernel->ephemeral.first)
			within.first = kernel->ephemeral.first;
		if (within.last > kernel->ephemeral.last)
			within.last = kernel->ephemeral.last;
		if (within.first > within.last || is_reserved(kernel, within))
			continue;
		warn_ephemeral(policy, listener, kernel, within, diags);
	}
}

static void advise_from(const struct policy_set *set, const struct service *service,
			const struct listener *listener, struct identity *identity,
			struct diags *diags)
{
	for (size_t i = 0; i < listener->n_from; i++) {
		const struct user_ref *ref = &listener->from[i];
		const struct service *peer = policy_set_find_uid(set, ref->uid);
		uint32_t port = listener->ports[0].first;
		const char *name = ref->name ? ref->name : identity_user_name(identity, ref->uid);

		if (!peer || peer == service || peer->state != POLICY_GOOD ||
		    reaches_loopback(peer->policy, listener->protocol, port))
			continue;
		warn_at(service->policy, ref->place, diags,
			"\"from\" opens port %u to %s, whose own policy does not let it connect "
			"there; add { \"to\": \"localhost\", \"port\": %u%s } to \"connect\" in %s",
			port, name ? name : "this user", port,
			listener->protocol == PROTOCOL_UDP ? ", \"protocol\": \"udp\"" : "",
			peer->policy->file);
	}
}

struct declared {
	uint8_t protocol;
	struct number_range ports;
	const struct service *service;
	const struct listener *listener;
};

static int compare_declared(const void *a, const void *b)
{
	const struct declared *x = a, *y = b;

	if (x->protocol != y->protocol)
		return x->protocol < y->protocol ? -1 : 1;
	if (x->ports.first != y->ports.first)
		return x->ports.first < y->ports.first ? -1 : 1;
	return x->service < y->service ? -1 : x->service > y->service;
}

static void advise_same_port(struct declared *list, size_t n, struct diags *diags)
{
	size_t reach = 0; /* the one that ends last */

	if (n)
		qsort(list, n, sizeof(*list), compare_declared);
	for (size_t i = 1; i < n; i++) {
		const struct declared *a = &list[reach], *b = &list[i];
		bool same = a->protocol == b->protocol;

		if (same && b->ports.first <= a->ports.last && a->service != b->service)
			warn_at(b->service->policy, b->listener->place, diags,
				"port %u is also declared by service %s (%s:%u); only one of them "
				"can listen on an address",
				b->ports.first, a->service->policy->service,
				a->service->policy->file, a->listener->place.line);
		if (!same || b->ports.last > a->ports.last)
			reach = i;
	}
}

static void advise_listeners(const struct policy_set *set, struct identity *identity,
			     struct diags *diags)
{
	AUTO(arena) struct arena *scratch = arena_new();
	struct kernel_ports kernel = read_kernel_ports(scratch);
	struct declared *declared = NULL;
	size_t n = 0;

	for (size_t i = 0; i < set->n_services; i++) {
		const struct service *service = &set->services[i];
		const struct policy *policy = service->policy;

		if (service->state != POLICY_GOOD)
			continue;
		for (size_t j = 0; j < policy->n_listen; j++) {
			const struct listener *l = &policy->listen[j];

			advise_ephemeral(policy, l, &kernel, diags);
			advise_from(set, service, l, identity, diags);
			for (size_t k = 0; k < l->n_ports; k++)
				*ARENA_APPEND(scratch, declared, n) =
					(struct declared){ l->protocol, l->ports[k], service, l };
		}
	}
	advise_same_port(declared, n, diags);
}

/* --- units ------------------------------------------------------------------------------------ */

/* Whether this machine's systemd has a file for the unit, or for the template of an instance. */
static bool has_file(const char *unit)
{
	/* systemd.unit(5) */
	static const char *const folders[] = {
		"/etc/systemd/system",		 "/run/systemd/system",
		"/run/systemd/transient",	 "/run/systemd/generator",
		"/run/systemd/generator.early",	 "/run/systemd/generator.late",
		"/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
		"/lib/systemd/system",
	};
	const char *at = strchr(unit, '@'), *dot = strrchr(unit, '.');
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], unit);
		if (access(path, F_OK) == 0)
			return true;
		if (!at || at > dot)
			continue;
		snprintf(path, sizeof(path), "%s/%.*s%s", folders[i], (int)(at + 1 - unit), unit,
			 dot);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static bool has_group(const struct policy_set *set, uint32_t service)
{
	for (size_t i = 0; i < set->n_groups; i++)
		if (set->groups[i].service == service || set->groups[i].service == NO_SERVICE)
			return true;
	return false;
}

/* Slices and scopes come without files. Where systemd does not run, its files say nothing. */
static void advise_unit(const struct policy_set *set, uint32_t service, struct diags *diags)
{
	const struct policy *policy = set->services[service].policy;
	const char *dot = policy->unit ? strrchr(policy->unit, '.') : NULL;

	if (!dot || policy->unit[0] == '/' || strcmp(dot, ".slice") == 0 ||
	    strcmp(dot, ".scope") == 0 || access("/run/systemd/system", F_OK) < 0 ||
	    has_group(set, service) || has_file(policy->unit))
		return;
	warn_at(policy, policy->unit_place, diags,
		"there is no unit %s on this machine; until one starts, %s is governed by its "
		"users "
		"only",
		policy->unit, policy->service);
}

/* --- the rest --------------------------------------------------------------------------------- */

static void advise_transparent(const struct policy_set *set, const struct policy *policy,
			       struct diags *diags)
{
	if (!policy->transparent)
		return;
	if (!policy->proxy)
		warn_at(policy, policy->transparent_place, diags,
			"connections are led to the proxy, which \"proxy\": false keeps the "
			"service "
			"from: none is led anywhere; remove one of the two");
	else if (set->config.proxy_is_external)
		warn_at(policy, policy->transparent_place, diags,
			"connections are led to the built-in proxy, and uidwall.json names an "
			"external one: none is led anywhere; remove \"external\" there or "
			"\"transparent\" here");
}

static void advise_defaults(const struct policy_set *set, struct diags *diags)
{
	bool dns = false;

	for (size_t i = 0; i < set->n_services; i++) {
		const struct policy *policy = set->services[i].policy;

		if (set->services[i].state != POLICY_GOOD)
			continue;
		dns = dns || policy->dns;
		advise_transparent(set, policy, diags);
		if (policy->n_hosts && !policy->proxy)
			warn_at(policy, policy->proxy_place, diags,
				"\"hosts\" are reached by the proxy, which \"proxy\": false keeps "
				"the service from");
	}
	for (size_t i = 0; i < set->config.n_proxy_ports; i++) {
		const struct proxy_port *port = &set->config.proxy_ports[i];

		if (!policy_set_find(set, port->service))
			diag_add(diags, DIAG_WARNING, port->place,
				 "there is no service %s: port %u is nobody's", port->service,
				 port->port);
	}
	if (dns && !set->config.n_resolvers)
		diag_add(diags, DIAG_WARNING, (struct place){ .file = "/etc/resolv.conf" },
			 "no name server is configured, so \"dns\" opens nothing; name them in "
			 "\"resolvers\" of uidwall.json");
}

void advice_give(const struct policy_set *set, struct identity *identity, struct diags *diags)
{
	for (size_t i = 0; i < set->n_services; i++)
		if (set->services[i].state == POLICY_GOOD) {
			advise_endpoints(set->services[i].policy, diags);
			advise_hosts(set->services[i].policy, diags);
			advise_unit(set, (uint32_t)i, diags);
		}
	advise_listeners(set, identity, diags);
	advise_defaults(set, diags);
}
