/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns.c - one name asked of name servers, for both families at once.
 *
 * c-ares 1.18 keeps a channel's UDP socket, and with it the source port, for as long as the channel
 * has a question open. So there are several channels, and a question goes to the one that has the
 * fewest: each has a random port of its own, until more are open than there are channels. Its
 * query IDs come from a home-made RC4; ours from getrandom(2).
 */
#include "proxy/dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
	CHANNELS = 16, /* some 75 KiB each */
	OPEN_MAX = 512,
	TRIES = 3, /* of each server, each twice as long as the one before */
	TRY_MIN_MS = 500,
	UDP_BYTES = 1232, /* told by EDNS; what is longer comes by TCP (DNS flag day 2020) */
	/* With one family's addresses at hand the other one gets so long: a server that never
	 * answers for AAAA is common. RFC 8305 would wait 50 ms for AAAA and not at all for A; we
	 * hand over only once, and want both. */
	WAIT_FOR_V6_MS = 100,
	WAIT_FOR_V4_MS = 1000,
	DNS_PORT = 53,
};

enum half_kind { HALF_V6, HALF_V4, HALF_COUNT };

struct half {
	struct question *question;
	bool is_done;
	int error;
	uint32_t ttl_s;
	uint8_t n;
	struct prefix addresses[RESOLVE_ADDRESSES_MAX];
};

struct question {
	LIST_ENTRY(question) entry;
	struct channel *channel;
	struct event *timer;
	void (*fn)(void *data, const struct dns_answer *answer); /* NULL: nobody listens */
	void *data;
	bool is_told;
	unsigned n_open; /* halves */
	struct half halves[HALF_COUNT];
};

struct watch {
	LIST_ENTRY(watch) entry;
	struct channel *channel;
	int fd;
	struct event *event;
};

struct channel {
	struct dns *dns;
	ares_channel ares;
	struct event *timer;
	unsigned n_open; /* questions */
	LIST_HEAD(, watch) watches;
};

struct scope {
	struct prefix address;
	char interface[IF_NAMESIZE];
};

struct dns {
	struct event_base *base;
	struct channel channels[CHANNELS];
	LIST_HEAD(, question) questions;
	unsigned n_open;
	int timeout_ms;
	struct scope *scopes; /* of link-local servers */
	size_t n_scopes;
	char *servers; /* in words */
};

/* --- c-ares' sockets and timers in the loop */

static struct timeval in_ms(int64_t ms)
{
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

static void set_channel_timer(struct channel *channel)
{
	struct timeval tv;

	if (ares_timeout(channel->ares, NULL, &tv))
		event_add(channel->timer, &tv);
	else
		event_del(channel->timer);
}

static void on_channel_timer(evutil_socket_t fd, short events, void *data)
{
	struct channel *channel = data;

	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_channel_timer(channel);
}

static void on_socket(evutil_socket_t fd, short events, void *data)
{
	struct channel *channel = ((struct watch *)data)->channel; /* the watch may go meanwhile */

	ares_process_fd(channel->ares, events & EV_READ ? fd : ARES_SOCKET_BAD,
			events & EV_WRITE ? fd : ARES_SOCKET_BAD);
	set_channel_timer(channel);
}

static void watch_free(struct watch *watch)
{
	LIST_REMOVE(watch, entry);
	event_free(watch->event);
	free(watch);
}

static struct watch *find_watch(const struct channel *channel, int fd)
{
	struct watch *watch;

	LIST_FOREACH(watch, &channel->watches, entry)
	if (watch->fd == fd)
		return watch;
	return NULL;
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
	watch->event = event_new(channel->dns->base, fd, events | EV_PERSIST, on_socket, watch);
	if (!watch->event) {
		free(watch);
		return;
	}
	LIST_INSERT_HEAD(&channel->watches, watch, entry);
	event_add(watch->event, NULL);
}

static ares_socket_t sock_open(int family, int type, int protocol, void *data)
{
	return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static int sock_close(ares_socket_t fd, void *data)
{
	return close(fd);
}

/* c-ares learnt of scopes in 1.20; the interface may be another one than a minute ago. */
static int sock_connect(ares_socket_t fd, const struct sockaddr *address, ares_socklen_t length,
			void *data)
{
	const struct dns *dns = data;
	struct sockaddr_in6 v6;

	if (address->sa_family != AF_INET6 || length < sizeof(v6))
		return connect(fd, address, length);
	memcpy(&v6, address, sizeof(v6));
	for (size_t i = 0; i < dns->n_scopes; i++)
		if (!memcmp(&v6.sin6_addr, dns->scopes[i].address.bytes, 16))
			v6.sin6_scope_id = if_nametoindex(dns->scopes[i].interface);
	return connect(fd, (struct sockaddr *)&v6, sizeof(v6));
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

/* --- answers */

static int error_of_status(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENODATA:
		return -ENODATA;
	case ARES_ENOTFOUND:
		return -ENOENT;
	case ARES_ETIMEOUT:
		return -ETIMEDOUT;
	case ARES_ENOMEM:
		return -ENOMEM;
	default:
		return -EIO; /* refused, failed, nobody there: c-ares says ECONNREFUSED for all */
	}
}

static int error_of_rcode(unsigned rcode)
{
	return rcode == ns_r_noerror ? 0 : rcode == ns_r_nxdomain ? -ENOENT : -EIO;
}

static void add_address(struct half *half, uint8_t family, const void *bytes, int ttl)
{
	struct prefix *address = &half->addresses[half->n];
	uint32_t ttl_s = ttl < 0 ? 0 : (uint32_t)ttl; /* RFC 2181, 8: as if zero */
	bool is_v4 = family == ADDR_V4;

	*address = (struct prefix){ .family = family, .length = is_v4 ? 32 : 128 };
	memcpy(address->bytes, bytes, is_v4 ? 4 : 16);
	half->ttl_s = half->n++ && half->ttl_s < ttl_s ? half->ttl_s : ttl_s;
}

static int read_addresses(struct half *half, const uint8_t *bytes, int n)
{
	bool is_v4 = half == &half->question->halves[HALF_V4];
	struct ares_addrttl v4[RESOLVE_ADDRESSES_MAX];
	struct ares_addr6ttl v6[RESOLVE_ADDRESSES_MAX];
	int n_addresses = RESOLVE_ADDRESSES_MAX;
	int status = is_v4 ? ares_parse_a_reply(bytes, n, NULL, v4, &n_addresses) :
			     ares_parse_aaaa_reply(bytes, n, NULL, v6, &n_addresses);

	if (status != ARES_SUCCESS)
		return error_of_status(status);
	for (int i = 0; i < n_addresses; i++)
		if (is_v4)
			add_address(half, ADDR_V4, &v4[i].ipaddr, v4[i].ttl);
		else
			add_address(half, ADDR_V6, &v6[i].ip6addr, v6[i].ttl);
	return half->n ? 0 : -ENODATA;
}

/* One family that could not be asked about says less than one that answered; that a name does not
 * exist is true of both.
 */
static int whole_error(const struct question *question)
{
	static const int weights[] = { -ENODATA, -EIO, -ETIMEDOUT, -ENOENT };
	int a = question->halves[HALF_V6].error, b = question->halves[HALF_V4].error;

	for (size_t i = ARRAY_SIZE(weights); i-- > 0;)
		if (a == weights[i] || b == weights[i])
			return weights[i];
	return a ? a : b;
}

static void tell(struct question *question)
{
	const struct half *v6 = &question->halves[HALF_V6], *v4 = &question->halves[HALF_V4];
	struct dns_answer answer = {
		.is_late = question->is_told,
		.is_last = !question->n_open,
		.ttl_s = v6->n && (!v4->n || v6->ttl_s < v4->ttl_s) ? v6->ttl_s : v4->ttl_s,
	};

	for (uint8_t i = 0; i < RESOLVE_ADDRESSES_MAX; i++) {
		if (i < v6->n && answer.n < RESOLVE_ADDRESSES_MAX)
			answer.addresses[answer.n++] = v6->addresses[i];
		if (i < v4->n && answer.n < RESOLVE_ADDRESSES_MAX)
			answer.addresses[answer.n++] = v4->addresses[i];
	}
	if (!answer.n)
		answer.error = question->n_open ? -ETIMEDOUT : whole_error(question);
	question->is_told = true;
	if (question->fn)
		question->fn(question->data, &answer);
}

static void question_free(struct question *question)
{
	LIST_REMOVE(question, entry);
	question->channel->n_open--;
	question->channel->dns->n_open--;
	event_free(question->timer);
	free(question);
}

static void on_half(void *data, int status, int timeouts, unsigned char *bytes, int n)
{
	struct half *half = data;
	struct question *question = half->question;

	/* c-ares has seen to it that ID and question fit, and that there is a header. */
	half->error =
		status == ARES_SUCCESS ? error_of_rcode(bytes[3] & 0xf) : error_of_status(status);
	if (!half->error)
		half->error = read_addresses(half, bytes, n);
	half->is_done = true;
	if (--question->n_open == 0) {
		tell(question);
		question_free(question);
		return;
	}
	if (half->n && !question->is_told) {
		bool is_v4 = half == &question->halves[HALF_V4];
		struct timeval wait = in_ms(is_v4 ? WAIT_FOR_V6_MS : WAIT_FOR_V4_MS);

		event_add(question->timer, &wait);
	}
}

static void on_patience_ends(evutil_socket_t fd, short events, void *data)
{
	tell(data);
}

/* --- questions */

static struct channel *least_busy(struct dns *dns)
{
	struct channel *best = &dns->channels[0];

	for (size_t i = 1; i < CHANNELS; i++)
		if (dns->channels[i].n_open < best->n_open)
			best = &dns->channels[i];
	return best;
}

struct packet {
	unsigned char *bytes;
	int n;
};

static int make_packet(const char *name, int type, struct packet *ret_packet)
{
	uint16_t id;
	int r;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	r = ares_create_query(name, ns_c_in, type, id, 1, &ret_packet->bytes, &ret_packet->n,
			      UDP_BYTES);
	return r == ARES_SUCCESS ? 0 : r == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

static void send_packets(struct question *question, const struct packet packets[HALF_COUNT])
{
	struct channel *channel = question->channel;

	/* The question may be gone after the last one. */
	question->n_open = HALF_COUNT;
	for (int i = 0; i < HALF_COUNT; i++)
		ares_send(channel->ares, packets[i].bytes, packets[i].n, on_half,
			  &question->halves[i]);
	set_channel_timer(channel);
}

static struct question *question_new(struct dns *dns)
{
	struct question *question = calloc(1, sizeof(*question));

	if (!question)
		return NULL;
	question->timer = evtimer_new(dns->base, on_patience_ends, question);
	if (!question->timer) {
		free(question);
		return NULL;
	}
	for (int i = 0; i < HALF_COUNT; i++)
		question->halves[i].question = question;
	question->channel = least_busy(dns);
	question->channel->n_open++;
	dns->n_open++;
	LIST_INSERT_HEAD(&dns->questions, question, entry);
	return question;
}

int dns_ask(struct dns *dns, const char *name,
	    void (*fn)(void *data, const struct dns_answer *answer), void *data)
{
	const struct timeval patience = in_ms(dns->timeout_ms);
	struct packet packets[HALF_COUNT] = { 0 };
	struct question *question;
	int r;

	if (dns->n_open >= OPEN_MAX)
		return -EAGAIN;
	r = make_packet(name, ns_t_aaaa, &packets[HALF_V6]);
	if (!r)
		r = make_packet(name, ns_t_a, &packets[HALF_V4]);
	question = r ? NULL : question_new(dns);
	if (!r && !question)
		r = -ENOMEM;
	if (!r) {
		question->fn = fn;
		question->data = data;
		event_add(question->timer, &patience);
		send_packets(question, packets);
	}
	for (int i = 0; i < HALF_COUNT; i++)
		ares_free_string(packets[i].bytes);
	return r;
}

const char *dns_servers(const struct dns *dns)
{
	return dns->servers;
}

/* --- set up */

static int set_servers(struct channel *channel, const struct resolve_options *options)
{
	size_t n = options->n_servers;
	AUTO(mem) struct ares_addr_port_node *nodes = calloc(n ? n : 1, sizeof(*nodes));

	if (!nodes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct prefix *server = &options->servers[i];

		nodes[i].family = server->family == ADDR_V4 ? AF_INET : AF_INET6;
		memcpy(&nodes[i].addr, server->bytes, server->family == ADDR_V4 ? 4 : 16);
		nodes[i].udp_port = nodes[i].tcp_port = options->port ? options->port : DNS_PORT;
		nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
	}
	return ares_set_servers_ports(channel->ares, nodes) == ARES_SUCCESS ? 0 : -ENOMEM;
}

static int try_ms(const struct dns *dns, size_t n_servers)
{
	int all = dns->timeout_ms / ((1 << TRIES) - 1) / (int)(n_servers ? n_servers : 1);

	return all < TRY_MIN_MS ? TRY_MIN_MS : all;
}

static int channel_open(struct channel *channel, struct dns *dns,
			const struct resolve_options *options)
{
	static char lookups[] = "b"; /* DNS alone */
	struct ares_options ares = {
		.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = try_ms(dns, options->n_servers),
		.tries = TRIES,
		.ednspsz = UDP_BYTES,
		.lookups = lookups,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = channel,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
		   ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_EDNSPSZ |
		   ARES_OPT_NOROTATE;

	channel->dns = dns;
	channel->timer = evtimer_new(dns->base, on_channel_timer, channel);
	if (!channel->timer || ares_init_options(&channel->ares, &ares, mask) != ARES_SUCCESS)
		return -ENOMEM;
	ares_set_socket_functions(channel->ares, &sock_functions, dns);
	return options->n_servers ? set_servers(channel, options) : 0;
}

static int note_scopes(struct dns *dns, const struct resolve_options *options)
{
	dns->scopes = calloc(options->n_servers ? options->n_servers : 1, sizeof(*dns->scopes));
	if (!dns->scopes)
		return -ENOMEM;
	for (size_t i = 0; options->interfaces && i < options->n_servers; i++) {
		struct scope *scope = &dns->scopes[dns->n_scopes];

		if (!options->interfaces[i] || options->servers[i].family != ADDR_V6)
			continue;
		scope->address = options->servers[i];
		snprintf(scope->interface, sizeof(scope->interface), "%s", options->interfaces[i]);
		dns->n_scopes++;
	}
	return 0;
}

/* From c-ares, which may have read /etc/resolv.conf. */
static int note_servers(struct dns *dns)
{
	struct ares_addr_port_node *nodes = NULL;
	size_t size;
	FILE *f = open_memstream(&dns->servers, &size);

	if (!f)
		return -ENOMEM;
	if (ares_get_servers_ports(dns->channels[0].ares, &nodes) != ARES_SUCCESS)
		nodes = NULL;
	for (const struct ares_addr_port_node *node = nodes; node; node = node->next) {
		char text[INET6_ADDRSTRLEN];

		if (inet_ntop(node->family, &node->addr, text, sizeof(text)))
			fprintf(f, "%s%s", node == nodes ? "" : ", ", text);
	}
	ares_free_data(nodes);
	return fclose(f) < 0 ? -ENOMEM : 0;
}

int dns_new(const struct resolve_options *options, struct dns **ret_dns)
{
	AUTO(dns) struct dns *dns = calloc(1, sizeof(*dns));
	int r = 0;

	if (!dns || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return -ENOMEM;
	dns->base = options->base;
	dns->timeout_ms = options->timeout_ms ? (int)options->timeout_ms : RESOLVE_TIMEOUT_MS;
	r = note_scopes(dns, options);
	for (size_t i = 0; !r && i < CHANNELS; i++)
		r = channel_open(&dns->channels[i], dns, options);
	if (!r)
		r = note_servers(dns);
	if (r)
		return r;

	*ret_dns = TAKE(dns);
	return 0;
}

void dns_free(struct dns *dns)
{
	struct question *question;

	if (!dns)
		return;
	LIST_FOREACH(question, &dns->questions, entry)
	question->fn = NULL;
	for (size_t i = 0; i < CHANNELS; i++) {
		struct channel *channel = &dns->channels[i];

		if (channel->ares)
			ares_destroy(channel->ares); /* ends every half */
		if (channel->timer)
			event_free(channel->timer);
	}
	free(dns->scopes);
	free(dns->servers);
	free(dns);
}
