/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest_scene.c - this machine → where its users could try to get to: addresses that stand for
 * the whole internet, ports on loopback, name servers, proxies.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "cli/selftest.h"
#include "kernel/sockets.h"

enum { NEIGHBOURS_MAX = 16, BACKLOG = 128 };

/* --- addresses ----------------------------------------------------------------------------------
 */

/* RFC 5737, 3849, 9637: nobody has them. */
static const char *const documentation[] = { "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",
					     "2001:db8::/32", "3fff::/20" };

bool selftest_is_documentation(const struct prefix *address)
{
	for (size_t i = 0; i < ARRAY_SIZE(documentation); i++) {
		struct prefix prefix;

		if (parse_prefix(documentation[i], &prefix) == 0 &&
		    prefix_contains(&prefix, address))
			return true;
	}
	return false;
}

static void set_far(struct selftest_scene *scene)
{
	parse_address("203.0.113.1", &scene->far[0]);
	parse_address("2001:db8:5e1f::1", &scene->far[1]);
	parse_address("203.0.113.53", &scene->far_dns[0]);
	parse_address("2001:db8:5e1f::53", &scene->far_dns[1]);
	if (!scene->is_told)
		return;
	scene->far[scene->to.family == ADDR_V6] = scene->to;
	scene->far_dns[scene->to.family == ADDR_V6] = scene->to;
}

/* --- ports of our own ---------------------------------------------------------------------------
 */

/* Nobody reads what comes: a connection comes about without accept(). */
static uint16_t open_port(const struct prefix *at, int type)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	bool is_v4 = at->family == ADDR_V4;
	struct sockaddr *address = is_v4 ? (void *)&v4 : (void *)&v6;
	socklen_t length = is_v4 ? sizeof(v4) : sizeof(v6);
	int fd = socket(is_v4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);

	memcpy(&v4.sin_addr, at->bytes, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, at->bytes, sizeof(v6.sin6_addr));
	if (fd < 0)
		return 0;
	if (bind(fd, address, length) < 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) < 0) ||
	    getsockname(fd, address, &length) < 0) {
		close(fd);
		return 0;
	}
	return ntohs(is_v4 ? v4.sin_port : v6.sin6_port);
}

static void open_ports(struct selftest_scene *scene)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (size_t i = 0; i < ARRAY_SIZE(scene->own); i++) {
		struct selftest_port *port = &scene->own[i];

		parse_address(i % 2 ? "::1" : "127.0.0.1", &port->at);
		port->port = open_port(&port->at, types[i / 2]);
	}
}

/* --- ports of others ----------------------------------------------------------------------------
 */

struct search {
	struct selftest *test;
	struct selftest_port *found;
	size_t n;
};

static bool is_own(const struct selftest_scene *scene, const struct selftest_port *port)
{
	for (size_t i = 0; i < ARRAY_SIZE(scene->own); i++)
		if (scene->own[i].port == port->port &&
		    prefix_compare(&scene->own[i].at, &port->at) == 0)
			return true;
	return false;
}

static void add_port(struct search *search, const char *at, const struct live_socket *socket)
{
	struct selftest_port port = { .port = socket->sport, .uid = socket->uid };

	parse_address(at, &port.at);
	for (size_t i = 0; i < search->n; i++)
		if (search->found[i].port == port.port &&
		    prefix_compare(&search->found[i].at, &port.at) == 0)
			return; /* several sockets can listen on it (SO_REUSEPORT) */
	if (!is_own(&search->test->scene, &port))
		*ARENA_APPEND(search->test->cli->arena, search->found, search->n) = port;
}

/* One that listens on :: may take IPv4, too, or not. */
static int see_listener(const struct live_socket *socket, void *data)
{
	struct search *search = data;
	char at[PREFIX_TEXT_MAX];
	bool is_any = prefix_is_unspecified(&socket->from);

	if (is_any)
		add_port(search, "127.0.0.1", socket);
	if (is_any && socket->from.family == ADDR_V6)
		add_port(search, "::1", socket);
	format_prefix(&socket->from, at);
	if (!is_any && (strcmp(at, "127.0.0.1") == 0 || strcmp(at, "::1") == 0))
		add_port(search, at, socket);
	return 0;
}

static int compare_ports(const void *a, const void *b)
{
	const struct selftest_port *x = a, *y = b;

	return x->port != y->port ? (x->port < y->port ? -1 : 1) : prefix_compare(&x->at, &y->at);
}

/* Where there are many, some of all, from the lowest to the highest. */
static void find_neighbours(struct selftest *test)
{
	struct selftest_scene *scene = &test->scene;
	struct search search = { .test = test };
	AUTO(sockets) struct sockets *sockets = NULL;
	int r = sockets_open(&sockets);

	if (r == 0)
		r = sockets_list_listening(sockets, see_listener, &search);
	if (r < 0)
		say(test->cli, "the ports that neighbours listen on cannot be listed: %s",
		    strerror(-r));
	if (search.n)
		qsort(search.found, search.n, sizeof(*search.found), compare_ports);
	scene->neighbours = search.found;
	scene->n_neighbours = search.n < NEIGHBOURS_MAX ? search.n : NEIGHBOURS_MAX;
	scene->n_left_out = search.n - scene->n_neighbours;
	for (size_t i = 0; i < scene->n_neighbours; i++)
		scene->neighbours[i] = search.found[i * search.n / scene->n_neighbours];
}

/* --- name servers and proxies -------------------------------------------------------------------
 */

/* What is in force may be another one: then the daemon's expectations say so. */
static void read_config(struct selftest *test)
{
	struct cli *cli = test->cli;
	struct diags diags;

	diags_init(&diags);
	if (config_read(cli->config, geteuid(), NULL, cli->arena, &test->scene.config, &diags) <
	    0) {
		test->scene.config = (struct config){ 0 };
		say(cli, "%s cannot be read: name servers and proxy are not tried",
		    printable(cli, cli->config));
	}
	diags_done(&diags);
}

void selftest_set_scene(struct selftest *test)
{
	set_far(&test->scene);
	open_ports(&test->scene);
	find_neighbours(test);
	read_config(test);
}
