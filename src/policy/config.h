/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.h - /etc/uidwall/uidwall.json: what holds for all services. Every key has a default. */
#ifndef UIDWALL_POLICY_CONFIG_H
#define UIDWALL_POLICY_CONFIG_H

#include "policy/policy.h"

struct resolver {
	struct prefix address;
	const char *interface; /* of a link-local address, "fe80::1%eth0"; or NULL */
	struct place place;
};

struct proxy_address {
	struct prefix address;
	uint16_t port;
	struct place place;
};

/* Of the built-in proxy; 0 and NULL: not said. */
struct proxy_settings {
	const char *upstream; /* everything goes through this one: a name or an address */
	uint16_t upstream_port;
	const char *credentials; /* the path of a file */
	struct place credentials_place;
	uint32_t connections, connections_per_service;
	uint32_t request_s, idle_s, lifetime_s;
	/* Where connections of transparent services are led, at the first address of each family in
	 * proxies; 0: as config_transparent_ports() has it.
	 */
	struct number_range transparent_ports;
};

enum { TRANSPARENT_PORTS_MAX = 64 };

/* A port of its own that a service has at an external proxy, which tells services by their ports.
 */
struct proxy_port {
	const char *service;
	uint16_t port;
	struct place place;
};

struct config {
	const char *text; /* of the file; NULL where there is none */
	size_t text_length;
	struct resolver *resolvers; /* from the file, else from /etc/resolv.conf */
	size_t n_resolvers;
	bool resolvers_are_system;     /* the file names none: they are resolv.conf's */
	struct proxy_address *proxies; /* where services reach the forward proxy */
	size_t n_proxies;
	bool proxy_is_external;
	struct proxy_port *proxy_ports; /* at the addresses of proxies, where it is external; sorted
					 */
	size_t n_proxy_ports;
	struct proxy_settings proxy; /* nothing where it is external */
	bool subuids;
	uint16_t log_group;	 /* NFLOG */
	struct user_ref *admins; /* may do all on the control socket, besides root */
	size_t n_admins;
	int64_t proxy_uid; /* of the user of the built-in proxy; -1: there is none */
	int unread;	   /* -errno: resolv.conf could not be read; only of config_from_text() */
};

/* Reads the file (missing: all defaults), which may belong to root or to owner, and, where it names
 * no resolvers, resolv_conf (NULL: /etc/resolv.conf). Everything lives in the arena. -errno when
 * the file is wrong, with diags. Names of admins are not resolved yet.
 */
int config_read(const char *path, uid_t owner, const char *resolv_conf, struct arena *arena,
		struct config *ret_config, struct diags *diags);

/* What resolv_conf (NULL: /etc/resolv.conf) names at this moment, in place of the resolvers so far.
 * None where there is no such file; -errno, with diags, where it cannot be read to its end.
 */
int config_read_resolvers(const char *resolv_conf, struct arena *arena, struct config *config,
			  struct diags *diags);
bool config_same_resolvers(const struct config *a, const struct config *b);

/* As configured, or the default. */
struct number_range config_transparent_ports(const struct config *config);

/* The service's own port at the external proxy, in place of that of proxies; or NULL. */
const struct proxy_port *config_find_proxy_port(const struct config *config, const char *service);
int config_compare_proxy_ports(const void *a, const void *b); /* for qsort */

/* The same from text that was read before; NULL: all defaults. Without resolvers, though with
 * diags, where they cannot be read.
 */
int config_from_text(const char *path, const char *text, size_t length, const char *resolv_conf,
		     struct arena *arena, struct config *ret_config, struct diags *diags);

#endif
