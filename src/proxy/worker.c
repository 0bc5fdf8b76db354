/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker.c - one thread: its loop, its parts, and what the main thread tells it. */
#include "proxy/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/out/basic.h"
#include "proxy/serve/conn.h"

enum {
	ACCEPTS_AT_ONCE = 16, /* before others have their turn, and other workers a chance */
	DIAL_TIMEOUT_MS = 20000,
	FIRST_BYTES_S = 30,
	IDLE_S = 3600,
	FOLLOWED_MAX = 4096, /* names */
	PAUSE_MS = 100,	     /* when no descriptor is left */
	STACK = 256 * 1024,
};

enum order { ORDER_NONE, ORDER_LISTS, ORDER_ACCEPT, ORDER_END };

struct worker {
	struct worker_options options;
	pthread_t thread;
	bool has_thread;
	int r; /* of its start */
	/* One order at a time: written by the main thread, then `wake`; `done` when it is carried
	 * out. */
	enum order order;
	const struct lists *lists;
	int wake;
	sem_t done;

	struct event_base *base;
	struct owners *owners;
	struct resolver *resolver;
	struct dialer *dialer;
	char *authorization; /* of the site's proxy */
	struct conns *conns;
	struct event *listeners[PROXY_LISTENERS_MAX];
	struct event *orders, *pause;
	int reserve; /* a descriptor to have one left */
	int64_t logged_ms;
};

/* --- accepting */

static void set_accepting(struct worker *worker, bool is_on)
{
	for (size_t i = 0; i < worker->options.proxy->n_listeners; i++)
		if (is_on)
			event_add(worker->listeners[i], NULL);
		else
			event_del(worker->listeners[i]);
}

static void on_pause_end(evutil_socket_t fd, short what, void *data)
{
	set_accepting(data, true);
}

/* Who waits is told by a reset that there is nothing for it here, and the queue does not fill up.
 */
static void run_out(struct worker *worker, int listener, int error)
{
	const struct timeval pause = { 0, PAUSE_MS * 1000 };
	int64_t now_ms = clock_now_ms();
	int fd;

	if (now_ms - worker->logged_ms > 1000) {
		log_warning("connections are turned away: %s", strerror(error));
		worker->logged_ms = now_ms;
	}
	if (worker->reserve >= 0) {
		close(worker->reserve);
		for (int i = 0; i < ACCEPTS_AT_ONCE && (fd = accept(listener, NULL, NULL)) >= 0;
		     i++)
			close(fd);
		worker->reserve = eventfd(0, EFD_CLOEXEC);
	}
	set_accepting(worker, false);
	event_add(worker->pause, &pause);
}

/* *ret_is_for_all: it listens on every address of its family. */
static void get_own(int fd, struct sockaddr_storage *ret_own, bool *ret_is_for_all)
{
	const struct sockaddr_in *v4 = (const void *)ret_own;
	const struct sockaddr_in6 *v6 = (const void *)ret_own;
	socklen_t n = sizeof(*ret_own);

	*ret_own = (struct sockaddr_storage){ 0 };
	getsockname(fd, (void *)ret_own, &n);
	*ret_is_for_all = ret_own->ss_family == AF_INET ? v4->sin_addr.s_addr == htonl(INADDR_ANY) :
							  IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

static void on_listener(evutil_socket_t listener, short what, void *data)
{
	struct worker *worker = data;
	struct sockaddr_storage peer, own;
	bool is_for_all;

	get_own(listener, &own, &is_for_all);
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		socklen_t n = sizeof(peer);
		int fd = accept4(listener, (void *)&peer, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			if (is_for_all)
				get_own(fd, &own, &(bool){ 0 });
			conns_accept(worker->conns, fd, &peer, &own);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			run_out(worker, listener, errno);
		else if (errno == EINTR || errno == ECONNABORTED)
			continue;
		return;
	}
}

/* --- orders */

/* Names of transparent services whose ports are no web ports: their addresses must be known before.
 */
static void follow_names(struct worker *worker, const struct lists *lists)
{
	AUTO(mem) const char **names = calloc(FOLLOWED_MAX, sizeof(*names));
	const char *name;
	size_t n = 0;

	for (size_t i = 0; names && i < lists_count(lists); i++) {
		const struct list *list = lists_at(lists, i);
		size_t at = 0;

		while (list->transparent && n < FOLLOWED_MAX &&
		       (name = host_list_next_name(list->hosts, 0, &at)))
			names[n++] = name;
	}
	if (names)
		resolver_follow(worker->resolver, names, n);
}

static void on_order(evutil_socket_t fd, short what, void *data)
{
	const struct lists_resolvers *resolvers;
	struct worker *worker = data;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0)
		return;
	switch (worker->order) {
	case ORDER_LISTS:
		resolvers = lists_resolvers(worker->lists);
		resolver_set_servers(worker->resolver, resolvers->servers, resolvers->interfaces,
				     resolvers->n);
		conns_set_lists(worker->conns, worker->lists);
		follow_names(worker, worker->lists);
		break;
	case ORDER_ACCEPT:
		set_accepting(worker, true);
		break;
	case ORDER_END:
		event_base_loopbreak(worker->base);
		return; /* done once all is gone */
	case ORDER_NONE:
		break;
	}
	sem_post(&worker->done);
}

static void wait_done(struct worker *worker)
{
	while (sem_wait(&worker->done) < 0 && errno == EINTR)
		;
}

static void give_order(struct worker *worker, enum order order)
{
	const uint64_t one = 1;

	worker->order = order;
	if (write(worker->wake, &one, sizeof(one)) < 0)
		return; /* it cannot be full: one order at a time */
	wait_done(worker);
}

void worker_set_lists(struct worker *worker, const struct lists *lists)
{
	worker->lists = lists;
	give_order(worker, ORDER_LISTS);
}

void worker_check(struct worker *worker)
{
	give_order(worker, ORDER_NONE);
}

void worker_accept(struct worker *worker)
{
	give_order(worker, ORDER_ACCEPT);
}

/* --- the thread */

static int make_dialer(struct worker *worker)
{
	const struct proxy_upstream *upstream = &worker->options.proxy->upstream;
	char credentials[1024] = "";
	int r;

	if (upstream->user) {
		worker->authorization = basic_field(upstream->user, upstream->password);
		if (!worker->authorization)
			return -ENOMEM;
		snprintf(credentials, sizeof(credentials), "%s:%s", upstream->user,
			 upstream->password);
	}
	r = dialer_new(
		&(struct dialer_options){
			.base = worker->base,
			.timeout_ms = DIAL_TIMEOUT_MS,
			.upstream_port = upstream->host ? upstream->port : 0,
			.credentials = credentials[0] ? credentials : NULL,
		},
		&worker->dialer);
	explicit_bzero(credentials, sizeof(credentials));
	return r;
}

static int make_conns(struct worker *worker)
{
	const struct proxy_options *options = worker->options.proxy;

	return conns_new(
		&(struct conns_options){
			.base = worker->base,
			.owners = worker->owners,
			.dialer = worker->dialer,
			.resolver = worker->resolver,
			.outbox = worker->options.outbox,
			.usages = worker->options.usages,
			.trouble = worker->options.trouble,
			.data = worker->options.data,
			.upstream = options->upstream.host,
			.upstream_port = options->upstream.port,
			.authorization = worker->authorization,
			.n_slots = worker->options.n_slots,
			.n_pipes = worker->options.n_pipes,
			.first_bytes_ms = 1000 * (options->first_byte_s ? options->first_byte_s :
									  FIRST_BYTES_S),
			.idle_ms = 1000 * (options->idle_s ? options->idle_s : IDLE_S),
			.lifetime_ms = 1000 * options->lifetime_s,
		},
		&worker->conns);
}

static int make_events(struct worker *worker)
{
	const struct proxy_options *options = worker->options.proxy;

	worker->reserve = eventfd(0, EFD_CLOEXEC);
	worker->pause = evtimer_new(worker->base, on_pause_end, worker);
	worker->orders =
		event_new(worker->base, worker->wake, EV_READ | EV_PERSIST, on_order, worker);
	if (!worker->pause || !worker->orders || event_add(worker->orders, NULL) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < options->n_listeners; i++) {
		worker->listeners[i] = event_new(worker->base, options->listeners[i],
						 EV_READ | EV_PERSIST, on_listener, worker);
		if (!worker->listeners[i])
			return -ENOMEM;
	}
	return 0;
}

static int make_parts(struct worker *worker)
{
	const struct proxy_options *options = worker->options.proxy;
	int r;

	worker->base = event_base_new();
	if (!worker->base)
		return -ENOMEM;
	r = owners_open(&worker->owners);
	if (r < 0) {
		log_error("the kernel does not tell whose sockets are whose (sock_diag): %s",
			  strerror(-r));
		return r;
	}
	r = resolver_new(
		&(struct resolve_options){
			.base = worker->base,
			.servers = options->servers,
			.interfaces = options->interfaces,
			.n_servers = options->n_servers,
			.port = 53,
			.hosts_file = "/etc/hosts",
		},
		&worker->resolver);
	r = r < 0 ? r : make_dialer(worker);
	r = r < 0 ? r : make_conns(worker);
	return r < 0 ? r : make_events(worker);
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void free_parts(struct worker *worker)
{
	for (size_t i = 0; i < ARRAY_SIZE(worker->listeners); i++)
		free_event(worker->listeners[i]);
	free_event(worker->orders);
	free_event(worker->pause);
	conns_free(worker->conns);
	dialer_free(worker->dialer);
	resolver_free(worker->resolver);
	owners_close(worker->owners);
	free(worker->authorization);
	if (worker->base)
		event_base_free(worker->base);
	fd_close(worker->reserve);
}

static void *run(void *data)
{
	struct worker *worker = data;

	worker->r = make_parts(worker);
	if (worker->r == 0 && worker->options.confine)
		worker->options.confine(worker->options.confine_data);
	sem_post(&worker->done);
	if (worker->r == 0)
		event_base_dispatch(worker->base);
	free_parts(worker);
	return NULL;
}

/* --- entry points */

static int start_thread(struct worker *worker)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	int r;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	r = pthread_create(&worker->thread, &attributes, run, worker);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int worker_new(const struct worker_options *options, struct worker **ret_worker)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (!worker)
		return -ENOMEM;
	worker->options = *options;
	worker->reserve = -1;
	worker->logged_ms = -1000;
	sem_init(&worker->done, 0, 0);
	worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = worker->wake < 0 ? -errno : start_thread(worker);
	if (r == 0) {
		worker->has_thread = true;
		wait_done(worker);
		r = worker->r;
	}
	if (r < 0) {
		worker_free(worker);
		return r;
	}
	*ret_worker = worker;
	return 0;
}

void worker_free(struct worker *worker)
{
	const uint64_t one = 1;

	if (!worker)
		return;
	if (worker->has_thread) {
		worker->order = ORDER_END;
		if (worker->r < 0 || write(worker->wake, &one, sizeof(one)) > 0)
			pthread_join(worker->thread, NULL);
	}
	fd_close(worker->wake);
	sem_destroy(&worker->done);
	free(worker);
}
