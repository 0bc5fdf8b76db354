/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.c - a channel of c-ares in libevent's loop. */
#include "proxy/resolve/channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
	TRIES = 3, /* of each server, each twice as long as the one before */
	TRY_MIN_MS = 500,
	DNS_PORT = 53,
};

struct watch {
	LIST_ENTRY(watch) entry;
	struct channel *channel;
	int fd;
	struct event *event;
};

struct scope {
	struct prefix address;
	char interface[IF_NAMESIZE];
};

struct channel {
	struct event_base *base;
	ares_channel ares;
	struct event *timer;
	LIST_HEAD(watches, watch) watches;
	struct scope *scopes; /* of link-local servers */
	size_t n_scopes;
	int trouble;
};

/* --- its sockets and timers */

static void set_timer(struct channel *channel)
{
	struct timeval tv;

	if (ares_timeout(channel->ares, NULL, &tv))
		event_add(channel->timer, &tv);
	else
		event_del(channel->timer);
}

static void on_timer(evutil_socket_t fd, short events, void *data)
{
	struct channel *channel = data;

	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(channel);
}

static void on_socket(evutil_socket_t fd, short events, void *data)
{
	struct channel *channel = ((struct watch *)data)->channel; /* the watch may go meanwhile */

	ares_process_fd(channel->ares, events & EV_READ ? fd : ARES_SOCKET_BAD,
			events & EV_WRITE ? fd : ARES_SOCKET_BAD);
	set_timer(channel);
}

static void watch_free(struct watch *watch)
{
	LIST_REMOVE(watch, entry);
	event_free(watch->event);
	free(watch);
}

static struct watch *find_watch(const struct channel *channel, int fd)
{
	struct watch *watch = LIST_FIRST(&channel->watches);

	while (watch && watch->fd != fd)
		watch = LIST_NEXT(watch, entry);
	return watch;
}

static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct channel *channel = data;
	struct watch *watch = find_watch(channel, fd);
	short events = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));

	if (watch)
		watch_free(watch);
	watch = events ? calloc(1, sizeof(*watch)) : NULL;
	if (!watch)
		return; /* without memory: it times out */
	*watch = (struct watch){ .channel = channel, .fd = fd };
	watch->event = event_new(channel->base, fd, events | EV_PERSIST, on_socket, watch);
	if (!watch->event) {
		free(watch);
		return;
	}
	LIST_INSERT_HEAD(&channel->watches, watch, entry);
	event_add(watch->event, NULL);
}

static ares_socket_t sock_open(int family, int type, int protocol, void *data)
{
	struct channel *channel = data;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	channel->trouble = fd < 0 ? -errno : 0;
	return fd;
}

static int sock_close(ares_socket_t fd, void *data)
{
	return close(fd);
}

static int connect_noting(struct channel *channel, int fd, const struct sockaddr *address,
			  socklen_t length)
{
	int r = connect(fd, address, length);

	if (r < 0 && errno != EINPROGRESS)
		channel->trouble = -errno;
	return r;
}

/* c-ares 1.18 knows no scopes; and the interface may be another one than a minute ago. */
static int sock_connect(ares_socket_t fd, const struct sockaddr *address, ares_socklen_t length,
			void *data)
{
	struct channel *channel = data;
	struct sockaddr_in6 v6;

	if (address->sa_family != AF_INET6 || length < sizeof(v6))
		return connect_noting(channel, fd, address, length);
	memcpy(&v6, address, sizeof(v6));
	for (size_t i = 0; i < channel->n_scopes; i++)
		if (!memcmp(&v6.sin6_addr, channel->scopes[i].address.bytes, 16))
			v6.sin6_scope_id = if_nametoindex(channel->scopes[i].interface);
	return connect_noting(channel, fd, (struct sockaddr *)&v6, sizeof(v6));
}

static ares_ssize_t sock_receive(ares_socket_t fd, void *bytes, size_t n, int flags,
				 struct sockaddr *from, ares_socklen_t *from_length, void *data)
{
	return recvfrom(fd, bytes, n, flags, from, from_length);
}

static ares_ssize_t sock_send(ares_socket_t fd, const struct iovec *parts, int n, void *data)
{
	const struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)n };
	ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

	/* That was about the datagram before, and c-ares would move on with this one alone. */
	return sent < 0 && errno == ECONNREFUSED ? sendmsg(fd, &message, MSG_NOSIGNAL) : sent;
}

static const struct ares_socket_functions sock_functions = {
	.asocket = sock_open,
	.aclose = sock_close,
	.aconnect = sock_connect,
	.arecvfrom = sock_receive,
	.asendv = sock_send,
};

/* --- from start to end */

static int set_servers(struct channel *channel, const struct resolve_options *options)
{
	size_t n = options->n_servers;
	AUTO(mem) struct ares_addr_port_node *nodes = calloc(n, sizeof(*nodes));
	int r;

	if (!nodes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct prefix *server = &options->servers[i];

		nodes[i].family = server->family == ADDR_V4 ? AF_INET : AF_INET6;
		memcpy(&nodes[i].addr, server->bytes, server->family == ADDR_V4 ? 4 : 16);
		nodes[i].udp_port = nodes[i].tcp_port = options->port ? options->port : DNS_PORT;
		nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
	}
	r = ares_set_servers_ports(channel->ares, nodes);
	return r == ARES_SUCCESS ? 0 : r == ARES_ENOTIMP ? -EBUSY : -ENOMEM;
}

static int note_scopes(struct channel *channel, const struct resolve_options *options)
{
	free(channel->scopes);
	channel->n_scopes = 0;
	channel->scopes = calloc(options->n_servers, sizeof(*channel->scopes));
	if (!channel->scopes)
		return -ENOMEM;
	for (size_t i = 0; i < options->n_servers; i++) {
		struct scope *scope = &channel->scopes[channel->n_scopes];

		if (!options->interfaces[i] || options->servers[i].family != ADDR_V6)
			continue;
		scope->address = options->servers[i];
		snprintf(scope->interface, sizeof(scope->interface), "%s", options->interfaces[i]);
		channel->n_scopes++;
	}
	return 0;
}

/* So that all tries of all servers fit into the time for an answer. */
static int try_ms(const struct resolve_options *options)
{
	unsigned whole_ms = options->timeout_ms ? options->timeout_ms : RESOLVE_TIMEOUT_MS;
	int ms = (int)whole_ms / ((1 << TRIES) - 1) /
		 (int)(options->n_servers ? options->n_servers : 1);

	return ms < TRY_MIN_MS ? TRY_MIN_MS : ms;
}

static int open_ares(struct channel *channel, const struct resolve_options *options)
{
	static char lookups[] = "b"; /* DNS alone */
	struct ares_options ares = {
		.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = try_ms(options),
		.tries = TRIES,
		.ednspsz = CHANNEL_UDP_BYTES,
		.lookups = lookups,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = channel,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
		   ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_EDNSPSZ |
		   ARES_OPT_NOROTATE;

	if (ares_init_options(&channel->ares, &ares, mask) != ARES_SUCCESS)
		return -ENOMEM;
	ares_set_socket_functions(channel->ares, &sock_functions, channel);
	return 0;
}

int channel_trouble(const struct channel *channel)
{
	return channel->trouble;
}

char *channel_servers(const struct channel *channel)
{
	struct ares_addr_port_node *nodes = NULL;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	if (ares_get_servers_ports(channel->ares, &nodes) != ARES_SUCCESS)
		nodes = NULL;
	for (const struct ares_addr_port_node *node = nodes; node; node = node->next) {
		char address[INET6_ADDRSTRLEN];

		if (inet_ntop(node->family, &node->addr, address, sizeof(address)))
			fprintf(f, "%s%s", node == nodes ? "" : ", ", address);
	}
	ares_free_data(nodes);
	return fclose(f) == 0 ? text : NULL;
}

int channel_set_servers(struct channel *channel, const struct resolve_options *options)
{
	int r = set_servers(channel, options);

	return r == 0 && options->interfaces ? note_scopes(channel, options) : r;
}

int channel_new(const struct resolve_options *options, struct channel **ret_channel)
{
	struct channel *channel = calloc(1, sizeof(*channel));
	int r;

	if (!channel)
		return -ENOMEM;
	channel->base = options->base;
	channel->timer = evtimer_new(channel->base, on_timer, channel);
	r = channel->timer ? open_ares(channel, options) : -ENOMEM;
	if (!r && options->n_servers)
		r = channel_set_servers(channel, options);
	if (r < 0) {
		channel_free(channel);
		return r;
	}

	*ret_channel = channel;
	return 0;
}

void channel_send(struct channel *channel, const unsigned char *packet, int n, ares_callback fn,
		  void *data)
{
	ares_send(channel->ares, packet, n, fn, data);
	set_timer(channel);
}

void channel_free(struct channel *channel)
{
	if (!channel)
		return;
	if (channel->ares)
		ares_destroy(channel->ares); /* and with it, by on_socket_state(), the watches */
	if (channel->timer)
		event_free(channel->timer);
	free(channel->scopes);
	free(channel);
}
