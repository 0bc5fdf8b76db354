/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns.c - one name asked of name servers, for both families at once.
 *
 * c-ares 1.18 keeps a channel's UDP socket, and with it the source port, for as long as the channel
 * has a question open. So there are several channels, and a question goes to the one that has the
 * fewest: each has a random port of its own, until more are open than there are channels. Its
 * query IDs come from a home-made RC4; ours from getrandom(2).
 */
#include "proxy/resolve/dns.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "proxy/resolve/channel.h"

enum {
	SERVERS_MAX = 16,
	CHANNELS = 16, /* some 75 KiB each */
	OPEN_MAX = 512,
	/* With one family's addresses at hand the other one gets so long: a server that never
	 * answers for AAAA is common. RFC 8305 would wait 50 ms for AAAA and not at all for A; we
	 * hand over only once, and want both. */
	WAIT_FOR_V6_MS = 100,
	WAIT_FOR_V4_MS = 1000,
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
	struct dns *dns;
	struct line *line;
	struct event *timer;
	void (*fn)(void *data, const struct dns_answer *answer); /* NULL: nobody listens */
	void *data;
	bool is_told;
	unsigned n_open; /* halves */
	struct half halves[HALF_COUNT];
};

struct line {
	struct channel *channel;
	unsigned n_open; /* questions */
	bool is_stale;	 /* asks servers of before */
};

struct server {
	struct prefix address;
	char interface[IF_NAMESIZE]; /* "": none */
};

struct dns {
	struct event_base *base;
	struct line lines[CHANNELS];
	LIST_HEAD(questions, question) questions;
	unsigned n_open;
	int timeout_ms;
	struct server servers[SERVERS_MAX];
	size_t n_servers; /* 0: those that c-ares found */
	uint16_t port;
	char *words; /* the servers */
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

static struct timeval in_ms(int64_t ms)
{
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
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
	question->line->n_open--;
	question->dns->n_open--;
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
	if (status != ARES_SUCCESS && half->error == -EIO &&
	    channel_trouble(question->line->channel))
		half->error = channel_trouble(question->line->channel);
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

static void renew_line(const struct dns *dns, struct line *line)
{
	struct prefix servers[SERVERS_MAX];
	const char *interfaces[SERVERS_MAX];
	const struct resolve_options options = {
		.servers = servers,
		.interfaces = interfaces,
		.n_servers = dns->n_servers,
		.port = dns->port,
	};

	for (size_t i = 0; i < dns->n_servers; i++) {
		const char *interface = dns->servers[i].interface;

		servers[i] = dns->servers[i].address;
		interfaces[i] = *interface ? interface : NULL;
	}
	line->is_stale = channel_set_servers(line->channel, &options) < 0;
}

/* Of those that ask the servers as they are now, if there is one. */
static struct line *least_busy(struct dns *dns)
{
	struct line *best = NULL;

	for (size_t i = 0; i < CHANNELS; i++) {
		struct line *line = &dns->lines[i];

		if (line->is_stale && !line->n_open)
			renew_line(dns, line);
		if (!best || line->is_stale < best->is_stale ||
		    (line->is_stale == best->is_stale && line->n_open < best->n_open))
			best = line;
	}
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
			      CHANNEL_UDP_BYTES);
	return r == ARES_SUCCESS ? 0 : r == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

static void send_packets(struct question *question, const struct packet packets[HALF_COUNT])
{
	struct channel *channel = question->line->channel;

	/* The question may be gone after the last one. */
	question->n_open = HALF_COUNT;
	for (int i = 0; i < HALF_COUNT; i++)
		channel_send(channel, packets[i].bytes, packets[i].n, on_half,
			     &question->halves[i]);
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
	question->dns = dns;
	question->line = least_busy(dns);
	question->line->n_open++;
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

/* --- others */

static const char *interface_at(const char *const *interfaces, size_t i)
{
	return interfaces && interfaces[i] ? interfaces[i] : "";
}

/* Whether they are others than before. */
static bool keep_servers(struct dns *dns, const struct prefix *servers,
			 const char *const *interfaces, size_t n)
{
	struct server kept[SERVERS_MAX] = { 0 };

	n = n < SERVERS_MAX ? n : SERVERS_MAX;
	for (size_t i = 0; i < n; i++) {
		kept[i].address = servers[i];
		snprintf(kept[i].interface, sizeof(kept[i].interface), "%s",
			 interface_at(interfaces, i));
	}
	if (n == dns->n_servers && memcmp(kept, dns->servers, sizeof(kept)) == 0)
		return false;
	memcpy(dns->servers, kept, sizeof(kept));
	dns->n_servers = n;
	return true;
}

static char *servers_in_words(const struct dns *dns)
{
	char *text = NULL, address[PREFIX_TEXT_MAX];
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (size_t i = 0; i < dns->n_servers; i++) {
		format_prefix(&dns->servers[i].address, address);
		fprintf(f, "%s%s", i ? ", " : "", address);
	}
	return fclose(f) == 0 ? text : NULL;
}

void dns_set_servers(struct dns *dns, const struct prefix *servers, const char *const *interfaces,
		     size_t n)
{
	char *words;

	if (!n || !keep_servers(dns, servers, interfaces, n))
		return;
	for (size_t i = 0; i < CHANNELS; i++)
		dns->lines[i].is_stale = true;
	words = servers_in_words(dns);
	if (words) {
		free(dns->words);
		dns->words = words;
	}
}

const char *dns_servers(const struct dns *dns)
{
	return dns->words;
}

/* --- from start to end */

int dns_new(const struct resolve_options *options, struct dns **ret_dns)
{
	AUTO(dns) struct dns *dns = calloc(1, sizeof(*dns));
	int r = 0;

	if (!dns || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return -ENOMEM;
	dns->base = options->base;
	dns->timeout_ms = options->timeout_ms ? (int)options->timeout_ms : RESOLVE_TIMEOUT_MS;
	for (size_t i = 0; !r && i < CHANNELS; i++)
		r = channel_new(options, &dns->lines[i].channel);
	if (r < 0)
		return r;
	dns->words = channel_servers(dns->lines[0].channel);
	if (!dns->words)
		return -ENOMEM;
	dns->port = options->port;
	keep_servers(dns, options->servers, options->interfaces, options->n_servers);

	*ret_dns = TAKE(dns);
	return 0;
}

void dns_free(struct dns *dns)
{
	struct question *question;

	if (!dns)
		return;
	for (question = LIST_FIRST(&dns->questions); question;
	     question = LIST_NEXT(question, entry))
		question->fn = NULL;
	for (size_t i = 0; i < CHANNELS; i++)
		channel_free(dns->lines[i].channel); /* ends every half */
	free(dns->words);
	free(dns);
}
