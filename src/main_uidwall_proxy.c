/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main_uidwall_proxy.c - the forward proxy: command line, configuration, and what it gives up. */
#include <getopt.h>
#include <string.h>
#include <sys/resource.h>

#include "config.h"

#include "base/log.h"
#include "policy/config.h"
#include "proxy/confine.h"
#include "proxy/credentials.h"
#include "proxy/listen.h"
#include "proxy/proxy.h"
#include "service/notify.h"

enum { DESCRIPTORS = 131072, EXIT_USAGE = 2 };

static const char help[] =
	"Usage: uidwall-proxy [OPTION]...\n"
	"The forward proxy of the wall: lets each service reach the names that its policy lists "
	"as\n"
	"\"hosts\", and knows by the kernel who is calling. Decisions are lines of JSON on "
	"standard\n"
	"output, everything else is logged to standard error.\n"
	"\n"
	"      --config FILE    what holds for all services (" UIDWALL_SYSCONFDIR
	"/uidwall.json):\n"
	"                       its \"proxy\" says where this one listens, and its bounds\n"
	"      --control PATH   uidwalld's socket (" UIDWALL_RUNDIR
	"/control.sock), for who may go\n"
	"                       where; until it answers for the first time, all are refused\n"
	"      --no-seccomp     do not filter its own system calls (valgrind, debuggers)\n"
	"      --help           this text\n"
	"      --version        the version\n"
	"\n"
	"Started by root it becomes the user \"" PROXY_USER "\". SIGTERM ends it, and with it all\n"
	"connections through it. New policies need no restart, a new uidwall.json does.\n"
	"Clients use http_proxy=http://127.0.0.1:3128 (\"uidwall why SERVICE https://HOST\" tells\n"
	"what becomes of it), or their policy says \"transparent\". See uidwall-proxy(8).\n";

enum option_key {
	OPTION_CONFIG = 1,
	OPTION_CONTROL,
	OPTION_NO_SECCOMP,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "control", required_argument, NULL, OPTION_CONTROL },
	{ "no-seccomp", no_argument, NULL, OPTION_NO_SECCOMP },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

struct setup {
	const char *config_path, *control;
	bool no_seccomp;
	struct config config;
	struct listeners listeners;
	struct credentials credentials;
};

/* The addresses of "listen"; of each family the first one's, with the ports that connections are
 * led to. */
static int listen_everywhere(struct setup *setup, struct arena *arena, struct diags *diags)
{
	struct number_range led = config_transparent_ports(&setup->config);
	const struct proxy_address *first[2] = { NULL, NULL };
	struct listen_address *addresses = NULL;
	size_t n = 0;

	for (size_t i = 0; i < setup->config.n_proxies; i++) {
		const struct proxy_address *proxy = &setup->config.proxies[i];
		bool is_v6 = proxy->address.family == ADDR_V6;

		*ARENA_APPEND(arena, addresses, n) =
			(struct listen_address){ proxy->address, proxy->port, proxy->place, false };
		if (!first[is_v6])
			first[is_v6] = proxy;
	}
	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		for (uint32_t port = led.first; first[i] && port <= led.last; port++)
			*ARENA_APPEND(arena, addresses, n) =
				(struct listen_address){ first[i]->address, (uint16_t)port,
							 first[i]->place, true };
	return listeners_open(addresses, n, &setup->listeners, diags);
}

/* What is read and opened before rights go: 0 or -errno. */
static int prepare(struct setup *setup, struct arena *arena)
{
	const struct proxy_settings *settings = &setup->config.proxy;
	AUTO(diags) struct diags diags;
	int r;

	diags_init(&diags);
	r = config_read(setup->config_path, geteuid(), NULL, arena, &setup->config, &diags);
	if (r == 0 && !setup->config.proxy_is_external) {
		if (settings->credentials)
			r = credentials_read(settings->credentials, settings->credentials_place,
					     &setup->credentials, &diags);
		if (r == 0)
			r = listen_everywhere(setup, arena, &diags);
	}
	log_diags(&diags);
	return r;
}

/* As the unit says, where nobody else says so; only root may go beyond its hard limit. Each
 * connection takes two.
 */
static void raise_descriptors(const struct proxy_settings *settings)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_max < DESCRIPTORS &&
	    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ DESCRIPTORS, DESCRIPTORS }) == 0)
		limit.rlim_max = DESCRIPTORS;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warning("cannot have more than the usual number of descriptors");
	if (settings->connections > limit.rlim_max / 2)
		log_warning("%u \"connections\" take %u descriptors, and there may be %ju: raise "
			    "LimitNOFILE= in its unit (\"systemctl edit uidwall-proxy\")",
			    settings->connections, 2 * settings->connections,
			    (uintmax_t)limit.rlim_max);
}

/* In each thread. */
static void on_confine(void *data)
{
	const struct setup *setup = data;

	confine_rest(!setup->no_seccomp);
}

static void on_ready(void *data)
{
	struct setup *setup = data;

	credentials_wipe(&setup->credentials);
	log_info("listens at %s%s", setup->listeners.words,
		 setup->listeners.are_handed ? ", handed over by the service manager" : "");
	notify_send("READY=1\nSTATUS=listens at %s", setup->listeners.words);
}

static int run(struct setup *setup, struct arena *arena)
{
	const struct config *config = &setup->config;
	struct prefix *servers = arena_alloc(arena, config->n_resolvers * sizeof(*servers) + 1);
	const char **interfaces = arena_alloc(arena, config->n_resolvers * sizeof(*interfaces) + 1);
	const struct proxy_options options = {
		.listeners = setup->listeners.fds,
		.n_listeners = setup->listeners.n,
		.control = setup->control,
		.servers = servers,
		.interfaces = interfaces,
		.n_servers = config->n_resolvers,
		.upstream = { config->proxy.upstream, config->proxy.upstream_port,
			      setup->credentials.user, setup->credentials.password },
		.n_connections = config->proxy.connections,
		.n_each = config->proxy.connections_per_service,
		.first_byte_s = config->proxy.request_s,
		.idle_s = config->proxy.idle_s,
		.lifetime_s = config->proxy.lifetime_s,
	};
	int status;

	for (size_t i = 0; i < config->n_resolvers; i++) {
		servers[i] = config->resolvers[i].address;
		interfaces[i] = config->resolvers[i].interface;
	}
	status = proxy_run(&options, &(struct proxy_hooks){ .confine = on_confine,
							    .ready = on_ready,
							    .data = setup,
							    .alive = notify_alive,
							    .alive_us = notify_interval_us() });
	notify_send("STOPPING=1");
	return status;
}

static int start(struct setup *setup)
{
	AUTO(arena) struct arena *arena = arena_new();
	int status = EXIT_FAILURE;

	notify_init();
	if (prepare(setup, arena) < 0) {
		notify_send("STATUS=not started; its log says why");
	} else if (setup->config.proxy_is_external) {
		log_notice("%s says that another proxy is used (\"external\"): nothing to do",
			   setup->config_path);
		notify_send("READY=1\nSTATUS=another proxy is used");
		status = EXIT_SUCCESS;
	} else {
		raise_descriptors(&setup->config.proxy);
		if (confine_user() == 0)
			status = run(setup, arena);
	}
	credentials_wipe(&setup->credentials);
	listeners_close(&setup->listeners);
	return status;
}

int main(int argc, char **argv)
{
	struct setup setup = {
		.config_path = UIDWALL_SYSCONFDIR "/uidwall.json",
		.control = UIDWALL_RUNDIR "/control.sock",
	};
	int key;

	log_init("uidwall-proxy");
	while ((key = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (key) {
		case OPTION_CONFIG:
			setup.config_path = optarg;
			break;
		case OPTION_CONTROL:
			setup.control = optarg;
			break;
		case OPTION_NO_SECCOMP:
			setup.no_seccomp = true;
			break;
		case OPTION_HELP:
			fputs(help, stdout);
			return EXIT_SUCCESS;
		case OPTION_VERSION:
			puts("uidwall-proxy " PACKAGE_VERSION);
			return EXIT_SUCCESS;
		default:
			fputs("Try \"uidwall-proxy --help\".\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		log_error("unexpected argument \"%s\"; try \"uidwall-proxy --help\"", argv[optind]);
		return EXIT_USAGE;
	}
	return start(&setup);
}
