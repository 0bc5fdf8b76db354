/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crossing.c - one packet as policies see it: whether they let it pass, and the fewest changes of
 * their lines that would turn that.
 *
 * The order in which a service's chain judges: answers of its ports and its own ports on loopback,
 * unless others guard those, too; then every "from" there is, then whatever allows.
 */
#include "why/crossing.h"

#include <string.h>

#include "policy/values.h"

static const struct policy *policy_of(const struct crossing *c)
{
	return c->service->policy;
}

static bool is_lo(const struct crossing *c)
{
	return strcmp(c->oifname, "lo") == 0;
}

static bool in_monitor_mode(const struct crossing *c)
{
	return policy_of(c)->mode == MODE_MONITOR && !c->as_enforced;
}

/* --- the sender's own lines ------------------------------------------------------------------- */

static bool fits_interface(const struct crossing *c, const struct prefix *to, const char *interface)
{
	if (to->family == ADDR_NONE || prefix_is_loopback(to))
		return is_lo(c);
	return !interface || strcmp(interface, c->oifname) == 0;
}

/* Its address, protocol and port. */
static bool covers(const struct crossing *c, const struct endpoint *e)
{
	static const struct prefix loopback[] = {
		{ ADDR_V4, 32, { 127, 0, 0, 1 } },
		{ ADDR_V6, 128, { [15] = 1 } },
	};

	if (e->protocol != c->protocol)
		return false;
	if (c->protocol != PROTOCOL_ICMP && !ranges_contain(e->ports, e->n_ports, c->dport))
		return false;
	if (e->to.family != ADDR_NONE)
		return prefix_contains(&e->to, &c->to);
	return prefix_compare(&loopback[0], &c->to) == 0 ||
	       prefix_compare(&loopback[1], &c->to) == 0;
}

static bool line_allows(const struct crossing *c, const struct endpoint *e)
{
	return covers(c, e) && e->until > c->now && fits_interface(c, &e->to, e->interface);
}

bool crossing_is_near(const struct crossing *c, const struct endpoint *endpoint)
{
	return covers(c, endpoint) && !line_allows(c, endpoint);
}

static bool any_line_allows(const struct crossing *c)
{
	for (size_t i = 0; i < policy_of(c)->n_connect; i++)
		if (line_allows(c, &policy_of(c)->connect[i]))
			return true;
	return false;
}

/* Whether "dns" is about the packet, be it true or false. */
static bool is_dns(const struct crossing *c)
{
	const struct config *config = &c->set->config;

	if (c->protocol == PROTOCOL_ICMP || c->dport != 53)
		return false;
	for (size_t i = 0; i < config->n_resolvers; i++) {
		const struct resolver *r = &config->resolvers[i];

		if (prefix_compare(&r->address, &c->to) != 0)
			continue;
		if (r->interface ? strcmp(r->interface, c->oifname) == 0 :
				   fits_interface(c, &r->address, NULL))
			return true;
	}
	return false;
}

/* `own`: the port that the service has of its own there, or NULL. */
static bool is_proxy_at(const struct crossing *c, const struct proxy_port *own)
{
	const struct config *config = &c->set->config;

	for (size_t i = 0; c->protocol == PROTOCOL_TCP && i < config->n_proxies; i++)
		if ((own ? own->port : config->proxies[i].port) == c->dport &&
		    prefix_compare(&config->proxies[i].address, &c->to) == 0 &&
		    fits_interface(c, &config->proxies[i].address, NULL))
			return true;
	return false;
}

static bool is_proxy(const struct crossing *c)
{
	return is_proxy_at(c, config_find_proxy_port(&c->set->config, policy_of(c)->service));
}

/* A port at the proxy that makes others of whoever uses it: no line is to open that. */
static bool is_proxy_of_others(const struct crossing *c)
{
	const struct config *config = &c->set->config;
	bool is_one = config->n_proxy_ports && is_proxy_at(c, NULL);

	for (size_t i = 0; !is_one && i < config->n_proxy_ports; i++)
		is_one = is_proxy_at(c, &config->proxy_ports[i]);
	return is_one && !is_proxy(c);
}

static bool is_allowed(const struct crossing *c)
{
	return any_line_allows(c) || (policy_of(c)->dns && is_dns(c)) ||
	       (policy_of(c)->proxy && is_proxy(c));
}

/* --- transparent ------------------------------------------------------------------------------ */

static bool has_listener(const struct config *config, uint8_t family)
{
	for (size_t i = 0; !config->proxy_is_external && i < config->n_proxies; i++)
		if (config->proxies[i].address.family == family)
			return true;
	return false;
}

static bool is_led_port(const struct policy *policy, uint16_t port)
{
	for (size_t i = 0; i < policy->n_hosts; i++)
		if (policy->hosts[i].port == port)
			return true;
	return port == 80 || port == 443;
}

/* Whether it is led to the proxy, but for a line that lets it go where it says. */
static bool would_be_led(const struct crossing *c)
{
	return policy_of(c)->transparent && policy_of(c)->proxy && c->protocol == PROTOCOL_TCP &&
	       !c->is_answer && !is_lo(c) && is_led_port(policy_of(c), c->dport) &&
	       has_listener(&c->set->config, c->to.family) && !c->set->lacks_nat;
}

static bool is_led(const struct crossing *c)
{
	return would_be_led(c) && !any_line_allows(c) && !(policy_of(c)->dns && is_dns(c));
}

static bool is_answer_of(const struct crossing *c, const struct listener *l)
{
	return l->protocol == c->protocol && c->is_answer &&
	       ranges_contain(l->ports, l->n_ports, c->sport);
}

/* The service's own way to its port, over loopback. */
static bool is_way_to(const struct crossing *c, const struct listener *l)
{
	return l->protocol == c->protocol && is_lo(c) &&
	       ranges_contain(l->ports, l->n_ports, c->dport);
}

static bool any_listener(const struct crossing *c,
			 bool (*fits)(const struct crossing *c, const struct listener *l))
{
	for (size_t i = 0; i < policy_of(c)->n_listen; i++)
		if (fits(c, &policy_of(c)->listen[i]))
			return true;
	return false;
}

/* --- guards: the "from" of others ------------------------------------------------------------- */

const struct user_ref *crossing_named(const struct listener *listener, uint32_t uid)
{
	for (size_t i = 0; i < listener->n_from; i++)
		if (listener->from[i].uid == uid)
			return &listener->from[i];
	return NULL;
}

static bool has_guards(const struct service *service)
{
	return service->state != POLICY_OFF && service->state != POLICY_REFUSED &&
	       service->policy->n_listen > 0;
}

static bool guards_port(const struct crossing *c, const struct listener *l)
{
	return l->has_from && l->protocol == c->protocol &&
	       ranges_contain(l->ports, l->n_ports, c->dport);
}

static bool can_be_guarded(const struct crossing *c)
{
	return is_lo(c) && c->uid != 0 && c->protocol != PROTOCOL_ICMP;
}

static bool is_own_port(const struct crossing *c)
{
	return (c->declares && is_lo(c)) || any_listener(c, is_way_to);
}

/* Whether a service but the sender's has guards there, be they for show. */
static bool others_guard(const struct crossing *c)
{
	for (size_t i = 0; is_lo(c) && i < c->set->n_services; i++) {
		const struct service *s = &c->set->services[i];

		for (size_t j = 0; s != c->service && has_guards(s) && j < s->policy->n_listen; j++)
			if (guards_port(c, &s->policy->listen[j]))
				return true;
	}
	return false;
}

/* An answer from a declared port, or the way to the own one: before any guard is asked. */
static bool is_declared(const struct crossing *c)
{
	return any_listener(c, is_answer_of) || (is_own_port(c) && !others_guard(c));
}

/* Calls add() for each guard that refuses the packet, `but` for those of one service; whether there
 * is one. but and add may be NULL.
 */
static bool guards_refuse(const struct crossing *c, const struct service *but,
			  void (*add)(const struct crossing *c, const struct service *service,
				      size_t line, struct changes *changes),
			  struct changes *changes)
{
	bool refused = false;

	if (!can_be_guarded(c))
		return false;
	for (size_t i = 0; i < c->set->n_services; i++) {
		const struct service *s = &c->set->services[i];

		if (s == but || !has_guards(s) ||
		    (s->policy->mode == MODE_MONITOR && !c->as_enforced))
			continue;
		for (size_t j = 0; j < s->policy->n_listen; j++) {
			if (!guards_port(c, &s->policy->listen[j]) ||
			    crossing_named(&s->policy->listen[j], c->uid))
				continue;
			refused = true;
			if (!add)
				return true;
			add(c, s, j, changes);
		}
	}
	return refused;
}

bool crossing_find_guard(const struct crossing *c, bool names, const struct service **ret_service,
			 const struct listener **ret_listener)
{
	for (size_t i = 0; is_lo(c) && i < c->set->n_services; i++) {
		const struct service *s = &c->set->services[i];

		for (size_t j = 0; has_guards(s) && j < s->policy->n_listen; j++) {
			const struct listener *l = &s->policy->listen[j];

			if (!guards_port(c, l) || !crossing_named(l, c->uid) == names)
				continue;
			*ret_service = s;
			*ret_listener = l;
			return true;
		}
	}
	return false;
}

/* --- the verdict ------------------------------------------------------------------------------ */

bool crossing_passes(const struct crossing *c)
{
	if (c->is_shared)
		return false;
	if (!c->service)
		return !guards_refuse(c, NULL, NULL, NULL);
	if (c->service->state == POLICY_REFUSED)
		return false;
	if (is_declared(c))
		return true;
	if (guards_refuse(c, NULL, NULL, NULL))
		return false;
	return in_monitor_mode(c) || is_own_port(c) || is_allowed(c) || is_led(c);
}

bool crossing_passes_enforced(const struct crossing *c)
{
	struct crossing enforced = *c;

	enforced.as_enforced = true;
	return crossing_passes(&enforced);
}

/* --- what would turn it ----------------------------------------------------------------------- */

static struct change *add_change(struct changes *changes, enum change_kind kind,
				 const struct service *service)
{
	struct change *change = ARENA_APPEND(changes->arena, changes->list, changes->n);

	change->kind = (uint8_t)kind;
	change->service = service;
	return change;
}

static void add_user(const struct crossing *c, const struct service *service, size_t line,
		     struct changes *changes)
{
	struct change *change = add_change(changes, CHANGE_ADD_FROM, service);

	change->line = line;
	change->uid = c->uid;
	change->name = c->user;
}

static void add_listener(const struct crossing *c, struct changes *changes)
{
	struct change *change = add_change(changes, CHANGE_ADD_LISTEN, c->service);

	change->protocol = c->protocol;
	change->port = c->sport;
}

static void add_line(const struct crossing *c, struct changes *changes)
{
	struct change *change;

	if (is_dns(c)) {
		add_change(changes, CHANGE_SET_DNS, c->service)->value = true;
		return;
	}
	if (is_proxy(c)) {
		add_change(changes, CHANGE_SET_PROXY, c->service)->value = true;
		return;
	}
	change = add_change(changes, CHANGE_ADD_CONNECT, c->service);
	change->to = c->to;
	change->protocol = c->protocol;
	change->port = c->dport;
	/* the same link-local address is another machine on another link */
	if (c->to.family == ADDR_V6 && c->to.bytes[0] == 0xfe && (c->to.bytes[1] & 0xc0) == 0x80 &&
	    *c->oifname)
		change->interface = c->oifname;
}

bool crossing_allow(const struct crossing *c, struct changes *changes)
{
	if (c->is_shared || (c->service && c->service->state == POLICY_REFUSED))
		return false;
	if (!c->service)
		return guards_refuse(c, NULL, add_user, changes);
	if (crossing_passes(c))
		return false;
	if (c->is_answer) {
		add_listener(c, changes);
		return true;
	}
	if (prefix_is_loopback(&c->to) && !is_lo(c))
		return false; /* no line is about such a packet */
	if (is_proxy_of_others(c) && !in_monitor_mode(c))
		return false;
	if (!in_monitor_mode(c) && !is_own_port(c) && !is_allowed(c) && !is_led(c))
		add_line(c, changes);
	guards_refuse(c, NULL, add_user, changes);
	return true;
}

static void drop_declared(const struct crossing *c, struct changes *changes)
{
	for (size_t i = 0; i < policy_of(c)->n_listen; i++)
		if (is_answer_of(c, &policy_of(c)->listen[i]) ||
		    is_way_to(c, &policy_of(c)->listen[i]))
			add_change(changes, CHANGE_DROP_LISTEN, c->service)->line = i;
}

static void drop_allowing(const struct crossing *c, struct changes *changes)
{
	const struct policy *policy = policy_of(c);

	for (size_t i = 0; i < policy->n_connect; i++)
		if (line_allows(c, &policy->connect[i]))
			add_change(changes, CHANGE_DROP_CONNECT, c->service)->line = i;
	if (policy->proxy && is_proxy(c))
		add_change(changes, CHANGE_SET_PROXY, c->service);
	else if (would_be_led(c))
		add_change(changes, CHANGE_SET_TRANSPARENT, c->service);
	if (policy->dns && is_dns(c))
		add_change(changes, CHANGE_SET_DNS, c->service);
	if (in_monitor_mode(c))
		add_change(changes, CHANGE_ENFORCE, c->service);
}

/* Takes the user out of one guard: all its entries there. */
static void drop_user(const struct service *service, size_t line, uint32_t uid,
		      struct changes *changes)
{
	const struct listener *l = &service->policy->listen[line];

	for (size_t i = 0; i < l->n_from; i++)
		if (l->from[i].uid == uid) {
			struct change *change = add_change(changes, CHANGE_DROP_FROM, service);

			change->line = line;
			change->user = i;
		}
}

/* The guards of one service keep the sender out once it is not named, or once they are not for
 * show.
 */
static bool close_guard(const struct crossing *c, const struct service *service,
			struct changes *changes)
{
	bool enforces = service->policy->mode != MODE_MONITOR;

	for (size_t i = 0; has_guards(service) && i < service->policy->n_listen; i++) {
		const struct listener *l = &service->policy->listen[i];

		if (!guards_port(c, l) || !crossing_named(l, c->uid) == enforces)
			continue;
		if (enforces)
			drop_user(service, i, c->uid, changes);
		else
			add_change(changes, CHANGE_ENFORCE, service);
		return true;
	}
	return false;
}

bool crossing_close_guard(const struct crossing *c, const struct service *service,
			  struct changes *changes)
{
	if (!can_be_guarded(c) || !crossing_passes(c))
		return false;
	if (c->service && (c->service == service || is_declared(c)))
		return false;
	return close_guard(c, service, changes);
}

/* Once it is not for show any more. */
static bool own_guard_refuses(const struct crossing *c)
{
	bool refuses = false;

	for (size_t i = 0; can_be_guarded(c) && i < policy_of(c)->n_listen; i++)
		refuses = refuses || (guards_port(c, &policy_of(c)->listen[i]) &&
				      !crossing_named(&policy_of(c)->listen[i], c->uid));
	return refuses && others_guard(c);
}

bool crossing_refuse(const struct crossing *c, struct changes *changes)
{
	if (!crossing_passes(c))
		return false;
	if (!c->service) {
		for (size_t i = 0; can_be_guarded(c) && i < c->set->n_services; i++)
			if (close_guard(c, &c->set->services[i], changes))
				return true;
		return false;
	}
	if (in_monitor_mode(c) && own_guard_refuses(c)) {
		add_change(changes, CHANGE_ENFORCE, c->service);
		return true;
	}
	drop_declared(c, changes);
	if (!guards_refuse(c, c->service, NULL, NULL)) /* the own ones have gone */
		drop_allowing(c, changes);
	return true;
}
