/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dial.c - libcurl's multi interface, in connect-only mode, on libevent.
 *
 * A handle is used again and again (making one costs more than connecting), and holds one name, of
 * the form "d7.invalid", whose addresses CURLOPT_RESOLVE gives it anew each time: libcurl tries
 * those in its own way, and its resolver is never asked. CURLOPT_CLOSESOCKETFUNCTION is where
 * libcurl gives up a socket: one that was taken stays open.
 */
#include "proxy/out/dial.h"

#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "proxy/out/straight.h"

enum {
	SOCKETS_MAX = 4, /* that libcurl watches at once for one connection: two by RFC 8305 */
	ADDRESSES_MAX = 16,
	TEXT_MAX = 32 + ADDRESSES_MAX * PREFIX_TEXT_MAX,
	URL_MAX = 300,
	HAPPY_MS = 200,	   /* head start of IPv6; RFC 8305, 5 says 250, libcurl 200 */
	FREE_HANDLES = 64, /* kept for the next ones */
};

struct watched {
	struct dial *dial;
	struct event event;
	curl_socket_t fd; /* -1: free */
};

struct dial {
	struct dialer *dialer;
	struct dial *next; /* free ones */
	CURL *easy;	   /* NULL: of the straight ones */
	struct curl_slist *resolve;
	dial_fn fn; /* NULL: cancelled */
	void *data;
	unsigned number;
	struct straight straight; /* a dial without a handle */
	curl_socket_t taken;
	struct prefix last; /* that a socket was opened for */
	struct watched watched[SOCKETS_MAX];
	/* What the handle is set to: the same again need not be said again. */
	struct prefix addresses[ADDRESSES_MAX];
	size_t n_addresses;
	uint16_t port;
};

struct dialer {
	struct dialer_options options;
	char *credentials;
	CURLM *multi;
	struct event timer;
	struct dial *free, *free_straight;
	unsigned n_free, n_made;
	bool is_taking;	      /* results */
	struct dial *current; /* whose socket is looked at; NULL once it is done */
};

/* --- from libcurl's addresses to ours */

static bool get_address(const struct sockaddr *address, struct prefix *ret_prefix)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	if (address->sa_family == AF_INET) {
		*ret_prefix = (struct prefix){ .family = ADDR_V4, .length = 32 };
		memcpy(ret_prefix->bytes, &v4->sin_addr, 4);
		return true;
	}
	if (address->sa_family == AF_INET6) {
		*ret_prefix = (struct prefix){ .family = ADDR_V6, .length = 128 };
		memcpy(ret_prefix->bytes, &v6->sin6_addr, 16);
		return true;
	}
	return false;
}

static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct dial *dial = data;

	if (!get_address(&address->addr, &dial->last))
		return CURL_SOCKET_BAD;
	return socket(address->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
}

static int close_socket(void *data, curl_socket_t fd)
{
	struct dial *dial = data;

	return fd == dial->taken ? 0 : close(fd);
}

/* --- events */

static void take_done(struct dialer *dialer);

static void act(struct dialer *dialer, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(dialer->multi, fd, what, &running);
	take_done(dialer);
}

static void on_timer(evutil_socket_t fd, short what, void *data)
{
	act(data, CURL_SOCKET_TIMEOUT, 0);
}

static bool is_watched(const struct dial *dial)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (dial->watched[i].fd >= 0)
			return true;
	return false;
}

/* Where an address refuses, libcurl 7.88 takes the next one only once half of the time is over that
 * all of them have, unless it is made to look at its handles. curl_multi_perform() would look, and
 * not tell which socket it opened.
 */
static void look_again(struct dialer *dialer)
{
	int running;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	curl_multi_socket_all(dialer->multi, &running);
#pragma GCC diagnostic pop
	take_done(dialer);
}

static void on_socket(evutil_socket_t fd, short what, void *data)
{
	struct watched *watched = data;
	struct dialer *dialer = watched->dial->dialer;

	dialer->current = watched->dial;
	act(dialer, fd,
	    (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
	if (dialer->current && !is_watched(dialer->current))
		look_again(dialer);
	dialer->current = NULL;
}

static int set_timer(CURLM *multi, long timeout_ms, void *data)
{
	struct dialer *dialer = data;
	struct timeval wait = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };

	if (timeout_ms < 0)
		event_del(&dialer->timer);
	else
		event_add(&dialer->timer, &wait);
	return 0;
}

static void unwatch(struct dialer *dialer, struct watched *watched)
{
	if (watched->fd >= 0)
		event_del(&watched->event);
	watched->fd = -1;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
	struct dialer *dialer = data;
	struct watched *watched = socket_data;
	struct dial *dial;

	if (what == CURL_POLL_REMOVE) {
		if (watched)
			unwatch(dialer, watched);
		return 0;
	}
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &dial);
	for (size_t i = 0; !watched && i < SOCKETS_MAX; i++)
		if (dial->watched[i].fd < 0)
			watched = &dial->watched[i];
	if (!watched)
		return -1;
	if (watched->fd >= 0)
		event_del(&watched->event);
	else
		curl_multi_assign(dialer->multi, fd, watched);
	watched->fd = fd;
	event_assign(&watched->event, dialer->options.base, fd,
		     (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
			     (what & CURL_POLL_OUT ? EV_WRITE : 0)),
		     on_socket, watched);
	return event_add(&watched->event, NULL);
}

/* --- handles */

static void free_dial(struct dial *dial)
{
	if (dial->easy)
		curl_easy_cleanup(dial->easy);
	curl_slist_free_all(dial->resolve);
	free(dial);
}

static void free_dials(struct dial *dial)
{
	while (dial) {
		struct dial *next = dial->next;

		free_dial(dial);
		dial = next;
	}
}

static struct dial *make_dial(struct dialer *dialer)
{
	struct dial *dial = calloc(1, sizeof(*dial));

	if (!dial)
		return NULL;
	dial->dialer = dialer;
	dial->number = dialer->n_made++;
	dial->easy = curl_easy_init();
	if (!dial->easy) {
		free(dial);
		return NULL;
	}
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		dial->watched[i] = (struct watched){ .dial = dial, .fd = -1 };
	curl_easy_setopt(dial->easy, CURLOPT_PRIVATE, dial);
	curl_easy_setopt(dial->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(dial->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(dial->easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(dial->easy, CURLOPT_NOPROXY, "");
	curl_easy_setopt(dial->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(dial->easy, CURLOPT_DNS_CACHE_TIMEOUT, -1L);
	curl_easy_setopt(dial->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(dial->easy, CURLOPT_TCP_KEEPALIVE, 0L);
	curl_easy_setopt(dial->easy, CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, (long)HAPPY_MS);
	curl_easy_setopt(dial->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)dialer->options.timeout_ms);
	curl_easy_setopt(dial->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(dial->easy, CURLOPT_OPENSOCKETDATA, dial);
	curl_easy_setopt(dial->easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(dial->easy, CURLOPT_CLOSESOCKETDATA, dial);
	if (dialer->credentials)
		curl_easy_setopt(dial->easy, CURLOPT_PROXYUSERPWD, dialer->credentials);
	return dial;
}

static void put_back(struct dial *dial)
{
	struct dialer *dialer = dial->dialer;

	dial->fn = NULL;
	if (dialer->current == dial)
		dialer->current = NULL;
	curl_multi_remove_handle(dialer->multi, dial->easy);
	dial->taken = -1;
	if (dialer->n_free == FREE_HANDLES) {
		free_dial(dial);
		return;
	}
	dial->next = dialer->free;
	dialer->free = dial;
	dialer->n_free++;
}

/* --- results */

/* What curl's result means. The connection's errno is the last address's. */
static int get_error(struct dial *dial, CURLcode code, struct dial_result *result)
{
	long os_error = 0, connect_status = 0;

	curl_easy_getinfo(dial->easy, CURLINFO_OS_ERRNO, &os_error);
	curl_easy_getinfo(dial->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
	if (connect_status == 407 || connect_status == 401) { /* 401: tinyproxy */
		result->words = "the site's proxy does not take our credentials";
		return -EACCES;
	}
	if (connect_status >= 300) {
		result->words = "the site's proxy refused it";
		return -ECONNABORTED;
	}
	if (code == CURLE_OPERATION_TIMEDOUT)
		return -ETIMEDOUT;
	if (code == CURLE_OUT_OF_MEMORY)
		return -ENOMEM;
	return os_error > 0 ? -(int)os_error : -EIO;
}

static void finish(struct dial *dial, CURLcode code)
{
	struct dial_result result = { .fd = -1, .address = dial->last };
	dial_fn fn = dial->fn;
	void *data = dial->data;
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (code == CURLE_OK)
		curl_easy_getinfo(dial->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd != CURL_SOCKET_BAD) {
		struct sockaddr_storage peer;
		socklen_t n = sizeof(peer);

		dial->taken = result.fd = fd;
		/* With two races at once the last one opened need not have won. */
		if (getpeername(fd, (void *)&peer, &n) == 0)
			get_address((void *)&peer, &result.address);
	} else {
		result.error = get_error(dial, code, &result);
		if (!result.words)
			result.words = strerror(-result.error);
	}
	put_back(dial);
	if (fn)
		fn(data, &result);
	else if (result.fd >= 0)
		close(result.fd);
}

/* libcurl's messages. Callbacks may start new dials, so nobody is inside of libcurl here. */
static void take_done(struct dialer *dialer)
{
	CURLMsg *message;
	int left;

	if (dialer->is_taking)
		return;
	dialer->is_taking = true;
	while ((message = curl_multi_info_read(dialer->multi, &left))) {
		struct dial *dial = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &dial);
		finish(dial, message->data.result);
	}
	dialer->is_taking = false;
}

/* --- what a handle is set to */

/* "d7.invalid:443:192.0.2.1,[2001:db8::1]" */
static int set_addresses(struct dial *dial, const struct prefix *addresses, size_t n, uint16_t port)
{
	char text[TEXT_MAX], address[PREFIX_TEXT_MAX];
	size_t at;

	dial->n_addresses = 0;
	at = (size_t)snprintf(text, sizeof(text), "d%u.invalid:%u:", dial->number, port);
	for (size_t i = 0; i < n; i++) {
		format_prefix(&addresses[i], address);
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       addresses[i].family == ADDR_V6 ? "%s[%s]" : "%s%s",
				       i ? "," : "", address);
	}
	curl_slist_free_all(dial->resolve);
	dial->resolve = curl_slist_append(NULL, text);
	if (!dial->resolve)
		return -ENOMEM;
	curl_easy_setopt(dial->easy, CURLOPT_RESOLVE, dial->resolve);
	memcpy(dial->addresses, addresses, n * sizeof(*addresses));
	dial->n_addresses = n;
	dial->port = port;
	return 0;
}

static bool has_addresses(const struct dial *dial, const struct prefix *addresses, size_t n,
			  uint16_t port)
{
	return n == dial->n_addresses && port == dial->port &&
	       memcmp(dial->addresses, addresses, n * sizeof(*addresses)) == 0;
}

static int set_url(struct dial *dial, const char *url)
{
	return curl_easy_setopt(dial->easy, CURLOPT_URL, url) == CURLE_OK ? 0 : -ENOMEM;
}

static int set_direct(struct dial *dial, const struct dial_target *target, size_t n)
{
	char url[64];
	int r;

	if (has_addresses(dial, target->addresses, n, target->port))
		return 0;
	r = set_addresses(dial, target->addresses, n, target->port);
	snprintf(url, sizeof(url), "http://d%u.invalid:%u", dial->number, target->port);
	return r < 0 ? r : set_url(dial, url);
}

static int set_upstream(struct dialer *dialer, struct dial *dial, const struct dial_target *target,
			size_t n)
{
	uint16_t port = dialer->options.upstream_port;
	char proxy[64], url[URL_MAX];
	int r = 0;

	if (!has_addresses(dial, target->addresses, n, port))
		r = set_addresses(dial, target->addresses, n, port);
	snprintf(proxy, sizeof(proxy), "http://d%u.invalid:%u", dial->number, port);
	curl_easy_setopt(dial->easy, CURLOPT_PROXY, proxy);
	curl_easy_setopt(dial->easy, CURLOPT_HTTPPROXYTUNNEL, target->to_proxy ? 0L : 1L);
	snprintf(url, sizeof(url), strchr(target->host, ':') ? "http://[%s]:%u" : "http://%s:%u",
		 target->host, target->port);
	return r < 0 ? r : set_url(dial, url);
}

static int set_target(struct dialer *dialer, struct dial *dial, const struct dial_target *target)
{
	size_t n = target->n_addresses < ADDRESSES_MAX ? target->n_addresses : ADDRESSES_MAX;

	if (n == 0 || (dialer->options.upstream_port && !target->host))
		return -EINVAL;
	return dialer->options.upstream_port ? set_upstream(dialer, dial, target, n) :
					       set_direct(dial, target, n);
}

/* --- one address */

static void put_back_straight(struct dial *dial)
{
	straight_cancel(&dial->straight);
	dial->next = dial->dialer->free_straight;
	dial->dialer->free_straight = dial;
}

static void finish_straight(struct dial *dial, int fd_or_error)
{
	struct dial_result result = { .fd = fd_or_error, .address = dial->last };

	if (fd_or_error < 0) {
		result.fd = -1;
		result.error = fd_or_error;
		result.words = strerror(-fd_or_error);
	}
	put_back_straight(dial);
	dial->fn(dial->data, &result);
}

static void on_straight(void *data, int fd_or_error)
{
	finish_straight(data, fd_or_error);
}

static int start_straight(struct dialer *dialer, const struct dial_target *target, dial_fn fn,
			  void *data, struct dial **ret_dial)
{
	struct dial *dial = dialer->free_straight;
	int r;

	if (dial)
		dialer->free_straight = dial->next;
	else
		dial = calloc(1, sizeof(*dial));
	if (!dial)
		return -ENOMEM;
	dial->dialer = dialer;
	dial->fn = fn;
	dial->data = data;
	dial->last = target->addresses[0];
	dial->straight.fn = on_straight;
	dial->straight.data = dial;
	*ret_dial = dial;
	r = straight_start(&dial->straight, dialer->options.base, &dial->last, target->port,
			   dialer->options.timeout_ms);
	if (r != -EINPROGRESS)
		finish_straight(dial, r);
	return 0;
}

/* --- entry points */

int dial_start(struct dialer *dialer, const struct dial_target *target, dial_fn fn, void *data,
	       struct dial **ret_dial)
{
	struct dial *dial = dialer->free;
	int r;

	if (target->n_addresses == 1 && !dialer->options.upstream_port)
		return start_straight(dialer, target, fn, data, ret_dial);
	if (dial) {
		dialer->free = dial->next;
		dialer->n_free--;
	} else {
		dial = make_dial(dialer);
		if (!dial)
			return -ENOMEM;
	}
	dial->taken = -1;
	dial->last = (struct prefix){ 0 };
	r = set_target(dialer, dial, target);
	if (r == 0 && curl_multi_add_handle(dialer->multi, dial->easy) != CURLM_OK)
		r = -ENOMEM;
	if (r < 0) {
		put_back(dial);
		return r;
	}
	dial->fn = fn;
	dial->data = data;
	*ret_dial = dial;
	act(dialer, CURL_SOCKET_TIMEOUT, 0); /* a turn of the loop less than by its timer */
	return 0;
}

void dial_cancel(struct dial *dial)
{
	if (dial && dial->easy)
		put_back(dial);
	else if (dial)
		put_back_straight(dial);
}

int dialer_new(const struct dialer_options *options, struct dialer **ret_dialer)
{
	struct dialer *dialer = calloc(1, sizeof(*dialer));

	if (!dialer)
		return -ENOMEM;
	dialer->options = *options;
	dialer->credentials = options->credentials ? strdup(options->credentials) : NULL;
	dialer->multi = curl_multi_init();
	if (!dialer->multi || (options->credentials && !dialer->credentials)) {
		dialer_free(dialer);
		return -ENOMEM;
	}
	event_assign(&dialer->timer, options->base, -1, 0, on_timer, dialer);
	curl_multi_setopt(dialer->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(dialer->multi, CURLMOPT_SOCKETDATA, dialer);
	curl_multi_setopt(dialer->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(dialer->multi, CURLMOPT_TIMERDATA, dialer);
	*ret_dialer = dialer;
	return 0;
}

void dialer_free(struct dialer *dialer)
{
	if (!dialer)
		return;
	free_dials(dialer->free);
	free_dials(dialer->free_straight);
	if (event_initialized(&dialer->timer))
		event_del(&dialer->timer);
	curl_multi_cleanup(dialer->multi);
	free(dialer->credentials);
	free(dialer);
}
