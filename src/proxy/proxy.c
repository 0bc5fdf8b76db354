/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proxy.c - the main thread: starts the workers, hears the daemon, writes records, and ends. */
#include "proxy/proxy.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/log.h"
#include "proxy/daemon/link.h"
#include "proxy/worker.h"

enum {
	OTHER_FDS = 128, /* that are neither connections nor pipes */
	CONNECTIONS_MAX = 65536,
	PIPES_MAX = 256,
	WORKERS_MAX = 8,
	TROUBLE_MAX = 512,
};

struct proxy {
	const struct proxy_options *options;
	const struct proxy_hooks *hooks;
	struct event_base *base;
	struct tally *tally;
	struct outbox *outbox;
	struct usages *usages;
	struct link *link;
	struct worker *workers[WORKERS_MAX];
	unsigned n_workers;
	struct event *signals[2];
	struct event *watchdog;
	pthread_mutex_t lock; /* for trouble */
	char trouble[TROUBLE_MAX];
};

/* --- what the daemon says */

static void on_lists(void *data, const struct lists *lists)
{
	struct proxy *proxy = data;

	for (unsigned i = 0; i < proxy->n_workers; i++)
		worker_set_lists(proxy->workers[i], lists);
}

static void on_trouble(void *data, const char *words)
{
	struct proxy *proxy = data;

	pthread_mutex_lock(&proxy->lock);
	snprintf(proxy->trouble, sizeof(proxy->trouble), "%s", words);
	pthread_mutex_unlock(&proxy->lock);
}

/* In a worker's thread. */
static const char *tell_trouble(void *data)
{
	static _Thread_local char words[TROUBLE_MAX];
	struct proxy *proxy = data;

	pthread_mutex_lock(&proxy->lock);
	memcpy(words, proxy->trouble, sizeof(words));
	pthread_mutex_unlock(&proxy->lock);
	return words;
}

/* --- start and end */

static void on_signal(evutil_socket_t number, short what, void *data)
{
	struct proxy *proxy = data;

	log_notice("ends: %s", strsignal(number));
	event_base_loopbreak(proxy->base);
}

/* A thread that hangs makes this one hang, and that is noticed. */
static void on_watchdog(evutil_socket_t fd, short what, void *data)
{
	struct proxy *proxy = data;

	for (unsigned i = 0; i < proxy->n_workers; i++)
		worker_check(proxy->workers[i]);
	proxy->hooks->alive();
}

static int start_watchdog(struct proxy *proxy)
{
	uint64_t us = proxy->hooks->alive ? proxy->hooks->alive_us : 0;
	struct timeval interval = { (time_t)(us / 1000000), (suseconds_t)(us % 1000000) };

	if (!us)
		return 0;
	proxy->watchdog = event_new(proxy->base, -1, EV_PERSIST, on_watchdog, proxy);
	return proxy->watchdog && event_add(proxy->watchdog, &interval) == 0 ? 0 : -ENOMEM;
}

static unsigned count_processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

/* What the descriptors allow: two for each connection, two for each pipe. */
static void size_up(const struct proxy_options *options, unsigned *ret_connections,
		    unsigned *ret_pipes)
{
	struct rlimit limit = { 1024, 1024 };
	unsigned n;

	getrlimit(RLIMIT_NOFILE, &limit);
	n = limit.rlim_cur > 1 << 20 ? 1 << 20 : (unsigned)limit.rlim_cur;
	n = n > 2 * OTHER_FDS ? n - OTHER_FDS : OTHER_FDS;
	*ret_pipes = n / 10 > PIPES_MAX ? PIPES_MAX : n / 10;
	*ret_connections = (n - 2 * *ret_pipes) / 2;
	if (*ret_connections > CONNECTIONS_MAX)
		*ret_connections = CONNECTIONS_MAX;
	if (options->n_connections && options->n_connections < *ret_connections)
		*ret_connections = options->n_connections;
}

static int make_workers(struct proxy *proxy, void (*confine)(void *data), void *data)
{
	const struct proxy_options *options = proxy->options;
	unsigned n_workers = count_processors(), n_connections, n_pipes;
	int r = 0;

	size_up(options, &n_connections, &n_pipes);
	proxy->usages = usages_new(n_connections, options->n_each);
	if (!proxy->usages)
		return -ENOMEM;
	while (r == 0 && proxy->n_workers < n_workers) {
		r = worker_new(
			&(struct worker_options){
				.proxy = options,
				.outbox = proxy->outbox,
				.usages = proxy->usages,
				/* Any of them may come to serve them all. */
				.n_slots = n_connections,
				.n_pipes = n_pipes / n_workers + 1,
				.trouble = tell_trouble,
				.data = proxy,
				.confine = confine,
				.confine_data = data,
			},
			&proxy->workers[proxy->n_workers]);
		proxy->n_workers += r == 0;
	}
	if (r == 0)
		log_info("room for %u connections, served by %u threads", n_connections, n_workers);
	return r;
}

static int make_parts(struct proxy *proxy)
{
	static const int numbers[] = { SIGTERM, SIGINT };
	int r = curl_global_init(CURL_GLOBAL_NOTHING) == CURLE_OK ? 0 : -ENOMEM;

	if (r == 0)
		r = tally_new(proxy->base, STDOUT_FILENO, &proxy->tally);
	if (r == 0)
		r = outbox_new(proxy->base, proxy->tally, &proxy->outbox);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(numbers); i++) {
		proxy->signals[i] = evsignal_new(proxy->base, numbers[i], on_signal, proxy);
		if (!proxy->signals[i] || event_add(proxy->signals[i], NULL) < 0)
			r = -ENOMEM;
	}
	return r;
}

static int make_link(struct proxy *proxy)
{
	return link_new(
		&(struct link_options){
			.base = proxy->base,
			.control = proxy->options->control,
			.on_lists = on_lists,
			.on_trouble = on_trouble,
			.data = proxy,
			.tally = proxy->tally,
		},
		&proxy->link);
}

static void free_parts(struct proxy *proxy)
{
	for (unsigned i = 0; i < proxy->n_workers; i++)
		worker_free(proxy->workers[i]);
	for (size_t i = 0; i < ARRAY_SIZE(proxy->signals); i++)
		if (proxy->signals[i])
			event_free(proxy->signals[i]);
	if (proxy->watchdog)
		event_free(proxy->watchdog);
	outbox_free(proxy->outbox);
	link_free(proxy->link);
	tally_free(proxy->tally);
	usages_free(proxy->usages);
	if (proxy->base)
		event_base_free(proxy->base);
	curl_global_cleanup();
	pthread_mutex_destroy(&proxy->lock);
}

int proxy_run(const struct proxy_options *options, const struct proxy_hooks *hooks)
{
	struct proxy proxy = {
		.options = options,
		.hooks = hooks,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.trouble = "uidwalld has not said yet who may go where",
	};
	const int one = 1;
	int r;

	signal(SIGPIPE, SIG_IGN);
	/* Accepted sockets inherit it. */
	for (size_t i = 0; i < options->n_listeners; i++) {
		setsockopt(options->listeners[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(options->listeners[i], IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
	}
	proxy.base = event_base_new();
	r = proxy.base ? make_parts(&proxy) : -ENOMEM;
	r = r < 0 ? r : make_workers(&proxy, hooks->confine, hooks->data);
	r = r < 0 ? r : make_link(&proxy);
	r = r < 0 ? r : start_watchdog(&proxy);
	if (r == 0) {
		if (hooks->confine)
			hooks->confine(hooks->data);
		for (unsigned i = 0; i < proxy.n_workers; i++)
			worker_accept(proxy.workers[i]);
		if (hooks->ready)
			hooks->ready(hooks->data);
		r = event_base_dispatch(proxy.base) < 0 ? -EIO : 0;
	}
	if (r < 0)
		log_error("cannot go on: %s", strerror(-r));
	free_parts(&proxy);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
