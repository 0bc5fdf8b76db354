/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proxy.c - puts the parts together, accepts, and ends. */
#include "proxy/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/conn.h"
#include "proxy/link.h"

enum {
	ACCEPTS_AT_ONCE = 64, /* before others have their turn */
	OTHER_FDS = 64,	      /* that are neither connections nor pipes */
	CONNECTIONS_MAX = 65536,
	PIPES_MAX = 1024,
	DIAL_TIMEOUT_MS = 20000,
	FIRST_BYTES_S = 30,
	IDLE_S = 3600,
	LISTENERS_MAX = 16,
	FOLLOWED_MAX = 4096, /* names */
	PAUSE_MS = 100,	     /* when no descriptor is left */
};

struct proxy {
	const struct proxy_options *options;
	struct event_base *base;
	struct owners *owners;
	struct resolver *resolver;
	struct dialer *dialer;
	struct tally *tally;
	struct link *link;
	struct conns *conns;
	struct event *listeners[LISTENERS_MAX];
	struct event *signals[2];
	struct event *pause;
	int reserve; /* a descriptor to have one left */
	int64_t logged_ms;
};

/* --- lists */

/* Names of transparent services whose ports are no web ports: their addresses must be known before.
 */
static void follow_names(struct proxy *proxy, const struct lists *lists)
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
		resolver_follow(proxy->resolver, names, n);
}

static void on_lists(void *data, const struct lists *lists)
{
	struct proxy *proxy = data;

	conns_set_lists(proxy->conns, lists);
	follow_names(proxy, lists);
}

static const char *trouble(void *data)
{
	const struct proxy *proxy = data;

	return link_trouble(proxy->link);
}

/* --- accepting */

static void set_accepting(struct proxy *proxy, bool is_on)
{
	for (size_t i = 0; i < proxy->options->n_listeners; i++)
		if (is_on)
			event_add(proxy->listeners[i], NULL);
		else
			event_del(proxy->listeners[i]);
}

static void on_pause_end(evutil_socket_t fd, short what, void *data)
{
	set_accepting(data, true);
}

/* Who waits is told by a reset that there is nothing for it here, and the queue does not fill up.
 */
static void run_out(struct proxy *proxy, int listener)
{
	const struct timeval pause = { 0, PAUSE_MS * 1000 };
	int64_t now_ms = clock_now_ms();
	int error = errno, fd;

	if (now_ms - proxy->logged_ms > 1000) {
		log_warning("connections are turned away: %s", strerror(error));
		proxy->logged_ms = now_ms;
	}
	if (proxy->reserve >= 0) {
		close(proxy->reserve);
		for (int i = 0; i < ACCEPTS_AT_ONCE && (fd = accept(listener, NULL, NULL)) >= 0;
		     i++)
			close(fd);
		proxy->reserve = open("/", O_PATH | O_CLOEXEC);
	}
	set_accepting(proxy, false);
	event_add(proxy->pause, &pause);
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
	struct proxy *proxy = data;
	struct sockaddr_storage peer, own;
	bool is_for_all;

	get_own(listener, &own, &is_for_all);
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		socklen_t n = sizeof(peer);
		int fd = accept4(listener, (void *)&peer, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			if (is_for_all)
				get_own(fd, &own, &(bool){ 0 });
			conns_accept(proxy->conns, fd, &peer, &own);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			run_out(proxy, listener);
		else if (errno == EINTR || errno == ECONNABORTED)
			continue;
		return;
	}
}

/* --- start and end */

static void on_signal(evutil_socket_t number, short what, void *data)
{
	struct proxy *proxy = data;

	log_notice("ends: %s", strsignal(number));
	event_base_loopbreak(proxy->base);
}

/* What the descriptors allow: two for each connection, two for each pipe. */
static void size_up(const struct proxy_options *options, struct conns_options *conns)
{
	struct rlimit limit = { 1024, 1024 };
	rlim_t n;

	getrlimit(RLIMIT_NOFILE, &limit);
	n = limit.rlim_cur > OTHER_FDS + 64 ? limit.rlim_cur - OTHER_FDS : 64;
	if (n > 1 << 20)
		n = 1 << 20;
	conns->n_pipes = (unsigned)(n / 10 > PIPES_MAX ? PIPES_MAX : n / 10);
	conns->n_slots = (unsigned)(n - 2 * conns->n_pipes) / 2;
	if (conns->n_slots > CONNECTIONS_MAX)
		conns->n_slots = CONNECTIONS_MAX;
	if (options->n_connections && options->n_connections < conns->n_slots)
		conns->n_slots = options->n_connections;
	conns->n_each = options->n_each ? options->n_each : conns->n_slots / 4;
}

static int make_parts(struct proxy *proxy)
{
	const struct proxy_options *options = proxy->options;
	char credentials[1024] = "";
	int r;

	if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK)
		return -ENOMEM;
	r = owners_open(&proxy->owners);
	if (r < 0) {
		log_error("the kernel does not tell whose sockets are whose (sock_diag): %s",
			  strerror(-r));
		return r;
	}
	if (options->upstream.user)
		snprintf(credentials, sizeof(credentials), "%s:%s", options->upstream.user,
			 options->upstream.password ? options->upstream.password : "");
	r = dialer_new(
		&(struct dialer_options){
			.base = proxy->base,
			.timeout_ms = DIAL_TIMEOUT_MS,
			.upstream_port = options->upstream.host ? options->upstream.port : 0,
			.credentials = credentials[0] ? credentials : NULL,
		},
		&proxy->dialer);
	explicit_bzero(credentials, sizeof(credentials));
	if (r < 0)
		return r;
	r = resolver_new(
		&(struct resolve_options){
			.base = proxy->base,
			.servers = options->servers,
			.interfaces = options->interfaces,
			.n_servers = options->n_servers,
			.port = 53,
			.hosts_file = "/etc/hosts",
		},
		&proxy->resolver);
	return r < 0 ? r : tally_new(proxy->base, STDOUT_FILENO, &proxy->tally);
}

static int make_conns(struct proxy *proxy)
{
	const struct proxy_options *options = proxy->options;
	struct conns_options conns = {
		.base = proxy->base,
		.owners = proxy->owners,
		.dialer = proxy->dialer,
		.resolver = proxy->resolver,
		.tally = proxy->tally,
		.trouble = trouble,
		.data = proxy,
		.upstream = options->upstream.host,
		.upstream_port = options->upstream.port,
		.first_bytes_ms =
			1000 * (options->first_byte_s ? options->first_byte_s : FIRST_BYTES_S),
		.idle_ms = 1000 * (options->idle_s ? options->idle_s : IDLE_S),
		.lifetime_ms = 1000 * options->lifetime_s,
	};
	int r;

	size_up(options, &conns);
	r = conns_new(&conns, &proxy->conns);
	if (r < 0)
		return r;
	log_notice("%u connections, %u of each service", conns.n_slots, conns.n_each);
	return link_new(
		&(struct link_options){
			.base = proxy->base,
			.control = options->control,
			.on_lists = on_lists,
			.data = proxy,
			.tally = proxy->tally,
		},
		&proxy->link);
}

static int make_events(struct proxy *proxy)
{
	static const int numbers[] = { SIGTERM, SIGINT };
	const int one = 1;

	proxy->reserve = open("/", O_PATH | O_CLOEXEC);
	proxy->pause = evtimer_new(proxy->base, on_pause_end, proxy);
	if (!proxy->pause)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		proxy->signals[i] = evsignal_new(proxy->base, numbers[i], on_signal, proxy);
		if (!proxy->signals[i] || event_add(proxy->signals[i], NULL) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < proxy->options->n_listeners; i++) {
		int fd = proxy->options->listeners[i];

		/* Accepted sockets inherit it. */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		proxy->listeners[i] =
			event_new(proxy->base, fd, EV_READ | EV_PERSIST, on_listener, proxy);
		if (!proxy->listeners[i])
			return -ENOMEM;
	}
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void free_parts(struct proxy *proxy)
{
	for (size_t i = 0; i < ARRAY_SIZE(proxy->listeners); i++)
		free_event(proxy->listeners[i]);
	for (size_t i = 0; i < ARRAY_SIZE(proxy->signals); i++)
		free_event(proxy->signals[i]);
	free_event(proxy->pause);
	conns_free(proxy->conns);
	link_free(proxy->link);
	dialer_free(proxy->dialer);
	resolver_free(proxy->resolver);
	tally_free(proxy->tally);
	owners_close(proxy->owners);
	if (proxy->base)
		event_base_free(proxy->base);
	curl_global_cleanup();
	fd_close(proxy->reserve);
}

int proxy_run(const struct proxy_options *options, void (*sandbox)(void *data), void *data)
{
	struct proxy proxy = { .options = options, .reserve = -1, .logged_ms = -1000 };
	int r;

	if (options->n_listeners > LISTENERS_MAX) {
		log_error("more than %d listening sockets", LISTENERS_MAX);
		return EXIT_FAILURE;
	}
	signal(SIGPIPE, SIG_IGN);
	proxy.base = event_base_new();
	r = proxy.base ? make_parts(&proxy) : -ENOMEM;
	if (r == 0)
		r = make_conns(&proxy);
	if (r == 0)
		r = make_events(&proxy);
	if (r == 0) {
		if (sandbox)
			sandbox(data);
		set_accepting(&proxy, true);
		r = event_base_dispatch(proxy.base) < 0 ? -EIO : 0;
	}
	if (r < 0)
		log_error("cannot go on: %s", strerror(-r));
	free_parts(&proxy);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
